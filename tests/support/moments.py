"""Moments that a parameter of a test can name: counted from when it runs, and called the same in every process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

__all__ = ["FromNow", "at_now"]


@dataclass(frozen=True, slots=True)
class FromNow:
    """Stand for a time in seconds since 1970, `seconds` from when the test runs."""

    seconds: float

    def __repr__(self) -> str:
        """Name it in the id of a test."""
        return f"now{self.seconds:+}"


def at_now(value: Any) -> Any:
    """Return claims, or a part of them, with every moment as the number that it is now."""
    if isinstance(value, FromNow):
        return int(time.time()) + value.seconds
    if isinstance(value, dict):
        return {name: at_now(one) for name, one in value.items()}
    return [at_now(one) for one in value] if isinstance(value, list) else value
