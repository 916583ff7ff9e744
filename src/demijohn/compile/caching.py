"""Who may keep the answers of an operation, for how long and for which requests: `Cache-Control` and `Vary`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from demijohn.compile.guards import ANONYMOUS, Caller, Guard
from demijohn.compile.reuse import CachePolicy
from demijohn.contract import Operation

if TYPE_CHECKING:
    from demijohn.compile.cors import Cors

__all__ = ["Caching", "Headers", "compile_caching", "credential_headers"]

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Caching:
    """Hold the headers of answers to callers that are known, and of those to anybody.

    An answer to a known caller is `private`: no shared cache keeps it (RFC 9111, 5.2.2.7). `Vary` names the headers
    with credentials, so that a cache that keeps an answer, such as the browser's, takes it for nobody else's; those
    by which a GET is answered in one way or another; and `Origin` where the answer says to each origin whether it may
    read it.
    """

    known: Headers
    anybody: Headers

    def headers(self, caller: Caller) -> Headers:
        """Return the headers of an answer to this caller."""
        return self.anybody if caller is ANONYMOUS else self.known


# What Demijohn answers by itself: conditions, which caches know (RFC 9111, 4.3), and what changes nothing in an answer.
_NEVER_VARY = frozenset(("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "x-request-id"))


def compile_caching(
    operation: Operation,
    guard: Guard | None,
    cors: Cors | None,
    reuse: CachePolicy | None,
    *,
    is_negotiated: bool,
    varies: Iterable[str],
    calls: bool,
) -> Caching | None:
    """Return what an operation says of its answers, None where that is nothing.

    What a write may change at any moment has to be asked for again, by its tag (`no-cache`); what only its time ends
    may be used that long.

    `is_negotiated` tells that there are several media types to choose from, `varies` names other headers that its
    action looks at, and `calls` tells that a function of the application gets the parameters.
    """
    names = [] if guard is None else list(credential_headers(guard))
    if operation.method == "GET":  # no cache keeps the others' answers
        names += ["Accept"] if is_negotiated else []
        names += varies
        names += _parameters(operation) if calls else []
    if cors is not None and cors.varies:
        names.append("Origin")
    known: dict[str, str] = {}
    for name in names:
        known.setdefault(name.lower(), name)
    vary: Headers = (("Vary", ", ".join(known.values())),) if known else ()
    if reuse is None:
        if guard is None:
            return Caching(vary, vary) if vary else None
        return Caching((("Cache-Control", "private"), *vary), vary)
    use = "no-cache" if reuse.tables else f"max-age={reuse.seconds}"
    known_control = ("Cache-Control", f"private, {use}")
    # Whoever was told `public` would give the answer to callers that no guard has seen.
    return Caching((known_control, *vary), (("Cache-Control", f"public, {use}" if guard is None else use), *vary))


def _parameters(operation: Operation) -> Iterator[str]:
    """Yield the headers that have parameters of an operation."""
    for one in operation.parameters:
        if one.location == "cookie":
            yield "Cookie"
        elif one.location == "header" and one.name.lower() not in _NEVER_VARY:
            yield one.name


def credential_headers(guard: Guard) -> Iterator[str]:
    """Yield the headers that the schemes of a guard read. A key in the query is part of the address."""
    for check in (check for checks in guard.alternatives for check in checks):
        scheme = check.scheme
        if scheme.kind != "apiKey":
            yield "Authorization"
        elif scheme.location == "cookie":
            yield "Cookie"
        elif scheme.location == "header" and scheme.parameter:
            yield scheme.parameter
