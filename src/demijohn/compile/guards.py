"""Security requirements to guards: who is calling, and may they.

A list of requirements is OR, the schemes within one are AND, `{}` lets an anonymous caller pass. A credential
that is sent and wrong is 401 even where anonymous callers may pass: a client that says who it is wants to
be told when nobody believes it.

The functions behind the schemes are Connexion's hooks, which run inside Flask's request context; a scheme without one
is checked by Demijohn itself where the application has accounts.
"""

from __future__ import annotations

import inspect
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qsl

from demijohn.compile.functions import find_function
from demijohn.contract import Contract, Operation, Place, Scheme
from demijohn.errors import Forbidden, Unauthorized

__all__ = [
    "Caller",
    "Credentials",
    "FindVerifier",
    "Guard",
    "NoCredentials",
    "OutsideClaims",
    "Report",
    "Verifier",
    "caller_of",
    "challenge_of",
    "compile_guard",
    "infos_of",
]

Report: TypeAlias = Callable[[Place, str, str], None]
"""Take a problem that was found: the place, what was found, what is allowed."""


class Credentials(Protocol):
    """What a guard reads of a request."""

    query: str

    def header(self, name: str) -> str | None:
        """Return a header's value."""

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""


class OutsideClaims(dict[str, Any]):
    """Be what a token of an identity provider says, whose users are not those here, whatever they are called.

    `user` is the key of the user here for whom the token stands, None where it is nobody's.
    """

    user: Any = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Say who is calling. `user` is `sub` or `uid` of what the hook returned, `info` all of it.

    Of somebody whom only an identity provider knows `user` is None: a `sub` of its own must never pass for a user here.
    """

    user: Any = None
    info: Any = None
    scopes: frozenset[str] = frozenset()

    @property
    def identity(self) -> str | None:
        """Return what tells this caller from every other one, None where nothing does."""
        if self.user is not None:
            return f"user {self.user}"
        claims = next((one for one in infos_of(self) if isinstance(one, OutsideClaims)), None)
        return None if claims is None else f"outside {claims.get('iss')} {claims.get('sub')}"


Verifier: TypeAlias = Callable[[str], Caller | None]
"""Take a token or key; return the caller that it shows, None where it is not valid."""

FindVerifier: TypeAlias = Callable[[Scheme, Operation], Verifier | str]
"""Take a scheme without a hook, and an operation; return what checks its credentials, or why nothing does."""

ANONYMOUS = Caller()
CALLER: Final = "demijohn.caller"
"""Where the environ of a request has the `Caller`, for code that only has Flask's request."""


class NoCredentials(Unauthorized):
    """Tell a client that sent no credentials that it has to; nobody has guessed at any."""


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
    ask: Callable[[tuple[str, ...], tuple[str, ...], Any], Caller | None] | None
    allow: Callable[[Sequence[str], Sequence[str]], bool] | None
    has_hooks: bool = False
    """Functions of the application take part."""

    def identify(self, request: Credentials) -> Caller:
        """Return the caller that the credentials show; raise `Missing` or `Rejected`."""
        credentials = self.read(request)
        if self.ask is None:
            return Caller(None, {})
        caller = self.ask(credentials, self.scopes, request)
        if caller is None:
            raise Rejected
        return caller

    def allows(self, caller: Caller) -> bool:
        """Tell whether a caller has the scopes."""
        if self.allow is None:
            return caller.scopes.issuperset(self.scopes)
        return self.allow(self.scopes, scopes_of(caller.info))


@dataclass(frozen=True, slots=True)
class Guard:
    """Decide whether a request may go on. `alternatives` are OR, the checks in one are AND."""

    alternatives: tuple[tuple[Check, ...], ...]
    challenges: tuple[str, ...]
    summary: str
    mocked: bool = False
    has_hooks: bool = False
    """Functions of the application take part, which want Flask's request context."""

    @property
    def query_names(self) -> tuple[str, ...]:
        """Return the query parameters that carry API keys."""
        checks = (check for checks in self.alternatives for check in checks)
        return tuple(check.scheme.parameter or "" for check in checks if check.scheme.location == "query")

    def admit(self, request: Credentials) -> Caller:
        """Return the caller.

        Raises `NoCredentials` where they are missing, `Unauthorized` where they are wrong, `Forbidden` where they are
        right and lack a scope.
        """
        rejected = False
        lacking: list[str] = []
        known: dict[tuple[str, tuple[str, ...]], Caller | Missing | Rejected] = {}
        for checks in self.alternatives:
            callers: list[Caller] = []
            for check in checks:
                found = _once(known, check, request)
                if isinstance(found, Caller):
                    callers.append(found)
                elif isinstance(found, Rejected):
                    rejected = True
            if not checks or len(callers) < len(checks):
                continue
            for check, caller in zip(checks, callers, strict=True):
                if check.scopes and not self.mocked and not check.allows(caller):
                    lacking.append(" ".join(check.scopes))
                    break
            else:
                return callers[0] if len(callers) == 1 else _joined(checks, callers)
        if lacking:
            raise Forbidden(
                f"The credentials lack a scope: {' or '.join(dict.fromkeys(lacking))} is needed.",
                headers=self._challenge(f'error="insufficient_scope", scope="{lacking[0]}"'),
            )
        if () in self.alternatives and not rejected and not self._stray(request):
            return ANONYMOUS
        if rejected:
            raise Unauthorized("The credentials are not valid.", headers=self._challenge('error="invalid_token"'))
        raise NoCredentials(f"This operation needs {self.summary}.", headers=self._challenge(""))

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
    operation: Operation,
    contract: Contract,
    report: Report,
    *,
    mocked: bool,
    needs_user: bool = False,
    find_verifier: FindVerifier | None = None,
) -> Guard | None:
    """Return the guard of an operation, None where nobody is kept out.

    A scheme without a hook is checked by what `find_verifier` finds, else reported as a problem; with `mocked` any
    credential of the right form passes. With `needs_user` a caller without credentials does not, whatever the
    requirements say.
    """
    requirements = operation.security
    if not requirements or all(not requirement.schemes for requirement in requirements):
        return None
    own = None if find_verifier is None else partial(_call, find_verifier, operation)
    alternatives = tuple(
        tuple(
            _compile_check(contract.schemes[name], scopes, report, mocked, own) for name, scopes in requirement.schemes
        )
        for requirement in requirements
        if requirement.schemes or not needs_user
    )
    all_checks = [check for checks in alternatives for check in checks]
    schemes = {check.scheme.name: check.scheme for check in all_checks}
    challenges = dict.fromkeys(_challenge(scheme, contract.title) for scheme in schemes.values())
    summary = " or ".join(
        " and ".join(check.scheme.name + (f" ({' '.join(check.scopes)})" if check.scopes else "") for check in checks)
        or "no credentials"
        for checks in alternatives
    )
    return Guard(alternatives, tuple(challenges), summary, mocked, any(check.has_hooks for check in all_checks))


def challenge_of(kind: str, title: str) -> str:
    """Return the challenge of a scheme of a kind, for the API of that title."""
    realm = _realm(title)
    return f'Basic realm="{realm}", charset="UTF-8"' if kind == "basic" else f'Bearer realm="{realm}"'


def _call(find_verifier: FindVerifier, operation: Operation, scheme: Scheme) -> Verifier | str:
    return find_verifier(scheme, operation)


def scopes_of(info: Any) -> list[str]:
    """Return the scopes in what a hook returned: `scope` or `scopes`, a list or text with blanks."""
    if not isinstance(info, Mapping):
        return []
    scopes = info.get("scope", info.get("scopes")) or []
    return scopes.split() if isinstance(scopes, str) else [str(scope) for scope in scopes]


def caller_of(info: Any) -> Caller:
    """Return the caller that a hook, or an identity provider, says such things of."""
    if isinstance(info, OutsideClaims):
        user = info.user
    else:
        user = info.get("sub", info.get("uid")) if isinstance(info, Mapping) else None
    return Caller(user, info, frozenset(scopes_of(info)))


def _once(
    known: dict[tuple[str, tuple[str, ...]], Caller | Missing | Rejected], check: Check, request: Credentials
) -> Caller | Missing | Rejected:
    """Return the caller that a scheme shows, or the `Missing` or `Rejected` in its place.

    A hook is asked once a request, however many alternatives name the scheme with the same scopes.
    """
    key = check.scheme.name, check.scopes
    found = known.get(key)
    if found is None:
        try:
            found = check.identify(request)
        except (Missing, Rejected) as error:
            found = error
        known[key] = found
    return found


def infos_of(caller: Caller) -> Iterator[Any]:
    """Yield what each of the credentials of a caller says."""
    yield caller.info
    if type(caller.info) is dict:
        yield from caller.info.values()


def _joined(checks: Sequence[Check], callers: Sequence[Caller]) -> Caller:
    """Return the one caller that several schemes show together."""
    user = next((one.user for one in callers if one.user is not None), None)
    info = {check.scheme.name: one.info for check, one in zip(checks, callers, strict=True)}
    return Caller(user, info, frozenset().union(*(one.scopes for one in callers)))


def _compile_check(
    scheme: Scheme,
    scopes: tuple[str, ...],
    report: Report,
    mocked: bool,
    find_verifier: Callable[[Scheme], Verifier | str] | None,
) -> Check:
    keys, read = _reader(scheme)
    hook = next((scheme.hooks[key] for key in keys if key in scheme.hooks), None)
    ask = None
    has_hooks = hook is not None or "x-scopeValidateFunc" in scheme.hooks
    if hook is not None:
        function, wrong = find_function(hook)
        if function is None and not mocked:
            report(scheme.place, f"security scheme {scheme.name!r} names {hook!r}: {wrong}", "name a function")
        elif function is not None:
            ask = _asker(function)
    elif not mocked:
        verifier = "" if find_verifier is None else find_verifier(scheme)
        if isinstance(verifier, str):
            allowed = f"set {keys[0]} to a function" if keys else "use http, apiKey, oauth2 or openIdConnect"
            if not scheme.is_declared:
                allowed = "declare the scheme in `components` under `securitySchemes`"
            why = f" ({verifier})" if verifier else ""
            report(scheme.place, f"security scheme {scheme.name!r} has no function that checks it{why}", allowed)
        else:
            ask = _verified(verifier)
    allow: Callable[[Sequence[str], Sequence[str]], bool] | None = None
    if "x-scopeValidateFunc" in scheme.hooks:
        validate, wrong = find_function(scheme.hooks["x-scopeValidateFunc"])
        if validate is None and not mocked:
            report(scheme.place, f"x-scopeValidateFunc of {scheme.name!r}: {wrong}", "name a function")
        elif validate is not None:
            allow = validate
    return Check(scheme, scopes, read, ask, allow, has_hooks)


def _verified(verifier: Verifier) -> Callable[[tuple[str, ...], tuple[str, ...], Any], Caller | None]:
    def ask(credentials: tuple[str, ...], scopes: tuple[str, ...], request: Any) -> Caller | None:
        return verifier(credentials[0])

    return ask


def _asker(function: Callable[..., Any]) -> Callable[[tuple[str, ...], tuple[str, ...], Any], Caller | None]:
    """Return a call of a hook that passes `required_scopes` and `request` where its signature has them."""
    names = inspect.signature(function).parameters
    wants_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in names.values())
    wants_scopes = wants_all or "required_scopes" in names
    wants_request = wants_all or "request" in names

    def ask(credentials: tuple[str, ...], scopes: tuple[str, ...], request: Any) -> Caller | None:
        extra: dict[str, Any] = {}
        if wants_scopes:
            extra["required_scopes"] = list(scopes)
        if wants_request:
            extra["request"] = request.flask_request
        info = function(*credentials, **extra)
        return None if info is None else caller_of(info)

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


def _realm(title: str) -> str:
    return "".join(char for char in title if char.isascii() and char.isprintable() and char not in '"\\') or "api"


def _challenge(scheme: Scheme, title: str) -> str:
    realm = _realm(title)
    match scheme.kind:
        case "apiKey":
            return f'ApiKey realm="{realm}", in="{scheme.location}", name="{scheme.parameter}"'
        case "http":
            return f'{(scheme.http_scheme or "http").capitalize()} realm="{realm}"'
    return challenge_of(scheme.kind, title)
