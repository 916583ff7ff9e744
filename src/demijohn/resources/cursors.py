"""Keyset cursors: where a page of a list begins, sealed so that nobody else can make one.

A cursor holds the direction and the sort values of the row that the page begins after, as the driver gave them. The
list that it belongs to (its order and its filters) is part of the seal: a cursor fits no other.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Double, Float, and_, bindparam, cast, false, literal_column, or_, tuple_

from demijohn.resources.dialects.dialect import DatabaseName
from demijohn.resources.model import Expression
from demijohn.resources.sorting import Term

__all__ = ["CursorError", "Position", "after", "after_ties", "key_of", "open_cursor", "seal_cursor", "value_name"]

_SEAL_BYTES = 16
_LONGEST = 16_384


class CursorError(ValueError):
    """Tell that a text is no cursor, or that of another list."""


class Position(NamedTuple):
    """Be a place in a list, between two rows.

    A page goes on from there, or, `backward`, ends there. `values` are the sort values of the row on the other
    side, ready for the driver; None for the beginning of the list (backward: its end).
    """

    backward: bool
    values: tuple[Any, ...] | None


def seal_cursor(position: Position, key: bytes, belongs_to: bytes) -> str:
    """Return a position as a cursor of the list that `belongs_to` tells from all others."""
    values = position.values
    content = orjson.dumps(
        [int(position.backward), None if values is None else [_pack(one) for one in values]],
        option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS,
    )
    return urlsafe_b64encode(_seal(content, key, belongs_to) + content).rstrip(b"=").decode()


def open_cursor(text: str, key: bytes, belongs_to: bytes) -> Position:
    """Return the position that a cursor of this list holds. Raises `CursorError` for any other text."""
    if len(text) > _LONGEST or not text.isascii():
        raise CursorError
    try:
        sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise CursorError from None
    seal, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(content, key, belongs_to)):
        raise CursorError
    backward, values = orjson.loads(content)
    return Position(bool(backward), None if values is None else tuple(map(_unpack, values)))


def _seal(content: bytes, key: bytes, belongs_to: bytes) -> bytes:
    # With its length before it, nothing of what it belongs to can pass for content.
    sealed = len(belongs_to).to_bytes(8, "big") + belongs_to + content
    return hmac.digest(key, sealed, "sha256")[:_SEAL_BYTES]


def _pack(value: Any) -> Any:
    """Return a value of the driver's as JSON that gives the very same one back."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is str or kind is float:
        if kind is float and value - value != 0:  # orjson makes null of the infinite
            return ["float", repr(value)]
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return ["bytes", b64encode(bytes(value)).decode()]
    if isinstance(value, timedelta):
        return ["timedelta", [value.days, value.seconds, value.microseconds]]
    if isinstance(value, date | time):  # a datetime is a date
        return [kind.__name__, value.isoformat()]
    if isinstance(value, Decimal | UUID):
        return [kind.__name__, str(value)]
    raise TypeError(f"a list cannot be sorted by values of the type {kind.__name__}")


def _unpack(value: Any) -> Any:
    return _UNPACK[value[0]](value[1]) if isinstance(value, list) else value


_UNPACK: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "bytes": b64decode,
    "timedelta": lambda parts: timedelta(*parts),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "Decimal": Decimal,
    "UUID": UUID,
}


def key_of(term: Term, database: DatabaseName) -> Expression:
    """Return what to select of a row for its position; single floats are widened, which their texts would not be."""
    if database == "sqlite" or not _is_float(term):
        return term.expression
    return term.expression + literal_column("0e0") if database == "mariadb" else cast(term.expression, Double())


def value_name(index: int) -> str:
    """Return the name of the parameter that holds a sort value of a position."""
    return f"after_{index}"


def after(terms: Sequence[Term], nulls: Sequence[bool], *, by_row: bool, start: int = 0) -> Expression:
    """Return the condition of the rows that come after a position in an order.

    `nulls` tells which of the position's values are NULL. `by_row` says that the database finds `(a, b) > (?, ?)`
    in an index; it is written so where all terms go the same way and no value can be missing. Elsewhere the first
    term is bounded by itself as well, which an index can be searched by. `start` is the number of the first term's
    parameter.
    """
    values = _values(terms, start)
    condition = _after(terms, values, nulls)
    first, bound = terms[0], values[0]
    if len(terms) == 1 or first.nulls is not None:
        return condition
    if by_row and {(term.descending, term.nulls) for term in terms} == {(first.descending, None)}:
        row, limit = tuple_(*(term.expression for term in terms)), tuple_(*values)
        return row < limit if first.descending else row > limit
    at_least = first.expression <= bound if first.descending else first.expression >= bound
    return and_(at_least, condition)


def after_ties(terms: Sequence[Term], nulls: Sequence[bool], ties: int, *, start: int = 0) -> Expression:
    """Return the condition of those of the rows that come after a position whose first `ties` values are the same.

    From as many ties as there can be down to none, these are all rows of `after`, in their order.
    """
    values = _values(terms, start)
    equal = [_equal(*one) for one in zip(terms[:ties], values, nulls, strict=False)]
    return and_(*equal, _beyond(terms[ties], values[ties], nulls[ties]))


def _values(terms: Sequence[Term], start: int) -> list[Expression]:
    return [
        bindparam(value_name(index), type_=Double() if _is_float(term) else term.expression.type)
        for index, term in enumerate(terms, start)
    ]


def _after(terms: Sequence[Term], values: Sequence[Expression], nulls: Sequence[bool]) -> Expression:
    beyond, equal = (make(terms[0], values[0], nulls[0]) for make in (_beyond, _equal))
    return beyond if len(terms) == 1 else or_(beyond, and_(equal, _after(terms[1:], values[1:], nulls[1:])))


def _beyond(term: Term, value: Expression, is_null: bool) -> Expression:
    """Return the condition of the rows that one term alone puts after a value."""
    expression = term.expression
    if is_null:
        return expression.is_not(None) if term.nulls == "first" else false()
    beyond: Expression = expression < value if term.descending else expression > value
    return or_(beyond, expression.is_(None)) if term.nulls == "last" else beyond


def _equal(term: Term, value: Expression, is_null: bool) -> Expression:
    return term.expression.is_(None) if is_null else term.expression == value


def _is_float(term: Term) -> bool:
    kind = term.expression.type
    return isinstance(kind, Float) or isinstance(getattr(kind, "impl", None), Float)
