"""What happens to accounts, as lines of the log `demijohn.auth`: one event a line, and never a credential."""

from __future__ import annotations

import json
import logging

__all__ = ["told"]

_logger = logging.getLogger("demijohn.auth")
_LONGEST = 100


def told(event: str, *, warning: bool = False, **facts: object) -> None:
    """Log an event with its facts. Texts from outside are cut, and escaped as JSON: no line break gets through."""
    level = logging.WARNING if warning else logging.INFO
    if _logger.isEnabledFor(level):
        shown = " ".join(f"{name}={json.dumps(str(value)[:_LONGEST])}" for name, value in facts.items())
        _logger.log(level, "%s", f"{event} {shown}".rstrip())
