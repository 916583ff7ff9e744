"""The statements of a list: a page of it, and how many items there are."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, FromClause, Select, True_, and_, bindparam, func, null, or_, select

from demijohn.resources.aliases import adapted
from demijohn.resources.criteria import Criteria
from demijohn.resources.cursors import after, after_ties, key_of
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.filters import Condition, Filters
from demijohn.resources.json_sql import representation
from demijohn.resources.model import Expression
from demijohn.resources.selection import Wanted
from demijohn.resources.shape import Shape
from demijohn.resources.sorting import Sorting, Term, Wish
from demijohn.resources.statement import Statement, compile_statement

__all__ = ["Form", "ListStatements", "Order", "Part", "Place"]

_MOST_STATEMENTS = 300

Part: TypeAlias = Literal["all", "values", "nulls"]
"""Which rows of a list that is read from cursor to cursor: those with a value in the first term of the order, or
those without one. An index gives each of the two in order; no database finds its way into both at once."""


class Form(NamedTuple):
    """Be what a request makes of the SQL of a list, without any value."""

    conditions: tuple[Condition, ...]
    wishes: tuple[Wish, ...]
    wanted: Wanted
    is_counted: bool


class Place(NamedTuple):
    """Be what a cursor makes of the SQL of a list. `nulls` tells which of its values are NULL; None without values.

    `ties` narrows it to the rows that have as many of the first values in common; None: to all of the part.
    """

    backward: bool
    part: Part
    nulls: tuple[bool, ...] | None
    ties: int | None = None


class Order(NamedTuple):
    """Be the order of a list. `identity` tells it from all others, for cursors."""

    terms: tuple[Term, ...]
    identity: str

    def parts(self, *, backward: bool) -> tuple[Part, ...]:
        """Return the parts of the list in which a cursor moves, one after the other."""
        first = self.terms[0].nulls
        if first is None:
            return ("all",)
        return ("values", "nulls") if (first == "last") != backward else ("nulls", "values")


class ListStatements:
    """Write the statements of one list, and keep those that were asked for lately.

    A row of `page` is the JSON of an item; for a place it is followed by the sort values, and at the end comes the
    total where it is counted. The parameters are those of the criteria and filters, `limit`, `offset` where there is
    no place, and the sort values of a position.
    """

    __slots__ = ("_criteria", "_dialect", "_filters", "_shape", "_sorting", "count", "order", "page")

    def __init__(self, shape: Shape, dialect: Dialect, criteria: Criteria, filters: Filters, sorting: Sorting) -> None:
        self._shape = shape
        self._dialect = dialect
        self._criteria = criteria
        self._filters = filters
        self._sorting = sorting
        self.page = lru_cache(maxsize=_MOST_STATEMENTS)(self._page)
        self.count = lru_cache(maxsize=_MOST_STATEMENTS)(self._count)
        self.order = lru_cache(maxsize=_MOST_STATEMENTS)(self._order)

    def places(self, order: Order, place: Place) -> tuple[Place, ...]:
        """Return the places that are looked at for one, in their order.

        SQLite does not find `(city, id) > (?, ?)` in an index on both where `id` is its row number: it would read all
        rows of the city. So it is asked for the rest of the city first, and then for those behind it.
        """
        if self._dialect.name != "sqlite" or place.nulls is None or len(order.terms) == 1:
            return (place,)
        least = 1 if place.part == "nulls" else 0
        return tuple(place._replace(ties=ties) for ties in reversed(range(least, len(order.terms))))

    def _order(self, wishes: tuple[Wish, ...]) -> Order:
        terms = self._sorting.terms(wishes)
        kinds = [f"{term.expression}:{term.expression.type!r}:{term.descending}:{term.nulls}" for term in terms]
        identity = f"{self._shape.operation.method} {self._shape.operation.path} {kinds}"
        return Order(terms, sha256(identity.encode()).hexdigest())

    def _page(self, form: Form, place: Place | None) -> Statement:
        order = self.order(form.wishes)
        rows = self._selected(form.conditions).limit(bindparam("limit", type_=BigInteger()))
        terms, keys = order.terms, [] if place is None else [key_of(term, self._dialect.name) for term in order.terms]
        if place is None:
            rows = rows.offset(bindparam("offset", type_=BigInteger()))
        else:
            rows, terms = self._placed(rows, terms, place)
        rows = rows.order_by(*(one for term in terms for one in term.order_by(self._dialect)))
        table: FromClause = self._shape.model.table
        if self._dialect.name == "postgresql":
            # It would make the JSON of all rows that are sorted or skipped, and throw it away: 136 ms for 5 at an
            # offset of 50,000.
            table = rows.with_only_columns(*self._shape.model.table.columns).subquery("page")
            terms = tuple(Term(self._at(term.expression, table), term.descending, term.nulls) for term in terms)
            rows = select().order_by(*(one for term in terms for one in term.order_by(self._dialect)))
            keys = [self._at(key, table) for key in keys]
        columns = [self._item(form.wanted, table), *keys]
        if form.is_counted:
            total = self._selected(form.conditions).with_only_columns(func.count())
            columns.append(total.correlate(None).scalar_subquery())
        return compile_statement(rows.with_only_columns(*columns).select_from(table), self._dialect.sql)

    def _count(self, conditions: tuple[Condition, ...]) -> Statement:
        return compile_statement(self._selected(conditions).with_only_columns(func.count()), self._dialect.sql)

    def _item(self, wanted: Wanted, table: FromClause) -> Expression:
        view = self._shape.view
        assert view is not None, "a list shows something"
        item = representation(view, self._dialect, fields=wanted.fields, include=wanted.include, table=table)
        return self._dialect.text(item)

    def _selected(self, conditions: tuple[Condition, ...]) -> Select[Any]:
        """Return the select, without columns, of all rows of the list."""
        rows = select().select_from(self._shape.model.table).where(*self._filters.write(conditions))
        above = self._criteria.condition
        return rows if isinstance(above, True_) else rows.where(above)

    def _placed(self, rows: Select[Any], terms: tuple[Term, ...], place: Place) -> tuple[Select[Any], tuple[Term, ...]]:
        """Return the rows beyond a place, and the terms by which they are sorted."""
        if place.backward:
            terms = tuple(term.reversed() for term in terms)
        is_mariadb = self._dialect.name == "mariadb"
        if place.part == "nulls":
            return self._placed_nulls(rows, terms, place, is_mariadb)
        if place.part == "values":
            terms = (terms[0].without_nulls(), *terms[1:])
            if place.nulls is None:
                rows = rows.where(terms[0].expression.is_not(None))
        if place.nulls is not None:
            if place.ties is not None:
                rows = rows.where(after_ties(terms, place.nulls, place.ties))
            else:
                rows = rows.where(after(terms, place.nulls, by_row=not is_mariadb))
        return rows, terms

    def _placed_nulls(
        self, rows: Select[Any], terms: tuple[Term, ...], place: Place, is_mariadb: bool
    ) -> tuple[Select[Any], tuple[Term, ...]]:
        """Return the rows without a value in the first term beyond a place, sorted by the other terms."""
        first, others = terms[0].expression, terms[1:]
        is_null: Expression = first.is_(None)
        if place.nulls is None:
            return rows.where(is_null), others
        if place.ties is not None:
            return rows.where(is_null, after_ties(others, place.nulls[1:], place.ties - 1, start=1)), others
        beyond = and_(is_null, after(others, place.nulls[1:], by_row=not is_mariadb, start=1))
        if not is_mariadb or not self._leads_index(first):
            return rows.where(beyond), others
        # MariaDB would read all rows without a value up to the place (16 ms where there are 65,000 of them), unless
        # there is more to the condition than one value of the column; nothing is less than NULL.
        return rows.where(or_(beyond, first.op("<")(null()))), (terms[0].without_nulls(), *others)

    def _leads_index(self, expression: Expression) -> bool:
        return any(next(iter(index.columns), None) is expression for index in self._shape.model.table.indexes)

    def _at(self, expression: Expression, table: FromClause) -> Expression:
        return adapted(expression, self._shape.model, table)
