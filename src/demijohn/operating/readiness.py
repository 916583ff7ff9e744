"""Whether the process can do its work: it asks the database, and not more often than once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Readiness"]

KEPT_S = 1.0
"""How long an answer of the database is good for, whoever asks."""
PATIENCE_S = 1.0
"""How long who asks waits for the database."""


class Readiness:
    """Tell whether `ask` comes back without an error, soon.

    One thread asks at a time. While it waits for a database that does not answer, everybody is told that it is away.
    """

    def __init__(
        self, ask: Callable[[], object], *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._patience_s = patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._is_asking = False
        self._was_well = False
        self._asked_at: float | None = None
        self.is_stopping = False

    def is_ready(self) -> bool:
        """Tell it."""
        if self.is_stopping:
            return False
        with self._lock:
            is_new = self._asked_at is not None and self._clock() - self._asked_at < KEPT_S
            if is_new and not self._is_asking:
                return self._was_well
            if not self._is_asking:
                self._is_asking, self._asked_at = True, self._clock()
                self._answered = threading.Event()
                threading.Thread(target=self._find_out, name="demijohn-readiness", daemon=True).start()
            began_at, answered = self._asked_at or 0.0, self._answered
        left_s = self._patience_s - (self._clock() - began_at)
        return answered.wait(max(left_s, 0)) and self._was_well and not self.is_stopping

    def _find_out(self) -> None:
        try:
            self._ask()
            is_well = True
        except Exception:  # whatever it is: who asks is not told, and the log has it from where it happened
            is_well = False
        with self._lock:
            self._was_well, self._asked_at, self._is_asking = is_well, self._clock(), False
            self._answered.set()
