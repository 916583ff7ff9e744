"""What time it is. Tests set it."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["now"]


def now() -> datetime:
    """Return the time in UTC, in whole seconds: that is what all three databases keep."""
    return datetime.now(UTC).replace(microsecond=0)
