"""MariaDB: JSON as text that is put together; errors by their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import pymysql
from sqlalchemy import Engine, Insert, Select, Table, Text, and_, case, collate, func, literal_column, make_url, select
from sqlalchemy import event as events
from sqlalchemy.dialects import mysql
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
    positional,
    quoted,
    spelled,
    written,
)
from demijohn.resources.dialects.dialect import DatabaseName, Member, Violation
from demijohn.resources.dialects.texts import array_of, nested_of, object_of
from demijohn.resources.model import AnyColumn, Expression

__all__ = ["Mariadb"]

# What SQLAlchemy has found out about quotes stays as it is. Errors are told in English, since their names and numbers
# alone do not tell everything.
_SESSION = (
    "SET SESSION time_zone = '+00:00', group_concat_max_len = 1073741824, lc_messages = 'en_US',"
    " sql_mode = CONCAT(IF(FIND_IN_SET('ANSI_QUOTES', @@sql_mode), 'ANSI_QUOTES,', ''),"
    " 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION')"
)
_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INTEGER": 32, "INT": 32, "BIGINT": 64}
_BYTES = {"TINY": 2**8 - 1, "": 2**16 - 1, "MEDIUM": 2**24 - 1, "LONG": 2**32 - 1}
_MOST_DEPTH: Final = 30
_DIGITS: Final = 10  # of a DECIMAL that does not say
# Deadlock, lock wait time-out, record changed since it was read.
_TRANSIENT = frozenset((1213, 1205, 1020))
_OUTDATED = frozenset((1146, 1054))  # no table, no column
_AWAY = frozenset(
    (
        *(2002, 2003, 2006, 2013, 2055),  # no connection, or lost
        *(1040, 1203, 1226, 1053, 1927, 4031),  # too many connections, shutting down, ended
        *(1021, 1114, 1290, 1836),  # disk full, table full, read-only
        *(1969, 3024, 1317),  # statement time-out, interrupted
    )
)

_DUPLICATE = re.compile(r".* for key '(?:[^']*\.)?([^']*)'", re.DOTALL).fullmatch
_FOREIGN = re.compile(r".*\(`[^`]*`\.`([^`]*)`, CONSTRAINT `([^`]*)` FOREIGN KEY \(([^)]*)\)", re.DOTALL).match
_COLUMN = re.compile(r"(?:Column|Field) '([^']*)'", re.DOTALL).match
_CHECK = re.compile(r"CONSTRAINT `(?:[^`]*\.)?([^`]*)` failed for `[^`]*`\.`([^`]*)`", re.DOTALL).match


class Mariadb:
    """Write SQL for MariaDB, and read its errors."""

    name: DatabaseName = "mariadb"
    returns_updated = False

    def __init__(self, sql: SqlDialect) -> None:
        # An address may say `mysql`, and SQLAlchemy knows only after connecting what it has before it.
        self.sql = positional(make_url("mariadb+pymysql://").get_dialect()(), "format")
        # Thirty-two digits are understood by a column of either kind, UUID or CHAR(32).
        self.sql.supports_native_uuid = False

    def set_up(self, engine: Engine) -> None:
        """Make every connection of `engine` ready: times are UTC, values that do not fit are errors."""
        events.listen(engine, "connect", _make_ready)

    def codec(self, type_: TypeEngine[Any], schema: JsonSchema, kinds: frozenset[str], form: str | None) -> Codec:
        """Return how the values of a column of `type_` travel."""
        column = column_of(type_, self.sql, schema, kinds, form)
        if column.kind == "decimal" and column.precision is None:
            column = replace(column, precision=_DIGITS, scale=0)
        bounds = _bounds(column, spelled(type_, self.sql))
        return make_codec(column, type_, self.sql, bounds, lambda one: _json(one, column, is_single=bounds.single))

    def object(self, members: Sequence[Member]) -> Expression:
        """Return a JSON object, compact, its members in this order."""
        return object_of(members, _concat, _quoted)

    def array(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, a JSON array of `item` for each of `rows`, in their order; `[]` for none."""
        return array_of(item, rows, _concat, _quoted)

    def nested(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, the JSON value `item` of the one row of `rows`; SQL NULL for none."""
        return nested_of(item, rows)

    def null(self) -> Expression:
        """Return JSON's null, for `coalesce`."""
        return _quoted("null")

    def text(self, value: Expression) -> Expression:
        """Return a JSON value as the text that is sent, labelled `json`."""
        return _in_small_letters(value).label("json")

    def ordered(
        self, expression: Expression, *, descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[Expression]:
        """Return the terms of ORDER BY; NULL is the least by itself, so that an index may serve."""
        term = expression.desc() if descending else expression.asc()
        if nulls is None or nulls == ("last" if descending else "first"):
            return [term]
        is_null = expression.is_(None)
        return [is_null.desc() if nulls == "first" else is_null.asc(), term]

    def like(self, expression: Expression, pattern: Expression, *, ignore_case: bool) -> Expression:
        """Return the condition that a text matches a LIKE pattern whose escape character is a backslash."""
        if ignore_case:
            expression, pattern = func.lower(expression), func.lower(pattern)
        # The collation of the tables that Demijohn makes, so that it is the column's own most of the time.
        return expression.like(collate(pattern, "utf8mb4_nopad_bin"))

    def has_item(self, expression: Expression, items: Expression) -> Expression:
        """Return the condition that a JSON column, or one of arrays, holds an array with the one item of `items`."""
        wanted = func.json_extract(items, _quoted("$[0]"))
        is_same = and_(_text_of(_ITEM) == _text_of(wanted), func.json_type(_ITEM) == func.json_type(wanted))
        return _has(expression, is_same)

    def like_item(self, expression: Expression, pattern: Expression) -> Expression:
        """Return the condition that an item of such an array is a text that matches a LIKE pattern, in any case."""
        is_like = self.like(_text_of(_ITEM), pattern, ignore_case=True)
        return _has(expression, and_(func.json_type(_ITEM) == _quoted("STRING"), is_like))

    def insert(self, table: Table) -> Insert:
        """Return an INSERT of MariaDB's own."""
        return mysql.insert(table)

    def upsert(self, insert: Insert, key: Sequence[AnyColumn], update: Sequence[AnyColumn]) -> Insert:
        """Return an INSERT that leaves rows with the same key alone, or sets their `update` columns.

        MariaDB asks for no key here: rows that have the same in any other unique key are treated alike.
        """
        assert isinstance(insert, mysql.Insert)
        if not update:
            return insert.on_duplicate_key_update({key[0].name: key[0]})
        return insert.on_duplicate_key_update({column.name: insert.inserted[column.key] for column in update})

    def violation(self, error: Exception) -> Violation | None:
        """Return the rule that a driver's error is about, None where it is about none.

        A key without a name of its own is called like its first column, which is all that is told of it.
        """
        cause = driver_error(error)
        if not isinstance(cause, pymysql.MySQLError) or not cause.args:
            return None
        message = str(cause.args[-1])
        match cause.args[0]:
            case 1062 | 1586:
                found = _DUPLICATE(message)
                name = found[1] if found else None
                return Violation("unique", columns=(name,) if name and name != "PRIMARY" else (), constraint=name)
            case 1451 | 1217 | 1452 | 1216 as number:
                found = _FOREIGN(message)
                kind: Literal["in-use", "foreign-key"] = "in-use" if number in (1451, 1217) else "foreign-key"
                if found is None:
                    return Violation(kind)
                columns = tuple(re.findall(r"`([^`]*)`", found[3])) if kind == "foreign-key" else ()
                return Violation(kind, found[1], columns, found[2])
            case 1048 | 1364:
                found = _COLUMN(message)
                return Violation("not-null", columns=(found[1],) if found else ())
            case 4025 | 3819:
                found = _CHECK(message)
                return Violation("check", found[2] if found else None, constraint=found[1] if found else None)
            case _:
                return None

    def is_transient(self, error: Exception) -> bool:
        """Tell whether the transaction may succeed when it is tried again."""
        return _number(driver_error(error)) in _TRANSIENT

    def is_unavailable(self, error: Exception) -> bool:
        """Tell whether the server is away, full, or takes no connections."""
        cause = driver_error(error)
        if isinstance(error, PoolTimeoutError) or isinstance(cause, pymysql.InterfaceError):
            return True
        return _number(cause) in _AWAY

    def is_outdated(self, error: Exception) -> bool:
        """Tell whether a driver's error is about a table or column that is not there."""
        return _number(error) in _OUTDATED


def _make_ready(connection: Any, record: Any) -> None:
    driver: pymysql.Connection[Any] = getattr(connection, "driver_connection", connection)
    if driver.charset != "utf8mb4":
        driver.set_character_set("utf8mb4")
    with driver.cursor() as cursor:
        cursor.execute(_SESSION)


def _number(error: BaseException) -> Any:
    return error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None


def _bounds(column: Column, written: str) -> Bounds:
    """Return what a column takes, by its type as it is written in a table."""
    word = re.split(r"\W", written)[0]
    length = getattr(column.type, "length", None)
    match column.kind:
        case "integer":
            bits = _BITS.get(word, 64)
            low, high = (0, 2**bits - 1) if "UNSIGNED" in written else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            return Bounds(integers=(low, min(high, INT64[1])))
        case "float":
            return Bounds(single=word == "FLOAT")
        case "text" if word.endswith("TEXT"):
            return Bounds(length, _BYTES.get(word.removesuffix("TEXT")))
        case "text":
            return Bounds(length, trims=word in ("CHAR", "NCHAR"))
        case "binary":
            return Bounds(
                bytes=_BYTES.get(word.removesuffix("BLOB")) if word.endswith("BLOB") and not length else length
            )
        case "json":
            return Bounds(depth=_MOST_DEPTH)
        case _:
            return Bounds()


def _quoted(text: str) -> Expression:
    """Return a literal that means the same whether backslashes escape or not."""
    if "\\" in text:
        return literal_column(f"_utf8mb4 0x{text.encode().hex()}", Text())
    return quoted(text)


def _concat(parts: Sequence[Expression]) -> Expression:
    return func.concat(*parts, type_=Text())


def _replaced(text: Expression, old: str, new: str) -> Expression:
    return func.replace(text, _quoted(old), _quoted(new), type_=Text())


_ESCAPES = ("0B", "0E", "0F", *(f"1{letter}" for letter in "ABCDEF"))


_ITEM: Expression = literal_column("items.item", type_=Text())


def _has(expression: Expression, condition: Expression) -> Expression:
    """Return the condition that a document is an array with an item, `_ITEM`, of which another condition holds."""
    listed = func.json_table(expression, literal_column("'$[*]' COLUMNS (item JSON PATH '$')"))
    found: Select[Any] = (
        select(literal_column("1")).select_from(listed.table_valued("item", name="items")).where(condition)
    )
    return and_(func.json_type(expression) == _quoted("ARRAY"), found.exists())


def _text_of(item: Expression) -> Expression:
    """Return what an item says, whichever of its letters are written as `\\u00e9`."""
    return collate(func.json_unquote(item, type_=Text()), "utf8mb4_nopad_bin")


def _in_small_letters(json: Expression) -> Expression:
    """Return JSON with `\\u000b` where MariaDB writes `\\u000B`, as the others do.

    Pairs of backslashes step aside meanwhile, for a character that JSON has only as an escape.
    """
    text: Expression = collate(json, "utf8mb4_bin")
    text = _replaced(text, "\\\\", "\x01")
    for digits in _ESCAPES:
        text = _replaced(text, f"\\u00{digits}", f"\\u00{digits.lower()}")
    return _replaced(text, "\x01", "\\\\")


def _json(expression: Expression, column: Column, *, is_single: bool) -> Expression:
    """Return the JSON text of a value; NULL gives NULL."""
    match column.kind:
        case "enum":
            return chosen(expression, column, _quoted, _quote)
        case "boolean":
            return case((expression.is_(None), None), (expression, quoted("true")), else_=quoted("false"))
        case "integer":
            return _concat([expression])
        case "float":
            return _float(expression, is_single=is_single)
        case "decimal":
            text = _concat([expression])
            return _in_quotes(text) if column.as_text else text
        case "datetime":
            return _moment(func.date_format(expression, quoted("%Y-%m-%dT%H:%i:%s.%f"), type_=Text()), column)
        case "time":
            return _moment(func.time_format(expression, quoted("%H:%i:%s.%f"), type_=Text()), column)
        case "date":
            return func.date_format(expression, quoted('"%Y-%m-%d"'), type_=Text())
        case "uuid":
            return _in_quotes(_dashed(expression))
        case "binary":
            encoded = func.to_base64(expression, type_=Text())
            return _in_quotes(func.replace(encoded, quoted("\n"), quoted(""), type_=Text()))
        case "json":
            return func.json_compact(expression, type_=Text())
        case _:
            return _quote(expression)


# `t` is the number as MariaDB writes it, `f` what is behind its point, `d` that without the zeros before.
_FLOAT = (
    "CASE WHEN ABS({0}) >= 1e15 THEN REPLACE({t}, 'e', 'e+')"
    " WHEN {0} = 0 OR ABS({0}) >= 1e-4 THEN {t}"
    " WHEN INSTR({t}, 'e') THEN REGEXP_REPLACE({t}, 'e-([0-9])$', CONCAT('e-0', CHAR(92 USING utf8mb4), '1'))"
    " ELSE CONCAT(IF({0} < 0, '-', ''), LEFT({d}, 1), IF(LENGTH({d}) > 1, CONCAT('.', SUBSTRING({d}, 2)), ''),"
    " 'e-', LPAD(LENGTH({f}) - LENGTH({d}) + 1, 2, '0')) END"
)
_DOUBLE_TEXT = "CONCAT({0})"
_SINGLE_TEXT = "IF(CAST(CONCAT({0}) AS FLOAT) = {0}, CONCAT({0}), CONCAT(CAST({0} AS DOUBLE)))"


def _float(expression: Expression, *, is_single: bool) -> Expression:
    """Return a number in the form that PostgreSQL gives it: `1e+15`, `1.5e-07`, but `0.0001`.

    MariaDB itself writes `1e15` and `0.00000015`, and six digits of a FLOAT where it has more.
    """
    text = _SINGLE_TEXT if is_single else _DOUBLE_TEXT
    behind = f"SUBSTRING_INDEX({text}, '.', -1)"
    template = _FLOAT.replace("{d}", f"TRIM(LEADING '0' FROM {behind})").replace("{f}", behind).replace("{t}", text)
    return written(template, expression)


def _dashed(expression: Expression) -> Expression:
    """Return the usual form of a UUID, of a column UUID or CHAR(32)."""
    text = _replaced(func.lower(_concat([expression])), "-", "")
    for place in (9, 14, 19, 24):
        text = func.insert(text, literal_column(str(place)), literal_column("0"), quoted("-"), type_=Text())
    return text


def _moment(text: Expression, column: Column) -> Expression:
    return _concat([quoted('"'), _replaced(text, ".000000", ""), quoted(column.suffix + '"')])


def _quote(expression: Expression) -> Expression:
    return func.json_quote(expression, type_=Text())


def _in_quotes(text: Expression) -> Expression:
    return _concat([quoted('"'), text, quoted('"')])
