"""Answers in the memory of this process, of which there is a bounded amount."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

from demijohn.compile.answers import Answer
from demijohn.compile.reuse import Stamp

__all__ = ["Entry", "MemoryStore"]

# What an entry takes beside its body and the texts of its key and headers, measured.
_OVERHEAD_BYTES: Final = 2000
# The part of the memory for answers that were asked for again. What is asked for once, a flood of different query
# strings for example, only pushes out its like.
_PROTECTED: Final = 0.8


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold a finished answer: good until a time, and while the tables that it was made from have these versions.

    `made_at` and `ends_at` are seconds of the clock that the cache uses.
    """

    answer: Answer
    stamp: Stamp
    made_at: float
    ends_at: float

    @property
    def size(self) -> int:
        """Return how many bytes it takes, about."""
        headers: list[tuple[str, Any]] = self.answer.headers
        return len(self.answer.body) + sum(len(name) + len(value) for name, value in headers) + _OVERHEAD_BYTES


class MemoryStore:
    """Keep entries by their keys, at most `most_bytes` of them: those go first that nobody has asked for again."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._new: OrderedDict[Hashable, tuple[Entry, int]] = OrderedDict()
        self._protected: OrderedDict[Hashable, tuple[Entry, int]] = OrderedDict()
        self._protected_bytes = 0
        self.bytes = 0
        self._hits = self._misses = self._dropped = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._new) + len(self._protected)

    def stats(self) -> dict[str, float]:
        """Return what is held, and what was counted since the process began."""
        with self._lock:
            return {
                "cache_bytes": self.bytes,
                "cache_entries": len(self),
                "cache_hits_total": self._hits,
                "cache_misses_total": self._misses,
                "cache_dropped_total": self._dropped,
            }

    def count(self, *, is_hit: bool) -> None:
        """Count a request that was answered from here, or that nothing was here for."""
        with self._lock:
            if is_hit:
                self._hits += 1
            else:
                self._misses += 1

    def get(self, key: Hashable) -> Entry | None:
        """Return an entry, which is then among those that were asked for again."""
        with self._lock:
            found = self._protected.get(key)
            if found is not None:
                self._protected.move_to_end(key)
                return found[0]
            found = self._new.pop(key, None)
            if found is None:
                return None
            self._protect(key, found)
            return found[0]

    def put(self, key: Hashable, entry: Entry, key_bytes: int) -> None:
        """Keep an entry in the place of the one that was there; one larger than the whole store is not kept."""
        size = entry.size + key_bytes
        with self._lock:
            was_protected = key in self._protected
            self._remove(key)
            if size > self._most_bytes:
                return
            self.bytes += size
            if was_protected:
                self._protect(key, (entry, size))
            else:
                self._new[key] = entry, size
            while self.bytes > self._most_bytes:
                self._remove(next(iter(self._new or self._protected)))

    def _protect(self, key: Hashable, found: tuple[Entry, int]) -> None:
        self._protected[key] = found
        self._protected_bytes += found[1]
        while self._protected_bytes > self._most_bytes * _PROTECTED and len(self._protected) > 1:
            oldest, one = self._protected.popitem(last=False)
            self._protected_bytes -= one[1]
            self._new[oldest] = one

    def _remove(self, key: Hashable) -> None:
        found = self._new.pop(key, None)
        if found is None:
            found = self._protected.pop(key, None)
            if found is None:
                return
            self._protected_bytes -= found[1]
        self.bytes -= found[1]
        self._dropped += 1
