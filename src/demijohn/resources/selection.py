"""What of an item a client wants to see: `fields=` and `include=`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from demijohn.compile.kinds import ABSENT
from demijohn.resources.faults import Faults, suggestion
from demijohn.resources.shape import ListOptions, Slot
from demijohn.resources.view import Embedded, View

__all__ = ["EVERYTHING", "Selection", "Wanted"]


class Wanted(NamedTuple):
    """Be what a request wants to see: the arguments of `representation`, and the key of its statement."""

    fields: frozenset[str] | None
    include: frozenset[str]


EVERYTHING = Wanted(None, frozenset())


class Selection:
    """Read `fields=` and `include=` of one operation."""

    __slots__ = ("_fields", "_include", "_names", "_paths", "is_empty")

    def __init__(self, view: View, options: ListOptions) -> None:
        self._fields = options.fields
        self._include = options.include
        self._names = tuple(one.name for one in view.members if isinstance(one, Embedded) or not one.write_only)
        self._paths = tuple(_paths(view))
        self.is_empty = options.fields is None and options.include is None

    def read(self, values: list[Any], faults: Faults) -> Wanted:
        """Return what is wanted; a path brings what lies on the way to it: `addresses.country` the addresses."""
        names = _read(values, self._fields, self._names, faults)
        paths = _read(values, self._include, self._paths, faults)
        if names is None and paths is None:
            return EVERYTHING
        include = frozenset(
            ".".join(path.split(".")[: end + 1]) for path in paths or () for end in range(path.count(".") + 1)
        )
        return Wanted(None if names is None else frozenset(names), include)


def _read(values: list[Any], slot: Slot | None, allowed: tuple[str, ...], faults: Faults) -> dict[str, None] | None:
    """Return the names that a parameter lists; None where it was not sent."""
    if slot is None:
        return None
    value = values[slot]
    if value is ABSENT or value is None:
        return None
    pieces = value.split(",") if isinstance(value, str) else map(str, value)
    names = dict.fromkeys(piece.strip() for piece in pieces)
    names.pop("", None)
    for name in names:
        if name not in allowed:
            faults.add(slot, suggestion(name, allowed))
    return names


def _paths(view: View) -> Iterator[str]:
    for member in view.members:
        if isinstance(member, Embedded):
            yield member.path
            yield from _paths(member.view)
