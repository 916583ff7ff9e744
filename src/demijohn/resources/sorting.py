"""The order of a list: what a client wishes, and what makes it complete, so that no two rows come in any order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from demijohn.compile.kinds import ABSENT
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.faults import Faults, suggestion
from demijohn.resources.json_sql import can_be_null
from demijohn.resources.model import AnyColumn, Expression, Model
from demijohn.resources.shape import Shape, Sort

__all__ = ["Nulls", "Sorting", "Term", "Wish"]

Nulls: TypeAlias = Literal["first", "last"]


class Wish(NamedTuple):
    """Be one term of what a client wishes: `-name:nullsfirst`."""

    name: str
    descending: bool
    nulls: Nulls


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Be one term of an order. `nulls` says where rows without a value go; None where there are none."""

    expression: Expression
    descending: bool
    nulls: Nulls | None

    def reversed(self) -> Term:
        """Return the term of the opposite order."""
        nulls: Nulls | None = None if self.nulls is None else "first" if self.nulls == "last" else "last"
        return Term(self.expression, not self.descending, nulls)

    def without_nulls(self) -> Term:
        """Return the term for rows that all have a value."""
        return replace(self, nulls=None)

    def order_by(self, dialect: Dialect) -> list[Expression]:
        """Return the terms of ORDER BY."""
        return dialect.ordered(self.expression, descending=self.descending, nulls=self.nulls)


class Sorting:
    """Read the parameter that says how a list is sorted, and make the order of it.

    Rows without a value come last, in either direction, unless the client wishes otherwise. The order ends with the
    primary key, in the direction of the last term, unless what comes before it is different for any two rows.
    """

    __slots__ = ("_model", "_parse", "_sort")

    def __init__(self, shape: Shape) -> None:
        self._model = shape.model
        self._sort = shape.options.sort
        self._parse = lru_cache(maxsize=200)(self._read_text)

    def read(self, values: list[Any], faults: Faults) -> tuple[Wish, ...]:
        """Return what the client wishes, () for nothing; the first of two wishes for one field counts."""
        if self._sort is None:
            return ()
        value = values[self._sort.slot]
        if value is ABSENT or not value:
            return ()
        wishes, wrong = self._parse(value if isinstance(value, str) else ",".join(map(str, value)))
        for detail in wrong:
            faults.add(self._sort.slot, detail)
        return wishes

    def terms(self, wishes: Iterable[Wish]) -> tuple[Term, ...]:
        """Return the complete order."""
        terms: list[Term] = []
        columns: set[AnyColumn] = set()
        descending = False
        for wish in wishes:
            assert self._sort is not None
            field = self._sort.fields[wish.name]
            descending = wish.descending
            null = can_be_null(field)
            terms.append(Term(field.expression, descending, wish.nulls if null else None))
            if field.column is not None and not null:
                columns.add(field.column)
        if not _tells_apart(self._model, columns):
            terms += (Term(column, descending, None) for column in self._model.key if column not in columns)
        return tuple(terms)

    def _read_text(self, text: str) -> tuple[tuple[Wish, ...], tuple[str, ...]]:
        assert self._sort is not None
        wishes: dict[str, Wish] = {}
        wrong: dict[str, None] = {}
        for term in text.split(","):
            wish = _read_term(term, self._sort)
            if isinstance(wish, str):
                wrong[wish] = None
            else:
                wishes.setdefault(wish.name, wish)
        return tuple(wishes.values()), tuple(wrong)


# `name`, `-name`, `name:desc`, `-name:nullsfirst`
_TERM = re.compile(r"([-+]?)([^:]+)((?::[a-z]+)*)", re.ASCII)
_SIGNS: dict[str, list[str]] = {"": [], "+": ["asc"], "-": ["desc"]}
_MODIFIERS = ("asc", "desc", "nullsfirst", "nullslast")


def _read_term(text: str, sort: Sort) -> Wish | str:
    """Return the wish, or what is wrong with it."""
    found = _TERM.fullmatch(text.strip())
    if found is None:
        return "must be names of fields, joined by commas; each may have a minus before it"
    sign, name, rest = found.groups()
    if name not in sort.fields:
        return suggestion(name, sort.fields)
    modifiers = rest.split(":")[1:]
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            return suggestion(modifier, _MODIFIERS)
    directions = [one for one in modifiers if one in ("asc", "desc")] + _SIGNS[sign]
    nulls = [one for one in modifiers if one.startswith("nulls")]
    if len(directions) > 1 or len(nulls) > 1:
        return f"says twice in which order {name!r} goes"
    return Wish(name, directions == ["desc"], "first" if nulls == ["nullsfirst"] else "last")


def _tells_apart(model: Model, columns: set[AnyColumn]) -> bool:
    """Tell whether no two rows have the same values in the columns, none of which can be NULL."""
    return any(columns.issuperset(unique) for unique in (model.key, *model.unique))
