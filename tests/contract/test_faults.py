"""What a schema has against a value, in plain words."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from demijohn.contract.faults import explain, find


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"const": [1]}, 3, ["found `3`; allowed is a list"]),
        ({"const": "a"}, None, ["found nothing; allowed is `a`"]),
        ({"type": ["string", "null"]}, {}, ["found a mapping; allowed is nothing or text"]),
        ({"enum": ["a"]}, "b", ["found `b`; allowed is `a`"]),
        ({"enum": list(range(30))}, "b", [f"found `b`; allowed are {', '.join(f'`{n}`' for n in range(20))}, ..."]),
        ({"not": {"type": "string"}}, "b", ["this is not allowed here; leave it out"]),
        ({"properties": {"a": False}}, {"a": 1}, ["/a this is not allowed here; leave it out"]),
        ({"uniqueItems": True}, [1, 1], ["this list holds an item twice; write each item once"]),
        (
            {"prefixItems": [{}], "unevaluatedItems": False},
            [1, 2],
            ["the list has more items than are allowed; leave them out"],
        ),
        ({"minProperties": 1}, {}, ["this is empty; write at least one entry"]),
        ({"maxLength": 3}, "x" * 100, [f"found `{'x' * 37}...`; `maxLength` is `3`"]),
        ({"pattern": "^a"}, "b", ["found `b`; `pattern` is `^a`"]),
        ({"minimum": 3}, 1.5, ["found `1.5`; `minimum` is `3`"]),
        (
            {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            ["this can be read in two ways; leave out what belongs to only one of them"],
        ),
        ({"anyOf": [False, {"minLength": 3}]}, "a", ["found `a`; `minLength` is `3`"]),
        ({"additionalProperties": False, "properties": {f"k{n}": {} for n in range(14)}}, {"z": 1}, None),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"name": {}}, "additionalProperties": False}}},
            {"nmae": 1},
            ["/nmae the key `nmae` is not known here; did you mean `name`?"],
        ),
        ({"properties": {}, "additionalProperties": False}, {"a": 1}, None),
        ({"anyOf": [{"properties": {"type": {"const": "a"}}}, {"required": ["b"]}]}, {"type": "x"}, None),
    ],
)
def test_a_fault_is_told_in_plain_words(schema: dict[str, Any], value: Any, told: list[str] | None) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema)
    faults = find(validator, value, schema)
    if told is None:
        assert len(faults) == 1
        assert len(faults[0].allowed) < 150
        return
    found = []
    for fault in faults:
        where = "".join(f"/{token}" for token in fault.path)
        found.append(f"{where} {fault.found}" + (f"; {fault.allowed}" if fault.allowed else ""))
    assert [one.strip() for one in found] == told


def test_a_format_is_a_wrinkle() -> None:
    schema = {"format": "email"}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    (fault,) = explain(validator.iter_errors("x"), schema)
    assert (fault.found, fault.allowed, fault.wrinkle) == ("found `x`", "allowed is the format `email`", True)


def test_a_large_value_that_fits_has_no_fault() -> None:
    validator = jsonschema_rs.Draft202012Validator({"items": {"type": "integer"}})
    assert find(validator, list(range(6000)), {}) == []
