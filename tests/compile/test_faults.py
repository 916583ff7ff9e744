"""What a client is told about a wrong value: the place, and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from demijohn.compile.validators import Validators


def told(schema: Any, value: Any, **definitions: Any) -> list[tuple[str, str]]:
    validator = Validators(definitions).build(schema, "request")
    return [(fault.pointer, fault.detail) for fault in validator.faults(value)]


@pytest.mark.parametrize(
    ("schema", "value", "pointer", "detail"),
    [
        ({"type": "integer"}, "1", "#", "must be an integer, found a string"),
        (
            {"type": "integer"},
            1.0,
            "#",
            "must be an integer, found a number with a fraction, an exponent or too many digits",
        ),
        ({"type": "integer"}, True, "#", "must be an integer, found a boolean"),
        ({"type": ["array", "object"]}, 1, "#", "must be an array or object, found an integer"),
        ({"type": "string"}, [], "#", "must be a string, found an array"),
        ({"type": "integer"}, 2**63, "#", "must be at most 9223372036854775807"),
        ({"type": "integer", "format": "int32"}, -(2**31) - 1, "#", "must be at least -2147483648"),
        ({"type": "number", "format": "float"}, 1e39, "#", "must be at most 3.4028234663852886e+38"),
        ({"required": ["a/b"]}, {}, "#/a~1b", "is required"),
        ({"additionalProperties": False}, {"x y": 1}, "#/x%20y", "is not a property that the contract knows"),
        ({"unevaluatedProperties": False}, {"~": 1}, "#/~0", "is not a property that the contract knows"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "#", "has a property whose name is not allowed"),
        ({"enum": ["a", 1, None]}, "b", "#", 'must be one of "a", 1, null'),
        ({"enum": list(range(30))}, -1, "#", f"must be one of {', '.join(map(str, range(20)))}, ..."),
        ({"const": {"a": 1}}, 1, "#", 'must be {"a":1}'),
        ({"minLength": 1}, "", "#", "must have at least 1 character"),
        ({"maxLength": 2}, "abc", "#", "must have at most 2 characters"),
        ({"minItems": 1}, [], "#", "must have at least 1 item"),
        ({"maxItems": 2}, [1, 2, 3], "#", "must have at most 2 items"),
        ({"minProperties": 1}, {}, "#", "must have at least 1 property"),
        ({"maxProperties": 0}, {"a": 1}, "#", "must have at most 0 properties"),
        ({"minimum": 2}, 1, "#", "must be at least 2"),
        ({"exclusiveMaximum": 2}, 2, "#", "must be less than 2"),
        ({"exclusiveMinimum": 2}, 2, "#", "must be greater than 2"),
        ({"multipleOf": 3}, 4, "#", "must be a multiple of 3"),
        ({"uniqueItems": True}, [1, 1], "#", "has equal items; each must be there once"),
        ({"pattern": "^a+$"}, "b", "#", "must match the pattern ^a+$"),
        ({"format": "date"}, "2026-02-30", "#", "must be a date such as 2026-01-31"),
        ({"format": "uri-reference"}, "\\", "#", "must be text in the format uri-reference"),
        ({"format": "byte"}, "!", "#", "must be base64 text"),
        ({"not": {"type": "string"}}, "a", "#", "is of a form that the contract excludes"),
        (
            {"contains": {"type": "string"}},
            [1],
            "#",
            "has too few items, or too many, of the kind that the contract demands",
        ),
        ({"properties": {"a": False}}, {"a": 1}, "#/a", "is not allowed here"),
        ({"items": {"type": "string"}}, ["a", 1], "#/1", "must be a string, found an integer"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "#/b", "is required"),
        ({"unevaluatedItems": False}, [1], "#", "has items that the contract does not know"),
        (
            {"oneOf": [{"type": "string"}, {"minLength": 1}]},
            "a",
            "#",
            "matches more than one of the alternatives; exactly one is allowed",
        ),
    ],
)
def test_each_rule_has_words_of_its_own(schema: Any, value: Any, pointer: str, detail: str) -> None:
    assert told(schema, value) == [(pointer, detail)]


def test_of_alternatives_the_closest_one_is_told() -> None:
    cat = {"type": "object", "required": ["claws"], "properties": {"claws": {"type": "integer"}}}
    dog = {"type": "object", "required": ["bark", "tail"]}
    assert told({"anyOf": [dog, cat]}, {"claws": "x"}) == [
        ("#", "matches none of the alternatives; the closest one is told here"),
        ("#/claws", "must be an integer, found a string"),
    ]
    assert told({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x") == [
        ("#", "must be an integer, found a string or must be null, found a string")
    ]


def test_a_discriminator_chooses_the_one_alternative_that_counts() -> None:
    cat = {"type": "object", "required": ["kind", "claws"]}
    dog = {"type": "object", "required": ["kind", "bark"]}
    mapping = {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}
    schema = {
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    assert told(schema, {"kind": "cat"}, Cat=cat, Dog=dog) == [("#/claws", "is required")]
    assert told(schema, {"kind": "cow"}, Cat=cat, Dog=dog) == [("#/kind", 'must be one of "cat", "dog"')]
    assert told(schema, {"kind": "dog", "bark": 1}, Cat=cat, Dog=dog) == []


def test_a_parent_is_checked_with_the_child_that_it_names() -> None:
    pet = {
        "type": "object",
        "required": ["kind"],
        "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/$defs/Cat", "pet": "#/$defs/Pet"}},
    }
    cat = {"allOf": [{"$ref": "#/$defs/Pet"}, {"required": ["claws"]}]}
    schema = {"$ref": "#/$defs/Pet"}
    assert told(schema, {"kind": "cat"}, Pet=pet, Cat=cat) == [("#/claws", "is required")]
    assert told(schema, {"kind": "newt"}, Pet=pet, Cat=cat) == []
    assert told({"$ref": "#/$defs/Cat"}, {"kind": "cat", "claws": 4}, Pet=pet, Cat=cat) == []


def test_read_only_properties_are_refused_through_references_and_combinations() -> None:
    key = {"type": "integer", "readOnly": True}
    base = {"type": "object", "properties": {"id": {"$ref": "#/$defs/Key"}}}
    schema = {"allOf": [{"$ref": "#/$defs/Base"}, {"required": ["id", "name"]}]}
    assert told(schema, {"id": 1, "name": "a"}, Key=key, Base=base) == [("#/id", "is read-only: leave it out")]
    assert told(schema, {"name": "a"}, Key=key, Base=base) == []


def test_no_more_than_a_hundred_faults_are_told() -> None:
    assert len(told({"items": {"type": "string"}}, [1] * 500)) == 100
    assert told({"items": {"type": "string"}}, [1] * 5000) == [("#/0", "must be a string, found an integer")]
    assert told({"items": {"type": "integer"}}, [1] * 5000) == []


def test_bounds_beyond_64_bits_are_taken() -> None:
    assert told({"maximum": 10**20}, 10**19) == []
    assert told({"type": ["integer", "boolean"], "minimum": 3}, 1) == [("#", "must be at least 3")]
