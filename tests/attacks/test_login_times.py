"""Attack cases C2 and C4, by the clock: what the time of a login tells, and when an account is open again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations, permutations
from typing import Any

import argon2
import pytest
from same_time import mann_whitney
from served_site import PASSWORD, Kept, Site
from target import Reply

# Of one application each: accounts are the same, and these take their time. The library has a window of its own.
LIBRARIES = pytest.mark.parametrize(
    "running_site", ["library-sqlite", "library-postgresql-gunicorn"], indirect=True, scope="module"
)
BLOGS = pytest.mark.parametrize("running_site", ["blog-sqlite", "blog-postgresql"], indirect=True, scope="module")
WINDOW_S = 2
FAILURES = 10
# A tenth of the real cost. Much less would tell how long it takes to read a row that was found: a few microseconds.
MEMORY_KIB = 4096
SETTINGS = {
    "DEMIJOHN_PASSWORD_MEMORY_KIB": str(MEMORY_KIB),
    "DEMIJOHN_RATE_LIMIT_STORAGE": "memory",
    "DEMIJOHN_RATE_LIMIT_LOGIN": f"{FAILURES} per {WINDOW_S} seconds",
    "DEMIJOHN_RATE_LIMIT_LOGIN_ADDRESS": "100000 per hour",
    "DEMIJOHN_RATE_LIMIT_LOGIN_ACCOUNT": "100000 per hour",
}
WRONG = "eight lives of a dog"
ROUNDS = 300
ROUNDS_OF_AN_ADDRESS = 5
BOUND_S = 0.002
BOUND = 0.1
LEAST_P = 0.01
# Noise of the machine makes differences and never takes one away.
TRIES = 3

Credentials = Mapping[str, tuple[str, str]]


def attempt(kept: Kept, path: str, email: str, password: str) -> Reply:
    return kept.ask("POST", path, f'{{"email":"{email}","password":"{password}"}}')


@contextmanager
def one_worker(site: Site, worker: int) -> Iterator[Kept]:
    """Yield a connection from another address to a worker."""
    with site.elsewhere().workers() as workers:
        yield workers[worker]


def measure(site: Site, worker: int, who: Credentials) -> dict[str, list[float]]:
    """Return how long each login took, in seconds; they take turns, in another order each time."""
    took_s: dict[str, list[float]] = {name: [] for name in who}
    orders = list(permutations(who))
    for first in range(0, ROUNDS, ROUNDS_OF_AN_ADDRESS):
        with one_worker(site, worker) as kept:
            for number in range(first, first + ROUNDS_OF_AN_ADDRESS):
                for name in orders[number * 7 % len(orders)]:
                    began = time.perf_counter()
                    reply = attempt(kept, f"{site.accounts}/login", *who[name])
                    took_s[name].append(time.perf_counter() - began)
                    assert reply.status == 401
    return took_s


def differences(took_s: Mapping[str, Sequence[float]]) -> list[str]:
    """Return what tells one kind of login from another."""
    found = []
    for (name, one), (other, two) in combinations(took_s.items(), 2):
        middle, other_middle = statistics.median(one), statistics.median(two)
        p = mann_whitney(one, two)
        apart_s = abs(middle - other_middle)
        if apart_s > BOUND_S or apart_s > BOUND * min(middle, other_middle) or p <= LEAST_P:
            found.append(f"{name} {middle * 1000:.3f} ms, {other} {other_middle * 1000:.3f} ms, p = {p:.4f}")
    return found


def tell_nothing(site: Site, who: Credentials) -> None:
    """Check that times are alike, and that each login costs one hash."""
    with site.workers() as workers:
        worker, *_ = workers
        for kept in workers.values():
            for credentials in who.values():
                attempt(kept, f"{site.accounts}/login", *credentials)
    told: list[Any] = []
    for _ in range(TRIES):
        before = site.hashes()
        took_s = measure(site, worker, who)
        assert site.hashes() - before == ROUNDS * len(who)
        told.append(differences(took_s))
        if not told[-1]:
            return
    pytest.fail(f"each time something differs: {told}")


@LIBRARIES
def test_c2_the_time_of_a_login_tells_nothing(site: Site) -> None:
    alice, shut = site.member(), site.member()
    site.set(shut.id, is_disabled=True)
    who = {"known": (alice.email, WRONG), "unknown": ("nobody@example.org", WRONG), "disabled": (shut.email, PASSWORD)}
    tell_nothing(site, who)


@LIBRARIES
def test_c2_nor_does_a_hash_of_older_parameters(site: Site) -> None:
    alice, shut, old = site.member(), site.member(), site.member()
    site.set(shut.id, is_disabled=True)
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=MEMORY_KIB * 3 // 2, parallelism=1)
    site.set(old.id, password_hash=hasher.hash(PASSWORD))
    who = {
        "known": (alice.email, WRONG),
        "unknown": ("nobody@example.org", WRONG),
        "disabled": (shut.email, PASSWORD),
        "old": (old.email, WRONG),
    }
    tell_nothing(site, who)
    # Who logs in is hashed anew.
    assert site.ask("POST", f"{site.accounts}/login", old.credentials).status == 200


# C4


@BLOGS
def test_c4_an_account_is_open_again_when_the_window_is_over(site: Site) -> None:
    alice = site.member()
    with site.workers() as workers:
        kept, *_ = workers.values()
        began = time.monotonic()
        assert [attempt(kept, "/auth/login", alice.email, WRONG).status for _ in range(FAILURES)] == [401] * FAILURES
        locked = attempt(kept, "/auth/login", alice.email, PASSWORD)
        assert (locked.status, locked.headers["retry-after"]) in [(429, "1"), (429, "2")]
        # From another address she gets in meanwhile, and that opens nothing here.
        elsewhere = site.elsewhere()
        opened = elsewhere.ask("POST", f"{site.accounts}/login", alice.credentials)
        assert opened.status == 200
        while (reply := attempt(kept, "/auth/login", alice.email, PASSWORD)).status == 429:
            # To go on guessing makes it no longer.
            assert time.monotonic() - began < WINDOW_S + 1
            time.sleep(0.05)
        assert reply.status == 200
        assert time.monotonic() - began >= WINDOW_S - 0.5
        site.told |= {one.json[name] for one in (opened, reply) for name in ("access_token", "refresh_token")}
        # The success has taken back what was counted.
        assert [attempt(kept, "/auth/login", alice.email, WRONG).status for _ in range(FAILURES)] == [401] * FAILURES
