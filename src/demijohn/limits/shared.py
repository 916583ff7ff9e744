"""Counts that processes share, and what is done while nobody answers where they are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from demijohn.breaker import Breaker
from demijohn.limits.counts import Count, Counter, Counts, MemoryCounts

__all__ = ["SharedCounts"]

T = TypeVar("T")


class SharedCounts:
    """Keep counts in `storage`, and in the memory of this process while that does not answer.

    So no limit ever ends the API, and none is ever off: each process counts for itself then. `name` is what the log
    calls the storage; `clock` gives seconds.
    """

    def __init__(self, storage: Counts, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._memory = MemoryCounts(clock)
        instead, again = "counted in the memory of each process", f"counted in {name} again"
        self._breaker = Breaker(name, f"Rate limits are {instead}", f"Rate limits are {again}", clock)

    def hit(self, counter: Counter) -> Count:
        """Count one more."""
        return self._do(lambda counts: counts.hit(counter))

    def take_back(self, counter: Counter) -> None:
        """Count one less, where there is one."""
        self._do(lambda counts: counts.take_back(counter))

    def get(self, counter: Counter) -> int:
        """Return how often the counter was hit."""
        return self._do(lambda counts: counts.get(counter))

    def stats(self) -> dict[str, float]:
        """Return whether the storage is away, and how many counts are in memory since it has been."""
        return {**self._memory.stats(), "rate_limit_storage_away": float(self._breaker.is_away)}

    def _do(self, work: Callable[[Counts], T]) -> T:
        if not self._breaker.may_ask():
            return work(self._memory)
        try:
            result = work(self._storage)
        except Exception as error:  # whatever it is, a wrong password or a missing table: the API goes on
            self._breaker.failed(error)
            return work(self._memory)
        self._breaker.answered()
        return result
