"""SQLite: JSON by its own functions where they do, numbers as doubles, times as texts."""

from __future__ import annotations

import datetime as dt
import math
import re
import sqlite3
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final, Literal

from sqlalchemy import (
    BinaryExpression,
    Engine,
    Insert,
    Null,
    Select,
    Table,
    Text,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import event as events
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeEngine

from demijohn.contract import JsonSchema
from demijohn.resources.batches import keep_referring_rows
from demijohn.resources.codecs import Codec, UnfitError
from demijohn.resources.dialects.common import (
    Bounds,
    Column,
    chosen,
    column_of,
    driver_error,
    json_literal,
    make_codec,
    piped,
    positional,
    quoted,
    upsert_of,
)
from demijohn.resources.dialects.dialect import DatabaseName, Member, Violation
from demijohn.resources.dialects.texts import object_of
from demijohn.resources.model import AnyColumn, Expression

__all__ = ["Sqlite"]

# `busy_timeout` first: the others may have to wait.
_PRAGMAS = (
    "busy_timeout = 5000",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
)
_MOST_DIGITS: Final = 15
_MOST_MEMBERS: Final = 50  # a function takes 100 arguments in the oldest versions

_UNIQUE = re.compile(r"UNIQUE constraint failed: (.*)", re.DOTALL).fullmatch
_INDEX = re.compile(r"index '(.*)'", re.DOTALL).fullmatch
_NOT_NULL = re.compile(r"NOT NULL constraint failed: (.*)", re.DOTALL).fullmatch
_CHECK = re.compile(r"CHECK constraint failed: (.*)", re.DOTALL).fullmatch
_OUTDATED = re.compile(r"no such (table|column)|table .* has no column").match
_AWAY = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_PERM",
    "SQLITE_NOMEM",
    "SQLITE_PROTOCOL",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_INTERRUPT",
)


class _Json(Text):
    """Be text that is JSON already. SQLite itself forgets it on the way through subqueries."""


class _BigJson(_Json):
    """Be such text of any size: `json()` would read it all again, so it is put together as text."""


class Sqlite:
    """Write SQL for SQLite, and read its errors.

    The value of a member is what `json_object` makes JSON of, a text or a number, unless its type says `_Json`.
    """

    name: DatabaseName = "sqlite"
    returns_updated = True

    def __init__(self, sql: SqlDialect) -> None:
        self.sql = positional(sql, "qmark")

    def set_up(self, engine: Engine) -> None:
        """Make every connection of `engine` ready."""
        events.listen(engine, "do_connect", _keep_statements)
        events.listen(engine, "connect", _make_ready)
        keep_referring_rows(engine)

    def codec(self, type_: TypeEngine[Any], schema: JsonSchema, kinds: frozenset[str], form: str | None) -> Codec:
        """Return how the values of a column of `type_` travel."""
        column = column_of(type_, self.sql, schema, kinds, form)
        if column.kind == "decimal" and (column.precision or 0) > _MOST_DIGITS:
            raise UnfitError(
                f"SQLite keeps numbers as doubles, exact to {_MOST_DIGITS} digits, and the column has"
                f" {column.precision}; make it Numeric({_MOST_DIGITS}, ...) or use another database"
            )
        if column.kind in ("datetime", "date", "time"):
            _check_storage(column, self.sql)
        length = getattr(column.type, "length", None)
        bounds = Bounds(characters=length if column.kind == "text" else None, digits=_MOST_DIGITS)
        return make_codec(column, type_, self.sql, bounds, lambda expression: _json(expression, column))

    def object(self, members: Sequence[Member]) -> Expression:
        """Return a JSON object, compact, its members in this order."""
        is_plain = all(one.present is None and not isinstance(one.value.type, _BigJson) for one in members)
        if is_plain and 0 < len(members) <= _MOST_MEMBERS:
            pairs = [part for one in members for part in (quoted(one.name), _as_argument(one.value))]
            return func.json_object(*pairs, type_=_BigJson())
        texts = [Member(one.name, _as_text(one.value), _told(one.present)) for one in members]
        return type_coerce(object_of(texts, piped, quoted), _BigJson())

    def array(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, a JSON array of `item` for each of `rows`, in their order; `[]` for none."""
        inner = rows.with_only_columns(_as_text(item).label("item")).subquery()
        joined = func.coalesce(func.group_concat(inner.c.item, quoted(",")), quoted(""))
        return select(piped([quoted("["), joined, quoted("]")], _BigJson())).scalar_subquery()

    def nested(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, the JSON value `item` of the one row of `rows`; SQL NULL for none."""
        return rows.with_only_columns(type_coerce(_as_text(item), _BigJson())).scalar_subquery()

    def null(self) -> Expression:
        """Return JSON's null, for `coalesce`."""
        return func.json(quoted("null"))

    def text(self, value: Expression) -> Expression:
        """Return a JSON value as the text that is sent, labelled `json`."""
        return _as_text(value).label("json")

    def ordered(
        self, expression: Expression, *, descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[Expression]:
        """Return the terms of ORDER BY; NULL is the least by itself, so that an index may serve."""
        term = expression.desc() if descending else expression.asc()
        if nulls is None or nulls == ("last" if descending else "first"):
            return [term]
        return [term.nulls_first() if nulls == "first" else term.nulls_last()]

    def like(self, expression: Expression, pattern: Expression, *, ignore_case: bool) -> Expression:
        """Return the condition that a text matches a LIKE pattern whose escape character is a backslash.

        LIKE itself knows no case, and that of ASCII only. That is enough for a pattern in ASCII, but for the Kelvin
        sign and the dotted capital I, and saves the call of a function of Python's for each row.
        """
        if ignore_case:
            lowered = func.demijohn_lower(expression).like(func.demijohn_lower(pattern), escape="\\")
            return or_(expression.like(pattern, escape="\\"), and_(_is_wide(pattern), lowered))
        return expression.op("GLOB", is_comparison=True, return_type=sqltypes.Boolean())(func.demijohn_glob(pattern))

    def has_item(self, expression: Expression, items: Expression) -> Expression:
        """Return the condition that a JSON column, or one of arrays, holds an array with the one item of `items`."""
        item, wanted = (func.json_each(one).table_valued("value", "type") for one in (expression, items))
        # `true` and 1 are one value to SQLite.
        is_same = and_(item.c.value == wanted.c.value, item.c.type == wanted.c.type)
        return and_(_is_array(expression), select(literal_column("1")).where(is_same).exists())

    def like_item(self, expression: Expression, pattern: Expression) -> Expression:
        """Return the condition that an item of such an array is a text that matches a LIKE pattern, in any case.

        What an item has in ASCII, the text of the whole array has as well, unless JSON escapes it: most rows are passed
        over without their JSON being read. Letters beyond ASCII, which many write as `\\u00e9`, hide nothing of it.
        """
        text = type_coerce(expression, Text())
        anywhere = piped([quoted("%"), pattern, quoted("%")], Text())
        hides = [text.op("GLOB", is_comparison=True)(quoted(one)) for one in (r"*\[^u]*", r"*\u00[0-7]*")]
        may_have = or_(_is_wide(pattern), text.like(anywhere, escape="\\"), *hides)
        item = func.json_each(expression).table_valued("value", "type")
        is_like = self.like(item.c.value, pattern, ignore_case=True)
        found: Select[Any] = select(literal_column("1")).where(item.c.type == quoted("text"), is_like)
        return and_(may_have, _is_array(expression), found.exists())

    def insert(self, table: Table) -> Insert:
        """Return an INSERT of SQLite's own."""
        return sqlite.insert(table)

    def upsert(self, insert: Insert, key: Sequence[AnyColumn], update: Sequence[AnyColumn]) -> Insert:
        """Return an INSERT that leaves rows with the same key alone, or sets their `update` columns."""
        assert isinstance(insert, sqlite.Insert)
        return upsert_of(insert, key, update)

    def violation(self, error: Exception) -> Violation | None:
        """Return the rule that a driver's error is about, None where it is about none."""
        cause = driver_error(error)
        name, message = _name(cause), str(cause)
        if name in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"):
            named = _UNIQUE(message)
            index = _INDEX(named[1]) if named else None
            if index:  # one over expressions
                return Violation("unique", constraint=index[1])
            return Violation("unique", *_columns(named[1] if named else ""))
        if name == "SQLITE_CONSTRAINT_NOTNULL":
            named = _NOT_NULL(message)
            return Violation("not-null", *_columns(named[1] if named else ""))
        if name == "SQLITE_CONSTRAINT_CHECK":
            named = _CHECK(message)
            return Violation("check", constraint=named[1] if named else None)
        return Violation("foreign-key") if name == "SQLITE_CONSTRAINT_FOREIGNKEY" else None

    def is_transient(self, error: Exception) -> bool:
        """Tell whether the transaction may succeed when it is tried again."""
        return _name(driver_error(error)).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))

    def is_unavailable(self, error: Exception) -> bool:
        """Tell whether the file cannot be used at the moment."""
        return isinstance(error, PoolTimeoutError) or _name(driver_error(error)).startswith(_AWAY)

    def is_outdated(self, error: Exception) -> bool:
        """Tell whether a driver's error is about a table or column that is not there."""
        return isinstance(error, sqlite3.OperationalError) and bool(_OUTDATED(str(error)))


def _is_array(expression: Expression) -> Expression:
    return func.json_type(expression) == quoted("array")


def _is_wide(pattern: Expression) -> Expression:
    """Return whether a pattern has more than ASCII, of which SQLite finds it out once for a statement."""
    return func.demijohn_wide(pattern, type_=sqltypes.Boolean()).is_(True)


def _keep_statements(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
    """Keep more statements prepared than sqlite3 does by itself: 128."""
    options.setdefault("cached_statements", 500)


def _make_ready(connection: Any, record: Any) -> None:
    driver: sqlite3.Connection = getattr(connection, "driver_connection", connection)
    # Within a transaction some of these do nothing.
    level, driver.isolation_level = driver.isolation_level, None
    for pragma in _PRAGMAS:
        driver.execute(f"PRAGMA {pragma}").fetchall()
    driver.isolation_level = level
    functions = {"base64": _base64, "glob": _glob, "lower": _lower, "number": _number, "wide": _wide}
    for name, function in functions.items():
        driver.create_function(f"demijohn_{name}", 1, function, deterministic=True)


def _base64(value: Any) -> str | None:
    if value is None:
        return None
    return b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _wide(value: Any) -> bool:
    return not str(value).isascii()


def _glob(pattern: Any) -> Any:
    """Return the pattern of GLOB that means the same as one of LIKE."""
    return _LIKE.sub(_glob_part, pattern) if isinstance(pattern, str) else pattern


_LIKE = re.compile(r"\\(.)|[%_*?\[]", re.DOTALL)


def _glob_part(found: re.Match[str]) -> str:
    plain = found[1] if found[1] is not None else found[0]
    if found[1] is None and plain in "%_":
        return "*" if plain == "%" else "?"
    return f"[{plain}]" if plain in "*?[" else plain


def _number(value: Any) -> str | None:
    """Return the shortest text that reads back as the same double, in the form that PostgreSQL gives it.

    SQLite's own `printf` has 15 digits, or 17 of which the last may be wrong before version 3.43.
    """
    if not isinstance(value, float):
        return None if value is None else json_literal(value)
    if not math.isfinite(value):
        return "null"
    text = repr(value)
    if "e" in text or abs(value) < 1e15:
        return text.removesuffix(".0")
    sign, digits = ("-", text[1:]) if value < 0 else ("", text)
    digits, exponent = digits.removesuffix(".0"), len(digits.partition(".")[0]) - 1
    digits = digits.replace(".", "").rstrip("0")
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e+{exponent}"


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", "") or ""


def _columns(text: str) -> tuple[str | None, tuple[str, ...]]:
    """Return table and columns of `person.email, person.name`."""
    pairs = [one.rpartition(".") for one in text.split(", ") if one]
    return (pairs[0][0] or None if pairs else None), tuple(column for _, _, column in pairs)


def _check_storage(column: Column, sql: SqlDialect) -> None:
    """Refuse a type that stores times in a form of its own, as `sqlite.DATETIME(storage_format=...)` can."""
    moment = dt.datetime(2026, 1, 31, 12, 30, 15)
    sample: Any = {"datetime": moment, "date": moment.date(), "time": moment.time()}[column.kind]
    bind = column.type.bind_processor(sql)
    stored = str(sample if bind is None else bind(sample))
    if stored.replace("T", " ").removesuffix(".000000") != str(sample):
        raise UnfitError(f"its type stores {stored}, which is not the usual form")


def _json(expression: Expression, column: Column) -> Expression:
    """Return what `json_object` makes the JSON of a value of; NULL gives NULL."""
    match column.kind:
        case "enum":
            return _chosen(expression, column)
        case "boolean":
            texts = case((expression, quoted("true")), (_has_value(expression), quoted("false")))
            return type_coerce(texts, _Json())
        case "float":
            return func.demijohn_number(expression, type_=_Json())
        case "decimal" if column.scale is None:
            return func.demijohn_number(expression, type_=Text() if column.as_text else _Json())
        case "decimal":
            text = case((_has_value(expression), func.printf(quoted(f"%.{column.scale}f"), expression)))
            return type_coerce(text, Text() if column.as_text else _Json())
        case "datetime":
            with_t = func.replace(expression, quoted(" "), quoted("T"))
            return _with_suffix(func.replace(with_t, quoted(".000000"), quoted(""), type_=Text()), column)
        case "time":
            return _with_suffix(func.replace(expression, quoted(".000000"), quoted(""), type_=Text()), column)
        case "uuid":
            return _dashed(expression)
        case "binary":
            return func.demijohn_base64(expression, type_=Text())
        case "json":
            return func.json(expression, type_=_BigJson())
        case _:
            return type_coerce(expression, sqltypes.Integer() if column.kind == "integer" else Text())


def _chosen(expression: Expression, column: Column) -> Expression:
    stored = column.stored or {}
    if all(json == text for json, text in stored.items()):
        return type_coerce(expression, Text())
    return type_coerce(chosen(type_coerce(expression, Text()), column, quoted, func.json_quote), _Json())


def _with_suffix(text: Expression, column: Column) -> Expression:
    return piped([text, quoted(column.suffix)]) if column.suffix else text


def _dashed(expression: Expression) -> Expression:
    """Return the usual form of a UUID that is stored as 32 hexadecimal digits, or with dashes already."""
    text = func.lower(func.replace(expression, quoted("-"), quoted("")))
    parts: list[Expression] = []
    for start, count in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12)):
        first, size = literal_column(str(start), Text()), literal_column(str(count), Text())
        parts += [func.substr(text, first, size), quoted("-")]
    return piped(parts[:-1])


def _has_value(expression: Expression) -> Expression:
    """Return the condition that a value is not NULL.

    In RETURNING, SQLite 3.40 takes `column IS NOT NULL` for true of every column if the key is declared NOT NULL.
    """
    return func.typeof(expression) != quoted("null")


def _told(present: Expression | None) -> Expression | None:
    """Return a condition that is right in RETURNING, too."""
    if (
        isinstance(present, BinaryExpression)
        and present.operator is operators.is_not
        and isinstance(present.right, Null)
    ):
        return _has_value(present.left)
    return present


def _as_argument(value: Expression) -> Expression:
    return func.json(value) if isinstance(value.type, _Json) else value


def _as_text(value: Expression) -> Expression:
    return value if isinstance(value.type, _Json) else func.json_quote(value)
