"""Every type of column, there and back: what a client sends, and the bytes that come back."""

from __future__ import annotations

import enum
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from resource_support import Serve
from small_apis import INTEGER, STRING, array, contract, crud, obj, pointers, problem, whole
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Unicode,
    Uuid,
)
from sqlalchemy.types import TypeEngine


class Colour(enum.Enum):
    red = 1
    green = 2


NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
MOMENT = {"type": "string", "format": "date-time"}
DAY = {"type": "string", "format": "date"}
CLOCK = {"type": "string", "format": "time"}
UID = {"type": "string", "format": "uuid"}
BYTES = {"type": "string", "format": "byte"}
COLOURS = {"type": "string", "enum": ["red", "green"]}
DIGITS = {"type": "string", "pattern": r"^-?\d+\.\d{2}$"}


def one(serve: Serve, type_: TypeEngine[Any] | type[TypeEngine[Any]], schema: Any) -> tuple[Any, Table]:
    """Serve things with one value each, which may be null."""
    table = Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("value", type_))
    loose = {"anyOf": [schema, {"type": "null"}]} if "enum" in schema else schema | {"type": [schema["type"], "null"]}
    schemas = {
        "Thing": whole(id=INTEGER, value=loose) | {"x-resource": "thing"},
        "NewThing": obj(value=loose),
        "ThingUpdate": obj(value=loose),
    }
    return serve(contract(crud("/things", "Thing"), schemas), table.metadata, resources=[table]), table


# The type of the column, the schema, what is sent, what comes back (None: the same).
VALUES: list[tuple[Any, Any, str, str | None]] = [
    (Integer, INTEGER, "0", None),
    (Integer, INTEGER, "-2147483648", None),
    (Integer, INTEGER, "2147483647", None),
    (SmallInteger, INTEGER | {"minimum": -32768, "maximum": 32767}, "-32768", None),
    (BigInteger, INTEGER, "9223372036854775807", None),
    (BigInteger, INTEGER, "-9223372036854775808", None),
    (String(40), STRING | {"maxLength": 40}, '"a \\"quoted\\" text"', None),
    (String(40), STRING | {"maxLength": 40}, '""', None),
    (String(40), STRING | {"maxLength": 40}, '"\\u00e9\\u674e\\ud83d\\ude00"', '"é李😀"'),
    (
        String(40),
        STRING | {"maxLength": 40},
        '"line\\nbreak\\ttab\\\\ \\/ \\u0001"',
        '"line\\nbreak\\ttab\\\\ / \\u0001"',
    ),
    (String(40), STRING | {"maxLength": 40}, '"trailing  "', None),
    (Unicode(40), STRING | {"maxLength": 40}, '"x"', None),
    (Text, STRING, json.dumps("long " * 5000), None),
    (Boolean, BOOLEAN, "true", None),
    (Boolean, BOOLEAN, "false", None),
    (Float, NUMBER, "1.5", None),
    (Double, NUMBER, "0.1", None),
    (Double, NUMBER, "-2.5e-7", None),
    (Double, NUMBER, "1e100", None),
    (Double, NUMBER, "3", None),
    (Numeric(10, 2), NUMBER, "12.34", None),
    (Numeric(10, 2), NUMBER, "-99999999.99", None),
    (Numeric(10, 2), DIGITS, '"12.30"', None),
    (Numeric(10, 2), DIGITS, '"-0.05"', None),
    (DateTime, MOMENT, '"2026-01-02T03:04:05Z"', None),
    (DateTime, MOMENT, '"2026-01-02T03:04:05+02:00"', '"2026-01-02T01:04:05Z"'),
    (DateTime(timezone=True), MOMENT, '"2026-01-02T03:04:05Z"', None),
    (DateTime(timezone=True), MOMENT, '"2026-07-02T23:04:05-05:30"', '"2026-07-03T04:34:05Z"'),
    (Date, DAY, '"2024-02-29"', None),
    (Date, DAY, '"0001-01-01"', None),
    (Date, DAY, '"9999-12-31"', None),
    (Time, CLOCK, '"03:04:05Z"', None),
    (Uuid, UID, '"6f1ed002-ab55-4598-8059-014ebf095152"', None),
    (Uuid, UID, '"6F1ED002-AB55-4598-8059-014EBF095152"', '"6f1ed002-ab55-4598-8059-014ebf095152"'),
    (LargeBinary, BYTES, '"AAH/gA=="', None),
    (LargeBinary, BYTES, '""', None),
    (JSON, {"type": "object"}, '{"a":[1,2.5,null,true,"x"],"b":{}}', None),
    (JSON, array({}), "[]", None),
    (Enum(Colour), COLOURS, '"green"', None),
    (Enum("red", "green", name="colours"), COLOURS, '"red"', None),
]


def compared(text: str) -> Any:
    return json.loads(text, parse_float=lambda digits: Decimal(digits).normalize())


@pytest.mark.parametrize(("type_", "schema", "sent", "expected"), VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_comes_back(serve: Serve, type_: Any, schema: Any, sent: str, expected: str | None) -> None:
    client, _ = one(serve, type_, schema)
    body = f'{{"value":{sent}}}'
    created = client.post("/things", data=body.encode(), content_type="application/json")
    assert created.status_code == 201, created.text
    wanted = (
        expected if expected is not None else json.dumps(json.loads(sent), ensure_ascii=False, separators=(",", ":"))
    )
    assert compared(created.text) == compared(f'{{"id":1,"value":{wanted}}}')
    if "." not in sent and "e" not in sent:
        assert created.text == f'{{"id":1,"value":{wanted}}}'
    for response in (client.get("/things/1"), client.put("/things/1", data=body, content_type="application/json")):
        assert response.data == created.data
    assert client.get("/things").data == b"[" + created.data + b"]"
    assert client.patch("/things/1", json={"value": None}).data == b'{"id":1,"value":null}'
    assert client.get("/things").data == b'[{"id":1,"value":null}]'


STORED: list[tuple[Any, Any, Any, str]] = [
    (DateTime, MOMENT, datetime(2026, 1, 2, 3, 4, 5), '"2026-01-02T03:04:05Z"'),
    (Date, DAY, date(2026, 1, 2), '"2026-01-02"'),
    (Numeric(10, 2), DIGITS, Decimal("7"), '"7.00"'),
    (Uuid, UID, UUID(int=7), '"00000000-0000-0000-0000-000000000007"'),
    (Enum(Colour), COLOURS, Colour.red, '"red"'),
    (LargeBinary, BYTES, b"\x00\xff", '"AP8="'),
    (JSON, {"type": "object"}, {"k": "ü\n"}, '{"k":"ü\\n"}'),
    (Boolean, BOOLEAN, True, "true"),
    (Time, CLOCK, time(1, 2, 3), '"01:02:03Z"'),
]


@pytest.mark.parametrize(("type_", "schema", "stored", "expected"), STORED, ids=lambda value: repr(value)[:40])
def test_what_others_stored_is_shown(
    serve: Serve, plain: Any, type_: Any, schema: Any, stored: Any, expected: str
) -> None:
    client, table = one(serve, type_, schema)
    with plain.begin() as connection:
        connection.execute(table.insert(), {"value": stored})
    assert compared(client.get("/things/1").text)["value"] == compared(expected)


@pytest.mark.parametrize(("type_", "schema", "sent", "read"), [
    (DateTime, MOMENT, "2026-01-02T03:04:05+01:00", datetime(2026, 1, 2, 2, 4, 5)),
    (Numeric(10, 2), DIGITS, "12.30", Decimal("12.30")),
    (Uuid, UID, str(UUID(int=9)), UUID(int=9)),
    (Enum(Colour), COLOURS, "green", Colour.green),
    (LargeBinary, BYTES, "AP8=", b"\x00\xff"),
    (JSON, {"type": "object"}, {"a": [1]}, {"a": [1]}),
    (Boolean, BOOLEAN, True, True),
], ids=lambda value: repr(value)[:40])  # fmt: skip
def test_others_read_what_was_sent(serve: Serve, plain: Any, type_: Any, schema: Any, sent: Any, read: Any) -> None:
    client, table = one(serve, type_, schema)
    client.post("/things", json={"value": sent})
    with plain.connect() as connection:
        assert connection.execute(table.select()).one().value == read


@pytest.mark.parametrize(
    ("type_", "schema", "sent"),
    [
        (Integer, INTEGER, 2**31),
        (SmallInteger, INTEGER, 40000),
        (Numeric(4, 2), NUMBER, 1234.5),
        (DateTime, MOMENT, "0001-01-01T00:00:00+14:00"),
        (DateTime, MOMENT, "9999-12-31T23:59:59-14:00"),
        (LargeBinary, {"type": "string"} | BYTES, "!"),
        (String(40), STRING | {"maxLength": 40}, "a\x00b"),
        (JSON, {"type": "object"}, {"a": "\x00"}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_a_column_cannot_hold_is_refused_or_kept(serve: Serve, type_: Any, schema: Any, sent: Any) -> None:
    """It is refused for the property, or comes back as it was: SQLite's columns hold more than others' do."""
    client, _ = one(serve, type_, schema)
    response = client.post("/things", json={"value": sent})
    if response.status_code == 201:
        assert response.get_json()["value"] == sent
    else:
        assert pointers(problem(response, 400))[0].startswith("#/value")
        assert client.get("/things").data == b"[]"


def test_an_item_of_all_types_has_its_properties_in_order(serve: Serve) -> None:
    table = Table(
        "thing",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("flag", Boolean, nullable=False),
        Column("day", Date, nullable=False),
        Column("text", String(10), nullable=False),
        Column("data", JSON, nullable=False),
    )
    schema = whole(data={"type": "object"}, text=STRING | {"maxLength": 10}, id=INTEGER, day=DAY, flag=BOOLEAN)
    new = whole(data={"type": "object"}, text=STRING | {"maxLength": 10}, day=DAY, flag=BOOLEAN)
    schemas = {"Thing": schema | {"x-resource": "thing"}, "NewThing": new, "ThingUpdate": new | {"required": []}}
    client = serve(contract(crud("/things", "Thing"), schemas), table.metadata, resources=[table])
    body = {"flag": False, "day": "2026-01-02", "text": "x", "data": {"z": 1, "a": [True]}}
    created = client.post("/things", json=body)
    assert created.get_json() == body | {"id": 1}
    assert list(created.get_json()) == ["data", "text", "id", "day", "flag"]
    assert client.get("/things/1").data == created.data
