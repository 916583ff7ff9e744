"""Policies to what counts requests: for each caller, else for each address."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask

from demijohn.compile.guards import Caller
from demijohn.compile.rates import RatePolicy, Window, windows_of_setting
from demijohn.errors import SettingError, TooManyRequests
from demijohn.limits.addresses import network_of
from demijohn.limits.counts import Counter, Counts, MemoryCounts
from demijohn.limits.shared import SharedCounts
from demijohn.settings import Settings, check_redis, unreadable_redis

if TYPE_CHECKING:
    from demijohn.resources.database import Database

__all__ = ["Limiter", "limiter_of", "new_limiter"]

_STORAGES = "memory, database, or an address that begins with redis://, rediss:// or redis+unix://"
_MOST_BLOCKED = 10_000


def limiter_of(app: Flask) -> Limiter:
    """Return the limiter of an application that Demijohn is set up on."""
    limiter: Limiter = app.extensions["demijohn"].limiter
    return limiter


def new_limiter(settings: Settings, open_database: Callable[[], Database]) -> Limiter:
    """Return a limiter whose counts are where the settings say; no storage is asked for anything yet.

    `open_database` returns the application's database when it is first needed. Raises `SettingError` with every wrong
    setting.
    """
    problems: list[Any] = []
    failures: tuple[Window, ...] = ()
    counts: Counts = MemoryCounts()
    try:
        counts = _open_counts(settings.rate_limit_storage, open_database)
    except SettingError as error:
        problems += error.problems
    for name in ("rate_limit_default", "rate_limit_failures", "rate_limit_login", *_OF_LOGINS):
        try:
            windows = windows_of_setting(settings, name)
        except SettingError as error:
            problems += error.problems
        else:
            failures = windows if name == "rate_limit_failures" else failures
    if problems:
        raise SettingError(problems)
    return Limiter(counts, failures)


_OF_LOGINS = ("rate_limit_login_address", "rate_limit_login_account")


def _open_counts(storage: str, open_database: Callable[[], Database]) -> Counts:
    if storage == "memory":
        return MemoryCounts()
    if storage == "database":
        from demijohn.limits.database import DatabaseCounts

        return SharedCounts(DatabaseCounts(open_database), "the database")
    check_redis("rate_limit_storage", storage, _STORAGES)
    from demijohn.limits.redis import RedisCounts

    try:
        return SharedCounts(RedisCounts(storage), f"the Redis at {urlsplit(storage).hostname or 'its socket'}")
    except ValueError:
        raise SettingError([unreadable_redis("rate_limit_storage")]) from None


class Limiter:
    """Make what counts the requests of each operation.

    `failures` are the windows for wrong credentials, none for no limit.
    """

    def __init__(self, counts: Counts, failures: tuple[Window, ...] = ()) -> None:
        self.counts = counts
        self.failures = FailureLimit(counts, failures) if failures else None

    def stats(self) -> dict[str, float]:
        """Return how many counts are in memory, and whether those that should be elsewhere are, too."""
        return self.counts.stats() if isinstance(self.counts, MemoryCounts | SharedCounts) else {}

    def limit(self, policy: RatePolicy) -> OperationLimit:
        """Return what counts the requests of an operation."""
        return OperationLimit(policy, self.counts)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Be one window of a policy: with what its counters' keys begin, and what its headers have."""

    window: Window
    prefix: str
    item: str


class OperationLimit:
    """Count the requests to the operations of one scope, for each caller, else for each address."""

    def __init__(self, policy: RatePolicy, counts: Counts) -> None:
        self.policy = policy
        self._counts = counts
        self._rules = [_Rule(one, prefix_of(policy.scope, one), f'"{one.name}"') for one in policy.windows]
        # https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/: q requests in w seconds.
        items = ", ".join(f'"{one.name}";q={one.quota};w={one.window_s}' for one in policy.windows)
        self._header = ("RateLimit-Policy", items)

    def take(self, caller: Caller, address: str) -> Sequence[tuple[str, str]]:
        """Count a request; return the headers of its answer.

        A request that one window refuses is not counted in the longer ones. Raises `TooManyRequests`.
        """
        key = caller.identity or f"address {network_of(address)}"
        items = []
        for rule in self._rules:
            window = rule.window
            hits, left_s = self._counts.hit(Counter(rule.prefix + key, window.window_s))
            left_s = ceil(left_s)
            items.append(f"{rule.item};r={max(window.quota - hits, 0)};t={left_s}")
            if hits > window.quota:
                headers = [self._header, ("RateLimit", ", ".join(items))]
                detail = f"At most {window.text} are allowed here."
                raise TooManyRequests(detail, retry_after_s=max(left_s, 1), headers=headers)
        return (self._header, ("RateLimit", ", ".join(items)))


class FailureLimit:
    """Count the wrong credentials of each address; one that has sent too many is not listened to for a while.

    Which address that is each process remembers for itself, so that a right credential costs no look-up elsewhere:
    another process lets it try once more before it knows.
    """

    def __init__(
        self, counts: Counts, windows: tuple[Window, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counts = counts
        self._windows = [(one, prefix_of("failures", one)) for one in windows]
        self._clock = clock
        self._blocked: dict[str, float] = {}

    def check(self, address: str) -> None:
        """Raise `TooManyRequests` where the address has sent too many wrong credentials."""
        if not self._blocked:
            return
        network = network_of(address)
        ends_at = self._blocked.get(network)
        if ends_at is None:
            return
        left_s = ends_at - self._clock()
        if left_s > 0:
            raise _too_many_failures(left_s)
        self._blocked.pop(network, None)

    def count(self, address: str) -> None:
        """Count one more wrong credential. Raises `TooManyRequests` where that is too many."""
        network = network_of(address)
        for window, prefix in self._windows:
            hits, left_s = self._counts.hit(Counter(prefix + network, window.window_s, must_hold=True))
            if hits > window.quota:
                self._block(network, left_s)
                raise _too_many_failures(left_s)

    def _block(self, network: str, left_s: float) -> None:
        if len(self._blocked) >= _MOST_BLOCKED:
            now = self._clock()
            self._blocked = {key: ends_at for key, ends_at in list(self._blocked.items()) if ends_at > now}
            if len(self._blocked) >= _MOST_BLOCKED:  # the counts go on refusing those that are not remembered
                return
        self._blocked[network] = self._clock() + left_s


def _too_many_failures(left_s: float) -> TooManyRequests:
    detail = "Too many wrong credentials came from this address."
    return TooManyRequests(detail, retry_after_s=max(ceil(left_s), 1))


def prefix_of(scope: str, window: Window) -> str:
    """Return what the keys of a window's counters begin with: another limit begins to count anew."""
    return f"{scope} {window.quota}/{window.window_s} "
