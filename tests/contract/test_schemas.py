"""Schemas of every version in normal form: JSON Schema 2020-12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

A = {"$ref": "#/components/schemas/A"}
A2 = {"$ref": "#/definitions/A"}
NULL = {"type": "null"}
REF = {"$ref": "#/$defs/A"}


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"type": "string", "nullable": True, "enum": ["a"], "default": None},
            {"type": ["string", "null"], "enum": ["a", None], "default": None},
        ),
        ({"nullable": True, "enum": ["a", None]}, {"enum": ["a", None]}),
        ({"nullable": True, "description": "anything"}, {"description": "anything"}),
        ({**A, "nullable": True}, {"anyOf": [REF, NULL]}),
        (
            {"allOf": [A], "nullable": True, "description": "x", "readOnly": True, "x-a": 1},
            {"description": "x", "readOnly": True, "x-a": 1, "anyOf": [{"allOf": [REF]}, NULL]},
        ),
        ({"oneOf": [A], "nullable": True}, {"anyOf": [{"oneOf": [REF]}, NULL]}),
        ({"type": "object", "nullable": True, "allOf": [A]}, {"type": ["object", "null"], "allOf": [REF]}),
        ({"minimum": 3, "exclusiveMinimum": True}, {"exclusiveMinimum": 3}),
        ({"minimum": 3, "exclusiveMinimum": False}, {"minimum": 3}),
        ({"maximum": 3, "exclusiveMaximum": True, "minimum": 1}, {"exclusiveMaximum": 3, "minimum": 1}),
        ({"exclusiveMaximum": True}, {}),
        ({"example": 1}, {"examples": [1]}),
        ({"example": {"$ref": "#/nowhere"}}, {"examples": [{"$ref": "#/nowhere"}]}),
        ({"default": {"nullable": True}}, {"default": {"nullable": True}}),
        ({"enum": [{"$ref": "#/x"}, {"example": 1}]}, {"enum": [{"$ref": "#/x"}, {"example": 1}]}),
        (
            {"readOnly": True, "deprecated": True, "title": "t", "format": "x", "x-a": {"$ref": "#/x"}},
            {"readOnly": True, "deprecated": True, "title": "t", "format": "x", "x-a": {"$ref": "#/x"}},
        ),
        ({"additionalProperties": A}, {"additionalProperties": REF}),
        ({"additionalProperties": False, "not": A}, {"additionalProperties": False, "not": REF}),
        ({"items": {"items": A}}, {"items": {"items": REF}}),
        ({**A, "description": "ignored", "type": "object", "x-b": 1}, REF),
    ],
)
def test_a_schema_of_3_0_becomes_one_of_3_1(bench: Bench, written: Any, normal: Any) -> None:
    document = bench.answering(written, "3.0.3", A={"type": "integer"})
    loaded = bench.load(document)
    assert loaded.contract.operations[0].responses["200"].contents[0].schema == normal


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ({"type": "string", "x-nullable": True}, {"type": ["string", "null"], "x-nullable": True}),
        ({**A2, "x-nullable": True}, {"anyOf": [REF, NULL]}),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        (
            {"type": "array", "items": [{"type": "string"}, A2], "additionalProperties": False},
            {"type": "array", "prefixItems": [{"type": "string"}, REF], "additionalProperties": False},
        ),
        ({"maximum": 9, "exclusiveMaximum": True, "example": "x"}, {"exclusiveMaximum": 9, "examples": ["x"]}),
        (
            {"discriminator": "kind", "required": ["kind"]},
            {"discriminator": {"propertyName": "kind", "mapping": {}}, "required": ["kind"]},
        ),
    ],
)
def test_a_schema_of_2_0_becomes_one_of_3_1(bench: Bench, written: Any, normal: Any) -> None:
    assert bench.schema(written, "2.0", A={"type": "integer"}) == normal


def test_the_items_behind_a_tuple_keep_their_schema(bench: Bench) -> None:
    document = bench.answering({"type": "array", "items": [{"type": "string"}], "additionalItems": False}, "3.0.0")
    findings = bench.findings(document)
    assert [finding.found for finding in findings] == ["found a list", "the key `additionalItems` is not known here"]
    document = bench.answering({"type": "array", "items": [{"type": "string"}], "additionalItems": False}, "2.0")
    assert "additionalItems" in bench.problems(document)[0]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (True, True),
        ({}, {}),
        ({**A, "description": "kept", "maxLength": 3}, {**REF, "description": "kept", "maxLength": 3}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"$id": "https://example.com/x", "$schema": "https://json-schema.org/draft/2020-12/schema"}, {}),
        ({"$anchor": "x", "$dynamicAnchor": "y", "id": "old"}, {}),
        (
            {"properties": {"$ref": A, "enum": A, "default": A}},
            {"properties": {"$ref": REF, "enum": REF, "default": REF}},
        ),
        (
            {"properties": {"example": {"type": "string", "example": 1}, "$id": {"type": "string"}}},
            {"properties": {"example": {"type": "string", "examples": [1]}, "$id": {"type": "string"}}},
        ),
        ({"patternProperties": {"^a": A}}, {"patternProperties": {"^a": REF}}),
        ({"dependentSchemas": {"a": A}}, {"dependentSchemas": {"a": REF}}),
        ({"if": A, "then": A, "else": A}, {"if": REF, "then": REF, "else": REF}),
        ({"prefixItems": [A], "contains": A, "not": A}, {"prefixItems": [REF], "contains": REF, "not": REF}),
        ({"propertyNames": A, "contentSchema": A}, {"propertyNames": REF, "contentSchema": REF}),
        ({"unevaluatedItems": A, "unevaluatedProperties": A}, {"unevaluatedItems": REF, "unevaluatedProperties": REF}),
        ({"$defs": {"x": A}}, {"$defs": {"x": REF}}),
        ({"const": A, "examples": [A], "x-a": A}, {"const": A, "examples": [A], "x-a": A}),
        ({"unknown": A}, {"unknown": A}),
        ({"example": 1, "examples": [2]}, {"examples": [2]}),
        ({"required": ["a", "b", "a"]}, {"required": ["a", "b"]}),
        ({"anyOf": [A, {"type": "null"}]}, {"anyOf": [REF, NULL]}),
    ],
)
def test_a_schema_of_3_1_stays_as_it_is_but_for_its_references(bench: Bench, written: Any, normal: Any) -> None:
    assert bench.schema(written, A={"type": "integer"}) == normal


def test_a_definition_has_the_name_of_its_component(bench: Bench) -> None:
    bench.write({"A": {"type": "null"}, "x y": {"type": "string"}}, "more.json")
    schema, definitions = bench.schemas(
        {
            "properties": {
                "a": A,
                "b": {"$ref": "more.json#/A"},
                "c": {"$ref": "more.json#/x%20y"},
                "d": {"$ref": "#/components/schemas/A/properties/deep"},
                "e": {"$ref": "#/paths/~1a/get/responses/200/content/application~1json/schema"},
            }
        },
        A={"properties": {"deep": {"type": "integer"}}},
        Unused={"type": "boolean"},
    )
    assert isinstance(schema, dict)
    assert [one["$ref"].removeprefix("#/$defs/") for one in schema["properties"].values()] == [
        "A",
        "A-2",
        "x_y",
        "A.deep",
        "a.get.responses.200.content.application_json",
    ]
    assert definitions["A-2"] == {"type": "null"}
    assert definitions["A.deep"] == {"type": "integer"}
    assert definitions["Unused"] == {"type": "boolean"}
    assert definitions["a.get.responses.200.content.application_json"] == schema


def test_names_of_definitions_are_plain_and_unique(bench: Bench) -> None:
    names = ["List[Pet]", "List(Pet)", "Größe", "/"]
    refs = [f"#/components/schemas/{name.replace('/', '~1')}" for name in names]
    components: dict[str, Any] = {name: {"title": name} for name in names}
    schema, definitions = bench.schemas({"anyOf": [{"$ref": ref} for ref in refs]}, **components)
    assert isinstance(schema, dict)
    used = [one["$ref"].removeprefix("#/$defs/") for one in schema["anyOf"]]
    assert used == ["List_Pet", "List_Pet-", "Gr_e", "schema"]
    assert [definitions[name] for name in used] == [{"title": name} for name in names]


def test_cyclic_schemas_are_normal(bench: Bench) -> None:
    schema, definitions = bench.schemas(
        A,
        A={"properties": {"b": {"$ref": "#/components/schemas/B"}}},
        B={"items": A, "allOf": [{"$ref": "#/components/schemas/B"}]},
    )
    assert schema == REF
    assert definitions == {
        "A": {"properties": {"b": {"$ref": "#/$defs/B"}}},
        "B": {"items": REF, "allOf": [{"$ref": "#/$defs/B"}]},
    }


def test_a_schema_that_yaml_shares_is_one_schema(bench: Bench) -> None:
    text = (
        "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /a:\n    get:\n      responses:\n"
        "        '200': {description: '', content: {application/json: {schema: &s {type: string, nullable: true}}}}\n"
        "        '201': {description: '', content: {application/json: {schema: *s}}}\n"
    )
    responses = bench.operation(text).responses
    assert responses["200"].contents[0].schema == {"type": ["string", "null"]}
    assert responses["200"].contents[0].schema is responses["201"].contents[0].schema


def test_what_stands_beside_a_reference_of_3_0_is_told_if_it_would_matter(bench: Bench) -> None:
    document = bench.answering(
        {"properties": {"a": {**A, "maxLength": 3, "default": "x"}, "b": {**A, "title": "t"}}}, "3.0.0", A={}
    )
    (wrinkle,) = bench.wrinkles(document)
    assert wrinkle.endswith(
        "`default`, `maxLength` beside `$ref` is ignored; put the reference into `allOf` to add to it"
    )


def test_nullable_means_nothing_in_3_1(bench: Bench) -> None:
    document = bench.answering({"type": "string", "nullable": True})
    assert bench.wrinkles(document) == [
        "17: `nullable` means nothing since OpenAPI 3.1; write `type: [string, 'null']`"
    ]


def test_bounds_of_draft_4_are_understood_in_3_1(bench: Bench) -> None:
    document = bench.answering({"minimum": 3, "exclusiveMinimum": True})
    assert bench.contract(document).operations[0].responses["200"].contents[0].schema == {"exclusiveMinimum": 3}
    assert bench.wrinkles(document) == [
        "17: `exclusiveMinimum` is true or false, as it was before OpenAPI 3.1; write the bound itself"
    ]


def test_examples_that_are_no_list_are_left_out(bench: Bench) -> None:
    document = bench.answering({"type": "string", "examples": {"a": {"value": 1}}})
    assert bench.contract(document).operations[0].responses["200"].contents[0].schema == {"type": "string"}
    assert bench.wrinkles(document) == [
        "17: the `examples` of a schema are no list and are ignored; write a list of values"
    ]


def test_keywords_of_3_1_work_in_3_0_and_are_told(bench: Bench) -> None:
    document = bench.answering({"const": 3, "patternProperties": {"^a": A}}, "3.0.3", A={"type": "string"})
    schema = bench.contract(document).operations[0].responses["200"].contents[0].schema
    assert schema == {"const": 3, "patternProperties": {"^a": REF}}
    assert [wrinkle.partition(" ")[2] for wrinkle in bench.wrinkles(document)] == [
        f"`{keyword}` is no keyword of this version and is applied as OpenAPI 3.1 says; write 3.1"
        for keyword in ("const", "patternProperties")
    ]


CAT = {"$ref": "#/components/schemas/Cat"}
DOG = {"$ref": "#/components/schemas/Dog"}


def test_a_discriminator_maps_its_branches_by_their_names(bench: Bench) -> None:
    for keyword in ("oneOf", "anyOf"):
        schema = bench.schema(
            {
                keyword: [CAT, DOG, CAT],
                "discriminator": {"propertyName": "kind", "mapping": {"wau": "Dog", "cat": "#/components/schemas/Cat"}},
            },
            Cat={"type": "object"},
            Dog={"type": "object"},
        )
        assert isinstance(schema, dict)
        assert schema["discriminator"] == {
            "propertyName": "kind",
            "mapping": {
                "wau": "#/$defs/Dog",
                "cat": "#/$defs/Cat",
                "Cat": "#/$defs/Cat",
                "Dog": "#/$defs/Dog",
            },
        }


def test_a_discriminator_maps_files_and_nullable_branches(bench: Bench) -> None:
    bench.write("type: object", "bird.yaml")
    schema = bench.schema(
        {
            "oneOf": [{"$ref": "bird.yaml"}, {**CAT, "nullable": True}],
            "discriminator": {"propertyName": "kind", "mapping": {"b": "bird.yaml"}},
        },
        "3.0.3",
        Cat={"type": "object"},
    )
    assert isinstance(schema, dict)
    assert schema["discriminator"]["mapping"] == {
        "b": "#/$defs/bird",
        "bird": "#/$defs/bird",
        "Cat": "#/$defs/Cat",
    }


@pytest.mark.parametrize("version", ["2.0", "3.0.3", "3.1.0"])
def test_a_discriminator_maps_those_that_inherit_from_it(bench: Bench, version: str) -> None:
    start = "#/definitions/" if version == "2.0" else "#/components/schemas/"
    discriminator: Any = "kind" if version == "2.0" else {"propertyName": "kind"}
    _, definitions = bench.schemas(
        {"$ref": f"{start}Pet"},
        version,
        Pet={"type": "object", "discriminator": discriminator, "required": ["kind"], "properties": {"kind": {}}},
        Cat={"allOf": [{"$ref": f"{start}Pet"}, {"type": "object"}]},
        Kitten={"allOf": [{"$ref": f"{start}Cat"}]},
        Car={"type": "object"},
    )
    pet = definitions["Pet"]
    assert isinstance(pet, dict)
    assert pet["discriminator"] == {
        "propertyName": "kind",
        "mapping": {"Pet": "#/$defs/Pet", "Cat": "#/$defs/Cat", "Kitten": "#/$defs/Kitten"},
    }


def test_a_default_mapping_of_3_2_is_resolved(bench: Bench) -> None:
    schema = bench.schema(
        {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "kind", "defaultMapping": "Dog"}},
        "3.2.0",
        Cat={"type": "object"},
        Dog={"type": "object"},
    )
    assert isinstance(schema, dict)
    assert schema["discriminator"]["defaultMapping"] == "#/$defs/Dog"


@pytest.mark.parametrize(
    ("discriminator", "line", "told"),
    [
        ({"mapping": {}}, 21, "the discriminator names no property; write `propertyName: kind`"),
        (3, 21, "the discriminator names no property; write `propertyName: kind`"),
        ({"propertyName": "kind", "mapping": {"a": 3}}, 24, "found a number in a mapping; write a name or a reference"),
        (
            {"propertyName": "kind", "mapping": {"a": "#/components/schemas/Cut"}},
            24,
            "`#/components/schemas/Cut` leads nowhere: the contract has no `Cut` there; did you mean `Cat`?",
        ),
        (
            {"propertyName": "kind", "defaultMapping": "#/x"},
            23,
            "`#/x` leads nowhere: the contract has no `x` there; name a value that exists",
        ),
    ],
)
def test_a_discriminator_that_is_wrong_is_told(bench: Bench, discriminator: Any, line: int, told: str) -> None:
    document = bench.answering({"oneOf": [CAT], "discriminator": discriminator}, Cat={"type": "object"})
    assert bench.problems(document) == [f"{line}: {told}"]


def test_a_branch_without_a_name_cannot_be_chosen(bench: Bench) -> None:
    schema = {"oneOf": [CAT, {"type": "object"}, {"type": "null"}], "discriminator": {"propertyName": "kind"}}
    assert bench.wrinkles(bench.answering(schema, Cat={"type": "object"})) == [
        "20: a discriminator cannot choose this branch, which has no name; make it a component and refer to it"
    ]


def test_a_pattern_that_looks_around_is_told_and_kept(bench: Bench) -> None:
    document = bench.answering({"type": "string", "pattern": "^(?!x).*$"})
    assert bench.contract(document).operations[0].responses["200"].contents[0].schema == {
        "type": "string",
        "pattern": "^(?!x).*$",
    }
    assert bench.wrinkles(document) == [
        "17: the pattern `^(?!x).*$` looks around or refers back and runs with a bounded number of steps; "
        "a pattern without look-around and back-references runs in linear time"
    ]


@pytest.mark.parametrize("pattern", [r"\Qa.b\E", r"^a\Z", "[", "(" * 70])
def test_a_pattern_that_no_engine_takes_is_told_and_left_out(bench: Bench, pattern: str) -> None:
    document = bench.answering({"pattern": pattern, "patternProperties": {pattern: {}, "^x": {}}})
    schema = bench.contract(document).operations[0].responses["200"].contents[0].schema
    assert schema == {"patternProperties": {"^x": {}}}
    wrinkles = bench.wrinkles(document)
    assert len(wrinkles) == 2
    for wrinkle in wrinkles:
        assert "is not a regular expression of ECMA-262 and is not enforced; correct it" in wrinkle
        assert len(wrinkle) < 200


@pytest.mark.parametrize("pattern", [r"\p{L}+", "^(a+)+$", "a(?i)b", r"^\d{3}-\w+$", "[[:alpha:]]"])
def test_a_pattern_that_runs_in_linear_time_is_no_finding(bench: Bench, pattern: str) -> None:
    assert bench.wrinkles(bench.answering({"pattern": pattern})) == []


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (
            {"type": "strng"},
            [
                "16: found `strng`; allowed are `array`, `boolean`, `integer`, `null`, `number`, `object`, `string`; "
                "did you mean `string`?"
            ],
        ),
        ({"minimum": "3"}, ["16: found text; allowed is a number"]),
        ({"multipleOf": 0}, ["16: found `0`; `exclusiveMinimum` is `0`"]),
        ({"required": True}, ["16: found true or false; allowed is a list"]),
        ({"properties": {"a": 3}}, ["17: found a number; allowed is true or false or a mapping"]),
        ({"properties": []}, ["16: found a list; allowed is a mapping"]),
        ({"items": [{}]}, ["16: found a list; allowed is true or false or a mapping"]),
        ({"allOf": []}, ["16: this is empty; write at least one entry"]),
        (
            {"allOf": [{"minLength": -1}, {"maxLength": 1.5}]},
            ["18: found `-1`; `minimum` is `0`", "21: found a number; allowed is a whole number"],
        ),
    ],
)
def test_what_is_no_schema_is_told_with_its_line(bench: Bench, schema: Any, told: list[str]) -> None:
    assert bench.problems(bench.answering(schema)) == told


def test_what_is_no_schema_in_a_component_is_told_with_its_line(bench: Bench) -> None:
    document = bench.answering(A, A={"properties": {"x": {"anyOf": [{"type": 3}]}}})
    (problem,) = bench.problems(document)
    assert problem.startswith("32: found ")


def test_an_unused_component_that_is_broken_is_a_wrinkle_and_allows_anything(bench: Bench) -> None:
    document = bench.answering(
        A, A={"type": "integer"}, B={"type": "strng"}, C={"$ref": "#/nowhere"}, D={"items": {"minimum": "x"}}
    )
    contract = bench.contract(document)
    assert contract.definitions == {
        "A": {"type": "integer"},
        "B": True,
        "C": {"$ref": "#/$defs/unresolved"},
        "D": True,
        "unresolved": True,
    }
    assert len(bench.wrinkles(document)) == 3
    older = bench.answering(A, "3.0.3", A={"type": "integer"}, B={"type": "strng"}, D={"itms": {}})
    assert bench.contract(older).definitions == {"A": {"type": "integer"}, "B": True, "D": {"itms": {}}}
    assert len(bench.wrinkles(older)) == 2


def test_references_that_double_with_each_step_cost_nothing(bench: Bench) -> None:
    steps: dict[str, Any] = {
        f"S{n}": {"properties": {side: {"$ref": f"#/components/schemas/S{n + 1}"} for side in ("left", "right")}}
        for n in range(60)
    }
    _, definitions = bench.schemas({"$ref": "#/components/schemas/S0"}, **steps, S60={"type": "string"})
    assert len(definitions) == 61


def test_a_schema_that_doubles_for_one_value_is_refused(bench: Bench) -> None:
    steps: dict[str, Any] = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(14)}
    document = bench.answering({"$ref": "#/components/schemas/S0"}, **steps, S14={"type": "string"})
    problems = bench.problems(document)
    assert len(problems) == 3
    assert problems[0].endswith(
        "the schema `S0` applies more than 10,000 schemas to one value; refer to each schema once"
    )
    del document["paths"]["/a"]
    assert len(bench.wrinkles(document)) == 3
    assert bench.contract(document).definitions["S0"] is True


def test_schemas_that_inherit_from_their_own_choice_are_normal(bench: Bench) -> None:
    kinds: dict[str, Any] = {
        f"K{n}": {"allOf": [{"$ref": "#/components/schemas/Base"}], "dependentSchemas": {"x": {"type": "object"}}}
        for n in range(30)
    }
    base = {
        "oneOf": [{"$ref": f"#/components/schemas/K{n}"} for n in range(30)],
        "if": {"type": "object"},
        "then": True,
        "discriminator": {"propertyName": "kind"},
    }
    assert bench.wrinkles(bench.answering({"$ref": "#/components/schemas/Base"}, **kinds, Base=base)) == []
