"""The filters of a list: query parameters to conditions, and their values to what the driver takes.

What a request filters by has a form, `((0, 1), (1, 4), (-1, 2))`, from which the statement is written and by
which it is kept; the values are bound to it. The operators mean what they mean in SQL: a row without a value is
neither equal nor unequal to one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import String, bindparam, false, or_

from demijohn.compile.kinds import ABSENT
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.faults import Faults
from demijohn.resources.model import Expression
from demijohn.resources.shape import Filter, ListOptions, Slot
from demijohn.resources.view import Field

__all__ = ["MOST_VALUES", "MOST_WORDS", "Condition", "Filters"]

MOST_VALUES = 1_000
"""How many values one `in` may have. The values of a request are bounded by its URL as well."""

MOST_WORDS = 50
"""How many words one search may have."""


class Condition(NamedTuple):
    """Be the form of one condition: which one, and what varies in its SQL.

    `which` is the index of the filter, `SEARCH` for `q`. `form` is the number of values or of words, or one of the
    constants below.
    """

    which: int
    form: int


SEARCH = -1
NULL, NOT_NULL, NOTHING = -1, -2, -3

_Read: TypeAlias = Callable[[Any, dict[str, Any]], int]
"""Binds the values of one parameter and returns the form; raises `ValueError` with what is wrong."""


class Filters:
    """Read the filters of one list, and write their conditions."""

    __slots__ = ("_dialect", "_options", "_readers", "is_empty")

    def __init__(self, options: ListOptions, dialect: Dialect) -> None:
        self._options = options
        self._dialect = dialect
        readers: list[tuple[int, Slot, int, _Read]] = [
            (index, one.slot, _ABSENT.get(one.operator, NOTHING), _reader(one, f"filter_{index}"))
            for index, one in enumerate(options.filters)
        ]
        if options.q is not None:
            readers.append((SEARCH, options.q, 0, _read_search))
        self._readers = tuple(readers)
        self.is_empty = not readers

    def read(self, values: list[Any], bound: dict[str, Any], faults: Faults) -> tuple[Condition, ...]:
        """Return the form of what is filtered by, and bind the values of it."""
        conditions: list[Condition] = []
        for which, slot, absent, read in self._readers:
            value = values[slot]
            if value is not ABSENT:
                try:
                    conditions.append(Condition(which, absent if value is None else read(value, bound)))
                except ValueError as error:
                    faults.add(slot, str(error))
        return tuple(conditions)

    def write(self, conditions: tuple[Condition, ...]) -> Iterator[Expression]:
        """Yield the conditions of a form."""
        for which, form in conditions:
            if which == SEARCH:
                yield from (self._word(f"q_{number}") for number in range(form))
            else:
                yield self._condition(self._options.filters[which], f"filter_{which}", form)

    def _condition(self, one: Filter, name: str, form: int) -> Expression:
        expression = one.field.expression
        if form == NULL:
            return expression.is_(None)
        if form == NOT_NULL:
            return expression.is_not(None)
        if form == NOTHING:
            return false()
        if one.operator == "in":
            return expression.in_([_bind(f"{name}_{number}", one) for number in range(form)])
        if one.operator == "contains" and one.field.codec.kind == "json":
            return self._dialect.has_item(expression, _bind(name, one))
        if one.operator in ("contains", "icontains", "startswith"):
            return self._like(expression, name, ignore_case=one.operator == "icontains")
        return _COMPARE[one.operator](expression, _bind(name, one))

    def _word(self, name: str) -> Expression:
        return or_(*(self._finds(field, name) for field in self._options.q_fields))

    def _finds(self, field: Field, name: str) -> Expression:
        if field.codec.kind == "json":
            return self._dialect.like_item(field.expression, bindparam(name, type_=String()))
        return self._like(field.expression, name, ignore_case=True)

    def _like(self, expression: Expression, name: str, *, ignore_case: bool) -> Expression:
        return self._dialect.like(expression, bindparam(name, type_=String()), ignore_case=ignore_case)


_COMPARE: dict[str, Callable[[Any, Any], Expression]] = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}


# What a filter without a value means, where the schema allows null; nothing is more or less than that.
_ABSENT = {"eq": NULL, "ne": NOT_NULL}


def _bind(name: str, one: Filter) -> Expression:
    return bindparam(name, type_=one.field.codec.type)


def _reader(one: Filter, name: str) -> _Read:
    decode = one.field.codec.decode
    if one.operator == "contains" and one.field.codec.kind == "json":
        return lambda value, bound: _read_item(value, bound, decode, name)
    match one.operator:
        case "isnull":
            return lambda value, bound: NULL if value else NOT_NULL
        case "in":
            return lambda value, bound: _read_several(value, bound, decode, name)
        case "contains" | "icontains":
            return lambda value, bound: _read_pattern(value, bound, name, "%{}%")
        case "startswith":
            return lambda value, bound: _read_pattern(value, bound, name, "{}%")

    def read(value: Any, bound: dict[str, Any]) -> int:
        bound[name] = decode(value)
        return 1

    return read


def _read_several(value: Any, bound: dict[str, Any], decode: Callable[[Any], Any], name: str) -> int:
    """Bind the values of `in`: as many as the next power of two, so that few statements serve any number of them."""
    given = value if isinstance(value, list) else [value]
    if len(given) > MOST_VALUES:
        raise ValueError(f"has {len(given)} values; at most {MOST_VALUES} are allowed")
    decoded = [decode(one) for one in given if one is not None]
    if not decoded:
        return NOTHING
    count = 1 << (len(decoded) - 1).bit_length()
    for number in range(count):
        bound[f"{name}_{number}"] = decoded[min(number, len(decoded) - 1)]
    return count


def _read_item(value: Any, bound: dict[str, Any], decode: Callable[[Any], Any], name: str) -> int:
    """Bind an item as an array of one: that is what an array is asked for."""
    bound[name] = decode([value])
    return 1


def _read_pattern(value: Any, bound: dict[str, Any], name: str, form: str) -> int:
    bound[name] = form.format(_escaped(str(value)))
    return 1


def _read_search(value: Any, bound: dict[str, Any]) -> int:
    """Bind the words of a search, each once; a text without words finds everything."""
    words = list(dict.fromkeys(str(value).split()))
    if len(words) > MOST_WORDS:
        raise ValueError(f"has {len(words)} words; at most {MOST_WORDS} are allowed")
    for number, word in enumerate(words):
        bound[f"q_{number}"] = f"%{_escaped(word)}%"
    return len(words)


_SPECIAL = re.compile(r"([\\%_])")
# PostgreSQL has no texts with this character, and no driver takes half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]").search


def _escaped(text: str) -> str:
    """Return a text as a pattern that matches nothing else."""
    if _UNSTORABLE(text):
        raise ValueError("has a character that no text in the database can have")
    return _SPECIAL.sub(r"\\\1", text)
