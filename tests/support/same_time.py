"""Whether two samples of times come from one distribution, as far as anybody who measures them can tell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

__all__ = ["mann_whitney"]


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the p-value of a two-sided Mann-Whitney U test, by the normal approximation with ties (n > 20)."""
    ties = Counter([*first, *second])
    values = sorted(ties)
    ends = accumulate(ties[value] for value in values)
    rank = {value: end - (ties[value] - 1) / 2 for value, end in zip(values, ends, strict=True)}
    n, m = len(first), len(second)
    u = sum(rank[value] for value in first) - n * (n + 1) / 2
    tied = sum(one**3 - one for one in ties.values()) / ((n + m) * (n + m - 1))
    deviation = math.sqrt(n * m / 12 * (n + m + 1 - tied))
    return math.erfc(abs(u - n * m / 2) / deviation / math.sqrt(2))
