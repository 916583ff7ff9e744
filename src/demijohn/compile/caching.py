"""Who may keep the answers of an operation that asks who is calling: what `Cache-Control` and `Vary` say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from demijohn.compile.guards import ANONYMOUS, Caller, Guard

__all__ = ["Caching", "Headers", "compile_caching"]

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Caching:
    """Hold the headers of answers to callers that are known, and of those to anybody.

    An answer to a known caller is `private`: no shared cache keeps it (RFC 9111, 5.2.2.7). `Vary` names the headers
    with credentials, so that a cache that keeps an answer, such as the browser's, takes it for nobody else's.
    """

    known: Headers
    anybody: Headers

    def headers(self, caller: Caller) -> Headers:
        """Return the headers of an answer to this caller."""
        return self.anybody if caller is ANONYMOUS else self.known


def compile_caching(guard: Guard | None) -> Caching | None:
    """Return what a guarded operation says of its answers, None where there is no guard."""
    if guard is None:
        return None
    names = ", ".join(dict.fromkeys(_credentials(guard)))
    vary: Headers = (("Vary", names),) if names else ()
    return Caching((("Cache-Control", "private"), *vary), vary)


def _credentials(guard: Guard) -> Iterator[str]:
    """Yield the headers that the schemes of a guard read. A key in the query is part of the address."""
    for check in (check for checks in guard.alternatives for check in checks):
        scheme = check.scheme
        if scheme.kind != "apiKey":
            yield "Authorization"
        elif scheme.location == "cookie":
            yield "Cookie"
        elif scheme.location == "header" and scheme.parameter:
            yield scheme.parameter
