"""Counts that processes share, and what is done while nobody answers where they are kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from demijohn.limits.counts import Count, Counter, Counts, MemoryCounts

__all__ = ["RETRY_S", "SharedCounts"]

T = TypeVar("T")

_logger = logging.getLogger("demijohn")

RETRY_S = 5.0
"""How long nobody asks again after a storage did not answer."""


class SharedCounts:
    """Keep counts in `storage`, and in the memory of this process while that does not answer.

    So no limit ever ends the API, and none is ever off: each process counts for itself then. `name` is what the log
    calls the storage; `clock` gives seconds.
    """

    def __init__(self, storage: Counts, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._memory = MemoryCounts(clock)
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._retry_at: float | None = None

    def hit(self, counter: Counter) -> Count:
        """Count one more."""
        return self._do(lambda counts: counts.hit(counter))

    def take_back(self, counter: Counter) -> None:
        """Count one less, where there is one."""
        self._do(lambda counts: counts.take_back(counter))

    def get(self, counter: Counter) -> int:
        """Return how often the counter was hit."""
        return self._do(lambda counts: counts.get(counter))

    def _do(self, work: Callable[[Counts], T]) -> T:
        if self._retry_at is not None and not self._is_mine_to_retry():
            return work(self._memory)
        try:
            result = work(self._storage)
        except Exception as error:  # whatever it is, a wrong password or a missing table: the API goes on
            self._note_away(error)
            return work(self._memory)
        if self._retry_at is not None:
            self._note_back()
        return result

    def _is_mine_to_retry(self) -> bool:
        """Tell whether it is time to ask again; one thread does, the others go on as before."""
        now = self._clock()
        with self._lock:
            if self._retry_at is not None and now < self._retry_at:
                return False
            self._retry_at = now + RETRY_S
            return True

    def _note_away(self, error: Exception) -> None:
        with self._lock:
            is_new, self._retry_at = self._retry_at is None, self._clock() + RETRY_S
        if is_new:
            _logger.error(
                "Rate limits are counted in the memory of each process, since %s does not answer: %s: %s",
                self._name,
                type(error).__name__,
                error,
            )

    def _note_back(self) -> None:
        with self._lock:
            was_away, self._retry_at = self._retry_at is not None, None
        if was_away:
            _logger.warning("Rate limits are counted in %s again.", self._name)
