"""What a database has to be able to do: the one interface of its three modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from sqlalchemy import Engine, Insert, Select, Table
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.types import TypeEngine

from demijohn.contract import JsonSchema
from demijohn.resources.codecs import Codec
from demijohn.resources.model import AnyColumn, Expression

__all__ = ["DatabaseName", "Dialect", "Member", "Violation"]

DatabaseName: TypeAlias = Literal["sqlite", "postgresql", "mariadb"]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """Be one member of a JSON object in SQL: `value` is what `Codec.json`, `object` or `array` gave.

    `present` is the condition under which the member is there, None for always.
    """

    name: str
    value: Expression
    present: Expression | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """Say which rule of the database a write broke.

    `columns` are the names of the table's columns that the rule is about, as far as the database tells (SQLite says
    nothing about foreign keys). `constraint` is the name of the constraint or index where it is told. A
    `foreign-key` violation is about a row that is missing, an `in-use` one about rows that refer to this one: `table`
    is the table that refers, in both. Where the database does not tell the two apart, `foreign-key` stands for both.
    """

    kind: Literal["unique", "check", "not-null", "foreign-key", "in-use"]
    table: str | None = None
    columns: tuple[str, ...] = ()
    constraint: str | None = None


class Dialect(Protocol):
    """Write SQL for one database, and read its errors.

    `sql` is SQLAlchemy's dialect, with positional parameters; it has never seen a server, so that statements can be
    compiled while the database is away. `returns_updated` tells that `UPDATE` can have `RETURNING` (`INSERT` and
    `DELETE` can everywhere).
    """

    name: DatabaseName
    sql: SqlDialect
    returns_updated: bool

    def set_up(self, engine: Engine) -> None:
        """Make every connection of `engine` ready: pragmas, functions, session variables, time-outs."""

    def codec(self, type_: TypeEngine[Any], schema: JsonSchema, kinds: frozenset[str], form: str | None) -> Codec:
        """Return how the values of a column of `type_` travel.

        `schema` is the property's with references followed, `kinds` are the JSON types it allows (null left out),
        `form` is its `format`. Raises `UnfitError` with a sentence where the two do not go together. `Codec.json` of
        a NULL is NULL, for `coalesce(..., null())` or `Member.present` to see to; what is no JSON, such as NaN, is
        null.
        """

    def object(self, members: Sequence[Member]) -> Expression:
        """Return a JSON object, compact, its members in this order."""

    def array(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, a JSON array of `item` for each of `rows`, in their order; `[]` for none.

        `rows` is a select without columns of its own (`select(literal(1)).where(...).order_by(...)` and so on).
        """

    def nested(self, item: Expression, rows: Select[Any]) -> Expression:
        """Return, as a scalar subquery, the JSON value `item` of the one row of `rows`; SQL NULL for none."""

    def null(self) -> Expression:
        """Return JSON's null, for `coalesce`."""

    def text(self, value: Expression) -> Expression:
        """Return a JSON value as the text that is sent, labelled `json`."""

    def ordered(
        self, expression: Expression, *, descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[Expression]:
        """Return the terms of ORDER BY; `nulls` is None where there are none."""

    def like(self, expression: Expression, pattern: Expression, *, ignore_case: bool) -> Expression:
        """Return the condition that a text matches a LIKE pattern whose escape character is a backslash."""

    def has_item(self, expression: Expression, items: Expression) -> Expression:
        """Return the condition that a JSON column, or one of arrays, holds an array with the one item of `items`."""

    def like_item(self, expression: Expression, pattern: Expression) -> Expression:
        """Return the condition that an item of such an array is a text that matches a LIKE pattern, in any case."""

    def insert(self, table: Table) -> Insert:
        """Return an INSERT of this dialect's own."""

    def upsert(self, insert: Insert, key: Sequence[AnyColumn], update: Sequence[AnyColumn]) -> Insert:
        """Return an INSERT that leaves rows with the same key alone, or sets their `update` columns."""

    def violation(self, error: Exception) -> Violation | None:
        """Return the rule that a driver's error is about, None where it is about none."""

    def is_transient(self, error: Exception) -> bool:
        """Tell whether the transaction may succeed when it is tried again: a deadlock, a failed serialization."""

    def is_unavailable(self, error: Exception) -> bool:
        """Tell whether the database is away, full, or takes no connections."""

    def is_outdated(self, error: Exception) -> bool:
        """Tell whether a driver's error is about a table or column that is not there."""
