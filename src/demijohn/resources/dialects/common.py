"""What the dialects share: from the type of a column and its schema to a codec, and pieces of SQL."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Select, Text, case, literal_column, type_coerce
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from demijohn.contract import JsonSchema
from demijohn.resources.codecs import Codec, Kind, UnfitError
from demijohn.resources.dialects import values
from demijohn.resources.dialects.values import Convert
from demijohn.resources.model import AnyColumn, Expression

__all__ = [
    "INT64",
    "Bounds",
    "Column",
    "chosen",
    "column_of",
    "driver_error",
    "json_literal",
    "make_codec",
    "order_of",
    "piped",
    "positional",
    "quoted",
    "spelled",
    "upsert_of",
    "written",
]

INT64: Final = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Hold what a column of one database takes; None for what has no end.

    `trims` tells that spaces at the end get lost, `single` that a number has 32 bits, `digits` how many a decimal
    number may have where its type does not say.
    """

    characters: int | None = None
    bytes: int | None = None
    integers: tuple[int, int] = INT64
    single: bool = False
    digits: int | None = None
    depth: int | None = None
    trims: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Hold what is known of a column, seen with its schema.

    `type` is the type that the database sees, `decorators` are those around it, the outermost first. `suffix` is what
    a time ends with. `as_text` tells that a decimal number is a string in JSON; `precision` and `scale` are its digits.
    `choices` maps the JSON values of an enum to what is bound, `stored` to the text in the column. `item` is the item
    of an array.
    """

    kind: Kind
    type: TypeEngine[Any]
    decorators: tuple[TypeDecorator[Any], ...] = ()
    suffix: str = ""
    as_text: bool = False
    precision: int | None = None
    scale: int | None = None
    choices: Mapping[Any, Any] | None = None
    stored: Mapping[Any, str] | None = None
    item: Column | None = None


_KINDS: tuple[tuple[Any, Kind], ...] = (
    (sqltypes.Enum, "enum"),
    (sqltypes.Boolean, "boolean"),
    (sqltypes.Uuid, "uuid"),
    (sqltypes.JSON, "json"),
    (sqltypes.ARRAY, "json"),
    (sqltypes._Binary, "binary"),
    (sqltypes.DateTime, "datetime"),
    (sqltypes.Date, "date"),
    (sqltypes.Time, "time"),
    (sqltypes.Float, "float"),
    (sqltypes.Numeric, "decimal"),
    (sqltypes.Integer, "integer"),
    (sqltypes.String, "text"),
)

# The JSON types that values of a kind have, in one of which they must be allowed; what a column is called then.
_FORMS: dict[Kind, tuple[tuple[str, ...], str]] = {
    "text": (("string",), "texts"),
    "integer": (("integer", "number"), "integers"),
    "float": (("number",), "numbers that may have fractions"),
    "decimal": (("number", "string"), "decimal numbers"),
    "boolean": (("boolean",), "true and false"),
    "datetime": (("string",), "dates with times"),
    "date": (("string",), "dates"),
    "time": (("string",), "times of day"),
    "uuid": (("string",), "UUIDs"),
    "binary": (("string",), "bytes, which are base64 text in JSON"),
    "enum": (("string", "integer", "number"), "one of some values"),
}
# The formats that tell times from each other, and the kind that each is the one form of.
_TIMES: dict[str, Kind] = {"date-time": "datetime", "date": "date", "time": "time"}


def column_of(
    type_: TypeEngine[Any], sql: SqlDialect, schema: JsonSchema, kinds: frozenset[str], form: str | None
) -> Column:
    """Return what a column is, seen with its schema. Raises `UnfitError` where the two do not go together."""
    inner, decorators = _unwrapped(type_, sql)
    kind = next((kind for types, kind in _KINDS if isinstance(inner, types)), None)
    if kind is None:
        raise UnfitError(f"values of its type {type(inner).__name__} have no form in JSON that is known")
    column = Column(kind, inner, decorators)
    if any(_changes(one) for one in decorators):
        column = _plain_all_the_same(column, sql, kinds)
    kind = column.kind
    if isinstance(inner, sqltypes.ARRAY):
        return replace(column, item=_item(inner, sql, schema, kinds))
    if kind == "json":
        return column
    forms, name = _FORMS[kind]
    if kind == "decimal":
        column = _decimal(column, kinds)
        forms = forms if column.scale != 0 else (*forms, "integer")
    if kinds.isdisjoint(forms):
        raise UnfitError(f"the schema allows {_listed(kinds)}, and the column holds {name}")
    if kind in _TIMES.values():
        if _TIMES.get(form or "", kind) != kind:
            raise UnfitError(f"the schema has the format {form}, and the column holds {name}")
        column = replace(column, suffix="Z" if form in ("date-time", "time") else "")
    encoding = schema.get("contentEncoding", "base64") if isinstance(schema, dict) else "base64"
    if kind == "binary" and encoding != "base64":
        raise UnfitError(f"the schema has the encoding {encoding}, and the column holds {name}")
    return _chosen(column, schema, kinds) if kind == "enum" else column


def _unwrapped(type_: TypeEngine[Any], sql: SqlDialect) -> tuple[TypeEngine[Any], tuple[TypeDecorator[Any], ...]]:
    """Return the type that a database sees, and the decorators around it."""
    real: TypeEngine[Any] = type_.dialect_impl(sql)
    decorators: list[TypeDecorator[Any]] = []
    while isinstance(real, TypeDecorator):
        decorators.append(real)
        real = real.impl_instance.dialect_impl(sql)
    return real, tuple(decorators)


def _changes(decorator: TypeDecorator[Any]) -> bool:
    """Tell whether a decorator makes something else, in Python, of what the database gives."""
    own: Any = type(decorator)
    if own.column_expression is not TypeDecorator.column_expression:
        return False
    return own.process_result_value is not TypeDecorator.process_result_value or isinstance(
        decorator, sqltypes.Interval | sqltypes.PickleType
    )


_ID = uuid.UUID("0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff")
_NOON = dt.datetime(2026, 1, 31, 12, 30, 15, 250_000)
_SAMPLES: dict[Kind, tuple[Any, ...]] = {
    "text": ("", "Aa é", " x\\"),
    "integer": (0, 1, 70_000),
    "float": (0.0, 1.5),
    "decimal": (Decimal("0"), Decimal("1.5")),
    "boolean": (True, False),
    "datetime": (_NOON, dt.datetime(2026, 7, 31)),
    "date": (_NOON.date(),),
    "time": (_NOON.time(),),
    "uuid": (_ID,),
    "binary": (b"", b"\x00\xff"),
    "json": ({"a": [1, "é"]}, []),
}


def _plain_all_the_same(column: Column, sql: SqlDialect, kinds: frozenset[str]) -> Column:
    """Return a column whose decorators were tried out: a statement shows what they would show.

    The usual ones do nothing but say that a time is UTC, or keep a UUID or a document as text. Raises `UnfitError`
    for all others: what they do in Python, a statement cannot do.
    """
    outer = column.decorators[0]
    tried: list[Kind] = [column.kind]
    if column.kind == "text":
        tried = ["json"] if not kinds.isdisjoint(("object", "array")) and "string" not in kinds else ["text", "uuid"]
    for kind in tried:
        samples = _SAMPLES.get(kind, tuple(getattr(column.type, "enums", ())))
        if not isinstance(outer, sqltypes.Interval | sqltypes.PickleType) and all(
            _is_shown(column, kind, one, sql) for one in samples
        ):
            return replace(column, kind=kind)
    raise UnfitError(
        f"its type {type(outer).__name__} turns what is stored into something else in Python, which a statement cannot"
        " do; give the type a column_expression, or serve the operation by a function"
    )


def _is_shown(column: Column, kind: Kind, sample: Any, sql: SqlDialect) -> bool:
    """Tell whether the decorators give the sample itself for what is stored of it."""
    given = sample
    if kind == "datetime" and sql.name == "postgresql" and getattr(column.type, "timezone", False):
        given = sample.replace(tzinfo=dt.UTC)
    if kind == "enum":
        given = column.type._object_lookup.get(sample, sample)  # type: ignore[attr-defined]  # it is an Enum
        sample = given
    try:
        if kind != column.kind:
            for one in column.decorators:
                given = one.process_bind_param(given, sql)
            if kind == "json" and orjson.loads(given) != sample:
                return False
            if kind == "uuid" and uuid.UUID(given) != sample:
                return False
        for one in reversed(column.decorators):
            given = one.process_result_value(given, sql)
        if isinstance(given, dt.datetime) and given.tzinfo is not None:
            given = given.astimezone(dt.UTC).replace(tzinfo=None)
        return type(given) is type(sample) and bool(given == sample)
    except Exception:  # it is somebody else's code, tried on a value that may mean nothing to it
        return False


def _decimal(column: Column, kinds: frozenset[str]) -> Column:
    inner: Any = column.type
    precision, scale = inner.precision, inner.scale
    if precision is not None and scale is None:
        scale = 0
    is_text = "string" in kinds and kinds.isdisjoint(("number", "integer"))
    return replace(column, precision=precision, scale=scale, as_text=is_text)


def _item(inner: Any, sql: SqlDialect, schema: JsonSchema, kinds: frozenset[str]) -> Column:
    """Return the item of an array."""
    if "array" not in kinds:
        raise UnfitError(f"the schema allows {_listed(kinds)}, and the column holds arrays")
    if inner.dimensions not in (None, 1):
        raise UnfitError(f"arrays of {inner.dimensions} dimensions have no form in JSON that is known")
    own, decorators = _unwrapped(inner.item_type, sql)
    kind = next((kind for types, kind in _KINDS if isinstance(own, types)), None)
    if kind not in ("text", "integer", "float", "decimal", "boolean", "uuid", "date") or decorators:
        raise UnfitError(f"arrays of {type(inner.item_type).__name__} have no form in JSON that is known")
    items = schema.get("items") if isinstance(schema, dict) else None
    wanted = items.get("type") if isinstance(items, dict) else None
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(wanted, list):
        allowed = frozenset(wanted)
    else:
        allowed = frozenset(_FORMS[kind][0])
    return column_of(inner.item_type, sql, True, allowed - {"null"}, None)


def _chosen(column: Column, schema: JsonSchema, kinds: frozenset[str]) -> Column:
    """Return an enum with its values as the schema lists them: what is stored, the members' names, or their values."""
    inner: Any = column.type
    listed = schema.get("enum") if isinstance(schema, dict) else None
    wanted = [one for one in listed if one is not None] if listed else list(inner.enums)
    if inner.enum_class is None:
        ways = [{one: one for one in inner.enums}]
        texts: dict[Any, str] = {one: one for one in inner.enums}
    else:
        texts = {member: text for text, member in inner._object_lookup.items() if text is not None}
        members: dict[str, enum.Enum] = dict(inner.enum_class.__members__)
        by_value = {member.value: member for member in members.values() if isinstance(member.value, str | int | float)}
        ways = [{text: member for member, text in texts.items()}, members, by_value]
    for way in ways:
        if all(_is_in(one, way) for one in wanted):
            if not kinds.isdisjoint(_types_of(wanted)):
                choices = {one: way[one] for one in wanted}
                return replace(column, choices=choices, stored={json: texts[one] for json, one in choices.items()})
            break
    else:
        raise UnfitError(f"the schema lists {_shown(wanted)}, and the column holds {_shown(inner.enums)}")
    raise UnfitError(f"the schema allows {_listed(kinds)}, and the column holds {_shown(wanted)}")


def _is_in(value: Any, way: Mapping[Any, Any]) -> bool:
    return type(value) in (str, int, float) and value in way


def _types_of(wanted: Sequence[Any]) -> set[str]:
    names = {str: ("string",), int: ("integer", "number"), float: ("number",)}
    return {name for one in wanted for name in names[type(one)]}


def _shown(listed: Sequence[Any]) -> str:
    return ", ".join(orjson.dumps(one, default=str).decode() for one in listed)


def _listed(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds)) or "nothing"


def make_codec(
    column: Column,
    type_: TypeEngine[Any],
    sql: SqlDialect,
    bounds: Bounds,
    json: Callable[[Expression], Expression],
) -> Codec:
    """Return the codec of a column."""
    read, bind = _reader(column, sql, bounds), _binder(column, type_, sql)
    result, show = _result(column, type_, sql), values.show_trimmed if bounds.trims else _shower(column)

    def decode(value: Any) -> Any:
        if value is None:
            return None
        made = read(value)
        return made if bind is None else bind(made)

    def encode(value: Any) -> Any:
        if value is not None and result is not None:
            value = result(value)
        return None if value is None else show(value)

    def write(expression: Expression) -> Expression:
        changed = type_.column_expression(expression)
        return json(expression if changed is None else changed)

    return Codec(column.kind, type_, decode, encode, write)


def _reader(column: Column, sql: SqlDialect, bounds: Bounds) -> Convert:
    """Return what makes Python's form of a JSON value."""
    if column.item is not None:
        return values.read_list(_reader(column.item, sql, bounds))
    match column.kind:
        case "text":
            return values.read_text(bounds.characters, bounds.bytes, trims=bounds.trims)
        case "integer":
            return values.read_integer(*bounds.integers)
        case "float":
            return values.read_float(single=bounds.single)
        case "decimal":
            return values.read_decimal(column.precision, column.scale, bounds.digits)
        case "boolean":
            return values.read_boolean
        case "datetime":
            return values.read_datetime(aware=_wants_zone(column, sql))
        case "date":
            return values.read_date
        case "time":
            return values.read_time
        case "uuid":
            return values.read_uuid(as_text=not getattr(column.type, "as_uuid", True))
        case "binary":
            return values.read_binary(bounds.bytes)
        case "enum":
            return values.read_choice(column.choices or {})
        case "json":
            return values.read_json(bounds.depth)


def _wants_zone(column: Column, sql: SqlDialect) -> bool:
    """Tell whether a time is bound with its zone; decorators often insist on it."""
    if not column.decorators:
        return sql.name == "postgresql" and bool(getattr(column.type, "timezone", False))
    bind = column.decorators[0].bind_processor(sql)
    try:
        if bind is not None:
            bind(_NOON.replace(tzinfo=dt.UTC))
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def _binder(column: Column, type_: TypeEngine[Any], sql: SqlDialect) -> Convert | None:
    """Return what SQLAlchemy's type does to a value before the driver gets it."""
    if column.kind == "json" and not column.decorators and column.item is None:
        return _dump  # psycopg would write it with spaces
    return type_.dialect_impl(sql).bind_processor(sql)


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


def _result(column: Column, type_: TypeEngine[Any], sql: SqlDialect) -> Convert | None:
    """Return what SQLAlchemy's type does to a value that came from the driver."""
    if column.kind in ("decimal", "float"):  # by the driver's own types, which nobody knows here
        return None
    if column.kind == "json" and not column.decorators:
        return None if sql.name == "postgresql" else _loaded  # psycopg has read it
    return type_.dialect_impl(sql).result_processor(sql, None)


def _loaded(value: Any) -> Any:
    # For SQLite a column of the type JSON is one of numbers, if they are.
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _shower(column: Column) -> Convert:
    """Return what makes the JSON value of Python's form."""
    if column.item is not None:
        show = _shower(column.item)
        return lambda value: [None if one is None else show(one) for one in value]
    match column.kind:
        case "datetime":
            return values.show_datetime(column.suffix)
        case "time":
            return values.show_time(column.suffix)
        case "decimal":
            return values.show_decimal(column.scale, as_text=column.as_text)
        case "date" | "uuid":
            return values.show_text
        case "binary":
            return values.show_binary
        case "enum":
            return values.show_choice(column.choices or {})
        case "boolean":
            return bool
        case "float":
            return float
        case _:
            return values.show_plain


def chosen(
    expression: Expression,
    column: Column,
    write: Callable[[str], Expression],
    quote: Callable[[Expression], Expression],
) -> Expression:
    """Return the SQL of an enum's JSON value; `write` writes a JSON text, `quote` quotes what is stored."""
    stored = column.stored or {}
    if all(json == text for json, text in stored.items()):
        return quote(expression)
    pairs = [(expression == quoted(text), write(orjson.dumps(json).decode())) for json, text in stored.items()]
    return case(*pairs, else_=quote(expression))


def json_literal(value: Any) -> str:
    """Return a value as JSON."""
    return orjson.dumps(value).decode()


def quoted(text: str) -> ColumnElement[Any]:
    """Return a text without backslashes as a literal of SQL, so that it is no parameter."""
    return literal_column("'{}'".format(text.replace("'", "''")), Text())


_MOST_PARTS: Final = 200


class _Piped(FunctionElement[Any]):
    """Be texts put together by `||`; flat, since a chain of hundreds is too deep for SQLAlchemy."""

    inherit_cache = False
    type = Text()


@compiles(_Piped)
def _write_piped(piped: Any, compiler: Any, **options: Any) -> str:
    parts = [compiler.process(one.self_group(against=operators.concat_op), **options) for one in piped.clauses]
    while len(parts) > _MOST_PARTS:  # SQLite takes 1,000 in a chain
        groups = [parts[start : start + _MOST_PARTS] for start in range(0, len(parts), _MOST_PARTS)]
        parts = [f"({' || '.join(group)})" for group in groups]
    return f"({' || '.join(parts)})"


def piped(parts: Sequence[Expression], type_: TypeEngine[Any] | None = None) -> Expression:
    """Return texts put together by `||`."""
    made = _Piped(*parts)
    return made if type_ is None else type_coerce(made, type_)


class _Written(FunctionElement[Any]):
    """Be SQL that is written out, with places for expressions."""

    inherit_cache = False
    type = Text()

    def __init__(self, template: str, *expressions: Expression) -> None:
        self.template = template
        super().__init__(*expressions)


@compiles(_Written)
def _write_written(one: Any, compiler: Any, **options: Any) -> str:
    parts = [compiler.process(part.self_group(against=operators.concat_op), **options) for part in one.clauses]
    return str(one.template.format(*parts))


def written(template: str, *expressions: Expression) -> Expression:
    """Return SQL that is one term, such as `CASE ... END`, without `%`; `{0}` is the place of the first expression."""
    return _Written(template, *expressions)


def spelled(type_: TypeEngine[Any], sql: SqlDialect) -> str:
    """Return a type as it is written in a table, in capitals; "" for one that cannot be."""
    try:
        return str(type_.compile(dialect=sql)).upper()
    except CompileError:  # a text without a length, of an expression
        return ""


def order_of(rows: Select[Any]) -> tuple[Expression, ...]:
    """Return the terms of a select's ORDER BY."""
    return tuple(rows._order_by_clauses)


def positional(sql: SqlDialect, style: str) -> SqlDialect:
    """Return a dialect like `sql` whose parameters are positional; it has never seen a server."""
    kind: Any = type(sql)
    made: SqlDialect = kind(paramstyle=style, json_serializer=_dump)
    return made


def driver_error(error: BaseException) -> BaseException:
    """Return the driver's own error, which SQLAlchemy may have wrapped."""
    return getattr(error, "orig", None) or error


def upsert_of(
    insert: sqlite.Insert | postgresql.Insert, key: Sequence[AnyColumn], update: Sequence[AnyColumn]
) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that leaves rows with the same key alone, or sets their `update` columns: by ON CONFLICT."""
    if not update:
        return insert.on_conflict_do_nothing(index_elements=list(key))
    return insert.on_conflict_do_update(
        index_elements=list(key), set_={column.name: insert.excluded[column.key] for column in update}
    )
