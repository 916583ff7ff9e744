"""Hooks of Schemathesis's: sign in to the Library as `LIBRARY_ROLE` says, and mend what no schema can tell to be wrong.

Who logs out, or takes the own role away, is nobody any more; the next request is somebody new's. That the commonest
passwords are refused, and members who borrow for others, is tested with the example.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from hypothesis import strategies as st
from signing_in import PASSWORD, sign_in, sign_out
from two_paths import teach

ROLE = os.environ["LIBRARY_ROLE"]

teach("hold_id", "")
sign_in(ROLE, "/users")


def with_check_digit(digits: str) -> str:
    """Return an ISBN of 10 or 13 digits, from all but the last."""
    if len(digits) == 9:
        weighed = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), digits, strict=True))
        return digits + "0123456789X"[-weighed % 11]
    return digits + str(-(sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10)


isbns = [st.from_regex(rf"\A[0-9]{{{length}}}\Z").map(with_check_digit) for length in (9, 12)]
schemathesis.openapi.format("isbn", st.one_of(isbns))


def with_integers(value: Any) -> Any:
    """Write 1.0 as 1: Schemathesis takes both for an integer, and Demijohn the second."""
    if isinstance(value, dict):
        return {name: with_integers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_integers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Change what no schema can tell to be wrong, where the request is to be accepted."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    case.body = with_integers(case.body)
    path = case.operation.path
    if path == "/users/register":
        case.body["password"] = PASSWORD
    # Whom it is for is what librarians say.
    if path in ("/loans", "/holds") and ROLE == "member":
        case.body.pop("user_id", None)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Forget whom a request has logged out, or may have changed."""
    path, method = case.operation.path, case.operation.method.upper()
    if (path, response.status_code) == ("/users/logout", 204):
        sign_out()
    if (method, path, response.status_code) == ("PATCH", "/users/{user_id}", 200):
        sign_out()
