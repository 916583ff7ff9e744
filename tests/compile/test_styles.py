"""The style tables of OpenAPI, in both directions, and round trips of arbitrary values."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demijohn.compile.parameters import Incoming, compile_header, compile_parameters, encode_parameter
from demijohn.compile.styles import UnreadableError, header_text, text_of, unquote, unquote_plus
from demijohn.compile.validators import Validators
from demijohn.contract import Parameter, Place

DATA = json.loads((Path(__file__).parent / "data" / "styles.json").read_text())
TABLE = [row for row in DATA["table"] if row["text"] is not None]
NOT_APPLICABLE = [row for row in DATA["table"] if row["text"] is None]

PLACE = Place("contract.yaml")
VALIDATORS = Validators({})
SCHEMAS: dict[str, Any] = {
    "empty": {"type": "string"},
    "string": {"type": "string"},
    "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object", "properties": {key: {"type": "integer"} for key in "RGB"}},
}


def name_of(row: dict[str, Any]) -> str:
    return f"{row['in']}-{row['style']}-{'exploded' if row['explode'] else 'joined'}-{row['type']}"


def parameter_of(row: dict[str, Any], **more: Any) -> Parameter:
    schema = SCHEMAS[row["type"]]
    return Parameter("color", row["in"], PLACE, style=row["style"], explode=row["explode"], schema=schema, **more)


def decode(parameter: Parameter, text: str) -> tuple[Any, list[dict[str, str]]]:
    location = parameter.location
    headers = {parameter.name: text} if location == "header" else {}
    if location == "cookie":
        headers = {"Cookie": text}
    incoming = Incoming(
        path={parameter.name: text} if location == "path" else {},
        query=text if location in ("query", "querystring") else "",
        header=headers.get,
    )
    compiled = compile_parameters([parameter], VALIDATORS, {}, unknown_query="refuse")
    values, errors = compiled.decode(incoming)
    return values[0], errors


@pytest.mark.parametrize("row", [*TABLE, *DATA["also_read"]], ids=name_of)
def test_text_of_every_style_is_read_as_the_specification_writes_it(row: dict[str, Any]) -> None:
    assert decode(parameter_of(row), row["text"]) == (row["value"], [])


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_values_of_every_style_are_written_as_the_specification_shows(row: dict[str, Any]) -> None:
    assert encode_parameter(parameter_of(row), row["value"]) == row["text"]


@pytest.mark.parametrize("row", NOT_APPLICABLE, ids=name_of)
def test_combinations_that_the_specification_leaves_out_are_still_read(row: dict[str, Any]) -> None:
    parameter = parameter_of(row)
    assert decode(parameter, encode_parameter(parameter, row["value"])) == (row["value"], [])


@pytest.mark.parametrize("row", [row for row in TABLE if row["in"] == "header"], ids=name_of)
def test_a_response_header_is_written_and_checked_in_the_simple_style(row: dict[str, Any]) -> None:
    codec = compile_header(parameter_of(row), VALIDATORS, {})
    assert codec.encode(row["value"]) == row["text"]
    assert codec.faults(row["text"]) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        ("grün", "grün"),
        (5, "5"),
        (1.5, "1.5"),
        (1e16, "1e+16"),
        (True, "true"),
        (None, "null"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), "1.50"),
        ([1], "[1]"),
    ],
)
def test_a_single_value_is_written_as_json_without_its_quotes(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_reserved_characters_stay_only_where_they_are_allowed_and_harmless() -> None:
    row = {"in": "query", "style": "form", "explode": True, "type": "string"}
    assert encode_parameter(parameter_of(row), "/a?b&c,d e") == "color=%2Fa%3Fb%26c%2Cd%20e"
    assert encode_parameter(parameter_of(row, allow_reserved=True), "/a?b&c,d e+[") == "color=/a?b%26c,d%20e%2B%5B"
    array = {**row, "type": "array", "explode": False}
    assert encode_parameter(parameter_of(array, allow_reserved=True), ["a,b", "/"]) == "color=a%2Cb,/"


def test_nothing_is_sent_for_an_empty_array_or_object() -> None:
    for explode in (True, False):
        row = {"in": "query", "style": "form", "explode": explode, "type": "array"}
        assert encode_parameter(parameter_of(row), []) == ""
        assert encode_parameter(parameter_of({**row, "type": "object"}), {}) == ""


def test_nested_objects_are_written_with_nested_names() -> None:
    row = {"in": "query", "style": "deepObject", "explode": True, "type": "object"}
    text = encode_parameter(parameter_of(row), {"a": {"b": 1}, "c": ["x", "y"], "d": [{"e": 1}]})
    assert unquote(text) == "color[a][b]=1&color[c]=x&color[c]=y&color[d][][e]=1"


@pytest.mark.parametrize(
    ("location", "content_type", "value", "text"),
    [
        ("query", "application/json", {"a": 1}, "color=%7B%22a%22%3A1%7D"),
        ("cookie", "application/json", [1], "color=%5B1%5D"),
        ("path", "application/json", [1], "%5B1%5D"),
        ("header", "application/json", {"a": "ü"}, '{"a":"Ã¼"}'),
        ("query", "text/plain", "a b", "color=a%20b"),
        ("querystring", "application/json", {"a": 1}, "%7B%22a%22%3A1%7D"),
        ("querystring", "application/x-www-form-urlencoded", {"a": 1, "b": ["x", "y z"]}, "a=1&b=x&b=y%20z"),
    ],
)
def test_content_parameters_are_written_as_one_document(
    location: Any, content_type: str, value: Any, text: str
) -> None:
    properties = {"a": {"type": ["integer", "string"]}, "b": SCHEMAS["array"]}
    schema = {"properties": properties, "type": ["object", "array", "string"]}
    parameter = Parameter("color", location, PLACE, content_type=content_type, schema=schema)
    assert encode_parameter(parameter, value) == text
    assert decode(parameter, text) == (value, [])


@pytest.mark.parametrize(("raw", "place"), [("%zz", 1), ("%4", 1), ("ab%", 3), ("%41%G1", 4)])
def test_a_broken_percent_encoding_is_told_with_its_place(raw: str, place: int) -> None:
    with pytest.raises(UnreadableError, match=f"at character {place}$"):
        unquote(raw)


@pytest.mark.parametrize("raw", ["%ff", "%C3", "\xff", "%ed%a0%80", "\u20ac", "\ud800"])
def test_text_that_is_not_utf8_is_refused(raw: str) -> None:
    with pytest.raises(UnreadableError, match="UTF-8"):
        unquote(raw)


def test_bytes_beyond_ascii_are_read_with_and_without_percent_encoding() -> None:
    assert unquote("gr%C3%BCn") == unquote("gr\u00c3\u00bcn") == "grün"
    assert unquote("%00") == "\0"
    assert (unquote("a+b"), unquote_plus("a+b%2B")) == ("a+b", "a b+")


def test_a_header_is_utf8_where_it_can_be_and_latin1_elsewhere() -> None:
    assert header_text(" gr\u00c3\u00bcn\t") == "grün"
    assert header_text("gr\u00fcn") == "grün"
    assert header_text("100%") == "100%"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
}
STYLES = sorted({(row["in"], row["style"], row["explode"]) for row in TABLE + DATA["also_read"]})


@st.composite
def sendings(draw: st.DrawFn) -> tuple[Parameter, Any]:
    """Draw a parameter of any style with a value that the style can carry."""
    location, style, explode = draw(st.sampled_from(STYLES))
    shape = draw(st.sampled_from(["array", "object"] + ["scalar"] * (style in ("simple", "label", "matrix", "form"))))
    if style == "deepObject":
        shape = "object"
    kind = draw(st.sampled_from(sorted(SCALARS)))
    leaf = SCALARS[kind]
    if kind == "string" and location == "header":
        # Headers are not encoded, so that nothing stands for a control character, a blank edge or a
        # delimiter.
        leaf = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"], exclude_characters=",=\x7f"))
        leaf = leaf.filter(lambda text: header_text(text.encode().decode("latin-1")) == text)
    forbidden = {"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}.get(style)
    if kind == "string" and forbidden and not explode:
        leaf = leaf.filter(lambda text: forbidden not in text)
    schema: dict[str, Any] = {"type": kind}
    if shape == "scalar":
        return Parameter("p", location, PLACE, style=style, explode=explode, schema=schema), draw(leaf)
    if shape == "array":
        # One empty text cannot be told from no items in a path or header.
        value: Any = draw(st.lists(leaf, min_size=1, max_size=4).filter(lambda items: items != [""]))
        schema = {"type": "array", "items": schema}
    else:
        names = st.sampled_from(["a", "b c", "d,e", "ü", "f=g", "h&i", "j.k", "l;m", "n%o"])
        if location == "header" or location == "cookie":
            names = st.sampled_from(["a", "b", "c"])
        if forbidden:
            names = st.sampled_from(["a", "ü", "c"])
        value = draw(st.dictionaries(names, leaf, min_size=1, max_size=3))
        properties = dict.fromkeys(value, schema)
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return Parameter("p", location, PLACE, style=style, explode=explode, schema=schema), value


@given(sendings())
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_back(sending: tuple[Parameter, Any]) -> None:
    parameter, value = sending
    assert decode(parameter, encode_parameter(parameter, value)) == (value, [])
