"""`x-cache` to policies: for how many seconds an answer may be given again, to whom, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from demijohn.compile.answers import Answer
from demijohn.compile.guards import Caller, Guard, Report
from demijohn.contract import Contract, Operation, Place

if TYPE_CHECKING:
    from flask import Response

    from demijohn.compile.plan import Requested

__all__ = [
    "Cache",
    "CachePolicy",
    "CacheWish",
    "Caches",
    "Search",
    "Sources",
    "Stamp",
    "cache_wish",
    "compile_cache_policy",
]

Stamp: TypeAlias = tuple[int, ...]
"""The versions of tables, in the order of their names: other ones after every change."""

KEY = "x-cache"
_ALLOWED = "write seconds, or `{seconds: 60, tables: [book], shared: true}`, or `false`"
_MEMBERS = frozenset(("seconds", "tables", "shared"))
_LONGEST_S = 365 * 24 * 3600


class Sources(NamedTuple):
    """Say what answers are made from: the names of tables, or None where only the contract can tell.

    With `is_own` each caller has answers of its own.
    """

    tables: frozenset[str] | None
    is_own: bool


class CacheWish(NamedTuple):
    """Hold what is written on an operation: seconds, tables (None where none are named), one answer for all callers."""

    seconds: int
    tables: frozenset[str] | None
    shared: bool


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Allow an answer to be given again for `seconds`, for as long as nobody writes to one of `tables`.

    With `shared` it is the same for all callers, else for the same one only. `is_function` tells that a function of
    the application makes it, which may look at more of the request than the contract declares.
    """

    seconds: int
    tables: tuple[str, ...]
    shared: bool
    is_function: bool

    @property
    def text(self) -> str:
        """Return the policy as people write it."""
        tables = f" until a write to {', '.join(self.tables)}" if self.tables else ""
        return f"kept {self.seconds} s{tables}{', one for all callers' if self.shared else ''}"


class Search(Protocol):
    """Be a search that has found nothing."""

    def keep(self, answer: Answer | Response) -> Answer | Response:
        """Keep an answer, if it may be; return it with a header that tells what was done."""


class Cache(Protocol):
    """Keep the answers of one operation."""

    @property
    def policy(self) -> CachePolicy:
        """Return what is kept for how long."""

    def begin(self) -> Stamp | None:
        """Return the versions of what answers are made from, before a function of the application reads any of it.

        None where they cannot be told: then the request has to do without the cache.
        """

    def find(self, caller: Caller, agreed: str, request: Requested, begun: Stamp | None) -> Answer | Search:
        """Return the answer that is kept for a request, ready to be sent; else what keeps the one that is made now.

        `begun` is what `begin` gave where functions of the application take part. An operation that is a statement
        reads nothing before this.
        """


class Caches(Protocol):
    """Make caches."""

    def tables(self) -> Iterable[str]:
        """Return the tables of which changes can be seen."""

    def cache(self, policy: CachePolicy, operation: Operation, guard: Guard | None) -> Cache:
        """Return what keeps the answers of an operation."""


def compile_cache_policy(
    operation: Operation,
    contract: Contract,
    sources: Sources | None,
    tables: Callable[[], Iterable[str]],
    report: Report,
) -> CachePolicy | None:
    """Return how the answers of an operation are kept, None where they are not.

    `sources` is None for an operation whose answers cannot be; `tables` returns the known tables.
    """
    wish = cache_wish(operation, contract, report)
    if wish is None:
        return None
    try:
        if sources is None:
            raise ValueError("on an operation that is no list, no read and no function")
        found = _tables(sources, wish.tables, tables)
        if wish.shared and sources.is_own:
            raise ValueError("`shared: true` on an operation that answers each caller differently")
    except ValueError as error:
        report(operation.extension_places[KEY], f"`{KEY}`: {error}", _ALLOWED)
        return None
    return CachePolicy(wish.seconds, tuple(sorted(found)), wish.shared, is_function=sources.tables is None)


def cache_wish(operation: Operation, contract: Contract, report: Report) -> CacheWish | None:
    """Return what an operation says of keeping its answers, as far as the contract alone can tell; None for nothing."""
    if KEY in contract.extensions:
        place = Place(contract.sources[0].name, f"/{KEY}")
        report(place, f"`{KEY}` says nothing about a document", "write it on an operation")
    if KEY not in operation.extensions:
        return None
    written, place = operation.extensions[KEY], operation.extension_places[KEY]
    if operation.method != "GET":
        if place == Place(operation.place.file, f"{operation.place.pointer}/{KEY}"):
            report(place, f"`{KEY}` on {operation.method}, whose answers cannot be kept", "write it on a GET operation")
        return None
    if written is None or written is False:
        return None
    try:
        wish = _read(written)
        if operation.body is not None:
            raise ValueError("on an operation with a body, which is no part of what an answer is kept for")
    except ValueError as error:
        report(place, f"`{KEY}`: {error}", _ALLOWED)
        return None
    return wish


def _read(written: Any) -> CacheWish:
    """Return what is written; `ValueError` says what is wrong with it."""
    said = written if isinstance(written, dict) else {"seconds": written}
    unknown = [str(name) for name in said if name not in _MEMBERS]
    if unknown:
        raise ValueError(f"found the members {', '.join(sorted(unknown))}")
    seconds, tables, shared = said.get("seconds"), said.get("tables"), said.get("shared", False)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= _LONGEST_S:
        raise ValueError(f"found {seconds!r}, and seconds are a whole number from 1 to {_LONGEST_S}")
    if tables is not None and not (isinstance(tables, list) and all(isinstance(one, str) for one in tables)):
        raise ValueError(f"found the tables {tables!r}, which are a list of names")
    if not isinstance(shared, bool):
        raise ValueError(f"found `shared: {shared}`, which is true or false")
    return CacheWish(seconds, None if tables is None else frozenset(tables), shared)


def _tables(sources: Sources, named: frozenset[str] | None, tables: Callable[[], Iterable[str]]) -> frozenset[str]:
    """Return what answers are made from: what is known of it, and what the contract names besides."""
    if sources.tables is None and named is None:
        raise ValueError("a function does not tell what it reads; name its `tables`, or `[]` for none")
    known = frozenset(tables()) if named else frozenset[str]()
    for name in sorted((named or frozenset()) - known):
        close = get_close_matches(name, known, 1)
        hint = f"did you mean `{close[0]}`?" if close else "it has to be one of the models'"
        raise ValueError(f"there is no table `{name}`; {hint}")
    return (named or frozenset()) | (sources.tables or frozenset())
