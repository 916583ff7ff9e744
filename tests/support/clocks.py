"""A clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass
class Clock:
    """Be the time, in seconds; it stands still unless the test moves it."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now
