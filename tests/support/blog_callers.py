"""Hooks of Schemathesis's: sign in to the Blog as `BLOG_ROLE` says, and mend what no schema can tell to be wrong.

Who logs out, or is removed, is nobody any more; the next request is somebody new's. That the commonest passwords are
refused, which no schema can tell, is tested with the example.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from signing_in import PASSWORD, sign_in, sign_out
from two_paths import teach

teach("post_id", "/users/{user_id}")
sign_in(os.environ["BLOG_ROLE"], "/auth")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Change what no schema can tell to be wrong, where the request is to be accepted."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    if case.operation.path == "/auth/register":
        case.body["password"] = PASSWORD
    # Schemathesis takes 1.0 for an integer, and Demijohn does not.
    if isinstance(case.body.get("stock"), float):
        case.body["stock"] = int(case.body["stock"])


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Forget whom a request has logged out or removed."""
    path, method = case.operation.path, case.operation.method.upper()
    if response.status_code == 204 and (path == "/auth/logout" or (method, path) == ("DELETE", "/users/{user_id}")):
        sign_out()
