"""The type of a column from what the contract says of a property, wherever it says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from demijohn.cli.scaffold.code import listed, quoted
from demijohn.resources.codecs import UnfitError
from demijohn.resources.dialects.sqlite import Sqlite
from demijohn.resources.facts import Facts

__all__ = ["ColumnType", "type_of"]

_MOST_TEXT = 4000
_KEY_TEXT = 255  # what an index of MariaDB can hold of any text
_INT32 = 2**31 - 1
_DIGITS = 15
_INDENT = "        "  # of an argument that has a line of its own
# `\.\d{2}$` or `[.][0-9]{2}$` at the end of a pattern: always as many digits behind the point.
_FRACTION = re.compile(r"(?:\\\.|\[\.\])(?:\\d|\[0-9\])(?:\{(\d+)\})?\$")
_DIALECT = Sqlite(sqlite.dialect())


@dataclass(frozen=True, slots=True)
class ColumnType:
    """Be a type: `code` writes it, "" where the annotation says it; `python` is the annotation.

    `length` is that of a text that can be a key, be unique or have an index; None for what needs none.
    """

    code: str
    python: str
    real: TypeEngine[Any]
    length: int | None = None

    @property
    def can_be_key(self) -> bool:
        """Tell whether every database can keep an index on it."""
        if self.python == "Any" or self.python == "bytes" or self.code == "sa.Text":
            return False
        return self.length is None or self.length <= _KEY_TEXT


def type_of(facts: Sequence[Facts], *, is_key: bool = False) -> ColumnType:
    """Return the type that goes with every occurrence of a property, the narrowest that does."""
    for candidate in _candidates(facts, is_key):
        if all(_fits(candidate, one) for one in facts):
            return candidate
    return _JSON


_JSON = ColumnType("sa.JSON", "Any", types.JSON())
_TEXT = ColumnType("sa.Text", "str", types.Text())
_FORMS = {
    "date-time": ColumnType("sa.DateTime(timezone=True)", "dt.datetime", types.DateTime(timezone=True)),
    "date": ColumnType("", "dt.date", types.Date()),
    "time": ColumnType("", "dt.time", types.Time()),
    "uuid": ColumnType("", "uuid.UUID", types.Uuid()),
}


def _candidates(facts: Sequence[Facts], is_key: bool) -> Iterator[ColumnType]:
    kinds = frozenset(kind for one in facts for kind in one.kinds)
    if kinds == {"boolean"}:
        yield ColumnType("", "bool", types.Boolean())
    elif kinds == {"integer"}:
        yield _integer(facts, is_key)
    elif kinds <= {"integer", "number"}:
        yield from _number(facts)
    elif kinds == {"string"}:
        yield from _text(facts, is_key)
    yield _JSON


def _integer(facts: Sequence[Facts], is_key: bool) -> ColumnType:
    is_big = any(one.form == "int64" or abs(one.schema.get("maximum", 0)) > _INT32 for one in facts)
    if not is_big:
        return ColumnType("", "int", types.Integer())
    # SQLite numbers rows by an INTEGER only, which has 64 bits there.
    code = 'sa.BigInteger().with_variant(sa.Integer, "sqlite")' if is_key else "sa.BigInteger"
    return ColumnType(code, "int", types.BigInteger().with_variant(types.Integer, "sqlite"))


def _number(facts: Sequence[Facts]) -> Iterator[ColumnType]:
    steps = [one.schema["multipleOf"] for one in facts if "multipleOf" in one.schema]
    if steps and all(0 < step < 1 for step in steps):
        scale = max(len(f"{step:.{_DIGITS}f}".rstrip("0").partition(".")[2]) for step in steps)
        yield ColumnType(f"sa.Numeric({_DIGITS}, {scale})", "Decimal", types.Numeric(_DIGITS, scale))
    yield ColumnType("sa.Double", "float", types.Double())


def _text(facts: Sequence[Facts], is_key: bool) -> Iterator[ColumnType]:
    choices = [one.schema["enum"] for one in facts if "enum" in one.schema]
    if len(choices) == len(facts) and all(set(one) == set(choices[0]) for one in choices[1:]):
        values = list(dict.fromkeys(one for one in choices[0] if isinstance(one, str)))
        length = max(map(len, values), default=1)
        parts = [*map(quoted, values), "native_enum=False", f"length={length}"]
        code = listed("sa.Enum(", parts, ")", _INDENT).strip()
        yield ColumnType(code, "str", types.Enum(*values, native_enum=False, length=length), length)
    forms = {one.form for one in facts}
    form = forms.pop() if len(forms) == 1 else None
    if form in _FORMS:
        yield _FORMS[form]
    elif form in ("byte", "binary") or any("contentEncoding" in one.schema for one in facts):
        yield ColumnType("sa.LargeBinary", "bytes", types.LargeBinary())
    elif (scale := _scale(facts)) is not None:
        yield ColumnType(f"sa.Numeric({_DIGITS}, {scale})", "Decimal", types.Numeric(_DIGITS, scale))
    yield _plain_text(facts, is_key)
    yield _TEXT


def _scale(facts: Sequence[Facts]) -> int | None:
    """Return how many digits the decimal numbers of a text have behind the point, None where it is none of these.

    A text that is compared as one would sort 10.00 before 9.00; a number that gets another form on its way would be
    another text. So the pattern has to take numbers only, each in one form.
    """
    scales = set()
    for one in facts:
        pattern = one.schema.get("pattern", "")
        fraction = _FRACTION.search(pattern) if pattern.startswith("^") else None
        if fraction is None:
            return None
        scale = int(fraction[1] or 1)
        head = pattern[1 : fraction.start()]
        if not re.search(r"\\d|\[0-9\]|\[1-9\]", head) or re.search(r"[^\\d\[\]0-9(|)?{},+*-]", head.replace("?:", "")):
            return None
        scales.add(scale)
    return scales.pop() if len(scales) == 1 else None


def _plain_text(facts: Sequence[Facts], is_key: bool) -> ColumnType:
    lengths = [_longest(one) for one in facts]
    known = [one for one in lengths if one is not None]
    length = max(known) if len(known) == len(lengths) else max([*known, _KEY_TEXT]) if is_key else None
    if length is None or length > _MOST_TEXT or length == 0:
        return _TEXT
    return ColumnType(f"sa.String({length})", "str", types.String(length), length)


def _longest(facts: Facts) -> int | None:
    choice = [len(one) for one in facts.schema.get("enum", ()) if isinstance(one, str)]
    limits = [one for one in (facts.schema.get("maxLength"), max(choice, default=None)) if one is not None]
    return min(limits, default=None)


def _fits(candidate: ColumnType, facts: Facts) -> bool:
    try:
        _DIALECT.codec(candidate.real, facts.schema, facts.kinds, facts.form)
    except UnfitError:
        return False
    return True
