"""PostgreSQL: JSON as text that is put together, compact; errors by their SQLSTATE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import psycopg
from sqlalchemy import Engine, Insert, Select, Table, Text, and_, any_, case, cast, func, literal_column, select
from sqlalchemy import event as events
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.types import TypeEngine

from demijohn.contract import JsonSchema
from demijohn.resources.codecs import Codec
from demijohn.resources.dialects.common import (
    INT64,
    Bounds,
    Column,
    chosen,
    column_of,
    driver_error,
    make_codec,
    piped,
    positional,
    quoted,
    spelled,
    upsert_of,
)
from demijohn.resources.dialects.dialect import DatabaseName, Member, Violation
from demijohn.resources.dialects.texts import array_of, nested_of, object_of
from demijohn.resources.model import AnyColumn, Expression

__all__ = ["Postgresql"]

_SESSION = "SET TimeZone = 'UTC'; SET standard_conforming_strings = on; SET client_encoding = 'UTF8'"
_WIDTHS = {"SMALLINT": (-(2**15), 2**15 - 1), "INTEGER": (-(2**31), 2**31 - 1)}
_TRANSIENT = frozenset(("40001", "40P01"))
_OUTDATED = frozenset(("42P01", "42703", "3F000"))  # no table, column or schema
# Connection exceptions, insufficient resources, operator intervention (which a statement time-out is), system errors;
# idle for too long in a transaction, locked for too long, and a server that has become a read-only standby.
_AWAY = ("08", "53", "57", "58", "25P03", "55P03", "25006")
# The values in `Key (a, b)=(1, 2) already exists.`; the sentence behind is in the server's language.
_KEY = re.compile(r"[^(]*\((.*?)\)=\(", re.DOTALL).match
_NAME = re.compile(r'\s*(?:([a-z_][\w$]*)|"((?:[^"]|"")+)")\s*', re.ASCII).fullmatch
_QUOTES = re.compile('["«»„“”]')


class Postgresql:
    """Write SQL for PostgreSQL, and read its errors."""

    name: DatabaseName = "postgresql"
    returns_updated = True

    def __init__(self, sql: SqlDialect) -> None:
        self.sql = positional(sql, "format")

    def set_up(self, engine: Engine) -> None:
        """Make every connection of `engine` ready: times are UTC."""
        events.listen(engine, "connect", _make_ready)

    def codec(self, type_: TypeEngine[Any], schema: JsonSchema, kinds: frozenset[str], form: str | None) -> Codec:
        """Return how the values of a column of `type_` travel."""
        column = column_of(type_, self.sql, schema, kinds, form)
        one = column if column.item is None else column.item
        name = spelled(type_, self.sql).removesuffix("[]")
        bounds = Bounds(
            characters=getattr(one.type, "length", None) if one.kind == "text" else None,
            integers=_WIDTHS.get(name, INT64),
            single=name == "REAL",
            trims=one.kind == "text" and name.startswith("CHAR"),
        )
        return make_codec(column, type_, self.sql, bounds, lambda expression: _json(expression, column))

    def object(self, members: Sequence[Member]) -> Expression:
        """Return a JSON object, compact, its members in this order."""
        return object_of(members, piped, quoted)

    def array(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, a JSON array of `item` for each of `rows`, in their order; `[]` for none."""
        return array_of(item, rows, piped, quoted)

    def nested(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, the JSON value `item` of the one row of `rows`; SQL NULL for none."""
        return nested_of(item, rows)

    def null(self) -> Expression:
        """Return JSON's null, for `coalesce`."""
        return quoted("null")

    def text(self, value: Expression) -> Expression:
        """Return a JSON value as the text that is sent, labelled `json`."""
        return value.label("json")

    def ordered(
        self, expression: Expression, *, descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[Expression]:
        """Return the terms of ORDER BY; NULL is the greatest by itself, so that an index may serve."""
        term = expression.desc() if descending else expression.asc()
        if nulls is None or nulls == ("first" if descending else "last"):
            return [term]
        return [term.nulls_first() if nulls == "first" else term.nulls_last()]

    def like(self, expression: Expression, pattern: Expression, *, ignore_case: bool) -> Expression:
        """Return the condition that a text matches a LIKE pattern whose escape character is a backslash."""
        return expression.ilike(pattern) if ignore_case else expression.like(pattern)

    def has_item(self, expression: Expression, items: Expression) -> Expression:
        """Return the condition that a JSON column, or one of arrays, holds an array with the one item of `items`."""
        if not _is_list(expression, self.sql):
            expression, items = _as_jsonb(expression, self.sql), cast(items, postgresql.JSONB())
        return expression.op("@>", is_comparison=True, return_type=sqltypes.Boolean())(items)

    def like_item(self, expression: Expression, pattern: Expression) -> Expression:
        """Return the condition that an item of such an array is a text that matches a LIKE pattern, in any case.

        What an item has, the text of the whole document has as well, unless JSON escapes it: most rows are passed over
        without their items being taken out.
        """
        if _is_list(expression, self.sql):
            return self._any_is_like(func.unnest(expression), pattern)
        document = _as_jsonb(expression, self.sql)
        is_array = func.jsonb_typeof(document) == quoted("array")
        escape = func.repeat(func.chr(92), 2)  # a backslash, as a pattern has it
        anywhere = postgresql.array([piped([quoted("%"), one, quoted("%")], Text()) for one in (pattern, escape)])
        may_have = cast(document, Text()).ilike(any_(anywhere))
        items = func.jsonb_array_elements_text(case((is_array, document)))
        return and_(may_have, self._any_is_like(items, pattern))

    def _any_is_like(self, items: Any, pattern: Expression) -> Expression:
        is_like = self.like(cast(items.column_valued("item"), Text()), pattern, ignore_case=True)
        return select(literal_column("1")).where(is_like).exists()

    def insert(self, table: Table) -> Insert:
        """Return an INSERT of PostgreSQL's own."""
        return postgresql.insert(table)

    def upsert(self, insert: Insert, key: Sequence[AnyColumn], update: Sequence[AnyColumn]) -> Insert:
        """Return an INSERT that leaves rows with the same key alone, or sets their `update` columns."""
        assert isinstance(insert, postgresql.Insert)
        return upsert_of(insert, key, update)

    def violation(self, error: Exception) -> Violation | None:
        """Return the rule that a driver's error is about, None where it is about none."""
        cause = driver_error(error)
        if not isinstance(cause, psycopg.Error):
            return None
        told = cause.diag
        table, constraint = told.table_name, told.constraint_name
        match cause.sqlstate:
            case "23505" | "23P01":
                return Violation("unique", table, _key_columns(told.message_detail), constraint)
            case "23514":
                return Violation("check", table, (told.column_name,) if told.column_name else (), constraint)
            case "23502":
                return Violation("not-null", table, (told.column_name,) if told.column_name else (), constraint)
            case "23001":
                return Violation("in-use", table, (), constraint)
            case "23503":
                if _is_in_use(told.message_primary or "", table or "", constraint or ""):
                    return Violation("in-use", table, (), constraint)
                return Violation("foreign-key", table, _key_columns(told.message_detail), constraint)
            case _:
                return None

    def is_transient(self, error: Exception) -> bool:
        """Tell whether the transaction may succeed when it is tried again."""
        return getattr(driver_error(error), "sqlstate", None) in _TRANSIENT

    def is_unavailable(self, error: Exception) -> bool:
        """Tell whether the server is away, full, or takes no connections."""
        cause = driver_error(error)
        if isinstance(error, PoolTimeoutError) or not isinstance(cause, psycopg.Error):
            return isinstance(error, PoolTimeoutError)
        if cause.sqlstate is not None:
            return cause.sqlstate.startswith(_AWAY)
        return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)

    def is_outdated(self, error: Exception) -> bool:
        """Tell whether a driver's error is about a table or column that is not there."""
        return isinstance(error, psycopg.Error) and error.sqlstate in _OUTDATED


def _make_ready(connection: Any, record: Any) -> None:
    driver: psycopg.Connection[Any] = getattr(connection, "driver_connection", connection)
    # What is set within a transaction is undone with it.
    was = driver.autocommit
    driver.autocommit = True
    driver.execute(_SESSION)
    driver.autocommit = was


def _key_columns(detail: str | None) -> tuple[str, ...]:
    """Return the columns in `Key (a, b)=(1, 2) ...`; none where one of them is an expression."""
    found = _KEY(detail or "")
    names = [_NAME(one) for one in found[1].split(",")] if found else []
    if not all(names):
        return ()
    return tuple((name[1] or name[2].replace('""', '"')) for name in names if name is not None)


def _is_in_use(message: str, table: str, constraint: str) -> bool:
    """Tell whether a message about a foreign key is of the side that is referred to.

    In whatever language it is, it has three names then, each in quotes: two tables and the constraint. On the other
    side it has one table.
    """
    for name in (constraint, table):
        message = message.replace(name, "", 1)
    return len(_QUOTES.findall(message)) >= 6


def _is_list(expression: Expression, sql: SqlDialect) -> bool:
    return isinstance(expression.type.dialect_impl(sql), sqltypes.ARRAY)


def _as_jsonb(expression: Expression, sql: SqlDialect) -> Expression:
    """Return JSON in the form that can be looked into, as it is where an index may serve it."""
    is_jsonb = isinstance(expression.type.dialect_impl(sql), postgresql.JSONB)
    return expression if is_jsonb else cast(expression, postgresql.JSONB())


def _json(expression: Expression, column: Column) -> Expression:
    """Return the JSON text of a value; NULL gives NULL."""
    text: Expression = cast(expression, Text())
    if column.item is not None:
        return cast(func.to_json(expression), Text())
    match column.kind:
        case "enum":
            return chosen(text, column, quoted, _quote)
        case "float" | "decimal":
            if column.scale is not None and not _is_column(expression):
                text = cast(cast(expression, sqltypes.Numeric(1000, column.scale)), Text())
            odd = text.in_([quoted("NaN"), quoted("Infinity"), quoted("-Infinity")])
            return case((odd, quoted("null")), else_=_in_quotes(text) if column.as_text else text)
        case "integer" | "boolean":
            return text
        case "json":
            return _compact(text)
        case "datetime":
            moment = expression
            if getattr(column.type, "timezone", False):
                moment = func.timezone(quoted("UTC"), expression)
            return _finite(expression, _moment(moment, 'YYYY-MM-DD"T"HH24:MI:SS.US', column.suffix))
        case "time":
            moment = expression
            if getattr(column.type, "timezone", False):
                moment = func.timezone(quoted("UTC"), expression)
            return _moment(moment, "HH24:MI:SS.US", column.suffix)
        case "date":
            day = func.to_char(expression, quoted("YYYY-MM-DD"), type_=Text())
            return _finite(expression, _in_quotes(day))
        case "uuid":
            return _in_quotes(cast(cast(expression, postgresql.UUID()), Text()))
        case "binary":
            encoded = func.encode(expression, quoted("base64"), type_=Text())
            return _in_quotes(func.replace(encoded, func.chr(literal_column("10")), quoted(""), type_=Text()))
        case _:
            return _quote(text)


def _is_column(expression: Expression) -> bool:
    return getattr(expression, "table", None) is not None


def _compact(text: Expression) -> Expression:
    """Return JSON without the spaces that `jsonb` is written with, and others have written; those in texts stay."""
    pattern = quoted(r'("(?:[^"\\]|\\.)*")|\s+')
    return func.regexp_replace(text, pattern, quoted(r"\1"), quoted("g"), type_=Text())


def _finite(expression: Expression, text: Expression) -> Expression:
    return case((func.isfinite(expression), text), (expression.is_not(None), quoted("null")))


def _moment(expression: Expression, form: str, suffix: str) -> Expression:
    whole = func.to_char(expression, quoted(form), type_=Text())
    whole = func.replace(whole, quoted(".000000"), quoted(""), type_=Text())
    return piped([quoted('"'), whole, quoted(suffix + '"')])


def _quote(text: Expression) -> Expression:
    return cast(func.to_json(text), Text())


def _in_quotes(text: Expression) -> Expression:
    return piped([quoted('"'), text, quoted('"')])
