"""Who is calling, for code that only has Flask's request: blueprints, plain views, hooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from flask import current_app, request

from demijohn.compile.guards import ANONYMOUS, CALLER, Caller, challenge_of
from demijohn.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from demijohn.auth.accounts import Accounts

__all__ = ["current_caller", "current_user", "login_required"]

P = ParamSpec("P")
R = TypeVar("R")


def current_caller() -> Caller:
    """Return who makes the request that Flask is handling: `user`, `scopes`, `info`.

    In an operation of a contract that is whom its security admitted. In a view of your own it is whom the bearer token
    of the request shows; without one, or with one that is not valid, `user` is None.
    """
    known: Caller | None = request.environ.get(CALLER)
    if known is None:
        token = _token()
        accounts: Accounts | None = current_app.extensions["demijohn"].accounts
        found = None if token is None or accounts is None else accounts.caller_of_token(token)
        known = request.environ[CALLER] = found or ANONYMOUS
    return known


def current_user() -> Any:
    """Return the primary key of the user who makes the request that Flask is handling, None for nobody."""
    return current_caller().user


def login_required(*scopes: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view of your own be for users with an access token, and with all of these roles or scopes.

        @app.get("/reports")
        @login_required("librarian")
        def reports(): ...

    Others get 401 or 403, as a problem. What the view is about another user's is for the view to refuse.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            caller = current_caller()
            challenge = challenge_of("bearer", current_app.name)
            if caller.user is None:
                wrong = _token() is not None
                raise Unauthorized(
                    "The credentials are not valid." if wrong else "This needs an access token.",
                    headers=[("WWW-Authenticate", f'{challenge}, error="invalid_token"' if wrong else challenge)],
                )
            if not caller.scopes.issuperset(scopes):
                needed = " ".join(scopes)
                error = f'error="insufficient_scope", scope="{needed}"'
                raise Forbidden(
                    f"The credentials lack a scope: {needed} is needed.",
                    headers=[("WWW-Authenticate", f"{challenge}, {error}")],
                )
            return view(*args, **kwargs)

        return guarded

    return decorate


def _token() -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
