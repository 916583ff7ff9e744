"""When old rows are removed: now and then, and not by all processes at the same time."""

from __future__ import annotations

import random
import time

__all__ = ["Pruning"]

_EVERY_S = 600


class Pruning:
    """Tell when it is time to look for old rows again: about every ten minutes in each process."""

    def __init__(self) -> None:
        self._next_at = 0.0

    def is_due(self) -> bool:
        """Tell whether it is time, and remember that it was."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        # Not all processes at the same time: they would wait for each other.
        self._next_at = now + _EVERY_S * random.uniform(0.5, 1.5)  # noqa: S311
        return True
