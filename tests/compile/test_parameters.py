"""Parameters by value: what a request sends against what the contract says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demijohn.compile.parameters import ABSENT, Incoming, compile_header, compile_parameters
from demijohn.compile.validators import Validators
from demijohn.contract import Parameter, Place

PLACE = Place("contract.yaml")
STYLES: dict[str, Any] = {"query": "form", "cookie": "form"}
INTEGERS: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


def parameter(name: str, location: Any, schema: Any = True, **more: Any) -> Parameter:
    style = more.pop("style", STYLES.get(location, "simple"))
    explode = more.pop("explode", style in ("form", "deepObject"))
    return Parameter(name, location, PLACE, style=style, explode=explode, schema=schema, **more)


def decode(
    parameters: list[Parameter],
    *,
    path: dict[str, str] | None = None,
    query: str = "",
    headers: dict[str, str] | None = None,
    definitions: dict[str, Any] | None = None,
    unknown_query: Any = "refuse",
    known_query: tuple[str, ...] = (),
) -> tuple[list[Any], list[dict[str, str]]]:
    definitions = definitions or {}
    compiled = compile_parameters(
        parameters, Validators(definitions), definitions, unknown_query=unknown_query, known_query=known_query
    )
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return compiled.decode(Incoming(path or {}, query, lambda name: lower.get(name.lower())))


def query_value(schema: Any, query: str, *, definitions: dict[str, Any] | None = None, **more: Any) -> Any:
    """Return the value of the parameter `a`, which must be fine."""
    values, errors = decode([parameter("a", "query", schema, **more)], query=query, definitions=definitions)
    assert errors == []
    return values[0]


def query_details(schema: Any, query: str, *, definitions: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """Return the details of the errors of the parameter `a`, of which there must be some."""
    values, errors = decode([parameter("a", "query", schema, **more)], query=query, definitions=definitions)
    assert errors
    assert values == [ABSENT]
    assert all((error["in"], error["name"]) == ("query", "a") for error in errors)
    return [error["detail"] for error in errors]


# Types


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, "-9223372036854775808", -(2**63)),
        ({"type": "number"}, "7", 7),
        ({"type": "number"}, "1.5e%2B3", 1500.0),
        ({"type": "number"}, "18446744073709551616", 2.0**64),
        ({"type": "number"}, "1e-400", 0.0),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "false", False),
        ({"type": ["integer", "null"]}, "", None),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": "string"}, "12", "12"),
        ({}, "12", "12"),
        (True, "12", "12"),
        ({"type": ["string", "integer"]}, "12", 12),
        ({"type": ["string", "integer"]}, "012", "012"),
        ({"type": ["string", "integer"]}, "9" * 30, "9" * 30),
        ({"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, "true", True),
        ({"anyOf": [{"type": "integer", "maximum": 5}, {"type": "string"}]}, "6", "6"),
        ({"allOf": [{"minimum": 1}, {"type": "integer"}]}, "6", 6),
        ({"allOf": [{"type": ["integer", "string"]}, {"type": ["boolean", "integer"]}]}, "6", 6),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": [1.5, None, True]}, "1.5", 1.5),
        ({"enum": [1.5, None, True]}, "true", True),
        ({"enum": ["1", "2"]}, "2", "2"),
        ({"const": False}, "false", False),
        ({"const": [1], "items": {"type": "integer"}}, "1", [1]),
        ({"const": {"b": "x"}}, "b=x", {"b": "x"}),
        ({"type": "string", "enum": ["on", "off"]}, "on", "on"),
        ({"minimum": 3}, "4", 4),
        ({"pattern": "^[0-9]+$"}, "4", "4"),
        ({"format": "int32"}, "4", 4),
        ({"format": "date"}, "2026-01-31", "2026-01-31"),
        ({"items": {"type": "integer"}}, "1&a=2", [1, 2]),
        ({"anyOf": [{"minimum": 3}, {"type": "boolean"}]}, "4", 4),
        ({"type": "string", "maxLength": 1}, "%00", "\0"),
    ],
)
def test_the_schema_says_what_a_text_is(schema: Any, text: str, value: Any) -> None:
    query = text if text.startswith("b=") else f"a={text}"
    found = query_value(schema, query)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    ["1_000", "nan", "NaN", "Infinity", "%2B1", "+1", "1.0", "1e3", "%D9%A3", "0x1", "01", "-", "", "9" * 5000, "1%0A"],
)
def test_only_digits_make_an_integer(text: str) -> None:
    assert len(query_details({"type": "integer"}, f"a={text}")) == 1


@pytest.mark.parametrize("text", ["1_000", "nan", "inf", "1e400", "9" * 5000, ".5", "5.", "1e", "-e1", "٣"])
def test_only_the_grammar_of_json_makes_a_number(text: str) -> None:
    assert query_details({"type": "number"}, "a=" + text.encode().decode("latin-1")) == ["must be a number"]


@pytest.mark.parametrize("text", ["True", "1", "yes", "TRUE", ""])
def test_only_true_and_false_are_booleans(text: str) -> None:
    assert query_details({"type": "boolean"}, f"a={text}") == ["must be a boolean"]


def test_integers_beyond_64_bits_are_refused() -> None:
    assert query_details({"type": "integer"}, f"a={2**63}") == ["must be at most 9223372036854775807"]
    assert query_details({"type": "integer", "format": "int32"}, f"a={2**31}") == ["must be at most 2147483647"]


def test_keywords_that_hint_at_a_type_refuse_other_text() -> None:
    assert query_details({"minimum": 3}, "a=x") == ["must be an integer or number"]
    assert query_details({"minimum": 3}, "a=2") == ["must be at least 3"]


def test_the_faults_of_the_best_candidate_are_told() -> None:
    schema = {"type": ["integer", "boolean"], "maximum": 5}
    assert query_details(schema, "a=7") == ["must be at most 5"]
    assert query_details({"type": ["integer", "array"], "items": {"type": "integer"}}, "a=x") == [
        "item 1 must be an integer"
    ]


def test_a_schema_that_nothing_satisfies_is_told() -> None:
    assert query_details(False, "a=1") == ["is not allowed here"]
    assert query_details({"allOf": [{"type": "integer"}, {"type": "string"}]}, "a=1")


DEFINITIONS: dict[str, Any] = {
    "Id": {"type": "integer", "minimum": 1, "default": 9},
    "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}, {"type": "integer"}]},
    "Ring": {"allOf": [{"$ref": "#/$defs/Ring"}], "default": 1},
    "Tree": {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "below": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            "next": {"$ref": "#/$defs/Tree"},
        },
        "additionalProperties": False,
    },
}


def test_references_are_followed() -> None:
    assert query_value({"$ref": "#/$defs/Id"}, "a=5", definitions=DEFINITIONS) == 5
    schema = {"allOf": [{"$ref": "#/$defs/Id"}, {"maximum": 7}]}
    assert query_details(schema, "a=8", definitions=DEFINITIONS) == ["must be at most 7"]
    assert query_value({"type": "array", "items": {"$ref": "#/$defs/Id"}}, "a=5&a=6", definitions=DEFINITIONS) == [5, 6]


def test_cyclic_references_end() -> None:
    tree = "a[n]=1&a[below][0][n]=2&a[below][1][next][n]=3&a[next][next][n]=4"
    assert query_value({"$ref": "#/$defs/Tree"}, tree, style="deepObject", definitions=DEFINITIONS) == {
        "n": 1,
        "below": [{"n": 2}, {"next": {"n": 3}}],
        "next": {"next": {"n": 4}},
    }


def test_nested_names_are_read_as_deep_as_they_may_be() -> None:
    query = "a" + "[next]" * 15 + "[below]={}"
    found = query_value({"$ref": "#/$defs/Tree"}, query, style="deepObject", definitions=DEFINITIONS)
    for _ in range(15):
        found = found["next"]
    assert found == {"below": [{}]}


# Absence and defaults


def test_required_and_absent_is_told_for_every_location() -> None:
    parameters = [
        parameter(name, name, {"type": "string"}, required=True) for name in ("path", "query", "header", "cookie")
    ]
    values, errors = decode(parameters)
    assert values == [ABSENT] * 4
    assert errors == [
        {"detail": "is required", "in": name, "name": name} for name in ("path", "query", "header", "cookie")
    ]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "default": 5}, 5),
        ({"$ref": "#/$defs/Id"}, 9),
        ({"allOf": [{"type": "integer"}, {"$ref": "#/$defs/Id"}]}, 9),
        ({"$ref": "#/$defs/Id", "default": 3}, 3),
        ({"default": None}, None),
        ({"type": "integer"}, ABSENT),
        ({"allOf": [True, {"type": "integer"}]}, ABSENT),
        (True, ABSENT),
    ],
)
def test_the_default_of_the_contract_stands_for_an_absent_parameter(schema: Any, value: Any) -> None:
    for location in ("query", "header", "cookie"):
        values, errors = decode([parameter("a", location, schema)], definitions=DEFINITIONS)
        assert (values, errors) == ([value], [])


def test_a_default_is_fresh_for_each_request() -> None:
    compiled = compile_parameters(
        [parameter("a", "query", {**STRINGS, "default": ["x"]})], Validators({}), {}, unknown_query="refuse"
    )
    incoming = Incoming({}, "", lambda name: None)
    compiled.decode(incoming)[0][0].append("y")
    assert compiled.decode(incoming)[0] == [["x"]]


# Queries


def test_values_are_split_before_they_are_decoded() -> None:
    assert query_value(STRINGS, "a=a%2Cb,c", explode=False) == ["a,b", "c"]
    assert query_value(STRINGS, "a=1,2&a=3") == ["1,2", "3"]
    assert query_value(STRINGS, "a=x%26y%3Dz") == ["x&y=z"]


def test_a_plus_is_a_space_in_queries_alone() -> None:
    parameters = [parameter(name, name, {"type": "string"}) for name in ("path", "query", "header", "cookie")]
    values, errors = decode(
        parameters, path={"path": "a+b"}, query="query=a+b%2B", headers={"header": "a+b", "Cookie": "cookie=a+b"}
    )
    assert (values, errors) == (["a+b", "a b+", "a+b", "a+b"], [])


def test_a_single_parameter_that_is_repeated_is_an_error() -> None:
    assert query_details({"type": "string"}, "a=1&a=1") == ["is given more than once"]
    assert query_details(INTEGERS, "a=1&a=2", explode=False) == ["is given more than once"]


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ("%zz", "has a broken percent-encoding at character 1"),
        ("ab%4", "has a broken percent-encoding at character 3"),
        ("%ff", "is not valid UTF-8"),
        ("\xff", "is not valid UTF-8"),
    ],
)
def test_text_that_cannot_be_decoded_is_told_with_its_place(raw: str, detail: str) -> None:
    assert query_details({"type": "string"}, f"a={raw}") == [detail]
    assert query_details(STRINGS, f"a=x&a={raw}")
    values, errors = decode([parameter("p", "path", {"type": "string"})], path={"p": raw})
    assert (values, errors) == ([ABSENT], [{"detail": detail, "in": "path", "name": "p"}])


def test_names_are_percent_decoded_and_broken_ones_are_told() -> None:
    assert decode([parameter("filter[ü]", "query", {"type": "string"})], query="filter%5B%C3%BC%5D=1") == (["1"], [])
    values, errors = decode([parameter("a", "query")], query="%zz=1&a=2")
    assert values == ["2"]
    assert errors == [{"detail": "a name has a broken percent-encoding at character 1", "in": "query", "name": "%zz"}]


def test_an_unknown_name_is_refused_with_a_hint() -> None:
    parameters = [parameter("limit", "query", {"type": "integer"})]
    values, errors = decode(parameters, query="limt=1&zzz=2&")
    assert values == [ABSENT]
    assert errors == [
        {
            "detail": "is not a parameter of this operation; did you mean limit?",
            "in": "query",
            "name": "limt",
        },
        {"detail": "is not a parameter of this operation", "in": "query", "name": "zzz"},
    ]
    assert decode(parameters, query="limt=1", unknown_query="ignore") == ([ABSENT], [])
    assert decode([], query="a=1")[1]
    assert decode([], query="a=1", unknown_query="ignore") == ([], [])
    assert decode([], query="api_key=1", known_query=("api_key",)) == ([], [])


def test_an_answer_about_many_unknown_names_stays_small() -> None:
    query = "&".join(f"{'x' * 500}{number}" for number in range(500))
    _, errors = decode([parameter("a", "query")], query=query)
    assert len(errors) == 100
    assert {len(error["name"]) for error in errors} == {100}


def test_an_empty_value_is_an_error_unless_it_is_allowed() -> None:
    assert query_details({"type": "integer"}, "a=") == ["must be an integer"]
    assert query_details({"type": "integer"}, "a") == ["must be an integer"]
    assert query_details(INTEGERS, "a=") == ["item 1 must be an integer"]
    assert query_value({"type": "string"}, "a") == ""
    for schema in ({"type": "integer"}, INTEGERS, {"type": "string", "minLength": 3}):
        assert query_value(schema, "a=", allow_empty=True) == ""
        assert query_value(schema, "a", allow_empty=True) == ""
    assert query_details({"type": "integer"}, "a=x", allow_empty=True) == ["must be an integer"]


def test_faults_of_items_and_properties_are_told_with_their_place() -> None:
    assert query_details(INTEGERS, "a=1&a=x&a=y") == ["item 2 must be an integer", "item 3 must be an integer"]
    assert query_details({**INTEGERS, "minItems": 2}, "a=1") == ["must have at least 2 items"]
    schema = {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["c"]}
    assert query_details(schema, "b=x") == ["/b: must be an integer", "/c: is required"]
    pairs = {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "boolean"}}
    assert query_value(pairs, "a=1,true,false", explode=False) == [1, True, False]


# Objects in queries

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"b": {"type": "integer"}, "tags": STRINGS},
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "integer"}}}


def test_an_exploded_object_takes_the_names_of_its_properties() -> None:
    assert query_value(CLOSED, "b=1&tags=x&tags=y") == {"b": 1, "tags": ["x", "y"]}
    assert query_value(CLOSED, "tags=x") == {"tags": ["x"]}
    assert query_value(CLOSED, "") is ABSENT
    _, errors = decode([parameter("a", "query", CLOSED)], query="b=1&c=2&a=3")
    assert [error["name"] for error in errors] == ["c", "a"]


def test_a_free_form_object_takes_the_names_that_nobody_has() -> None:
    parameters = [
        parameter("a", "query", {**OPEN, "additionalProperties": {"type": "integer"}}),
        parameter("limit", "query", {"type": "integer"}),
        parameter("f", "query", CLOSED, style="deepObject"),
    ]
    values, errors = decode(parameters, query="x=1&limit=2&b=3&f[b]=4&key=5", known_query=("key",))
    assert (values, errors) == ([{"x": 1, "b": 3}, 2, {"b": 4}], [])


def test_a_property_that_is_repeated_is_an_error_unless_it_is_an_array() -> None:
    assert query_details(CLOSED, "b=1&b=2") == ["/b: is given more than once"]
    assert query_value({**OPEN, "additionalProperties": {"type": ["string", "array"]}}, "x=1&x=2&y=3") == {
        "x": ["1", "2"],
        "y": "3",
    }


def test_properties_are_found_in_every_combination() -> None:
    schema = {
        "type": "object",
        "allOf": [{"properties": {"b": {"minimum": 2}}}, {"properties": {"b": {"type": "integer"}}}],
        "oneOf": [{"properties": {"k": {"const": 1}}}, {"properties": {"k": {"const": "x"}}}],
        "patternProperties": {"^p": {"type": "boolean"}},
        "unevaluatedProperties": False,
    }
    assert query_value(schema, "b=2&k=1&p1=true") == {"b": 2, "k": 1, "p1": True}
    assert query_value(schema, "b=2&k=x") == {"b": 2, "k": "x"}
    closed = {"additionalProperties": False}
    choice = {"type": "object", "oneOf": [{"properties": {"b": True}, **closed}, {"properties": {"c": True}, **closed}]}
    assert query_value(choice, "c=1") == {"c": "1"}
    _, errors = decode([parameter("a", "query", choice)], query="d=1")
    assert [error["name"] for error in errors] == ["d"]


def test_properties_of_a_discriminated_child_are_typed() -> None:
    definitions = {
        "Pet": {
            "type": "object",
            "properties": {"kind": {"type": "string"}, "born": {"type": "integer"}},
            "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/$defs/Cat"}},
        },
        "Cat": {"allOf": [{"$ref": "#/$defs/Pet"}, {"properties": {"lives": {"type": "integer"}}}]},
    }
    parameters = [parameter(name, "query", {"$ref": f"#/$defs/{name}"}, style="deepObject") for name in ("Pet", "Cat")]
    query = "Pet[kind]=cat&Pet[lives]=9&Pet[born]=2020&Cat[kind]=cat&Cat[lives]=8&Cat[born]=2021"
    pet, cat = {"kind": "cat", "lives": 9, "born": 2020}, {"kind": "cat", "lives": 8, "born": 2021}
    assert decode(parameters, query=query, definitions=definitions) == ([pet, cat], [])


def test_a_deep_object_is_read_level_by_level() -> None:
    deep: dict[str, Any] = {"style": "deepObject"}
    assert query_value(CLOSED, "a[b]=1&a%5Btags%5D=x&a[tags]=y", **deep) == {"b": 1, "tags": ["x", "y"]}
    assert query_value(CLOSED, "a[tags][]=x&a[tags][]=y", **deep) == {"tags": ["x", "y"]}
    assert query_value(CLOSED, "a[tags][1]=y&a[tags][0]=x", **deep) == {"tags": ["x", "y"]}
    assert query_value(INTEGERS, "a[]=1&a[]=2", **deep) == [1, 2]
    assert query_value(INTEGERS, "a=1&a=2", **deep) == [1, 2]
    nested = {"type": "object", "additionalProperties": OPEN}
    assert query_value(nested, "a[x][b]=1", **deep) == {"x": {"b": 1}}
    assert query_value({"type": ["object", "integer"]}, "a=1", **deep) == 1
    assert query_value({"type": ["object", "string"]}, "a[b]=1", **deep) == {"b": "1"}


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("a[b]=1&a[b]=2", "/b: is given more than once"),
        ("a[b][c]=1", "/b: must be a single value"),
        ("a[tags][x]=1", "/tags: must be an array: write the names of its items as [] or as numbers"),
        ("a[b]=1&a[b][c]=2", "/b/c: is given both as a value and as an object"),
        ("a[b][c]=1&a[b]=2", "/b: is given both as a value and as an object"),
        ("a[b][c]=1&a[b][c][d]=1", "/b/c/d: is given both as a value and as an object"),
        ("a" + "[b]" * 17 + "=1", "is nested deeper than 16 levels"),
        ("a=1", "must be written as a[...]=..."),
    ],
)
def test_a_deep_object_that_makes_no_sense_is_told(query: str, detail: str) -> None:
    assert query_details(CLOSED, query, style="deepObject") == [detail]


@pytest.mark.parametrize("name", ["a[", "a[b", "a]b[", "a[b]c", "a[[b]]", "ab[c]"])
def test_a_name_that_only_looks_like_a_deep_object_is_unknown(name: str) -> None:
    _, errors = decode([parameter("a", "query", CLOSED, style="deepObject")], query=f"{name}=1")
    assert [error["name"] for error in errors] == [name]


def test_a_list_or_object_inside_an_item_is_json() -> None:
    schema = {"type": "array", "items": OPEN}
    assert query_value(schema, "a=%7B%22b%22%3A1%7D&a={}") == [{"b": 1}, {}]
    detail = "is not valid JSON: unexpected end of data at line 1 column 2"
    assert query_details(schema, "a=%7B") == [f"item 1 {detail}"]
    mixed = {"type": "array", "items": {"type": ["object", "string"]}}
    assert query_value(mixed, "a={}&a=x&a=7") == [{}, "x", "7"]


def test_objects_that_are_not_exploded_come_as_names_and_values() -> None:
    assert query_value(OPEN, "a=b,1,c,x", explode=False) == {"b": 1, "c": "x"}
    assert query_details(OPEN, "a=b", explode=False) == ["must be written as names and values in turn"]


def test_a_value_of_several_shapes_takes_the_first_that_is_valid() -> None:
    schema = {"oneOf": [{"type": "string"}, OPEN | {"required": ["b"], "additionalProperties": False}]}
    assert query_value(schema, "a=x") == "x"
    assert query_value(schema, "b=1") == {"b": 1}
    assert query_value({"type": ["array", "null"], "items": {"type": "integer"}}, "a=null") is None
    assert query_value({"type": ["integer", "object"]}, "a=b,1", explode=False) == {"b": "1"}
    assert query_details({"type": ["integer", "object"]}, "a=b", explode=False)


# Paths


@pytest.mark.parametrize(
    ("style", "explode", "schema", "text", "value"),
    [
        ("simple", False, {"type": "integer"}, "5", 5),
        ("simple", False, {"type": "string"}, "a%2Fb%20c", "a/b c"),
        ("simple", False, INTEGERS, "1,2", [1, 2]),
        ("label", False, {"type": "integer"}, ".5", 5),
        ("label", True, INTEGERS, ".1.2", [1, 2]),
        ("matrix", False, {"type": "integer"}, ";p=5", 5),
        ("matrix", False, INTEGERS, ";p=1,2", [1, 2]),
        ("matrix", True, INTEGERS, ";p=1;%70=2", [1, 2]),
    ],
)
def test_path_parameters_of_every_style_are_read(style: str, explode: bool, schema: Any, text: str, value: Any) -> None:
    one = parameter("p", "path", schema, style=style, explode=explode)
    assert decode([one], path={"p": text}) == ([value], [])


@pytest.mark.parametrize(
    ("style", "explode", "schema", "text", "detail"),
    [
        ("label", False, {"type": "string"}, "5", "must begin with a dot"),
        ("label", True, INTEGERS, "5", "must begin with a dot"),
        ("label", True, OPEN, "b=1", "must begin with a dot"),
        ("label", True, OPEN, ".b", "must be written as name=value pairs"),
        ("matrix", False, {"type": "string"}, "p=5", "must be written as ;p=..."),
        ("matrix", False, {"type": "string"}, ";q=5", "must be written as ;p=..."),
        ("matrix", True, INTEGERS, ";p=5;q=6", "must be written as ;p=..."),
        ("matrix", True, OPEN, "b=1", "must begin with a semicolon"),
        ("simple", False, OPEN, "b,1,c", "must be written as names and values in turn"),
        ("simple", True, OPEN, "b,1", "must be written as name=value pairs"),
        ("simple", False, INTEGERS, "1,x", "item 2 must be an integer"),
    ],
)
def test_a_path_parameter_of_another_style_is_told(
    style: str, explode: bool, schema: Any, text: str, detail: str
) -> None:
    one = parameter("p", "path", schema, style=style, explode=explode)
    assert decode([one], path={"p": text}) == ([ABSENT], [{"detail": detail, "in": "path", "name": "p"}])


def test_an_empty_text_is_an_array_or_object_without_members() -> None:
    for schema, value in ((INTEGERS, []), (OPEN, {})):
        for explode in (False, True):
            one = parameter("p", "path", schema, explode=explode)
            assert decode([one], path={"p": ""}) == ([value], [])


# Headers and cookies


def test_headers_are_found_in_any_case_and_typed() -> None:
    parameters = [
        parameter("X-Count", "header", {"type": "integer"}),
        parameter("x-flag", "header", {"type": "boolean"}),
        parameter("X-Ids", "header", INTEGERS),
        parameter("X-Map", "header", OPEN, explode=True),
    ]
    headers = {"x-count": "5 ", "X-FLAG": "true", "X-ids": "1, 2,3", "x-map": "b=1, c=d"}
    assert decode(parameters, headers=headers) == ([5, True, [1, 2, 3], {"b": 1, "c": "d"}], [])


def test_headers_are_not_percent_decoded() -> None:
    assert decode([parameter("X", "header", {"type": "string"})], headers={"x": "100%, %41"}) == (["100%, %41"], [])


def test_a_header_that_is_not_utf8_is_latin1_and_the_schema_decides() -> None:
    text = parameter("X", "header", {"type": "string"})
    assert decode([text], headers={"x": "gr\u00fcn"}) == (["grün"], [])
    assert decode([text], headers={"x": "gr\u00c3\u00bcn"}) == (["grün"], [])
    ascii_only = parameter("X", "header", {"type": "string", "pattern": "^[a-z]+$"})
    assert decode([ascii_only], headers={"x": "gr\u00fcn"})[1] == [
        {"detail": "must match the pattern ^[a-z]+$", "in": "header", "name": "X"}
    ]


def test_cookies_are_typed_and_percent_decoded() -> None:
    parameters = [
        parameter("count", "cookie", {"type": "integer"}),
        parameter("flag", "cookie", {"type": "boolean"}),
        parameter("ids", "cookie", INTEGERS, explode=False),
        parameter("many", "cookie", INTEGERS),
        parameter("map", "cookie", OPEN),
        parameter("text", "cookie", {"type": "string"}),
        parameter("doc", "cookie", content_type="application/json"),
    ]
    cookie = ' count=5;flag="true"; ids=1,2; many=3;many=4; text=a%3Bb; b=6; session=%zz; doc=%5B1%5D; junk; =x; "'
    values, errors = decode(parameters, headers={"cookie": cookie})
    assert (values, errors) == ([5, True, [1, 2], [3, 4], {"b": 6}, "a;b", [1]], [])


def test_cookie_names_are_exact_and_a_second_value_is_an_error() -> None:
    one = parameter("count", "cookie", {"type": "integer"})
    assert decode([one], headers={"Cookie": "Count=5"}) == ([ABSENT], [])
    assert decode([one], headers={"Cookie": "count=5; count=6"})[1] == [
        {"detail": "is given more than once", "in": "cookie", "name": "count"}
    ]


# Documents inside parameters


def test_a_content_parameter_holds_one_document() -> None:
    schema = {"type": "object", "properties": {"b": {"type": "integer"}}}
    more: dict[str, Any] = {"content_type": "application/json"}
    assert query_value(schema, "a=%7B%22b%22:+1%7D", **more) == {"b": 1}
    assert query_details(schema, "a={%22b%22:%22x%22}", **more) == ["/b: must be an integer"]
    assert query_details(schema, 'a={"b":1,"b":2}', **more) == ["/b: is given more than once"]
    assert query_details(schema, "a={", **more)[0].startswith("is not valid JSON: ")
    assert query_details(schema, "a={}&a={}", **more) == ["is given more than once"]
    assert query_value({"type": "integer"}, "a=5", content_type="text/plain") == 5
    header = parameter("X", "header", schema, **more)
    assert decode([header], headers={"x": '{"b":1}'}) == ([{"b": 1}], [])


def test_the_whole_query_may_be_one_document() -> None:
    schema = {"type": "object", "properties": {"b": {"type": "integer"}, "c": STRINGS}}
    form = parameter("q", "querystring", schema, content_type="application/x-www-form-urlencoded", required=True)
    assert decode([form], query="b=1&c=x&c=y+z&d=%41") == ([{"b": 1, "c": ["x", "y z"], "d": "A"}], [])
    assert decode([form], query="b=x")[1] == [{"detail": "/b: must be an integer", "in": "query", "name": "q"}]
    assert decode([form], query="b=%zz")[1][0]["detail"] == "/b: has a broken percent-encoding at character 1"
    assert decode([form])[1] == [{"detail": "is required", "in": "query", "name": "q"}]
    json = parameter("q", "querystring", schema, content_type="application/json")
    assert decode([json], query="%7B%22b%22:1%7D") == ([{"b": 1}], [])
    assert decode([json]) == ([ABSENT], [])


# Headers of responses


def test_a_response_header_is_checked_against_its_schema() -> None:
    codec = compile_header(parameter("X", "header", {**INTEGERS, "maxItems": 2}), Validators({}), {})
    assert codec.faults("1, 2") == []
    assert codec.faults("1,x") == ["item 2 must be an integer"]
    assert codec.faults("1,2,3") == ["must have at most 2 items"]
    document = compile_header(parameter("X", "header", content_type="application/json"), Validators({}), {})
    assert document.encode({"a": [1]}) == '{"a":[1]}'
    assert document.faults("{")[0].startswith("is not valid JSON")
    text = compile_header(parameter("X", "header", {"type": "string"}), Validators({}), {})
    assert text.encode("grün").encode("latin-1") == "grün".encode()
    assert text.faults("a\r\nSet-Cookie: b") == ["must not hold control characters"]


# Anything at all

LOCATIONS = [
    ("path", "simple"),
    ("path", "label"),
    ("path", "matrix"),
    ("query", "form"),
    ("query", "spaceDelimited"),
    ("query", "pipeDelimited"),
    ("query", "tabDelimited"),
    ("query", "deepObject"),
    ("header", "simple"),
    ("cookie", "form"),
]
SCHEMAS: list[Any] = [
    {"type": "string"},
    {"type": "integer"},
    {"type": ["number", "boolean", "null"]},
    INTEGERS,
    CLOSED,
    {"type": ["object", "array", "string"], "additionalProperties": {"type": ["object", "integer"]}},
    {"$ref": "#/$defs/Tree"},
    True,
]
EVERY = [
    parameter("a", location, schema, style=style, explode=explode)
    for schema in SCHEMAS
    for location, style in LOCATIONS
    for explode in (True, False)
] + [
    parameter("a", location, CLOSED, content_type=content_type)
    for location in ("path", "query", "header", "cookie", "querystring")
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded")
]
VALIDATORS = Validators(DEFINITIONS)
PIECES = [
    "a",
    "b",
    "=",
    "&",
    ";",
    ",",
    ".",
    "[",
    "]",
    "%",
    "%41",
    "%ff",
    "+",
    '"',
    "a=",
    "a[",
    "1",
    "{",
    "null",
    "\xff",
]
JUNK = st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(st.data(), JUNK)
@settings(max_examples=400, deadline=None)
def test_no_text_makes_decoding_fail(data: st.DataObject, text: str) -> None:
    one = data.draw(st.sampled_from(EVERY))
    compiled = compile_parameters([one], VALIDATORS, DEFINITIONS, unknown_query="refuse")
    for sent in (text, f"a={text}"):
        values, errors = compiled.decode(Incoming({"a": sent}, sent, dict.fromkeys(["a", "Cookie"], sent).get))
        assert len(values) == 1
        for error in errors:
            assert set(error) == {"detail", "in", "name"}
            assert error["in"] in ("path", "query", "header", "cookie")
