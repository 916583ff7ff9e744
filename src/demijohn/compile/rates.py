"""`x-rate-limit` to policies: how many requests of one caller in how many seconds, and what is counted together.

The notation is that of the library `limits`, which Flask-Limiter has too: `5 per 10 minutes`, `100/hour; 10/second`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from demijohn.compile.guards import Caller, Report
from demijohn.contract import Contract, Operation, Place
from demijohn.errors import SettingError
from demijohn.settings import PREFIX, Settings

__all__ = ["Failures", "Limit", "Limiting", "RatePolicy", "Window", "compile_rate_policy", "windows_of_setting"]

KEY = "x-rate-limit"
_ALLOWED = "write `5 per 10 minutes`, several in a list or with `;` between them, or `false` for none"
# More than any count that is kept, and than any client waits for: ten years of 360 days, as the notation counts them.
_MOST = 1_000_000_000
_LONGEST_S = 10 * 360 * 24 * 3600
_ZERO = re.compile(r"(?<!\d)0+\s*[a-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Window:
    """Allow `quota` requests in the `window_s` seconds that begin with the first one of them.

    `name` stands for it in the headers of answers, `text` is how people write it.
    """

    name: str
    quota: int
    window_s: int
    text: str


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """Limit the requests of one caller by every one of `windows`, the shortest first.

    `scope` names what declares it: operations with the same scope are counted together.
    """

    scope: str
    windows: tuple[Window, ...]

    @property
    def text(self) -> str:
        """Return the limits as people write them."""
        return " and ".join(window.text for window in self.windows)


class Limit(Protocol):
    """Count the requests of one operation."""

    @property
    def policy(self) -> RatePolicy:
        """Return what is allowed."""

    def take(self, caller: Caller, address: str) -> Sequence[tuple[str, str]]:
        """Count a request; return the headers of its answer. Raises `TooManyRequests`."""


class Failures(Protocol):
    """Count the wrong credentials that an address sends."""

    def check(self, address: str) -> None:
        """Raise `TooManyRequests` where the address has sent too many."""

    def count(self, address: str) -> None:
        """Count one more. Raises `TooManyRequests` where that is too many."""


class Limiting(Protocol):
    """Make what counts, from what is allowed."""

    @property
    def failures(self) -> Failures | None:
        """Return what counts wrong credentials, None where nothing does."""

    def limit(self, policy: RatePolicy) -> Limit:
        """Return what counts the requests of an operation."""


def compile_rate_policy(
    operation: Operation, contract: Contract, prefix: str, default: RatePolicy | None, report: Report
) -> RatePolicy | None:
    """Return the limits of an operation: its own, else its path's, the document's, the `default`; None without any.

    The nearest declaration counts, also one that says that there is no limit.
    """
    path = prefix + operation.path
    if KEY in operation.extensions:
        written, place = operation.extensions[KEY], operation.extension_places[KEY]
        is_own = place == Place(operation.place.file, f"{operation.place.pointer}/{KEY}")
        scope = f"operation {operation.method} {path}" if is_own else f"path {path}"
    elif KEY in contract.extensions:
        written, place = contract.extensions[KEY], Place(contract.sources[0].name, f"/{KEY}")
        scope = f"document {prefix} {contract.title}"
    else:
        return default
    try:
        windows = _windows(written)
    except ValueError as error:
        report(place, f"`{KEY}`: {error}", _ALLOWED)
        return None
    return RatePolicy(scope, windows) if windows else None


def windows_of_setting(settings: Settings, name: str) -> tuple[Window, ...]:
    """Return the limits that a setting holds, none where it is empty. Raises `SettingError`."""
    written: str = getattr(settings, name)
    try:
        return _windows(written.strip())
    except ValueError as error:
        problem = f"{PREFIX}{name.upper()}: {error}, allowed is `5 per 10 minutes`, or nothing for no limit"
        raise SettingError([problem]) from None


def _windows(written: Any) -> tuple[Window, ...]:
    """Return the windows of a text or a list of texts, the shortest first; `ValueError` says what was found."""
    if written is None or written is False:
        return ()
    texts = [one for one in (written if isinstance(written, list) else [written]) if one != ""]
    items = [item for text in texts for item in _parse(text)]
    windows = [_window(item, "default" if len(items) == 1 else "") for item in items]
    windows.sort(key=lambda window: window.window_s)
    for one, other in pairwise(windows):
        if one.window_s == other.window_s:
            raise ValueError(f"found {one.text!r} and {other.text!r}, two limits of the same time")
    return tuple(windows)


def _parse(text: Any) -> list[Any]:
    # Not at the top: the library brings all of its storages along, which an application without limits can do without.
    from limits import parse_many

    if not isinstance(text, str):
        raise ValueError(f"found {text!r}")
    shown = text if len(text) <= 60 else text[:57] + "..."
    try:
        items = parse_many(text)
    except ValueError:
        raise ValueError(f"found {shown!r}") from None
    if _ZERO.search(text) or any(not 1 <= item.amount <= _MOST or item.get_expiry() > _LONGEST_S for item in items):
        raise ValueError(f"found {shown!r}, with a number that is too small or too large")
    return items


def _window(item: Any, name: str) -> Window:
    unit = item.GRANULARITY.name
    period = unit if item.multiples == 1 else f"{item.multiples} {unit}s"
    return Window(name or period.replace(" ", "-"), item.amount, item.get_expiry(), f"{item.amount} per {period}")
