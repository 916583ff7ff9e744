"""The request that a thread is busy with, for whoever logs something meanwhile."""

from __future__ import annotations

import threading
from typing import Any, Final

__all__ = ["TRACE", "current"]

TRACE: Final = "demijohn.trace"
"""Where the environ of a request has the id of its trace, in hexadecimal, if somebody records it."""


class _Current(threading.local):
    environ: dict[str, Any] | None = None


current = _Current()
