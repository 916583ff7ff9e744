"""JSON: parsed strictly, measured, and searched for the lines of its values."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeAlias

from demijohn.contract.limits import Limits, refuse, twice
from demijohn.contract.pointers import escape, split
from demijohn.errors import ContractError, Finding

__all__ = ["finite", "lines", "measure", "parse"]

_Trie: TypeAlias = "dict[str, Any]"


class _DuplicateKeyError(ValueError):
    """Signal a key that is written twice; the position is searched for afterwards."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise _DuplicateKeyError
    return mapping


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=finite)
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_separator = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*").match
_EMPTY = re.compile(r"\[\s*\]|\{\s*\}")
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(text: str, name: str, limits: Limits) -> Any:
    """Return the value of a JSON text; `ContractError` says what is wrong with it and on which line."""
    _check_nodes(text, name, limits)
    try:
        value = _decoder.decode(text)
        if _LONE_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except _DuplicateKeyError:
        raise ContractError(_duplicates(text, name)) from None
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
        refuse(name, error.lineno, message, "write JSON (RFC 8259)")
    except RecursionError:
        refuse(name, 1, "the file is nested too deeply to be read", "flatten it")
    except UnicodeEncodeError:
        refuse(name, 1, "a string holds half of a surrogate pair", "write whole characters")
    except ValueError as error:
        number = str(error)
        if number.startswith("Exceeds"):
            refuse(name, 1, "an integer has more digits than can be read", "write a smaller number")
        line = text.count("\n", 0, text.find(number)) + 1
        refuse(name, line, f"found the number {number[:40]}, which JSON does not have", "write a finite number")
    return value


def _check_nodes(text: str, name: str, limits: Limits) -> None:
    """Refuse a text with too many values before they take up memory; a text that has few is not looked at twice."""
    if text.count(",") + text.count("{") + text.count("[") < limits.nodes:
        return
    bare = _STRING.sub("", text)
    containers = bare.count("{") + bare.count("[") - len(_EMPTY.findall(bare))
    limits.check_nodes(name, 1, 1 + bare.count(",") + containers)


def measure(value: Any, name: str, limits: Limits) -> int:
    """Count the values of a tree level by level; refuse what is too deep or too large."""
    nodes, depth = 1, 0
    level = [value] if isinstance(value, dict | list) else []
    while level:
        depth += 1
        limits.check_depth(name, 1, depth)
        below: list[Any] = []
        for container in level:
            nodes += len(container)
            for item in container.values() if type(container) is dict else container:
                if type(item) is dict or type(item) is list:
                    below.append(item)
        level = below
    limits.check_nodes(name, 1, nodes)
    return nodes


_space = re.compile(r"[ \t\r\n]*")
# What nobody asked for is skipped by the C scanner: a place in 4 MB is found in the time of one parse.
_skipper: Any = json.JSONDecoder()
_scan_value = _skipper.scan_once
_scan_string: Any = json.decoder.scanstring  # type: ignore[attr-defined]  # typeshed does not know it


def lines(text: str, pointers: set[str]) -> dict[str, int]:
    """Return the line of the key or item that each pointer names, in one pass over the text.

    A pointer that leads nowhere gets the line of the last part of it that exists.
    """
    wanted: _Trie = {}
    for pointer in pointers:
        branch = wanted
        for token in split(pointer):
            branch = branch.setdefault(token, {})
    offsets = {"": 0}
    if wanted:
        _locate(text, _skip(text, 0), wanted, "", offsets)
    line, last = 1, 0
    known: dict[str, int] = {}
    for pointer, offset in sorted(offsets.items(), key=lambda item: item[1]):
        line += text.count("\n", last, offset)
        last = offset
        known[pointer] = line
    found: dict[str, int] = {}
    for pointer in pointers:
        nearest = pointer
        while nearest not in known:
            nearest = nearest.rpartition("/")[0]
        found[pointer] = known[nearest]
    return found


def _skip(text: str, at: int) -> int:
    match = _space.match(text, at)
    assert match is not None
    return match.end()


def _locate(text: str, at: int, wanted: _Trie, pointer: str, offsets: dict[str, int]) -> int:
    """Note the offset of each wanted member of the container at `at`; return the offset behind it."""
    opening = text[at]
    if opening not in "{[":
        return int(_scan_value(text, at)[1])
    at = _skip(text, at + 1)
    index = 0
    while text[at] not in "}]":
        start = at
        if opening == "{":
            key, at = _scan_string(text, at + 1, True)
            at = _skip(text, _skip(text, at) + 1)
        else:
            key = str(index)
            index += 1
        branch = wanted.get(key)
        if branch is not None:
            offsets[f"{pointer}/{escape(key)}"] = start
        at = _locate(text, at, branch, f"{pointer}/{escape(key)}", offsets) if branch else _scan_value(text, at)[1]
        separator = _separator(text, at)
        assert separator is not None
        at = separator.end()
    return at + 1


_TOKEN = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")\s*(:)?|([{}\[\],])')


class _Open:
    """Stand for a container that is open: its current key or index, and the lines of an object's keys."""

    __slots__ = ("keys", "token")

    def __init__(self, token: str | int) -> None:
        self.token = token
        self.keys: dict[str, int] = {}


def _duplicates(text: str, name: str) -> list[Finding]:
    """Find each key that an object holds twice. What is wrong behind the first of them need not be JSON."""
    findings: list[Finding] = []
    stack: list[_Open] = []
    line, last = 1, 0
    for match in _TOKEN.finditer(text):
        string, colon, mark = match.groups()
        if colon:
            line += text.count("\n", last, match.start())
            last = match.start()
            here = stack[-1]
            here.token = key = _scan_string(string, 1, False)[0]
            if key in here.keys:
                pointer = "".join(f"/{escape(str(each.token))}" for each in stack)
                findings.append(twice(name, line, pointer, key, here.keys[key]))
            here.keys.setdefault(key, line)
        elif mark in ("{", "["):
            stack.append(_Open("" if mark == "{" else 0))
        elif mark == ",":
            token = stack[-1].token
            stack[-1].token = token + 1 if isinstance(token, int) else token
        elif mark:
            stack.pop()
            if not stack:
                break
    return findings
