"""Text of a parameter to its pieces and back, by style.

The styles are those of https://spec.openapis.org/oas/v3.1.1.html#style-values, which are those of RFC 6570
and three more. Pieces are cut out before anything is percent-decoded: `a%2Cb,c` is `a,b` and `c`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import orjson

from demijohn.contract import Parameter, Style

__all__ = [
    "Decode",
    "UnreadableError",
    "encode_parameter",
    "header_text",
    "is_json",
    "plain",
    "split_items",
    "split_pairs",
    "split_single",
    "text_of",
    "unquote",
    "unquote_plus",
]

Decode: TypeAlias = Callable[[str], str]
"""From a piece as it was sent to the text that it stands for."""


class UnreadableError(Exception):
    """Tell that a text cannot be read at all; `path` leads to the place inside the value."""

    def __init__(self, detail: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.path = path


def is_json(media_type: str) -> bool:
    """Tell whether a media type, in lower case and without parameters, is JSON (RFC 6839 section 3.1)."""
    return media_type.endswith(("/json", "+json"))


# Decoding

_BROKEN_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def unquote(raw: str) -> str:
    """Percent-decode `raw`, whose characters stand for bytes (PEP 3333). Raises `UnreadableError`."""
    if "%" not in raw and raw.isascii():
        return raw
    broken = _BROKEN_PERCENT.search(raw)
    if broken:
        raise UnreadableError(f"has a broken percent-encoding at character {broken.start() + 1}")
    try:
        return unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeError:
        raise UnreadableError("is not valid UTF-8") from None


def unquote_plus(raw: str) -> str:
    """Do as `unquote`, and read `+` as a space: forms are written so, and queries like forms."""
    return unquote(raw.replace("+", " ")) if "+" in raw else unquote(raw)


def header_text(raw: str) -> str:
    """Return the text of a header or of a piece of one.

    Headers are not percent-encoded. Their bytes are UTF-8 where they can be, else ISO 8859-1 as ever (RFC
    9110 section 5.5), and the schema has the last word on that text.
    """
    text = raw.strip(" \t")
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def plain(raw: str) -> str:
    """Return text that is not encoded in any way: a part of a multipart form."""
    return raw


# Splitting

_SPACES = re.compile(r"%20|\+| ")
_PIPES = re.compile(r"%7[Cc]|\|")
_TABS = re.compile(r"%09|\t")


def _cut(style: Style, explode: bool) -> Callable[[str], list[str]]:
    match style:
        case "spaceDelimited":
            return _SPACES.split
        case "pipeDelimited":
            return _PIPES.split
        case "tabDelimited":
            return _TABS.split
        case "label" if explode:
            return lambda raw: raw.split(".")
        case "matrix" if explode:
            return lambda raw: raw.split(";")
        case _:
            return lambda raw: raw.split(",")


def split_single(style: Style, name: str) -> Decode:
    """Return the function that takes a single value, or several that are not exploded, out of its frame."""
    if style == "label":
        return lambda raw: _after(raw, *_LABEL_FRAME)
    if style == "matrix":
        return lambda raw: _matrix_value(_after(raw, ";", _MATRIX.format(name)), name)
    return lambda raw: raw


_LABEL_FRAME = (".", "must begin with a dot")
_MATRIX = "must be written as ;{}=..."


def _after(raw: str, prefix: str, detail: str) -> str:
    if not raw.startswith(prefix):
        raise UnreadableError(detail)
    return raw[len(prefix) :]


def _matrix_value(piece: str, name: str) -> str:
    key, _, value = piece.partition("=")
    if unquote(key) != name:
        raise UnreadableError(_MATRIX.format(name))
    return value


def split_items(style: Style, explode: bool, name: str) -> Callable[[str], list[str]]:
    """Return the function that splits the text of an array into the texts of its items, still encoded."""
    cut = _cut(style, explode)
    if style == "matrix" and explode:
        return lambda raw: [_matrix_value(piece, name) for piece in cut(_after(raw, ";", _MATRIX.format(name)))]
    if style == "label" and explode:
        return lambda raw: cut(_after(raw, *_LABEL_FRAME))
    single = split_single(style, name)
    if style in ("simple", "label", "matrix"):
        # RFC 6570 writes no array without items; in a path or header there is nothing else that could stand
        # for one.
        return lambda raw: cut(text) if (text := single(raw)) else []
    return lambda raw: cut(single(raw))


def split_pairs(style: Style, explode: bool, name: str) -> Callable[[str], list[tuple[str, str]]]:
    """Return the function that splits the text of an object into names and values, still encoded."""
    cut = _cut(style, explode)
    if not explode or style not in ("simple", "label", "matrix"):
        single = split_single(style, name)
        return lambda raw: _by_twos(cut(text)) if (text := single(raw)) else []
    prefix, detail = {"label": _LABEL_FRAME, "matrix": (";", "must begin with a semicolon")}.get(style, ("", ""))

    def pairs(raw: str) -> list[tuple[str, str]]:
        text = _after(raw, prefix, detail)
        found = [piece.partition("=") for piece in cut(text)] if text else []
        if not all(equals for _, equals, _ in found):
            raise UnreadableError("must be written as name=value pairs")
        return [(key, value) for key, _, value in found]

    return pairs


def _by_twos(pieces: list[str]) -> list[tuple[str, str]]:
    if len(pieces) % 2:
        raise UnreadableError("must be written as names and values in turn")
    return list(zip(pieces[::2], pieces[1::2], strict=True))


# Joining

# What RFC 6570 section 3.2.3 leaves alone, without what would end a value in a query or cut it in two.
_RESERVED = ":/?@!$'()*;="
_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "tabDelimited": "%09"}


def encode_parameter(parameter: Parameter, value: Any) -> str:
    """Return the text that sends `value`, as it stands in a request.

    In a path: the text of the template's `{name}`. In a query: whole `name=value` pieces joined by `&`, ""
    where RFC 6570 sends nothing. In a header: its value, as a latin-1 string of UTF-8 bytes. In a cookie:
    `name=value` pairs joined by `; `. For `querystring`: all of it. Items that hold the delimiter of
    `spaceDelimited`, `pipeDelimited` or `tabDelimited` cannot be told from two items; no other style has that
    flaw.
    """
    if parameter.content_type is not None:
        return _encode_content(parameter, value)
    if parameter.location == "header":
        return _header_bytes(_join(parameter, value, _as_is, _as_is))
    safe = _RESERVED if parameter.allow_reserved and parameter.location == "query" else ""
    if parameter.location == "query" and not isinstance(value, (list, tuple, Mapping)):
        safe += "," if safe else ""
    dotless = parameter.style == "label" and parameter.explode
    return _join(parameter, value, _quoting("", dotless), _quoting(safe, dotless))


def _encode_content(parameter: Parameter, value: Any) -> str:
    assert parameter.content_type is not None
    if parameter.content_type == "application/x-www-form-urlencoded" and isinstance(value, Mapping):
        return "&".join(
            f"{quote(name, safe='')}={quote(text_of(one), safe='')}"
            for name, inner in value.items()
            for one in (inner if isinstance(inner, (list, tuple)) else [inner])
        )
    text = orjson.dumps(value, default=str).decode() if is_json(parameter.content_type) else text_of(value)
    match parameter.location:
        case "header":
            return _header_bytes(text)
        case "query" | "cookie":
            return f"{quote(parameter.name, safe='')}={quote(text, safe='')}"
        case _:
            return quote(text, safe="")


def text_of(value: Any) -> str:
    """Return the text of one value that is no list or object of a style: JSON's, without the quotes of strings."""
    if isinstance(value, str):
        return value
    text = orjson.dumps(value, default=str)
    return str(orjson.loads(text)) if text.startswith(b'"') else text.decode()


def _as_is(value: Any) -> str:
    return text_of(value)


def _header_bytes(text: str) -> str:
    return text.encode().decode("latin-1")


def _quoting(safe: str, dotless: bool) -> Callable[[Any], str]:
    def encode(value: Any) -> str:
        text = quote(text_of(value), safe=safe)
        return text.replace(".", "%2E") if dotless else text

    return encode


def _join(parameter: Parameter, value: Any, key: Callable[[Any], str], text: Callable[[Any], str]) -> str:
    style, explode, name = parameter.style, parameter.explode, key(parameter.name)
    named = style in ("form", "deepObject", *_DELIMITERS)
    between = "; " if parameter.location == "cookie" else "&"
    if isinstance(value, Mapping):
        if style == "deepObject":
            return between.join(_deep(parameter.name, value))
        pairs = [(key(inner), text(one)) for inner, one in value.items()]
        if explode:
            pieces = [f"{inner}={one}" for inner, one in pairs]
            return _frame_exploded(style, pieces, between if named else None)
        pieces = [piece for pair in pairs for piece in pair]
    elif isinstance(value, (list, tuple)):
        pieces = [text(one) for one in value]
        if (explode and (named or style == "matrix")) or style == "deepObject":
            return _frame_exploded(style, [f"{name}={one}" for one in pieces], between if named else None)
        if explode and style == "label":
            return _frame_exploded(style, pieces, None)
    else:
        return _frame(style, named, name, text(value))
    if not pieces and named:
        return ""
    return _frame(style, named, name, _DELIMITERS.get(style, ",").join(pieces))


def _frame(style: Style, named: bool, name: str, text: str) -> str:
    if named:
        return f"{name}={text}"
    match style:
        case "label":
            return f".{text}"
        case "matrix":
            return f";{name}={text}" if text else f";{name}"
        case _:
            return text


def _frame_exploded(style: Style, pieces: list[str], between: str | None) -> str:
    if between is not None:
        return between.join(pieces)
    match style:
        case "label":
            return "." + ".".join(pieces)
        case "matrix":
            return ";" + ";".join(pieces)
        case _:
            return ",".join(pieces)


def _deep(name: str, value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _deep(f"{name}[{key}]", inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _deep(f"{name}[]" if isinstance(inner, (list, tuple, Mapping)) else name, inner)
    else:
        yield f"{quote(name, safe='')}={quote(text_of(value), safe='')}"
