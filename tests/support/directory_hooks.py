"""What Schemathesis cannot know of the Directory: signed cursors, addresses with two paths, answers that come again."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.specs.openapi import checks

_was_deleted = checks.resource_was_deleted


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Leave the cursor out of a request that is to be accepted.

    A cursor is signed, so a made-up one is refused, which no schema can tell. Requests that are to be invalid keep
    theirs; that made-up cursors are refused is tested in `resources/http/test_lists.py`.
    """
    meta = case.meta
    if meta is not None and meta.generation.mode.is_positive and case.query and "cursor" in case.query:
        del case.query["cursor"]


def was_deleted(recorder: Any, case: Any, *, created_by: str | None = None) -> bool:
    """Tell whether what a request is about was deleted before in the scenario, by whichever path.

    An address is below `/addresses` and below its person, and goes with that person; Schemathesis knows a resource by
    one path only, and would take the 404 of a deleted address for a fault. And what an `Idempotency-Key` gives again is
    the answer of before: since then, its item may have been deleted.
    """
    if _was_deleted(recorder, case, created_by=created_by) or _is_replayed(recorder, created_by):
        return True
    address = (case.path_parameters or {}).get("address_id")
    return address is not None and any(_deletes(recorder, prior, address) for prior in recorder.find_all_cases())


def _is_replayed(recorder: Any, created_by: str | None) -> bool:
    response = None if created_by is None else recorder.find_response(case_id=created_by)
    return response is not None and "idempotent-replayed" in {name.lower() for name in response.headers}


def _deletes(recorder: Any, prior: Any, address: Any) -> bool:
    response = recorder.find_response(case_id=prior.id)
    if prior.operation.method.upper() != "DELETE" or response is None or not 200 <= response.status_code < 300:
        return False
    return bool(prior.path == "/people/{person_id}" or (prior.path_parameters or {}).get("address_id") == address)


checks.resource_was_deleted = was_deleted
