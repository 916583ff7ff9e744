"""From JSON values to Python's, which SQLAlchemy's types bind, and back: the same for every database.

Each `read_...` returns what takes a JSON value; it raises `ValueError`, with what must be instead, for a value that a
column cannot hold.
"""

from __future__ import annotations

import binascii
import datetime as dt
import enum
import math
import re
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

import orjson

__all__ = [
    "Convert",
    "read_binary",
    "read_boolean",
    "read_choice",
    "read_date",
    "read_datetime",
    "read_decimal",
    "read_float",
    "read_integer",
    "read_json",
    "read_list",
    "read_text",
    "read_time",
    "read_uuid",
    "show_binary",
    "show_choice",
    "show_datetime",
    "show_decimal",
    "show_plain",
    "show_text",
    "show_time",
    "show_trimmed",
]

Convert: TypeAlias = Callable[[Any], Any]

# RFC 3339 section 5.6; the letters may be lower case, and a space may stand for the T.
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?"
_is_date = re.compile(_DATE, re.ASCII).fullmatch
_is_datetime = re.compile(rf"{_DATE}[Tt ]{_CLOCK}", re.ASCII).fullmatch
_is_time = re.compile(_CLOCK, re.ASCII).fullmatch
_is_decimal = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII).fullmatch
_SINGLE_MAX: Final = 3.4028234663852886e38


def read_text(
    most_characters: int | None = None, most_bytes: int | None = None, *, trims: bool = False
) -> Callable[[Any], str]:
    """Read a text; `trims` tells of a column that drops the spaces at the end."""

    def read(value: Any) -> str:
        if type(value) is not str:
            raise ValueError("must be a string")
        if most_characters is not None and len(value) > most_characters:
            raise ValueError(f"must have at most {most_characters} characters")
        if "\0" in value:
            raise ValueError("must not have the character U+0000")
        if trims and value.endswith(" "):
            raise ValueError("must not end with a space")
        if not value.isascii():
            try:
                size = len(value.encode())
            except UnicodeEncodeError:
                raise ValueError("must not have half of a surrogate pair") from None
        else:
            size = len(value)
        if most_bytes is not None and size > most_bytes:
            raise ValueError(f"must have at most {most_bytes} bytes in UTF-8")
        return value

    return read


def read_integer(low: int, high: int) -> Callable[[Any], int]:
    """Read a whole number."""

    def read(value: Any) -> int:
        if type(value) is not int:
            if type(value) not in (float, Decimal) or value % 1:
                raise ValueError("must be an integer")
            value = int(value)
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}")
        return value  # type: ignore[no-any-return]  # an int by now

    return read


def read_float(*, single: bool) -> Callable[[Any], float]:
    """Read a number; `single` tells of a column of 32 bits."""
    most = _SINGLE_MAX if single else math.inf

    def read(value: Any) -> float:
        if type(value) not in (int, float, Decimal):
            raise ValueError("must be a number")
        try:
            made = float(value) + 0.0  # -0.0 is a zero
        except OverflowError:
            made = math.inf
        if not (abs(made) <= most and made - made == 0):
            raise ValueError("must be nearer to zero")
        return made

    return read


def read_decimal(precision: int | None, scale: int | None, most_digits: int | None) -> Callable[[Any], Decimal]:
    """Read a number, or the text of one, that has `scale` digits behind the point and `precision` in all.

    Where these are None, `most_digits` bounds the digits that matter, if it is not None.
    """
    whole = None if precision is None else precision - (scale or 0)

    def read(value: Any) -> Decimal:
        if type(value) is str and _is_decimal(value):
            made = Decimal(value)
        elif type(value) in (int, float, Decimal):
            made = value if type(value) is Decimal else Decimal(repr(value))
        else:
            raise ValueError("must be a decimal number")
        if not made.is_finite() or abs(made.adjusted()) > 1000:
            raise ValueError("must have fewer digits")
        if not made:
            return Decimal(0)
        digits, exponent = made.as_tuple()[1:]
        behind = -exponent - _zeros(digits)  # type: ignore[operator]  # a finite number has a number there
        if precision is not None:
            if behind > (scale or 0):
                raise ValueError(f"must have at most {scale or 0} digits behind the point")
            if whole is not None and made.adjusted() >= whole:
                raise ValueError(f"must have at most {whole} digits before the point")
        elif most_digits is not None and len(digits) - _zeros(digits) > most_digits:
            raise ValueError(f"must have at most {most_digits} digits")
        return made

    return read


def _zeros(digits: Sequence[int]) -> int:
    count = 0
    while digits[-1 - count] == 0:
        count += 1
    return count


def read_boolean(value: Any) -> bool:
    """Read true or false."""
    if type(value) is not bool:
        raise ValueError("must be a boolean")
    return value


def _written(value: Any) -> str:
    """Return a text as it is, and a date or time that the application's own code gives as JSON has it."""
    if type(value) is str:
        return value
    return value.isoformat() if isinstance(value, dt.date | dt.time) else ""


def read_datetime(*, aware: bool) -> Callable[[Any], dt.datetime]:
    """Read a date and time; without an offset it is meant as UTC. What is finer than a microsecond is dropped."""

    def read(value: Any) -> dt.datetime:
        value = _written(value)
        if not _is_datetime(value):
            raise ValueError("must be a date and time with a zone such as 2026-01-31T12:00:00Z")
        try:
            made = dt.datetime.fromisoformat(value.upper())
            made = made.replace(tzinfo=dt.UTC) if made.tzinfo is None else made.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            raise ValueError("must be a date and time that exists, from year 1 to 9999 in UTC") from None
        return made if aware else made.replace(tzinfo=None)

    return read


def read_date(value: Any) -> dt.date:
    """Read a date."""
    value = _written(value)
    if not _is_date(value):
        raise ValueError("must be a date such as 2026-01-31")
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date that exists, from year 1 to 9999") from None


def read_time(value: Any) -> dt.time:
    """Read a time of day; with an offset it becomes the one in UTC."""
    value = _written(value)
    if not _is_time(value):
        raise ValueError("must be a time such as 12:00:00")
    try:
        made = dt.time.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("must be a time that exists") from None
    if made.tzinfo is None:
        return made
    return dt.datetime.combine(dt.date(2000, 1, 2), made).astimezone(dt.UTC).time()


def read_uuid(*, as_text: bool) -> Convert:
    """Read a UUID; `as_text` tells of a type that takes it as text."""

    def read(value: Any) -> Any:
        try:
            made = value if type(value) is uuid.UUID else uuid.UUID(value)
        except (ValueError, AttributeError, TypeError):
            raise ValueError("must be a UUID") from None
        return str(made) if as_text else made

    return read


def read_binary(most_bytes: int | None) -> Callable[[Any], bytes]:
    """Read bytes from base64 (RFC 4648 section 4)."""

    def read(value: Any) -> bytes:
        try:
            made = b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise ValueError("must be base64 text") from None
        if most_bytes is not None and len(made) > most_bytes:
            raise ValueError(f"must have at most {most_bytes} bytes")
        return made

    return read


def read_choice(choices: Mapping[Any, Any]) -> Convert:
    """Read one of the JSON values that `choices` maps to what is bound."""

    def read(value: Any) -> Any:
        if type(value) in (str, int, float) and value in choices:
            return choices[value]
        shown = ", ".join(orjson.dumps(one).decode() for one in choices)
        raise ValueError(f"must be one of {shown}")

    return read


def read_json(most_depth: int | None) -> Convert:
    """Read a document, to be bound as it is."""

    def read(value: Any) -> Any:
        try:
            text = orjson.dumps(value)
        except TypeError:  # a lone surrogate, or an integer of more than 64 bits
            raise ValueError("must hold texts in Unicode and integers of at most 64 bits") from None
        if b"\\u0000" in text and _has_nul(value):
            raise ValueError("must not have the character U+0000")
        if most_depth is not None and _is_deeper(value, most_depth):
            raise ValueError(f"must be nested at most {most_depth} levels deep")
        return value

    return read


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(one) for name, one in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    return any(_is_deeper(one, levels - 1) for one in (value.values() if isinstance(value, dict) else value))


def read_list(item: Convert) -> Convert:
    """Read an array, each of its items by `item`."""

    def read(value: Any) -> list[Any]:
        if type(value) is not list:
            raise ValueError("must be an array")
        return [None if one is None else item(one) for one in value]

    return read


def show_plain(value: Any) -> Any:
    """Show what is the same in JSON."""
    return value


def show_text(value: Any) -> str:
    """Show a date, or a UUID."""
    return str(value)


def show_trimmed(value: Any) -> str:
    """Show a text of a fixed length, which may have been filled up with spaces."""
    return str(value).rstrip(" ")


def show_datetime(suffix: str) -> Convert:
    """Show a date and time in UTC."""

    def show(value: Any) -> str:
        if value.tzinfo is not None:
            value = value.astimezone(dt.UTC).replace(tzinfo=None)
        return str(value.isoformat()) + suffix

    return show


def show_time(suffix: str) -> Convert:
    """Show a time of day. MySQL's driver gives it as the time since midnight."""

    def show(value: Any) -> str:
        if isinstance(value, dt.timedelta):
            value = (dt.datetime.min + value).time()
        return str(value.replace(tzinfo=None).isoformat()) + suffix

    return show


def show_decimal(scale: int | None, *, as_text: bool) -> Convert:
    """Show a decimal number: exact, with the digits that the column has behind the point."""
    step = None if scale is None else Decimal(1).scaleb(-scale)
    exact = Context(prec=1100)

    def show(value: Any) -> Any:
        try:
            made = value if isinstance(value, Decimal) else Decimal(repr(value))
        except InvalidOperation:
            return value
        if step is not None and made.is_finite():
            made = made.quantize(step, context=exact)
        return format(made, "f") if as_text else made

    return show


def show_binary(value: Any) -> str:
    """Show bytes as base64."""
    return b64encode(bytes(value)).decode()


def show_choice(choices: Mapping[Any, Any]) -> Convert:
    """Show the JSON value of what is stored; `choices` are those of `read_choice`."""
    names = {bound: json for json, bound in choices.items()}

    def show(value: Any) -> Any:
        return names.get(value, value.name if isinstance(value, enum.Enum) else value)

    return show
