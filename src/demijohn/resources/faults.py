"""What is wrong with the parameters of one request, collected so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from demijohn.compile.faults import MOST_FAULTS
from demijohn.contract import Operation
from demijohn.errors import BadRequest
from demijohn.resources.prefer import NO_PREFERENCES, Preferences, parse_prefer
from demijohn.resources.shape import Slot

__all__ = ["Faults", "suggestion"]

_LONGEST_SHOWN = 60


class Faults:
    """Collect the faults of one request to one operation."""

    __slots__ = ("_errors", "_operation")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._errors: list[dict[str, str]] = []

    def add(self, slot: Slot, detail: str) -> None:
        """Add what is wrong with a parameter, as the rest of a sentence that begins with its name."""
        parameter = self._operation.parameters[slot]
        self._errors.append({"detail": detail, "in": parameter.location, "name": parameter.name})

    def preferences(self, prefer: str) -> Preferences:
        """Return what a `Prefer` header says, none where it is wrong."""
        try:
            return parse_prefer(prefer) if prefer else NO_PREFERENCES
        except BadRequest as problem:
            self._errors.extend(dict(error) for error in problem.errors)
            return NO_PREFERENCES

    def check(self) -> None:
        """Raise `BadRequest` with every fault, unless there is none."""
        if self._errors:
            first = self._errors[0]
            more = f" (and {len(self._errors) - 1} more, see errors)" if len(self._errors) > 1 else ""
            detail = f"{first['in']} parameter {first['name']!r} {first['detail'].rstrip('?.')}{more}."
            raise BadRequest(detail, errors=self._errors[:MOST_FAULTS])


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """Return what is wrong with a name that is not one of `allowed`: which are, and which one may be meant."""
    names = list(allowed)
    close = get_close_matches(name[:_LONGEST_SHOWN], names, 1)
    hint = f", did you mean {close[0]!r}?" if close else ""
    shown = name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "..."
    return f"{shown!r} is not one of {', '.join(names) or 'nothing'}{hint}"
