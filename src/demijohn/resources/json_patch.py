"""JSON Patch (RFC 6902) on a JSON document, with pointers of RFC 6901.

Own code, though there are libraries: theirs take 1 and true for equal, as Python does, and let each `copy` double
the document.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from demijohn.compile.faults import MOST_FAULTS, Fault
from demijohn.errors import BadRequest, Conflict

__all__ = ["Change", "apply_patch", "read_patch"]

Path: TypeAlias = tuple[str, ...]

MOST_VALUES: Final = 100_000
"""How many values the operations of one patch may add, copy and move."""


@dataclass(frozen=True, slots=True)
class Change:
    """Be one operation of a patch: its place in the patch, what it does, and where."""

    index: int
    op: str
    path: Path
    source: Path = ()
    value: Any = None


def read_patch(body: Any) -> tuple[Change, ...]:
    """Return the operations of a patch; members that RFC 6902 does not know are ignored (section 4).

    Raises `BadRequest` with every fault.
    """
    if not isinstance(body, list):
        raise _malformed([Fault((), "must be an array of operations (RFC 6902)")])
    changes: list[Change] = []
    faults: list[Fault] = []
    for index, one in enumerate(body):
        if len(faults) >= MOST_FAULTS:
            break
        found = list(_wrong(one, index))
        faults += found
        if not found:
            op = one["op"]
            source = _parse(one["from"]) if op in ("move", "copy") else ()
            changes.append(Change(index, op, _parse(one["path"]), source, one.get("value")))
    if faults:
        raise _malformed(faults[:MOST_FAULTS])
    return tuple(changes)


def _wrong(one: Any, index: int) -> list[Fault]:
    if not isinstance(one, dict):
        return [Fault((index,), "must be an object with `op` and `path`")]
    op = one.get("op")
    if not isinstance(op, str) or op not in _RUN:
        return [Fault((index, "op"), f"must be one of {', '.join(sorted(_RUN))}")]
    wrong = []
    for name in ("path", "from") if op in ("move", "copy") else ("path",):
        pointer = one.get(name)
        if not isinstance(pointer, str):
            wrong.append(Fault((index, name), "is required" if name not in one else "must be a string"))
        elif _POINTER(pointer) is None:
            wrong.append(Fault((index, name), "must be a JSON pointer such as /name (RFC 6901)"))
    if op in ("add", "replace", "test") and "value" not in one:
        wrong.append(Fault((index, "value"), "is required"))
    if not wrong and op == "move" and one["path"].startswith(one["from"] + "/"):
        wrong.append(Fault((index, "path"), "must not lie within `from`: a value cannot be moved into itself"))
    return wrong


_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*").fullmatch
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}").fullmatch


def _parse(pointer: str) -> Path:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _malformed(faults: list[Fault]) -> BadRequest:
    errors = [{"detail": fault.detail, "pointer": fault.pointer} for fault in faults]
    return BadRequest(f"body {errors[0]['pointer']} {errors[0]['detail'].rstrip('.')}.", errors=errors)


class _Refused(Exception):
    """Say why an operation cannot be done."""


@dataclass(slots=True)
class _Document:
    """Hold the document while it changes, and how much may still be copied."""

    root: Any
    left: int
    max_depth: int

    def copied(self, value: Any, depth: int) -> Any:
        """Return a copy of a value that is to stand `depth` levels below the root."""
        self.left -= 1
        if self.left < 0:
            raise _Refused("the patch copies too many values")
        if isinstance(value, dict):
            self._check(depth)
            return {key: self.copied(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            self._check(depth)
            return [self.copied(one, depth + 1) for one in value]
        return value

    def _check(self, depth: int) -> None:
        if depth >= self.max_depth:
            raise _Refused(f"the document would be nested deeper than {self.max_depth} levels")

    def find(self, path: Path) -> Any:
        value = self.root
        for part in path:
            value = _inner(value, part)
        return value

    def put(self, path: Path, value: Any) -> None:
        """Set the member, or insert before the array item, that `path` leads to."""
        if not path:
            self.root = value
            return
        container, last = self.find(path[:-1]), path[-1]
        if isinstance(container, dict):
            container[last] = value
        elif isinstance(container, list):
            container.insert(len(container) if last == "-" else _index(last, len(container) + 1), value)
        else:
            raise _Refused(f"there is nothing at {_pointer(path[:-1])} that could hold {last!r}")

    def take(self, path: Path) -> Any:
        """Remove and return the value at `path`."""
        if not path:
            value, self.root = self.root, None
            return value
        container, last = self.find(path[:-1]), path[-1]
        value = _inner(container, last)
        del container[last if isinstance(container, dict) else int(last)]
        return value


def apply_patch(changes: tuple[Change, ...], document: Any, max_depth: int) -> Any:
    """Return what the operations make of `document`, which stays as it is.

    Raises `Conflict`, which names the operation that cannot be done: its path leads nowhere, or its test fails.
    """
    # What is stored is copied whatever its size: the limits are for what the patch adds to it.
    state = _Document(_Document(None, sys.maxsize, sys.maxsize).copied(document, 0), MOST_VALUES, max_depth)
    for change in changes:
        try:
            _RUN[change.op](state, change)
        except _Refused as refused:
            pointer = f"#/{change.index}"
            detail = f"cannot be done: {refused}" if change.op != "test" else f"has failed: {refused}"
            raise Conflict(
                f"Operation {change.index} ({change.op} {_pointer(change.path)}) {detail}.",
                errors=[{"detail": detail, "pointer": pointer}],
            ) from None
    return state.root


def _add(document: _Document, change: Change) -> None:
    document.put(change.path, document.copied(change.value, len(change.path)))


def _remove(document: _Document, change: Change) -> None:
    document.take(change.path)


def _replace(document: _Document, change: Change) -> None:
    path, value = change.path, document.copied(change.value, len(change.path))
    if not path:
        document.root = value
        return
    container, last = document.find(path[:-1]), path[-1]
    _inner(container, last)
    container[last if isinstance(container, dict) else int(last)] = value


def _move(document: _Document, change: Change) -> None:
    if change.path != change.source:
        value = document.take(change.source)
        # It counts as a copy: what is moved may come to stand deeper than before.
        document.put(change.path, document.copied(value, len(change.path)))
    else:
        document.find(change.source)


def _copy(document: _Document, change: Change) -> None:
    document.put(change.path, document.copied(document.find(change.source), len(change.path)))


def _test(document: _Document, change: Change) -> None:
    if not equal(document.find(change.path), change.value):
        raise _Refused("the value there is another one")


_RUN: dict[str, Callable[[_Document, Change], None]] = {
    "add": _add,
    "copy": _copy,
    "move": _move,
    "remove": _remove,
    "replace": _replace,
    "test": _test,
}


def _inner(container: Any, part: str) -> Any:
    if isinstance(container, dict):
        if part in container:
            return container[part]
        raise _Refused(f"there is no {part!r}")
    if isinstance(container, list):
        return container[_index(part, len(container))]
    raise _Refused(f"there is no {part!r}")


def _index(part: str, size: int) -> int:
    """Return an array index below `size` (RFC 6901 section 4: no sign, no leading zeros)."""
    if _INDEX(part) is None or int(part) >= size:
        raise _Refused(f"there is no index {part!r}")
    return int(part)


def equal(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal by RFC 6902, section 4.6: 1 is 1.0, but true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Decimal | float) and isinstance(other, Decimal | float):
        return float(one) == float(other) if type(one) is not type(other) else one == other
    return bool(one == other)


def _pointer(path: Path) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path) or '""'
