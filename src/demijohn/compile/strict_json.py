"""JSON read strictly: whatever two parsers could read differently is refused.

orjson already refuses NaN, numbers beyond a double, lone surrogates and invalid UTF-8. It keeps the last of
two equal keys without a word, and nests to 1024 levels: both are checked here.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

from demijohn.compile.faults import MOST_FAULTS, Fault

__all__ = ["MAX_DEPTH", "JsonError", "load"]

MAX_DEPTH = 64
# orjson writes no deeper than this.
_MOST_DEPTH = 250
_BOM = b"\xef\xbb\xbf"


class JsonError(Exception):
    """Tell why a text is not the JSON that Demijohn takes."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults


def load(raw: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Read one JSON document in UTF-8, nested at most `max_depth` deep (and 250 in any case). Raises `JsonError`."""
    max_depth = min(max_depth, _MOST_DEPTH)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise JsonError([_syntax_fault(raw, error, max_depth)]) from None
    if not isinstance(value, (dict, list)):
        return value
    # No value nests deeper than it has brackets, which saves the walk for all but large bodies.
    if raw.count(b"{") + raw.count(b"[") > max_depth and _depth(value) > max_depth:
        raise JsonError([_depth_fault(max_depth)])
    # A repeated key is lost in the value, and a colon with it; colons in strings are written as they are.
    # Only an escaped colon could make up for a lost one.
    if raw.count(b":") != orjson.dumps(value).count(b":") or b"\\u003" in raw:
        repeated = _repeated_keys(raw)
        if repeated:
            raise JsonError(repeated)
    return value


_CONTAINERS = frozenset((dict, list))


def _depth(value: Any) -> int:
    depth = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        level = [
            one
            for container in level
            for one in (container.values() if type(container) is dict else container)
            if type(one) in _CONTAINERS
        ]
    return depth


class _Pairs(list[tuple[str, Any]]):
    """Hold the members of one object as they were written."""


def _repeated_keys(raw: bytes) -> list[Fault]:
    """Return a fault for each key that its object has more than once.

    Numbers are not looked at: reading one of 5000 digits would fail.
    """
    root = json.loads(raw, object_pairs_hook=_Pairs, parse_int=len, parse_float=len)
    found: list[Fault] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
    while waiting and len(found) < MOST_FAULTS:
        path, value = waiting.pop()
        if isinstance(value, _Pairs):
            times = Counter(key for key, _ in value)
            found += [Fault((*path, key), "is given more than once") for key, number in times.items() if number > 1]
            waiting += [((*path, key), inner) for key, inner in reversed(value)]
        elif isinstance(value, list):
            waiting += [((*path, index), inner) for index, inner in reversed(list(enumerate(value)))]
    return found[:MOST_FAULTS]


def _depth_fault(max_depth: int) -> Fault:
    return Fault((), f"is nested deeper than {max_depth} levels")


_PHRASES = frozenset(
    (
        "invalid escaped sequence in string",
        "no low surrogate in string",
        "number with leading zero is not allowed",
        "trailing comma is not allowed",
        "unexpected character, expected ',' or ']'",
        "unexpected character, expected ',' or '}'",
        "unexpected character, expected ':' after key",
        "unexpected character, expected a JSON value",
        "unexpected character, expected a string key",
        "unexpected content after document",
        "unexpected control character in string",
        "unexpected end of data",
    )
)


def _syntax_fault(raw: bytes, error: orjson.JSONDecodeError, max_depth: int) -> Fault:
    if raw.startswith(_BOM):
        return Fault((), "is not valid JSON: it begins with a byte order mark; leave it out")
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return Fault((), f"is not valid JSON: invalid UTF-8 at byte {wrong.start + 1}")
    if "depth" in error.msg:
        return _depth_fault(max_depth)
    if "infinity" in error.msg:
        return Fault((), "has a number that is too large")
    if not raw.strip():
        return Fault((), "is not valid JSON: it is empty")
    phrase = error.msg if error.msg in _PHRASES else "unexpected text"
    return Fault((), f"is not valid JSON: {phrase} at line {error.lineno} column {max(error.colno, 1)}")
