"""Whether a storage that may be away is asked: after a failure nobody waits for it again for a while."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["RETRY_S", "Breaker"]

_logger = logging.getLogger("demijohn")

RETRY_S: Final = 2.0
"""How long nobody asks again after a storage did not answer."""


class Breaker:
    """Remember whether a storage answers.

    `name` is what the log calls the storage, `instead` what is done while it is away, `again` what is done when it is
    back. `clock` gives seconds.
    """

    def __init__(self, name: str, instead: str, again: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._instead = instead
        self._again = again
        self._clock = clock
        self._lock = threading.Lock()
        self._retry_at: float | None = None

    @property
    def is_away(self) -> bool:
        """Tell whether the storage did not answer when it was asked last."""
        return self._retry_at is not None

    def may_ask(self) -> bool:
        """Tell whether to ask the storage; while it is away one thread does now and then, the others go on without."""
        if self._retry_at is None:
            return True
        now = self._clock()
        with self._lock:
            if self._retry_at is not None and now < self._retry_at:
                return False
            self._retry_at = now + RETRY_S
            return True

    def failed(self, error: Exception) -> None:
        """Note that the storage did not answer; the log tells the first time."""
        with self._lock:
            is_new, self._retry_at = self._retry_at is None, self._clock() + RETRY_S
        if is_new:
            _logger.error(
                "%s, since %s does not answer: %s: %s", self._instead, self._name, type(error).__name__, error
            )

    def answered(self) -> None:
        """Note that the storage has answered."""
        if self._retry_at is None:
            return
        with self._lock:
            was_away, self._retry_at = self._retry_at is not None, None
        if was_away:
            _logger.warning("%s.", self._again)
