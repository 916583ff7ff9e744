"""Counts that begin anew after a time: what each of their storages can do, and the one in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple, Protocol

__all__ = ["Count", "Counter", "Counts", "MemoryCounts", "digest_of"]

# About 25 MB. An attacker with many addresses must not fill the memory; nor may he push out what counts logins.
MOST_KEPT = 100_000
_FIRST_SWEEP = 1000


class Counter(NamedTuple):
    """Name a count. It begins with the first hit and is nothing again `window_s` seconds later.

    One that `must_hold` is kept apart in memory: counts of other kinds cannot push it out.
    """

    key: str
    window_s: int
    must_hold: bool = False


class Count(NamedTuple):
    """Say how often a counter was hit, this hit included, and in how many seconds it is nothing again."""

    hits: int
    left_s: float


class Counts(Protocol):
    """Keep counts. Each method is atomic: two hits at the same time are told different numbers."""

    def hit(self, counter: Counter) -> Count:
        """Count one more."""

    def take_back(self, counter: Counter) -> None:
        """Count one less, where there is one."""

    def get(self, counter: Counter) -> int:
        """Return how often the counter was hit, without counting."""


def digest_of(counter: Counter) -> str:
    """Return a key of 32 characters that tells nobody whose count it is."""
    return blake2b(counter.key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class MemoryCounts:
    """Keep counts in this process.

    When there are too many, those that began first are forgotten. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST_KEPT) -> None:
        self._clock = clock
        self._ordinary, self._held = _Table(most), _Table(most)

    def hit(self, counter: Counter) -> Count:
        """Count one more."""
        return self._table(counter).hit(counter.key, counter.window_s, self._clock())

    def take_back(self, counter: Counter) -> None:
        """Count one less, where there is one."""
        self._table(counter).take_back(counter.key, self._clock())

    def get(self, counter: Counter) -> int:
        """Return how often the counter was hit."""
        return self._table(counter).get(counter.key, self._clock())

    def stats(self) -> dict[str, float]:
        """Return how many counts are kept; some may be over."""
        return {"rate_limit_counts": len(self._ordinary) + len(self._held)}

    def _table(self, counter: Counter) -> _Table:
        return self._held if counter.must_hold else self._ordinary


class _Entry:
    __slots__ = ("ends_at", "hits")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.hits = 0


class _Table:
    """Hold entries in the order in which they began."""

    def __init__(self, most: int) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._most = most
        self._sweep_at = min(_FIRST_SWEEP, most)

    def hit(self, key: str, window_s: int, now: float) -> Count:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.ends_at <= now:
                entry = self._begin(key, now + window_s, now)
            entry.hits += 1
            # The sum of two floats less one of them may be more than the other.
            return Count(entry.hits, min(entry.ends_at - now, window_s))

    def take_back(self, key: str, now: float) -> None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.ends_at > now:
                entry.hits = max(entry.hits - 1, 0)

    def get(self, key: str, now: float) -> int:
        with self._lock:
            entry = self._entries.get(key)
            return entry.hits if entry is not None and entry.ends_at > now else 0

    def __len__(self) -> int:
        return len(self._entries)

    def _begin(self, key: str, ends_at: float, now: float) -> _Entry:
        self._entries.pop(key, None)
        if len(self._entries) >= self._sweep_at:
            self._entries = OrderedDict((key, one) for key, one in self._entries.items() if one.ends_at > now)
            self._sweep_at = 2 * len(self._entries) + _FIRST_SWEEP
        if len(self._entries) >= self._most:
            self._entries.popitem(last=False)
        entry = self._entries[key] = _Entry(ends_at)
        return entry
