"""What the library allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

__all__ = ["KEEP", "LOAN", "MOST_LOANS", "MOST_RENEWALS", "STAFF", "is_isbn", "is_staff"]

LOAN: Final = timedelta(days=21)
"""How long a loan runs, and from when it is renewed."""

KEEP: Final = timedelta(days=3)
"""How long a copy is kept for who has waited for it."""

MOST_LOANS: Final = 5
MOST_RENEWALS: Final = 2
STAFF: Final = frozenset(("librarian", "admin"))


def is_staff(token_info: Mapping[str, Any]) -> bool:
    """Tell whether a caller works at the desk."""
    return not STAFF.isdisjoint(token_info["scope"])


def is_isbn(text: str) -> bool:
    """Tell whether the last digit of an ISBN is the one that its other digits ask for.

    >>> is_isbn("0140268863"), is_isbn("9780140268867"), is_isbn("0140268864")
    (True, True, False)
    """
    if not text.removesuffix("X").isdecimal():
        return False
    digits = [10 if one == "X" else int(one) for one in text]
    if len(digits) == 10:
        return sum(weight * digit for weight, digit in enumerate(reversed(digits), 1)) % 11 == 0
    return len(digits) == 13 and "X" not in text and (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0
