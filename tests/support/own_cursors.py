"""A hook of Schemathesis's: a cursor is signed, so a made-up one is refused, which no schema can tell.

Requests that are to be valid are sent without one, so that a 400 for anything else in them is a failure. Those that
are to be invalid keep theirs; that made-up cursors are refused is tested in `resources/http/test_lists.py`.
"""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Leave the cursor out of a request that is to be accepted."""
    meta = case.meta
    if meta is not None and meta.generation.mode.is_positive and case.query and "cursor" in case.query:
        del case.query["cursor"]
