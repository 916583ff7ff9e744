"""Values on their way through real columns: JSON in, the driver, the database, and the same bytes out everywhere."""

from __future__ import annotations

import datetime as dt
import enum
import json
import random
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

from demijohn.resources.codecs import Codec, UnfitError
from demijohn.resources.dialects.dialect import Dialect, Member
from demijohn.resources.dialects.values import read_date, read_datetime, read_time, read_uuid

Run = Callable[..., list[tuple[Any, ...]]]


class Colour(enum.Enum):
    """A Python enum whose values are not its names."""

    RED = "red"
    DARK_BLUE = "dark blue"


class Level(enum.IntEnum):
    """A Python enum of numbers."""

    LOW = 1
    HIGH = 10


class UtcTime(sa.types.TypeDecorator[dt.datetime]):
    """Insist on times with a zone when they are written, as many applications do; what is stored is as usual."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a time without a zone")
        return value.astimezone(dt.UTC).replace(tzinfo=None)


class Lowered(sa.types.TypeDecorator[str]):
    """Store texts in lower case."""

    impl = sa.String(20)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.lower()


class Secret(sa.types.TypeDecorator[str]):
    """Store texts turned around: what the database has is not what Python shows."""

    impl = sa.String(20)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]


class Point(sa.types.UserDefinedType[Any]):
    """A type of which nobody knows anything."""

    def get_col_spec(self, **_: Any) -> str:
        """Return its name in SQL."""
        return "POINT"


@dataclass(frozen=True)
class Case:
    """Be a column, a schema, and what values become: the JSON text that is expected, by the JSON value sent."""

    name: str
    type: Any
    schema: Mapping[str, Any]
    values: Sequence[tuple[Any, str]]
    only: frozenset[str] = field(default=frozenset(("sqlite", "postgresql", "mariadb")))


def same(*values: Any) -> list[tuple[Any, str]]:
    """Pair values with themselves as compact JSON."""
    return [(value, json.dumps(value, ensure_ascii=False, separators=(",", ":"))) for value in values]


STRING = {"type": "string"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
DATE_TIME = {"type": "string", "format": "date-time"}
TEXTS = (
    "",
    "plain",
    " spaces ",
    "'\"\\",
    "\\u000B \\\\n",
    "C:\\new\\u001f\\",
    "\x0b\\u000B\\\x0e\x1f",
    "".join(map(chr, range(1, 32))),
    "\x7f/</script>",
    "%s %% %(x)s :x ? {}",
    "naïve 日本語",
    "😀👩‍👩‍👧",
    "\u2028\u2029\ufeff\uffff",
)
MOMENTS = [
    ("2026-11-21T13:30:57Z", '"2026-11-21T13:30:57Z"'),
    ("2026-11-21T13:30:57+05:30", '"2026-11-21T08:00:57Z"'),
    ("2026-11-21t13:30:57.000z", '"2026-11-21T13:30:57Z"'),
    ("2026-01-01T00:00:00-00:30", '"2026-01-01T00:30:00Z"'),
    ("1969-12-31T23:59:59Z", '"1969-12-31T23:59:59Z"'),
    ("9999-12-31T23:59:59Z", '"9999-12-31T23:59:59Z"'),
]
FRACTIONS = [
    ("2026-11-21T13:30:57.123456Z", '"2026-11-21T13:30:57.123456Z"'),
    ("2026-11-21T13:30:57.5Z", '"2026-11-21T13:30:57.500000Z"'),
    ("2026-11-21T13:30:57.000001999Z", '"2026-11-21T13:30:57.000001Z"'),
]
EXACT_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
EXACT_ZONED = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
DOUBLES = [(0, "0"), (1, "1"), (1.0, "1"), (-2.5, "-2.5"), (0.1, "0.1"), (0.30000000000000004, "0.30000000000000004")]
DOUBLES += [(1e-4, "0.0001"), (123456.789, "123456.789"), (100000000000000.0, "100000000000000")]
DOUBLES += [(2 / 3, "0.6666666666666666"), (-1e14, "-100000000000000")]
DOCUMENTS: tuple[Any, ...] = (
    {"a": [1, 2.5, "x: , y", None, True], "b": {"c": 'q"\\'}},
    [],
    {},
    [[], {}],
    "text",
    "with , and : inside",
    7,
    False,
    {"é": "😀"},
)
NAMES = {"type": "string", "enum": ["RED", "DARK_BLUE"]}
VALUES = {"type": "string", "enum": ["red", "dark blue", None]}
LIST = sa.JSON().with_variant(postgresql.ARRAY(sa.String(20)), "postgresql")
NUMBERS = sa.JSON().with_variant(postgresql.ARRAY(sa.Integer), "postgresql")

CASES = [
    Case("string", sa.String(60), STRING, same(*TEXTS)),
    Case("text", sa.Text(), STRING, same(*TEXTS, "x" * 60_000)),
    Case("unicode", sa.Unicode(60), STRING, same("naïve 日本語")),
    Case("char", sa.CHAR(5), STRING, same("ab", "abcde", "")),
    Case("lowered", Lowered(), STRING, [("ABC", '"abc"')]),
    Case("integer", sa.Integer(), INTEGER, same(0, 5, -7, 2**31 - 1, -(2**31))),
    Case("integer as number", sa.Integer(), NUMBER, same(5)),
    Case("small", sa.SmallInteger(), INTEGER, same(2**15 - 1, -(2**15))),
    Case("big", sa.BigInteger(), INTEGER, same(2**63 - 1, -(2**63))),
    Case("double", sa.Double(), NUMBER, DOUBLES),
    Case("money", sa.Numeric(10, 2), NUMBER,
         [(12.3, "12.30"), (0, "0.00"), (-0.05, "-0.05"), (99999999.99, "99999999.99")]),
    Case("money as text", sa.Numeric(10, 2), STRING, [("12.3", '"12.30"'), ("0", '"0.00"'), ("-7.05", '"-7.05"')]),
    Case("whole", sa.Numeric(9, 0), NUMBER, [(12, "12"), (-0.0, "0")]),
    Case("digits", sa.Numeric(15, 4), NUMBER, [(12345678901.2345, "12345678901.2345"), (0.1, "0.1000")]),
    Case("many digits", sa.Numeric(30, 10), STRING,
         same("12345678901234567890.1234567890", "-0.0000000001"), frozenset(("postgresql", "mariadb"))),
    Case("decimal without digits", sa.Numeric(), NUMBER, [(12, "12"), (-3, "-3")]),
    Case("boolean", sa.Boolean(), {"type": "boolean"}, same(True, False)),
    Case("time stamp", sa.DateTime(), DATE_TIME, MOMENTS),
    Case("time stamp with zone", sa.DateTime(timezone=True), DATE_TIME, MOMENTS),
    Case("exact time stamp", EXACT_TIME, DATE_TIME, MOMENTS + FRACTIONS),
    Case("exact time stamp with zone", EXACT_ZONED, DATE_TIME, MOMENTS + FRACTIONS),
    Case("time stamp as plain text", sa.DateTime(), STRING, [("2026-11-21T13:30:57Z", '"2026-11-21T13:30:57"')]),
    Case("decorated time stamp", UtcTime(), DATE_TIME, MOMENTS),
    Case("date", sa.Date(), {"type": "string", "format": "date"}, same("2026-02-28", "1969-12-31", "9999-12-31")),
    Case("time", sa.Time(), STRING, same("00:00:00", "23:59:59")),
    Case("time with format", sa.Time(), {"type": "string", "format": "time"},
         [("12:00:00Z", '"12:00:00Z"'), ("01:30:00+02:00", '"23:30:00Z"')]),
    Case("uuid", sa.Uuid(), {"type": "string", "format": "uuid"},
         [("123E4567-e89b-12d3-a456-426655440000", '"123e4567-e89b-12d3-a456-426655440000"'),
          ("00000000-0000-0000-0000-000000000000", '"00000000-0000-0000-0000-000000000000"')]),
    Case("uuid as text in Python", sa.Uuid(as_uuid=False), {"type": "string", "format": "uuid"},
         same("123e4567-e89b-12d3-a456-426655440000")),
    Case("uuid as characters", sa.Uuid(native_uuid=False), {"type": "string", "format": "uuid"},
         same("123e4567-e89b-12d3-a456-426655440000")),
    Case("binary", sa.LargeBinary(), {"type": "string", "contentEncoding": "base64"},
         same("", "AA==", "/+8=", "A" * 400)),
    Case("document", sa.JSON(), {"type": ["object", "array", "string", "integer", "boolean"]}, same(*DOCUMENTS)),
    Case("jsonb", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), {"type": ["object", "array"]},
         same({"a": [1, "x: , y", None, True], "b": {"c": 'q"\\'}}, [], {}, [[], {}])),
    Case("list of texts", LIST, {"type": "array", "items": STRING}, same([], ["a"], ["a", 'b"\\,{}', "", "NULL", "é"])),
    Case("list of integers", NUMBERS, {"type": "array", "items": INTEGER}, same([], [1], [3, -2, 2**31 - 1])),
    Case("enum of texts", sa.Enum("a", "b c", "d'e", name="kind"), {"type": "string", "enum": ["a", "b c", "d'e"]},
         same("a", "b c", "d'e")),
    Case("enum without a type of its own", sa.Enum("a", "b", native_enum=False), STRING, same("a", "b")),
    Case("enum by name", sa.Enum(Colour), NAMES, same("RED", "DARK_BLUE")),
    Case("enum by value", sa.Enum(Colour), VALUES, same("red", "dark blue")),
    Case("enum that stores values", sa.Enum(Colour, values_callable=lambda kind: [one.value for one in kind]), VALUES,
         same("red", "dark blue")),
    Case("enum that stores values by name",
         sa.Enum(Colour, values_callable=lambda kind: [one.value for one in kind], native_enum=False), NAMES,
         same("RED", "DARK_BLUE")),
    Case("enum of numbers", sa.Enum(Level), {"type": "integer", "enum": [1, 10]}, same(1, 10)),
]  # fmt: skip


def codec_of(dialect: Dialect, type_: TypeEngine[Any], schema: Mapping[str, Any]) -> Codec:
    """Return the codec of a column, as the binding of a contract asks for it."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return dialect.codec(type_, dict(schema), frozenset(kinds) - {"null"}, schema.get("format"))


def table_of(type_: TypeEngine[Any]) -> sa.Table:
    """Return a table with a column of a type."""
    metadata = sa.MetaData()
    return sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("value", type_))


def shown(dialect: Dialect, codec: Codec, table: sa.Table) -> Any:
    """Return the select of the JSON text of each row."""
    value = sa.func.coalesce(codec.json(table.c.value), dialect.null())
    return sa.select(dialect.text(dialect.object([Member("v", value)]))).order_by(table.c.id)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_value_comes_back_in_the_same_bytes_from_every_database(
    case: Case, engine: sa.Engine, dialect: Dialect, run: Run
) -> None:
    if dialect.name not in case.only:
        with pytest.raises(UnfitError):
            codec_of(dialect, case.type, case.schema)
        return
    table = table_of(case.type)
    table.metadata.create_all(engine)
    codec = codec_of(dialect, case.type, case.schema)
    insert = dialect.insert(table).values(id=bindparam("i"), value=bindparam("v", type_=codec.type))
    wanted = sa.select(table.c.id).where(table.c.value == bindparam("v", type_=codec.type))
    for index, (value, _) in enumerate(case.values, 1):
        run(insert, {"i": index, "v": codec.decode(value)})
        if codec.kind not in ("json", "float"):  # those nobody compares
            assert (index,) in run(wanted, {"v": codec.decode(value)})
    value = sa.func.coalesce(codec.json(table.c.value), dialect.null())
    returned = insert.inline().returning(dialect.text(dialect.object([Member("v", value)])))
    assert run(returned, {"i": len(case.values) + 1, "v": codec.decode(None)}) == [('{"v":null}',)]

    texts = [text for (text,) in run(shown(dialect, codec, table))]
    assert texts == [*(f'{{"v":{expected}}}' for _, expected in case.values), '{"v":null}']

    # What a hook gets is the same.
    found = [codec.encode(value) for (value,) in run(sa.select(table.c.value).order_by(table.c.id))]
    as_json = [float(one) if isinstance(one, Decimal) else one for one in found]
    assert as_json == [*(json.loads(expected) for _, expected in case.values), None]


def test_any_double_reads_back_as_itself(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    chosen = random.Random(7)  # the same ones every time
    numbers = [5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 1e15, 1e16, 1e21, 1e22, 1e-5, 1.5e-7, 1e100]
    while len(numbers) < 500:
        (number,) = struct.unpack("d", struct.pack("Q", chosen.getrandbits(64)))
        if number - number == 0:
            numbers.append(number)
    numbers += [round(chosen.uniform(-1e6, 1e6), chosen.randrange(12)) for _ in range(500)]
    table = table_of(sa.Double())
    table.metadata.create_all(engine)
    codec = codec_of(dialect, sa.Double(), NUMBER)
    with engine.begin() as connection:
        rows = [{"id": index + 1, "value": number} for index, number in enumerate(numbers)]
        connection.execute(table.insert(), rows)
    texts = [text for (text,) in run(shown(dialect, codec, table))]
    assert [json.loads(text)["v"] for text in texts] == numbers
    # The shortest that does: Python's own has as many digits.
    longer = [(text, n) for text, n in zip(texts, numbers, strict=True) if digits(text[5:-1]) > digits(repr(n))]
    assert longer == []


def digits(text: str) -> int:
    """Count the digits that matter."""
    return len(text.lower().partition("e")[0].replace(".", "").replace("-", "").strip("0"))


@pytest.mark.parametrize(
    "number", [1e15, 1.5e15, 1e16, 1e21, 1e22, 1e-5, 1.5e-7, 1.25e-10, 5e-324, 1.7976931348623157e308]
)
def test_exponents_are_written_the_same_everywhere(
    number: float, engine: sa.Engine, dialect: Dialect, run: Run
) -> None:
    table = table_of(sa.Double())
    table.metadata.create_all(engine)
    codec = codec_of(dialect, sa.Double(), NUMBER)
    insert = dialect.insert(table).values(id=1, value=bindparam("v", type_=codec.type))
    run(insert, {"v": codec.decode(number)})
    expected = repr(number).replace(".0", "") if number >= 1e16 or number < 1e-4 else f"{number:.14e}"
    if 1e15 <= number < 1e16:
        expected = {1e15: "1e+15", 1.5e15: "1.5e+15"}[number]
    assert run(shown(dialect, codec, table)) == [(f'{{"v":{expected}}}',)]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_is_no_number_in_json_is_null(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    table = table_of(sa.Double())
    table.metadata.create_all(engine)
    codec = codec_of(dialect, sa.Double(), NUMBER)
    numbers = [float("inf"), float("-inf"), *([float("nan")] if dialect.name == "postgresql" else [])]
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"id": i + 1, "value": number} for i, number in enumerate(numbers)])
    assert run(shown(dialect, codec, table)) == [('{"v":null}',)] * len(numbers)


@pytest.mark.parametrize("database", ["postgresql"])
def test_decimals_and_times_without_an_end_are_null(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    for type_, schema, odd in (
        (sa.Numeric(), NUMBER, "'NaN'"),
        (sa.Numeric(10, 2), STRING, "'NaN'"),
        (sa.DateTime(), DATE_TIME, "'infinity'"),
        (sa.DateTime(timezone=True), DATE_TIME, "'-infinity'"),
        (sa.Date(), {"type": "string", "format": "date"}, "'infinity'"),
    ):
        table = table_of(type_)
        table.metadata.create_all(engine)
        codec = codec_of(dialect, type_, schema)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO thing VALUES (1, {odd})")
        (text,) = run(sa.select(dialect.text(dialect.object([Member("v", codec.json(table.c.value))]))))[0]
        assert text == '{"v":null}', type_
        table.metadata.drop_all(engine)


@pytest.mark.parametrize("database", ["postgresql"])
def test_documents_that_others_wrote_with_spaces_are_compact(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    table = table_of(postgresql.JSON())
    table.metadata.create_all(engine)
    codec = codec_of(dialect, postgresql.JSON(), {"type": "object"})
    document = '{ "a b" :\n [1,\t2.50, "x : , \\" y\\\\"] }'
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO thing VALUES (1, CAST(:d AS json))"), {"d": document})
    assert run(shown(dialect, codec, table)) == [('{"v":{"a b":[1,2.50,"x : , \\" y\\\\"]}}',)]


def test_what_the_application_writes_by_itself_is_shown_the_same(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    moment = dt.datetime(2026, 11, 21, 13, 30, 57)
    number = uuid.UUID("123e4567-e89b-12d3-a456-426655440000")
    written: list[tuple[Any, Mapping[str, Any], Any, str]] = [
        (sa.DateTime(), DATE_TIME, moment, '"2026-11-21T13:30:57Z"'),
        (sa.DateTime(timezone=True), DATE_TIME, moment.replace(tzinfo=dt.UTC), '"2026-11-21T13:30:57Z"'),
        (sa.Uuid(), {"type": "string", "format": "uuid"}, number, f'"{number}"'),
        (sa.JSON(), {"type": "object"}, {"a": [1, 2]}, '{"a":[1,2]}'),
        (sa.Enum(Colour), VALUES, Colour.DARK_BLUE, '"dark blue"'),
        (sa.Boolean(), {"type": "boolean"}, True, "true"),
        (sa.Time(), STRING, dt.time(1, 2, 3), '"01:02:03"'),
    ]
    for type_, schema, value, expected in written:
        table = table_of(type_)
        table.metadata.create_all(engine)
        codec = codec_of(dialect, type_, schema)
        with engine.begin() as connection:
            connection.execute(table.insert().values(id=1, value=value))
        assert run(shown(dialect, codec, table)) == [(f'{{"v":{expected}}}',)]
        table.metadata.drop_all(engine)


def test_a_default_of_the_database_is_shown_as_utc(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    for timezone in (False, True):
        metadata = sa.MetaData()
        type_ = sa.DateTime(timezone=timezone)
        value: sa.Column[Any] = sa.Column("value", type_, server_default=sa.func.current_timestamp())
        table = sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), value)
        metadata.create_all(engine)
        run(dialect.insert(table).values(id=1).inline())
        (text,) = run(shown(dialect, codec_of(dialect, type_, DATE_TIME), table))[0]
        found = dt.datetime.fromisoformat(json.loads(text)["v"])
        assert abs(found - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
        metadata.drop_all(engine)


REFUSED: list[tuple[Any, Mapping[str, Any], Any]] = [
    (sa.String(5), STRING, "123456"),
    (sa.String(5), STRING, "a\x00b"),
    (sa.Text(), STRING, "\x00"),
    (sa.String(5), STRING, "\ud800"),
    (sa.SmallInteger().with_variant(sa.BigInteger(), "sqlite"), INTEGER, 2**63),
    (sa.BigInteger(), INTEGER, 2**63),
    (sa.BigInteger(), INTEGER, -(2**63) - 1),
    (sa.Double(), NUMBER, 10**400),
    (sa.Numeric(5, 2), NUMBER, 1000),
    (sa.Numeric(5, 2), NUMBER, 999.999),
    (sa.Numeric(5, 2), NUMBER, 1.234),
    (sa.Numeric(5, 2), STRING, "twelve"),
    (sa.Numeric(5, 2), STRING, "NaN"),
    (sa.Numeric(5, 2), STRING, "Infinity"),
    (sa.Numeric(5, 2), STRING, "1e999999"),
    (sa.DateTime(), DATE_TIME, "0000-01-01T00:00:00Z"),
    (sa.DateTime(), DATE_TIME, "0001-01-01T00:00:00+10:00"),
    (sa.DateTime(), DATE_TIME, "9999-12-31T23:59:59-10:00"),
    (sa.DateTime(), DATE_TIME, "2026-02-30T00:00:00Z"),
    (sa.DateTime(), STRING, "yesterday"),
    (sa.DateTime(), STRING, "2026-W01-1"),
    (sa.Date(), {"type": "string", "format": "date"}, "2026-02-30"),
    (sa.Date(), STRING, "20260228"),
    (sa.Date(), STRING, "2026-W01-1"),
    (sa.Time(), STRING, "25:00:00"),
    (sa.Time(), STRING, "10"),
    (sa.Uuid(), STRING, "no uuid"),
    (sa.LargeBinary(), STRING, "not base64!"),
    (sa.LargeBinary(), STRING, "é"),
    (sa.LargeBinary(2), STRING, "AAAAAAAA"),
    (sa.JSON(), {"type": "object"}, {"a": "\x00"}),
    (sa.JSON(), {"type": "object"}, {"a\x00": 1}),
    (sa.Enum("a", "b"), STRING, "c"),
    (sa.Enum(Colour), VALUES, "green"),
    (LIST, {"type": "array"}, ["a\x00"]),
    (sa.String(5), {"type": ["string", "integer"]}, 5),
    (sa.Integer(), {"type": ["string", "number"]}, 5.5),
    (sa.Integer(), {"type": ["string", "number"]}, "5"),
    (sa.Integer(), NUMBER, True),
    (sa.Boolean(), {"type": ["boolean", "integer"]}, 1),
    (sa.Uuid(), {"type": ["string", "integer"]}, 1),
    (sa.DateTime(), {"type": ["string", "integer"]}, 1),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]!r}-{str(case[2])[:20]!a}")
def test_what_a_column_cannot_hold_is_refused_with_a_sentence(
    case: tuple[Any, Mapping[str, Any], Any], offline: Dialect
) -> None:
    type_, schema, value = case
    if isinstance(type_, sa.LargeBinary) and type_.length and offline.name != "mariadb":
        return  # it has no limit there
    with pytest.raises(ValueError, match=r"^[a-z].{8,}[^.]$"):
        codec_of(offline, type_, schema).decode(value)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
@pytest.mark.parametrize(
    ("type_", "value"), [(sa.Integer(), 2**31), (sa.Integer(), -(2**31) - 1), (sa.SmallInteger(), 2**15)]
)
def test_an_integer_outside_the_column_is_refused(type_: Any, value: int, offline: Dialect) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        codec_of(offline, type_, INTEGER).decode(value)


@pytest.mark.parametrize("database", ["mariadb"])
def test_mariadb_refuses_what_only_it_cannot_hold(offline: Dialect) -> None:
    deep: Any = []
    for _ in range(31):
        deep = [deep]
    for type_, schema, value in (
        (sa.Text(), STRING, "x" * 65_536),
        (sa.Text(), STRING, "é" * 32_768),
        (mysql.TINYTEXT(), STRING, "x" * 256),
        (mysql.INTEGER(unsigned=True), INTEGER, -1),
        (mysql.INTEGER(unsigned=True), INTEGER, 2**32),
        (mysql.TINYINT(), INTEGER, 128),
        (sa.Float(), NUMBER, 1e39),
        (sa.JSON(), {"type": "array"}, deep),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            codec_of(offline, type_, schema).decode(value)
    codec_of(offline, mysql.INTEGER(unsigned=True), INTEGER).decode(2**32 - 1)


def test_a_document_as_deep_as_the_database_takes_is_stored(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    deep: Any = [1]
    for _ in range(28):
        deep = {"a": deep}
    table = table_of(sa.JSON())
    table.metadata.create_all(engine)
    codec = codec_of(dialect, sa.JSON(), {"type": "object"})
    run(dialect.insert(table).values(id=1, value=bindparam("v", type_=codec.type)), {"v": codec.decode(deep)})
    (text,) = run(shown(dialect, codec, table))[0]
    assert json.loads(text) == {"v": deep}


UNFIT: list[tuple[Any, Mapping[str, Any]]] = [
    (sa.String(), INTEGER),
    (sa.Integer(), STRING),
    (sa.Integer(), {"type": "boolean"}),
    (sa.Double(), INTEGER),
    (sa.Numeric(10, 2), INTEGER),
    (sa.Boolean(), STRING),
    (sa.DateTime(), INTEGER),
    (sa.DateTime(), {"type": "string", "format": "date"}),
    (sa.Date(), DATE_TIME),
    (sa.Time(), DATE_TIME),
    (sa.Uuid(), INTEGER),
    (sa.LargeBinary(), INTEGER),
    (sa.Enum("a", "b"), INTEGER),
    (sa.Enum("a", "b"), {"type": "string", "enum": ["x", "y"]}),
    (sa.Interval(), STRING),
    (sa.PickleType(), {"type": "object"}),
    (Point(), STRING),
    (Secret(), STRING),
]


@pytest.mark.parametrize("case", UNFIT, ids=lambda case: f"{case[0]!r}-{case[1]}")
def test_a_column_that_cannot_keep_the_promise_is_refused_at_the_start(
    case: tuple[Any, Mapping[str, Any]], offline: Dialect
) -> None:
    type_, schema = case
    with pytest.raises(UnfitError, match=r"\w+ \w+"):
        codec_of(offline, type_, schema)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_decimal_with_more_digits_than_sqlite_keeps_is_refused_at_the_start(offline: Dialect) -> None:
    with pytest.raises(UnfitError, match="15"):
        codec_of(offline, sa.Numeric(16, 2), NUMBER)


def test_the_applications_own_code_may_give_values_of_python() -> None:
    moment = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    assert read_date(dt.date(2026, 1, 31)) == dt.date(2026, 1, 31)
    assert read_time(dt.time(12, 30)) == dt.time(12, 30)
    assert read_datetime(aware=True)(moment) == moment
    assert read_uuid(as_text=True)(uuid.UUID(int=1)) == str(uuid.UUID(int=1))
    for read, value in ((read_date, moment), (read_datetime(aware=True), dt.date(2026, 1, 31)), (read_date, 20260131)):
        with pytest.raises(ValueError, match="must be a date"):
            read(value)
