"""What Schemathesis cannot know of the Directory: that cursors are signed, and that an address has two paths."""

from __future__ import annotations

from typing import Any

import schemathesis
from two_paths import teach

teach("address_id", "/people/{person_id}")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Leave the cursor out of a request that is to be accepted.

    A cursor is signed, so a made-up one is refused, which no schema can tell. Requests that are to be invalid keep
    theirs; that made-up cursors are refused is tested in `resources/http/test_lists.py`.
    """
    meta = case.meta
    if meta is not None and meta.generation.mode.is_positive and case.query and "cursor" in case.query:
        del case.query["cursor"]
