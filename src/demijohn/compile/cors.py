"""Which pages of other origins may use an API in a browser: the allow-list, decided at start-up.

An origin is compared as a whole, with those of the list: scheme, host and port. None is ever made from what a request
says (https://fetch.spec.whatwg.org/#http-cors-protocol).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demijohn.compile.caching import Headers
from demijohn.compile.guards import Report
from demijohn.contract import Contract, Operation, Place

__all__ = ["ANY", "Cors", "compile_cors", "preflight_headers", "read_origins"]

ANY = "*"
# What answers of operations carry and a page of another origin may not read unless it is named here.
_EXPOSED = (
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
    "X-Total-Count",
)
# What every operation takes, declared or not.
_TAKEN = ("If-Match", "If-None-Match", "Idempotency-Key", "Prefer", "X-Request-ID")
MAX_AGE_S = 600
_LONGEST_MAX_AGE_S = 86_400  # no browser remembers a preflight for longer

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?").fullmatch
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_KEYS = ("credentials", "expose", "max_age", "origins")


@dataclass(frozen=True, slots=True)
class Cors:
    """Hold what answers say to a browser: by the origin that asks, and to any other or none.

    `varies` tells whether that differs: then every answer has `Vary: Origin`.
    """

    by_origin: Mapping[str, Headers]
    others: Headers
    varies: bool
    max_age_s: int

    def headers(self, origin: str | None) -> Headers:
        """Return what an answer to a page of `origin` says."""
        return self.by_origin.get(origin, self.others) if origin is not None else self.others


def read_origin(text: str) -> str:
    """Return an origin as browsers write it: in lower case, without the port that its scheme has anyway.

    Raises `ValueError` for what is none.
    """
    match = _ORIGIN(text.strip().lower())
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError(text)
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{int(port)}"


def read_origins(text: str) -> tuple[frozenset[str], list[str]]:
    """Return the origins of the setting, which has commas between them, and those that are none."""
    origins, wrong = set(), []
    for one in filter(None, map(str.strip, text.split(","))):
        try:
            origins.add(one if one == ANY else read_origin(one))
        except ValueError:
            wrong.append(one)
    return frozenset(origins), wrong


def compile_cors(contract: Contract, origins: frozenset[str], report: Report) -> Cors | None:
    """Return what `x-cors` of a contract says, None where no other origin is let in.

    `origins` are those of the settings, for a contract that names none itself. What is wrong is reported.
    """
    main = contract.sources[0].name
    if "x-cors" not in contract.extensions:
        return _cors(origins, contract, credentials=False, expose=(), max_age_s=MAX_AGE_S)
    said = contract.extensions["x-cors"]
    if said is False:
        return None
    if not isinstance(said, Mapping):
        report(Place(main, "/x-cors"), f"x-cors is {said!r}", "write a mapping with origins, or false")
        return None
    reader = _Reader(said, lambda key, found, allowed: report(Place(main, f"/x-cors/{key}"), found, allowed))
    for key in said.keys() - set(_KEYS):
        reader.wrong(key, f"x-cors has a key {key!r}", "allowed are " + ", ".join(_KEYS))
    named = reader.origins() if "origins" in said else origins
    credentials = reader.credentials()
    if credentials and ANY in named:
        reader.wrong(
            "credentials",
            "x-cors allows credentials to every origin (`*`)",
            "name the origins that may use the credentials of a user",
        )
    expose, max_age_s = reader.expose(), reader.max_age_s()
    return _cors(named, contract, credentials=credentials, expose=expose, max_age_s=max_age_s)


def preflight_headers(cors: Cors, operations: Sequence[Operation], contract: Contract, allow: str) -> Headers:
    """Return what a preflight of one path is told besides: its methods, and the headers that they take."""
    methods = ", ".join(method for method in allow.split(", ") if method != "OPTIONS")
    taken = {name.lower(): name for operation in operations for name in _taken(operation, contract)}
    return (
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Headers", ", ".join(taken[key] for key in sorted(taken))),
        ("Access-Control-Max-Age", str(cors.max_age_s)),
    )


def _taken(operation: Operation, contract: Contract) -> Iterable[str]:
    yield from _TAKEN
    yield from (one.name for one in operation.parameters if one.location == "header")
    if operation.body is not None:
        yield "Content-Type"
    for requirement in operation.security:
        for name, _ in requirement.schemes:
            scheme = contract.schemes[name]
            if scheme.kind != "apiKey":
                yield "Authorization"
            elif scheme.location == "header" and scheme.parameter:
                yield scheme.parameter


def _cors(
    origins: frozenset[str], contract: Contract, *, credentials: bool, expose: Sequence[str], max_age_s: int
) -> Cors | None:
    if not origins:
        return None
    exposed = {name.lower(): name for name in (*_declared(contract), *_EXPOSED, *expose)}
    shared: Headers = (("Access-Control-Expose-Headers", ", ".join(exposed[key] for key in sorted(exposed))),)
    if ANY in origins:
        return Cors({}, (("Access-Control-Allow-Origin", ANY), *shared), varies=False, max_age_s=max_age_s)
    if credentials:
        shared = (("Access-Control-Allow-Credentials", "true"), *shared)
    by_origin = {origin: (("Access-Control-Allow-Origin", origin), *shared) for origin in sorted(origins)}
    return Cors(by_origin, (), varies=True, max_age_s=max_age_s)


def _declared(contract: Contract) -> Iterable[str]:
    """Yield the headers that the answers of a contract declare; no page may ever read `Set-Cookie`."""
    for operation in contract.operations:
        for response in operation.responses.values():
            yield from (header.name for header in response.headers if header.name.lower() != "set-cookie")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Read the keys of `x-cors`; `wrong` takes a key, what was found and what is allowed."""

    said: Mapping[str, Any]
    wrong: Callable[[str, str, str], None]

    def origins(self) -> frozenset[str]:
        found = self.said["origins"]
        if found == ANY:
            return frozenset((ANY,))
        if not isinstance(found, list) or not found:
            self.wrong("origins", f"origins of x-cors are {found!r}", "write a list of origins, or `*`")
            return frozenset()
        origins = set()
        for index, one in enumerate(found):
            try:
                origins.add(one if one == ANY else read_origin(str(one)))
            except ValueError:
                allowed = "write an origin such as https://app.example.org, without a path"
                self.wrong(f"origins/{index}", f"x-cors has the origin {one!r}", allowed)
        return frozenset(origins)

    def credentials(self) -> bool:
        found = self.said.get("credentials", False)
        if not isinstance(found, bool):
            self.wrong("credentials", f"credentials of x-cors is {found!r}", "write true or false")
        return found is True

    def expose(self) -> tuple[str, ...]:
        found = self.said.get("expose", [])
        if not isinstance(found, list) or not all(isinstance(one, str) and _TOKEN(one) for one in found):
            self.wrong("expose", f"expose of x-cors is {found!r}", "write a list of names of headers")
            return ()
        return tuple(found)

    def max_age_s(self) -> int:
        found = self.said.get("max_age", MAX_AGE_S)
        if isinstance(found, bool) or not isinstance(found, int) or found not in range(_LONGEST_MAX_AGE_S + 1):
            allowed = f"write whole seconds from 0 to {_LONGEST_MAX_AGE_S}"
            self.wrong("max_age", f"max_age of x-cors is {found!r}", allowed)
            return MAX_AGE_S
        return found
