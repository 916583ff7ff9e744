"""Signing in to an example, for hooks of Schemathesis: who calls is nobody, or has a role.

Nobody becomes more than a member through an API, so a role is written into the database, at `DATABASE_URL`.
"""

from __future__ import annotations

import json
import os
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import schemathesis
import sqlalchemy as sa

__all__ = ["PASSWORD", "sign_in", "sign_out"]

PASSWORD = "nine lives of a cat"
# Another process may have signed in to the same application before.
_names = (f"caller{os.getpid()}-{number}" for number in count(1))
_token: list[str] = []


def sign_in(role: str, accounts: str) -> None:
    """Send the token of somebody who has a role, and registers below the path `accounts`, with every request.

    The role `anonymous` is nobody's.
    """
    if role == "anonymous":
        return

    @schemathesis.auth(refresh_interval=None)
    class Caller:
        """Send the token of somebody who is signed in."""

        def get(self, case: Any, context: Any) -> str:
            """Return the token, of somebody new where there is none."""
            if not _token:
                address = case.operation.schema.get_base_url().rstrip("/")
                _token.append(_new_token(role, address + accounts))
            return _token[0]

        def set(self, case: Any, data: str, context: Any) -> None:
            """Put it into the request."""
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def sign_out() -> None:
    """Forget the token; the next request is somebody new's."""
    _token.clear()


def _new_token(role: str, accounts: str) -> str:
    name = next(_names)
    sent = {"username": name, "email": f"{name}@callers.example.org", "password": PASSWORD}
    made = _post(f"{accounts}/register", sent)
    if role != "member":
        database = sa.create_engine(os.environ["DATABASE_URL"], poolclass=sa.NullPool)
        with database.begin() as connection:
            connection.execute(sa.text("UPDATE users SET role = :role WHERE id = :id"), made | {"role": role})
    del sent["username"]
    return str(_post(f"{accounts}/login", sent)["access_token"])


def _post(address: str, body: dict[str, str]) -> dict[str, Any]:
    request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    return answer
