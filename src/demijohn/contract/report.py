"""The findings of one loading: collected by place, given their lines in one pass at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from demijohn.contract.model import Place
from demijohn.contract.sources import Source
from demijohn.errors import Finding

__all__ = ["Report", "TooManyError"]


_MOST = 1000
"""How many errors, and how many wrinkles, are told: enough to work on, few enough to cost little."""


class TooManyError(Exception):
    """End the checks of a contract that has more errors than anybody reads."""


class Report:
    """Collect what is wrong. A place is told each thing once, however often it is visited."""

    def __init__(self) -> None:
        self._noted: dict[tuple[Place, str], tuple[str, bool]] = {}
        self._placed: list[Finding] = []
        self._lenient = False
        self._counts = {False: 0, True: 0}

    def error(self, place: Place, found: str, allowed: str = "") -> None:
        """Note a fault; while the report is lenient it counts as a wrinkle."""
        self._note(place, found, allowed, self._lenient)

    def wrinkle(self, place: Place, found: str, allowed: str = "") -> None:
        """Note what real contracts have and what harms nobody."""
        self._note(place, found, allowed, True)

    def _note(self, place: Place, found: str, allowed: str, wrinkle: bool) -> None:
        if (place, found) in self._noted:
            return
        self._counts[wrinkle] += 1
        if self._counts[wrinkle] > _MOST:
            if wrinkle:
                return
            raise TooManyError
        self._noted[place, found] = (allowed, wrinkle)

    def note(self, place: Place, found: str, allowed: str = "", *, wrinkle: bool) -> None:
        """Note a fault or a wrinkle."""
        (self.wrinkle if wrinkle else self.error)(place, found, allowed)

    def give_up(self, place: Place) -> None:
        """Note that there is more than what is told."""
        self._noted[place, f"the contract has more than {_MOST:,} problems"] = ("correct these first", False)

    @property
    def is_lenient(self) -> bool:
        """Tell whether faults count as wrinkles now."""
        return self._lenient

    def knows(self, place: Place) -> bool:
        """Tell whether something at this place, above it or below it was noted."""
        return any(place.file == other.file and _related(place.pointer, other.pointer) for other, _ in self._noted)

    def add(self, findings: Iterable[object]) -> None:
        """Take findings that know their line already: those of a file that cannot be read."""
        for finding in findings:
            assert isinstance(finding, Finding)
            finding.wrinkle = finding.wrinkle or self._lenient
            self._placed.append(finding)

    @contextmanager
    def lenient(self) -> Iterator[None]:
        """Count every fault as a wrinkle: for parts of the document that no operation uses."""
        before, self._lenient = self._lenient, True
        try:
            yield
        finally:
            self._lenient = before

    def findings(self, sources: Iterable[Source]) -> list[Finding]:
        """Return everything noted, in the order of file, line and place."""
        by_name = {source.name: source for source in sources}
        pointers: dict[str, list[str]] = {}
        for place, _ in self._noted:
            pointers.setdefault(place.file, []).append(place.pointer)
        lines = {name: by_name[name].lines(wanted) for name, wanted in pointers.items() if name in by_name}
        findings = list(self._placed)
        for (place, found), (allowed, wrinkle) in self._noted.items():
            line = lines[place.file][place.pointer]
            findings.append(
                Finding(place.file, line, place.pointer, _printable(found), _printable(allowed), wrinkle=wrinkle)
            )
        return sorted(findings, key=lambda one: (one.file, one.line, one.pointer, one.found))


def _related(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _printable(text: str) -> str:
    """Escape what a terminal or a log would act on: a finding is one line."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
