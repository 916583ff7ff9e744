"""What the contract's operations do that are more than rows of a table; `operationId` names these functions."""

from __future__ import annotations

from typing import Any

from demijohn import Problem
# >>> accounts
from demijohn.auth import current_user
# <<< accounts

from . import tasks

__all__ = ["next_task"]


def next_task() -> dict[str, Any]:
    """Return the open task that is due first."""
    # >>> plain
    found = tasks.list(done=False, sort="due,id", limit=1)
    # <<< plain
    # >>> accounts
    found = tasks.list(done=False, user_id=current_user(), sort="due,id", limit=1)
    # <<< accounts
    if not found:
        raise Problem("There is nothing left to do.", status=404)
    return found[0]
