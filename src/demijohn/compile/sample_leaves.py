"""Sample numbers and texts: the leaves of a sample value.

Each function takes the rules of a schema and a `variant`: another number asks for another value.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

from rstr import Rstr

__all__ = ["UnsatisfiableError", "number", "text_for", "texts"]

_WORD = "string"
# What satisfies many patterns that no text can be made from: those that look ahead, as passwords do.
_GUESSES = (
    "Aa1!Aa1!Aa1!", "Aa1bCd2e", "a1", "A", "1", "example", "2026-01-31", "+15551234567", "example.com", "",
)  # fmt: skip
# How far repetitions go beyond their minimum, tried in turn; lengths may demand more.
_STRETCHES = (1, 0, 4, 12, 40, 100)


class UnsatisfiableError(Exception):
    """Signal that no value was found for a schema."""


def number(rules: Mapping[str, Any], whole: bool, variant: int) -> int | float:
    """Return a number within the bounds, 1 or next to it where the bounds allow."""
    low, low_open = _bound(rules, "minimum", "exclusiveMinimum", max)
    high, high_open = _bound(rules, "maximum", "exclusiveMaximum", min)
    step = Fraction(str(rules["multipleOf"])) if "multipleOf" in rules else None
    if whole:
        step = Fraction(1 if step is None else step.numerator)
    if step is None:
        value = _between(low, low_open, high, high_open, variant)
    else:
        first = None if low is None else math.floor(low / step) + 1 if low_open else math.ceil(low / step)
        last = None if high is None else math.ceil(high / step) - 1 if high_open else math.floor(high / step)
        if first is not None and last is not None and first > last:
            raise UnsatisfiableError
        value = step * _nearest(math.ceil(1 / step), variant, first, last)
    return value.numerator if value.denominator == 1 else float(value)


def _bound(
    rules: Mapping[str, Any], inclusive: str, exclusive: str, tighter: Callable[[Any], Any]
) -> tuple[Fraction | None, bool]:
    """Return the tighter of two bounds, and whether it is itself excluded."""
    found = [(Fraction(str(rules[key])), key == exclusive) for key in (inclusive, exclusive) if key in rules]
    if not found:
        return None, False
    value = tighter([bound for bound, _ in found])
    return value, (value, True) in found


def _nearest(wanted: int, variant: int, first: int | None, last: int | None) -> int:
    """Return the whole number between two others that is nearest to the wanted one."""
    if first is not None and last is not None and last - first < 2**20:
        start = min(max(wanted, first), last)
        return first + (start - first + variant) % (last - first + 1)
    if last is not None and wanted + variant > last:
        return last - variant
    return max(wanted, wanted if first is None else first) + variant


def _between(low: Fraction | None, low_open: bool, high: Fraction | None, high_open: bool, variant: int) -> Fraction:
    wanted = Fraction(1 + variant)
    above = low is None or wanted > low or (wanted == low and not low_open)
    below = high is None or wanted < high or (wanted == high and not high_open)
    if above and below:
        return wanted
    if low is not None and high is not None:
        if low > high or (low == high and (low_open or high_open)):
            raise UnsatisfiableError
        # The dyadic points between the two: exact as floats, and another one for each variant.
        return low + (high - low) / 2 ** (variant + 1) if low < high else low
    if low is not None:
        return low + variant + (1 if low_open else 0)
    assert high is not None
    return high - variant - (1 if high_open else 0)


def texts(rules: Mapping[str, Any], variant: int) -> Iterator[str]:
    """Yield texts that may satisfy the rules, the most readable first."""
    least = rules.get("minLength", 0)
    most = rules.get("maxLength", math.inf)
    if least > most:
        return
    patterns: Sequence[str] = rules.get("patterns") or ([rules["pattern"]] if "pattern" in rules else [])
    if "format" in rules and isinstance(rules["format"], str):
        for text in _formatted(rules["format"], least, variant):
            if least <= len(text) <= most:
                yield text
    for pattern in patterns:
        for text in _matching(pattern, least, most, variant):
            yield text
    if patterns:
        for guess in _GUESSES:
            yield _fitted(guess, least, most, variant) if guess else ""
    else:
        yield _fitted(_WORD, least, most, variant)


def _fitted(word: str, least: int, most: float, variant: int) -> str:
    """Return a word, lengthened or cut to the lengths that are allowed."""
    text = word + (str(variant) if variant else "")
    if len(text) > most:
        # The end differs from variant to variant, the beginning does not.
        text = text[len(text) - int(most) :] if variant else text[: int(most)]
    while len(text) < least:
        text = (word * (least // len(word) + 1))[: least - len(text)] + text
    return text


def _formatted(name: str, least: int, variant: int) -> Iterator[str]:
    """Yield texts in a format: a readable one, then a short or a long one."""
    fill = "a" * max(least, 1)
    tail = str(variant) if variant else ""
    match name:
        case "date":
            yield f"2026-01-{variant % 31 + 1:02}"
        case "date-time":
            yield f"2026-01-31T12:{variant // 60 % 60:02}:{variant % 60:02}Z"
        case "time":
            yield f"12:{variant // 60 % 60:02}:{variant % 60:02}Z"
        case "duration":
            yield f"P{variant + 1}D"
        case "email" | "idn-email":
            yield from (f"user{tail}@example.com", f"u{tail}@a.co")
            labels = "a." * (least // 2)
            yield f"user{tail}@{labels}example.com"
        case "hostname" | "idn-hostname":
            yield from (f"host{tail}.example.com" if variant else "example.com", f"a{tail}")
            yield "a." * (least // 2) + "com"
        case "ipv4":
            yield f"192.0.2.{variant % 254 + 1}"
        case "ipv6":
            yield f"2001:db8::{variant + 1:x}"
        case "uuid":
            yield f"3fa85f64-5717-4562-b3fc-{variant:012x}"
        case "uri" | "iri" | "url":
            yield from (f"https://example.com/{tail}", f"a:{tail}", f"https://example.com/{fill}{tail}")
        case "uri-reference" | "iri-reference":
            yield from (f"/example{tail}", f"a{tail}", f"/{fill}{tail}")
        case "uri-template":
            yield from (f"/example{tail}/{{id}}", f"a{tail}", f"/{fill}{tail}/{{id}}")
        case "json-pointer":
            yield from (f"/example{tail}", "", f"/{fill}{tail}")
        case "relative-json-pointer":
            yield from (f"{variant}", f"0/{fill}{tail}")
        case "regex":
            yield from (f"^example{tail}$", f"a{tail}", f"{fill}{tail}")
        case "byte":
            yield b64encode(_fitted(_WORD, 3 * (least // 4), math.inf, variant).encode()).decode()
            yield "QQ=="
            yield ""
        case "int32" | "int64" | "integer" | "decimal" | "number":
            yield str(variant + 1).rjust(least, "1")
        case _:
            return


def text_for(pattern: str, variant: int, known: str | None = None) -> str:
    """Return a text that a pattern may match, or `known` if Python finds it to match."""
    if known is not None:
        try:
            return known if re.search(_for_python(pattern), known) else ""
        except re.error:
            return ""
    return next(_matching(pattern, 1, math.inf, variant), f"key{variant + 1}")


def _matching(pattern: str, least: int, most: float, variant: int) -> Iterator[str]:
    """Yield texts made from a pattern, with lengths that are allowed; they may still be wrong."""
    for seed, stretch in enumerate((*_STRETCHES, *_STRETCHES)):
        try:
            chooser = _Steady(seed + 100 * variant)
            chooser.stretch = stretch
            text = Rstr(chooser).xeger(_for_python(pattern))
        except (re.error, ArithmeticError, LookupError, RecursionError, Warning):
            return
        if least <= len(text) <= most:
            yield text
        elif len(text) < least and not pattern.endswith("$"):
            # A pattern that is open at its end matches whatever follows.
            yield text + "a" * (least - len(text)) if text else _fitted(_WORD, least, most, variant)


class _Steady(Random):
    """Choose the same each time, short and readable. A `stretch` lengthens repetitions."""

    stretch = 1

    def choice(self, seq: Any) -> Any:
        """Choose a letter or digit where there is one; rstr offers characters in no certain order."""
        if all(isinstance(one, str) for one in seq):
            plain = [one for one in seq if one.isascii() and one.isalnum()]
            seq = sorted(plain or seq)
        return super().choice(seq)

    def randint(self, a: int, b: int) -> int:
        """Repeat as little as is allowed, or `stretch` times more."""
        return max(a, min(b, max(a, 1) - 1 + self.stretch))


_CLASSES = {
    "L": "a-zA-Z", "Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9", "P": "-", "Z": " ", "Zs": " ", "S": "+",
}  # fmt: skip
_PIECE = re.compile(r"\\[pP]\{(?P<name>[^}]*)\}|\\.|\[\^?\]?|\]|\(\?<(?=[A-Za-z])|\(\?[a-z]+\)", re.DOTALL)


def _for_python(pattern: str) -> str:
    """Translate a pattern of ECMA-262 to one that Python's `re` reads and that matches no more than it."""
    inside = False

    def translate(match: re.Match[str]) -> str:
        nonlocal inside
        piece = match[0]
        if match["name"] is not None:
            characters = _CLASSES.get(match["name"].rpartition("=")[2], "a-z")
            return characters if inside else f"[{characters}]"
        if piece.startswith("["):
            if inside:
                inside = not piece.endswith("]")
                return "\\" + piece
            inside = True
        if piece == "]":
            inside = False
        elif piece == "(?<":
            return "(?P<"
        elif piece.startswith("(?"):
            return ""
        return piece

    return _PIECE.sub(translate, pattern)
