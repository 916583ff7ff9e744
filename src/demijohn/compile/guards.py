"""Security requirements to guards: who is calling, and may they.

A list of requirements is OR, the schemes within one are AND, `{}` lets an anonymous caller pass. A credential
that is sent and wrong is 401 even where anonymous callers may pass: a client that says who it is wants to
be told when nobody believes it.

The functions behind the schemes are Connexion's hooks; they run inside Flask's request context.
"""

from __future__ import annotations

import inspect
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl

from demijohn.compile.functions import find_function
from demijohn.contract import Contract, Place, Requirement, Scheme
from demijohn.errors import Forbidden, Unauthorized

__all__ = ["Caller", "Credentials", "Guard", "compile_guard"]

Report: TypeAlias = Callable[[Place, str, str], None]
"""Take a problem that was found: the place, what was found, what is allowed."""


class Credentials(Protocol):
    """What a guard reads of a request."""

    query: str

    def header(self, name: str) -> str | None:
        """Return a header's value."""

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Say who is calling. `user` is `sub` or `uid` of what the hook returned, `info` all of it."""

    user: Any = None
    info: Any = None
    scopes: frozenset[str] = frozenset()


ANONYMOUS = Caller()


class Rejected(Exception):
    """Signal a credential that was sent and is wrong."""


class Missing(Exception):
    """Signal that no credential was sent for a scheme."""


@dataclass(frozen=True, slots=True)
class Check:
    """Check one scheme with the scopes that one requirement demands."""

    scheme: Scheme
    scopes: tuple[str, ...]
    read: Callable[[Credentials], tuple[str, ...]]
    ask: Callable[[tuple[str, ...], tuple[str, ...], Any], Any] | None
    allow: Callable[[Sequence[str], Sequence[str]], bool]

    def identify(self, request: Credentials) -> Any:
        """Return what the hook says of the caller; raise `Missing` or `Rejected`."""
        credentials = self.read(request)
        if self.ask is None:
            return {}
        info = self.ask(credentials, self.scopes, request)
        if info is None:
            raise Rejected
        return info


@dataclass(frozen=True, slots=True)
class Guard:
    """Decide whether a request may go on. `alternatives` are OR, the checks in one are AND."""

    alternatives: tuple[tuple[Check, ...], ...]
    challenges: tuple[str, ...]
    summary: str
    mocked: bool = False

    @property
    def query_names(self) -> tuple[str, ...]:
        """Return the query parameters that carry API keys."""
        checks = (check for checks in self.alternatives for check in checks)
        return tuple(check.scheme.parameter or "" for check in checks if check.scheme.location == "query")

    def admit(self, request: Credentials) -> Caller:
        """Return the caller.

        Raises `Unauthorized` where credentials are missing or wrong, `Forbidden` where they are right and
        lack a scope.
        """
        rejected = False
        lacking: tuple[str, ...] = ()
        known: dict[str, Any] = {}
        for checks in self.alternatives:
            if not checks:
                continue
            infos = [_once(known, check, request) for check in checks]
            if any(isinstance(info, Missing | Rejected) for info in infos):
                rejected = rejected or any(isinstance(info, Rejected) for info in infos)
                continue
            missing = next(
                (
                    check.scopes
                    for check, info in zip(checks, infos, strict=True)
                    if check.scopes and not self.mocked and not check.allow(check.scopes, scopes_of(info))
                ),
                None,
            )
            if missing is None:
                return _caller(checks, infos)
            lacking = missing
        if lacking:
            raise Forbidden(
                f"The credentials lack a scope: {' '.join(lacking)} is needed.",
                headers=self._challenge(f'error="insufficient_scope", scope="{" ".join(lacking)}"'),
            )
        if () in self.alternatives and not rejected and not self._stray(request):
            return ANONYMOUS
        detail = "The credentials are not valid." if rejected else f"This operation needs {self.summary}."
        raise Unauthorized(detail, headers=self._challenge('error="invalid_token"' if rejected else ""))

    def _stray(self, request: Credentials) -> bool:
        """Tell whether an `Authorization` header was sent that no scheme could read."""
        takes = any(check.scheme.kind != "apiKey" for checks in self.alternatives for check in checks)
        return takes and request.header("Authorization") is not None

    def _challenge(self, error: str) -> list[tuple[str, str]]:
        # RFC 6750 section 3: the error belongs to the Bearer challenge only.
        return [
            ("WWW-Authenticate", f"{one}, {error}" if error and one.startswith("Bearer") else one)
            for one in self.challenges
        ]


def compile_guard(
    requirements: Sequence[Requirement],
    contract: Contract,
    report: Report,
    *,
    mocked: bool,
    needs_user: bool = False,
) -> Guard | None:
    """Return the guard of an operation, None where nobody is kept out.

    A scheme without a hook is reported as a problem; with `mocked` any credential of the right form passes.
    With `needs_user` a caller without credentials does not, whatever the requirements say.
    """
    if not requirements or all(not requirement.schemes for requirement in requirements):
        return None
    alternatives = tuple(
        tuple(_compile_check(contract.schemes[name], scopes, report, mocked) for name, scopes in requirement.schemes)
        for requirement in requirements
        if requirement.schemes or not needs_user
    )
    schemes = {check.scheme.name: check.scheme for checks in alternatives for check in checks}
    challenges = dict.fromkeys(_challenge(scheme, contract.title) for scheme in schemes.values())
    summary = " or ".join(
        " and ".join(check.scheme.name + (f" ({' '.join(check.scopes)})" if check.scopes else "") for check in checks)
        or "no credentials"
        for checks in alternatives
    )
    return Guard(alternatives, tuple(challenges), summary, mocked)


def scopes_of(info: Any) -> list[str]:
    """Return the scopes in what a hook returned: `scope` or `scopes`, a list or text with blanks."""
    if not isinstance(info, Mapping):
        return []
    scopes = info.get("scope", info.get("scopes")) or []
    return scopes.split() if isinstance(scopes, str) else [str(scope) for scope in scopes]


def _once(known: dict[str, Any], check: Check, request: Credentials) -> Any:
    """Return what a scheme's hook says, or the `Missing` or `Rejected` in its place.

    It is asked once a request, however many alternatives name the scheme with the same scopes.
    """
    key = f"{check.scheme.name} {check.scopes}"
    if key not in known:
        try:
            known[key] = check.identify(request)
        except (Missing, Rejected) as error:
            known[key] = error
    return known[key]


def _caller(checks: Sequence[Check], infos: Sequence[Any]) -> Caller:
    users = [_user(info) for info in infos]
    scopes = frozenset(scope for info in infos for scope in scopes_of(info))
    info = infos[0] if len(infos) == 1 else {check.scheme.name: one for check, one in zip(checks, infos, strict=True)}
    return Caller(next((user for user in users if user is not None), None), info, scopes)


def _user(info: Any) -> Any:
    return info.get("sub", info.get("uid")) if isinstance(info, Mapping) else None


def _compile_check(scheme: Scheme, scopes: tuple[str, ...], report: Report, mocked: bool) -> Check:
    keys, read = _reader(scheme)
    hook = next((scheme.hooks[key] for key in keys if key in scheme.hooks), None)
    ask = None
    if hook is not None:
        function, wrong = find_function(hook)
        if function is None and not mocked:
            report(scheme.place, f"security scheme {scheme.name!r} names {hook!r}: {wrong}", "name a function")
        elif function is not None:
            ask = _asker(function)
    elif not mocked:
        allowed = f"set {keys[0]} to a function" if keys else "use http, apiKey, oauth2 or openIdConnect"
        report(scheme.place, f"security scheme {scheme.name!r} has no function that checks it", allowed)
    allow: Callable[[Sequence[str], Sequence[str]], bool] = _has_all
    if "x-scopeValidateFunc" in scheme.hooks:
        validate, wrong = find_function(scheme.hooks["x-scopeValidateFunc"])
        if validate is None and not mocked:
            report(scheme.place, f"x-scopeValidateFunc of {scheme.name!r}: {wrong}", "name a function")
        elif validate is not None:
            allow = validate
    return Check(scheme, scopes, read, ask, allow)


def _has_all(required: Sequence[str], held: Sequence[str]) -> bool:
    return set(required) <= set(held)


def _asker(function: Callable[..., Any]) -> Callable[[tuple[str, ...], tuple[str, ...], Any], Any]:
    """Return a call of a hook that passes `required_scopes` and `request` where its signature has them."""
    names = inspect.signature(function).parameters
    wants_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in names.values())
    wants_scopes = wants_all or "required_scopes" in names
    wants_request = wants_all or "request" in names

    def ask(credentials: tuple[str, ...], scopes: tuple[str, ...], request: Any) -> Any:
        extra: dict[str, Any] = {}
        if wants_scopes:
            extra["required_scopes"] = list(scopes)
        if wants_request:
            extra["request"] = request.flask_request
        return function(*credentials, **extra)

    return ask


def _reader(scheme: Scheme) -> tuple[tuple[str, ...], Callable[[Credentials], tuple[str, ...]]]:
    """Return the hooks that may check a scheme, best first, and how its credentials are read."""
    name = scheme.parameter or ""
    match scheme.kind, scheme.location:
        case "basic", _:
            return ("x-basicInfoFunc",), _read_basic
        case (("bearer" | "oauth2" | "openIdConnect"), _):
            first = "x-bearerInfoFunc" if scheme.kind == "bearer" else "x-tokenInfoFunc"
            return (first, "x-tokenInfoFunc", "x-bearerInfoFunc"), _read_bearer
        case "apiKey", "query":
            return ("x-apikeyInfoFunc",), lambda request: _present(_query_value(request.query, name))
        case "apiKey", "cookie":
            return ("x-apikeyInfoFunc",), lambda request: _present(request.cookie(name))
        case "apiKey", _:
            return ("x-apikeyInfoFunc",), lambda request: _present(request.header(name))
    return (), _read_nothing


def _present(value: str | None) -> tuple[str, ...]:
    if not value:
        raise Missing
    return (value,)


def _read_nothing(request: Credentials) -> tuple[str, ...]:
    return _present(request.header("Authorization"))


def _authorization(request: Credentials, scheme: str) -> str:
    kind, _, value = (request.header("Authorization") or "").partition(" ")
    if kind.lower() != scheme:
        raise Missing
    return value.strip()


def _read_bearer(request: Credentials) -> tuple[str, ...]:
    token = _authorization(request, "bearer")
    if not token or " " in token:
        raise Rejected
    return (token,)


def _read_basic(request: Credentials) -> tuple[str, ...]:
    try:
        pair = b64decode(_authorization(request, "basic"), validate=True).decode()
    except ValueError:
        raise Rejected from None
    username, colon, password = pair.partition(":")
    if not colon:
        raise Rejected
    return username, password


def _query_value(query: str, name: str) -> str | None:
    try:
        values = [value for key, value in parse_qsl(query, keep_blank_values=True, errors="strict") if key == name]
    except ValueError:
        return None
    return values[0] if len(values) == 1 else None


def _challenge(scheme: Scheme, title: str) -> str:
    realm = "".join(char for char in title if char.isascii() and char.isprintable() and char not in '"\\') or "api"
    match scheme.kind:
        case "basic":
            return f'Basic realm="{realm}", charset="UTF-8"'
        case "apiKey":
            return f'ApiKey realm="{realm}", in="{scheme.location}", name="{scheme.parameter}"'
        case "http":
            return f'{(scheme.http_scheme or "http").capitalize()} realm="{realm}"'
    return f'Bearer realm="{realm}"'
