"""Which engine can run a `pattern`: the linear one, the one that counts its steps, or none."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import jsonschema_rs

from demijohn.contract.keywords import PATTERNS

__all__ = ["engine"]

_LINEAR = jsonschema_rs.RegexOptions()


@lru_cache(maxsize=4096)
def engine(pattern: str) -> Literal["linear", "bounded", "none"]:
    """Return `linear`, `bounded` for look-around and back-references, or `none` if no engine takes it."""
    if _compiles(pattern, _LINEAR):
        return "linear"
    return "bounded" if _compiles(pattern, PATTERNS) else "none"


def _compiles(pattern: str, options: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options)
    except jsonschema_rs.ValidationError:
        return False
    return True
