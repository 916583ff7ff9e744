"""Hooks of Schemathesis's: sign in to the Blog as `BLOG_ROLE` says, and mend what no schema can tell to be wrong.

Who logs out, or is removed, is nobody any more; the next request is somebody new's. Nobody becomes an administrator
through the API, so the role is written into the database, `BLOG_DATABASE`. That the commonest passwords are refused,
which no schema can tell, is tested with the example.
"""

from __future__ import annotations

import json
import os
import sqlite3
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import schemathesis
from two_paths import teach

teach("post_id", "/users/{user_id}")

_ROLE = os.environ["BLOG_ROLE"]
_PASSWORD = "nine lives of a cat"
_numbers = count(1)
_token: list[str] = []


def _post(address: str, body: dict[str, str]) -> dict[str, Any]:
    request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def _sign_in(address: str) -> str:
    name = f"caller{next(_numbers)}"
    sent = {"username": name, "email": f"{name}@callers.example.org", "password": _PASSWORD}
    made = _post(f"{address}/auth/register", sent)
    if _ROLE == "admin":
        with sqlite3.connect(os.environ["BLOG_DATABASE"], timeout=10) as connection:
            connection.execute("UPDATE users SET role = 'admin' WHERE id = ?", (made["id"],))
        connection.close()
    del sent["username"]
    return str(_post(f"{address}/auth/login", sent)["access_token"])


if _ROLE != "anonymous":

    @schemathesis.auth(refresh_interval=None)
    class Caller:
        """Send the token of somebody who is signed in."""

        def get(self, case: Any, context: Any) -> str:
            """Return the token, of somebody new where there is none."""
            if not _token:
                _token.append(_sign_in(case.operation.schema.get_base_url().rstrip("/")))
            return _token[0]

        def set(self, case: Any, data: str, context: Any) -> None:
            """Put it into the request."""
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Change what no schema can tell to be wrong, where the request is to be accepted."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    if case.operation.path == "/auth/register":
        case.body["password"] = _PASSWORD
    # Schemathesis takes 1.0 for an integer, and Demijohn does not.
    if isinstance(case.body.get("stock"), float):
        case.body["stock"] = int(case.body["stock"])


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Forget whom a request has logged out or removed."""
    path, method = case.operation.path, case.operation.method.upper()
    if response.status_code == 204 and (path == "/auth/logout" or (method, path) == ("DELETE", "/users/{user_id}")):
        _token.clear()
