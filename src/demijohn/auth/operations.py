"""The operations that Demijohn brings along: what each takes, and what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import select

from demijohn.auth.comparison import Comparison, Known, Outcome
from demijohn.auth.events import told
from demijohn.auth.sessions import Opened, Session
from demijohn.compile.answers import Answer
from demijohn.compile.faults import Fault
from demijohn.compile.plan import Act, Arguments
from demijohn.contract import Operation
from demijohn.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from demijohn.resources.json_sql import representation
from demijohn.resources.shape import Shape
from demijohn.resources.statement import Statement
from demijohn.resources.view import View

if TYPE_CHECKING:
    from demijohn.auth.accounts import Accounts
    from demijohn.auth.api_keys import ApiKey

__all__ = ["MAKERS", "Builtin"]

_NO_STORE: Final = (("Cache-Control", "no-store"),)
_WRONG: Final = "The name or the password is wrong."
_MOST_YEARS_S: Final = 100 * 366 * 86_400

# Of the OAuth2 password flow (RFC 6749, 4.3.2); a client has nothing to prove here.
_IGNORED: Final = ("grant_type", "scope", "client_id", "client_secret")
_ANY_NAME: Final = ("login", "username", "email")
_TOKENS: Final = {
    "access_token": Known("string"),
    "refresh_token": Known("string"),
    "token_type": Known("string"),
    "expires_in": Known("integer"),
    "scope": Known("string"),
    "user": Known("object"),
}
_SESSION: Final = {
    "id": Known("string"),
    "created_at": Known("string", form="date-time"),
    "last_used_at": Known("string", form="date-time"),
    "expires_at": Known("string", form="date-time"),
    "address": Known("string"),
    "user_agent": Known("string"),
    "current": Known("boolean"),
}
_API_KEY: Final = {
    "id": Known("string"),
    "name": Known("string", nullable=True),
    "prefix": Known("string"),
    "scopes": Known("array"),
    "created_at": Known("string", form="date-time"),
    "expires_at": Known("string", nullable=True, form="date-time"),
}


@dataclass(frozen=True, slots=True)
class Builtin:
    """Answer by what Demijohn brings along."""

    name: str
    run: Callable[[Arguments], Answer]
    has_hooks: bool = False


def login(accounts: Accounts, comparison: Comparison) -> Act:
    """Give tokens for a name and a password."""
    comparison.method("POST")
    comparison.no_path()
    comparison.no_caller()
    taken = comparison.body(form=True)
    names = dict.fromkeys([*accounts.model.login, *_ANY_NAME])
    known = dict.fromkeys([*names, "password", *_IGNORED], "string")
    comparison.check(taken, known, "password")
    offered = [name for name in names if name in taken]
    place = comparison.operation.body.place if comparison.operation.body is not None else comparison.operation.place
    if taken and not offered:
        allowed = "add " + " or ".join(f"`{one}`" for one in accounts.model.login)
        comparison.report(place, f"the body of {comparison.name} says nobody's name", allowed)
    if len(offered) == 1 and not taken[offered[0]].required:
        comparison.report(
            taken[offered[0]].place, f"`{offered[0]}` is optional, and nobody else is named", "require it"
        )
    outcome = comparison.outcome(_TOKENS, (200, 201), required="access_token", headers=_NO_STORE)
    is_form = "grant_type" in taken
    reply = _reply(accounts, outcome, comparison.operation)
    challenge = accounts.challenge()

    def run(arguments: Arguments) -> Answer:
        body = arguments.body
        sent = next((name for name in offered if isinstance(body.get(name), str)), None)
        if sent is None:
            wanted = " or ".join(repr(name) for name in offered)
            raise _refused(Fault((), f"must have {wanted}"))
        columns = (sent,) if sent in accounts.model.login and not is_form else tuple(accounts.model.login)
        account, address = body[sent], arguments.request.address
        user = accounts.log_in(account, columns, body["password"], address)
        if user is None:
            raise Unauthorized(_WRONG, headers=challenge)
        agent = arguments.request.header("User-Agent") or ""
        refreshable = "refresh_token" in outcome.names
        opened = accounts.begin(user, address, agent, refreshable=refreshable)
        return reply(opened, arguments)

    return Builtin("log in", run)


def refresh(accounts: Accounts, comparison: Comparison) -> Act:
    """Give new tokens for a refresh token, which comes as a bearer token or in the body."""
    comparison.method("POST")
    comparison.no_path()
    taken = comparison.body(form=True, needed=False)
    comparison.check(taken, dict.fromkeys(["refresh_token", *_IGNORED], "string"))
    outcome = comparison.outcome(_TOKENS, (200, 201), required="refresh_token", headers=_NO_STORE)
    reply = _reply(accounts, outcome, comparison.operation)
    challenge = accounts.challenge()
    wrong = [(name, f'{one}, error="invalid_token"') for name, one in challenge]

    def run(arguments: Arguments) -> Answer:
        body = arguments.body
        token = body.get("refresh_token") if isinstance(body, dict) else None
        if token is None:
            kind, _, token = (arguments.request.header("Authorization") or "").partition(" ")
            if kind.lower() != "bearer":
                raise Unauthorized("This operation needs a refresh token.", headers=challenge)
        opened = accounts.refresh(token.strip(), arguments.request.address)
        if opened is None:
            raise Unauthorized("The credentials are not valid.", headers=wrong)
        return reply(opened, arguments)

    return Builtin("refresh tokens", run)


def logout(accounts: Accounts, comparison: Comparison) -> Act:
    """End the session of the caller."""
    comparison.method("POST", "DELETE")
    comparison.no_path()
    comparison.caller()
    comparison.check(comparison.body(needed=False), {"refresh_token": "string"})
    outcome = comparison.outcome({}, (204, 200))

    def run(arguments: Arguments) -> Answer:
        session, user = accounts.session_of(arguments.caller)
        accounts.sessions.end(session, user)
        told("logged out", user=user, session=session[:8])
        return outcome.nothing()

    return Builtin("log out", run)


def me(accounts: Accounts, comparison: Comparison) -> Act:
    """Show the caller."""
    comparison.method("GET")
    comparison.no_path()
    comparison.no_body()
    comparison.caller()
    status, view, _, response = comparison.shown_user((200,))
    if view is None:
        place = response.place if response is not None else comparison.operation.place
        comparison.report(place, f"the answer of {comparison.name} has no schema", "describe the user")
        return Builtin("show the caller", _nothing)
    show = _shower(accounts, view, comparison.operation)

    def run(arguments: Arguments) -> Answer:
        text = show(accounts.key_of(arguments.caller))
        return Answer(status, text, arguments.media_type or "application/json", [])

    return Builtin("show the caller", run)


def change_password(accounts: Accounts, comparison: Comparison) -> Act:
    """Change the password of the caller, and end all other sessions."""
    comparison.method("POST", "PUT", "PATCH")
    comparison.no_path()
    comparison.caller()
    taken = comparison.body()
    old = "current_password" if "current_password" in taken else "old_password"
    comparison.check(taken, {old: "string", "new_password": "string"}, old, "new_password")
    outcome = comparison.outcome({}, (204, 200))

    def run(arguments: Arguments) -> Answer:
        body, address = arguments.body, arguments.request.address
        session, _ = accounts.session_of(arguments.caller)
        user = accounts.user_of(arguments.caller)
        account = next((name for name in user.names if name), user.text)
        with accounts.passwords.place():
            accounts.before(account, address)
            is_right = accounts.passwords.verify(user.password, body[old])
        if not is_right:
            told("password not changed", user=user.text, address=address)
            raise Forbidden("The old password is wrong.", errors=[_error((old,), "is wrong")])
        accounts.succeeded(account, address)
        new = accounts.hashed(body["new_password"], "new_password")
        if not accounts.set_password(user, new, session):
            raise Conflict("The password was changed by somebody else at the same time.")
        told("password changed", user=user.text, address=address)
        return outcome.nothing()

    return Builtin("change the password", run)


def sessions(accounts: Accounts, comparison: Comparison) -> Act:
    """List the sessions of the caller."""
    comparison.method("GET")
    comparison.no_path()
    comparison.no_body()
    comparison.caller()
    outcome = comparison.outcome(_SESSION, (200,), many=True)

    def run(arguments: Arguments) -> Answer:
        user = accounts.user_of(arguments.caller)
        current = accounts.session_in(arguments.caller)
        shown = [_session(one, current) for one in accounts.sessions.of(user)]
        return outcome.many(shown, arguments.media_type)

    return Builtin("list sessions", run)


def revoke_session(accounts: Accounts, comparison: Comparison) -> Act:
    """End one of the sessions of the caller."""
    return _revoke(accounts, comparison, "session", lambda id_, user: accounts.sessions.end(id_, user))


def create_api_key(accounts: Accounts, comparison: Comparison) -> Act:
    """Make an API key of the caller."""
    comparison.method("POST")
    comparison.no_path()
    comparison.caller()
    taken = comparison.body(needed=False)
    known = {"name": "string", "scopes": "array", "expires_at": "string", "expires_in": "integer"}
    comparison.check(taken, known)
    outcome = comparison.outcome({**_API_KEY, "key": Known("string")}, (201, 200), required="key", headers=_NO_STORE)

    def run(arguments: Arguments) -> Answer:
        accounts.session_of(arguments.caller)
        body = arguments.body if isinstance(arguments.body, dict) else {}
        scopes = frozenset(map(str, body.get("scopes", arguments.caller.scopes)))
        lacking = sorted(scopes - arguments.caller.scopes)
        if lacking:
            error = _error(("scopes",), "has scopes that the caller does not hold")
            raise Forbidden("A key can do no more than its user.", errors=[error])
        name = body.get("name")
        if name is not None and (len(name) > 100 or "\0" in name):
            raise _refused(Fault(("name",), "must have at most 100 characters, none of them NUL"))
        user = accounts.user_of(arguments.caller)
        made, key = accounts.api_keys.make(user, name, scopes, _expiry(body))
        told("API key created", user=user.text, key=made.prefix)
        return outcome.one({**_api_key(made), "key": key}, arguments.media_type)

    return Builtin("make an API key", run)


def list_api_keys(accounts: Accounts, comparison: Comparison) -> Act:
    """List the API keys of the caller."""
    comparison.method("GET")
    comparison.no_path()
    comparison.no_body()
    comparison.caller()
    outcome = comparison.outcome(_API_KEY, (200,), many=True)

    def run(arguments: Arguments) -> Answer:
        user = accounts.user_of(arguments.caller)
        return outcome.many([_api_key(one) for one in accounts.api_keys.of(user)], arguments.media_type)

    return Builtin("list API keys", run)


def revoke_api_key(accounts: Accounts, comparison: Comparison) -> Act:
    """Revoke one of the API keys of the caller."""
    return _revoke(accounts, comparison, "API key", lambda id_, user: accounts.api_keys.revoke(id_, user))


def _revoke(accounts: Accounts, comparison: Comparison, noun: str, end: Callable[[str, str], bool]) -> Act:
    """End one thing of the caller's: `end` takes its id and the user, and tells whether there was one."""
    comparison.method("DELETE", "POST")
    slot = comparison.key()
    comparison.caller()
    outcome = comparison.outcome({}, (204, 200))

    def run(arguments: Arguments) -> Answer:
        _, user = accounts.session_of(arguments.caller)
        id_ = str(arguments.values[slot])
        if "\0" in id_ or not end(id_, user):
            raise NotFound(f"There is no such {noun}.")
        told(f"{noun} revoked", user=user, id=id_[:8])
        return outcome.nothing()

    return Builtin(f"revoke the {noun}", run)


def _reply(accounts: Accounts, outcome: Outcome, operation: Operation) -> Callable[[Opened, Arguments], Answer]:
    """Return what answers with tokens."""
    show = None if outcome.user is None else _shower(accounts, outcome.user, operation)

    def reply(opened: Opened, arguments: Arguments) -> Answer:
        access_token, lives_s = accounts.tokens.issue(opened.user.text, opened.id)
        values: dict[str, Any] = {
            "access_token": access_token,
            "refresh_token": opened.refresh_token,
            "token_type": "Bearer",
            "expires_in": lives_s,
            "scope": " ".join(sorted(opened.user.roles)),
        }
        if show is not None:
            values["user"] = orjson.Fragment(show(opened.user.key))
        return outcome.one(values, arguments.media_type)

    return reply


def _shower(accounts: Accounts, view: View, operation: Operation) -> Callable[[Any], bytes]:
    """Return what shows a user by key: one statement, whose only value is the JSON that is sent."""
    users, dialect = accounts.users, accounts.users.database.dialect
    table = users.model.model.table
    item = dialect.text(representation(view, dialect))
    statement: Statement = users.compile(select(item).select_from(table).where(*users.is_user))
    accounts.shown(Shape(operation, "read", users.model.model, (), None, view, None, 200))

    def show(key: Any) -> bytes:
        rows = users.database.read(statement, users.value(key))
        if not rows:
            raise accounts.missing()
        text = rows[0][0]
        return text.encode() if isinstance(text, str) else bytes(text)

    return show


def _session(one: Session, current: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "created_at": _moment(one.created_at),
        "last_used_at": _moment(one.used_at),
        "expires_at": _moment(one.expires_at),
        "address": one.address,
        "user_agent": one.agent,
        "current": one.id == current,
    }


def _api_key(one: ApiKey) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "prefix": one.prefix,
        "scopes": list(one.scopes),
        "created_at": _moment(one.created_at),
        "expires_at": None if one.expires_at is None else _moment(one.expires_at),
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _expiry(body: Mapping[str, Any]) -> int | None:
    """Return when a key expires, in seconds since 1970; None for never. Raises `Conflict` for what is over already."""
    now = int(time.time())
    wanted: list[tuple[str, int]] = []
    if body.get("expires_in") is not None:
        wanted.append(("expires_in", now + min(body["expires_in"], _MOST_YEARS_S)))
    if body.get("expires_at") is not None:
        try:
            moment = datetime.fromisoformat(body["expires_at"].upper())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            wanted.append(("expires_at", int(moment.timestamp())))
        except (ValueError, OverflowError):
            raise _refused(Fault(("expires_at",), "must be a date and time such as 2026-01-31T12:00:00Z")) from None
    for name, seconds in wanted:
        if seconds <= now:
            raise Conflict("A key cannot expire in the past.", errors=[_error((name,), "lies in the past")])
    return min((seconds for _, seconds in wanted), default=None)


def _refused(*faults: Fault) -> BadRequest:
    errors = [{"detail": one.detail, "pointer": one.pointer} for one in faults]
    return BadRequest(f"body {errors[0]['pointer']} {errors[0]['detail']}.", errors=errors)


def _error(path: tuple[str, ...], detail: str) -> dict[str, str]:
    return {"detail": detail, "pointer": Fault(path, detail).pointer}


def _nothing(arguments: Arguments) -> Answer:
    raise AssertionError("an operation that was refused at start-up")


MAKERS: Final[Mapping[str, Callable[[Any, Comparison], Act]]] = {
    "login": login,
    "refresh": refresh,
    "logout": logout,
    "me": me,
    "change_password": change_password,
    "sessions": sessions,
    "revoke_session": revoke_session,
    "create_api_key": create_api_key,
    "list_api_keys": list_api_keys,
    "revoke_api_key": revoke_api_key,
}
