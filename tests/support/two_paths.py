"""What Schemathesis cannot know: that a resource has two paths, goes with another one, or is answered again."""

from __future__ import annotations

from typing import Any

from schemathesis.specs.openapi import checks

__all__ = ["teach"]


def teach(key: str, whole: str) -> None:
    """Tell Schemathesis what deletes the resources that the path parameter `key` names.

    It knows a resource by one path only, and would take the 404 of a deleted one for a fault. They are deleted by any
    path that ends with their key, and with what they belong to, at the path `whole`. And what an `Idempotency-Key`
    gives again is the answer of before: since then, its resource may have been deleted.
    """
    known = checks.resource_was_deleted

    def was_deleted(recorder: Any, case: Any, *, created_by: str | None = None) -> bool:
        if known(recorder, case, created_by=created_by) or _is_replayed(recorder, created_by):
            return True
        value = (case.path_parameters or {}).get(key)
        return value is not None and any(deletes(recorder, prior, value) for prior in recorder.find_all_cases())

    def deletes(recorder: Any, prior: Any, value: Any) -> bool:
        response = recorder.find_response(case_id=prior.id)
        if prior.operation.method.upper() != "DELETE" or response is None or not 200 <= response.status_code < 300:
            return False
        return bool(prior.path == whole or (prior.path_parameters or {}).get(key) == value)

    checks.resource_was_deleted = was_deleted


def _is_replayed(recorder: Any, created_by: str | None) -> bool:
    response = None if created_by is None else recorder.find_response(case_id=created_by)
    return response is not None and "idempotent-replayed" in {name.lower() for name in response.headers}
