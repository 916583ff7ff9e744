"""Redis, where limits and kept answers are, is killed, hangs, and is there again: the API goes on, and so do limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacked_apps import LIBRARY
from borrowers import Borrowers, borrowing
from library_server import BACK_S, LibraryServer, wait_until
from redis_server import RedisServer
from served_site import WORKERS, Member

from demijohn.operating.counts import read_workers

LONGEST_S = 5.0
"""How long a request may take at most, on a machine that has other things to do; a tenth of it is Redis's."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis that a test may take away."""
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    yield server
    server.remove()


def kept_in(redis: RedisServer, prefix: str) -> int:
    found: Any = redis.client.keys(f"demijohn:{prefix}*")
    return len(found)


def is_away(running: LibraryServer) -> bool:
    """Tell whether a worker counts for itself."""
    return any(worker.snapshot.stats["rate_limit_storage_away"] for worker in read_workers(running.counts))


def guesses(members: Borrowers, somebody: Member) -> int:
    """Guess at a password until nobody looks at it any more; return how often somebody has."""
    statuses = [members.log_in(somebody, "not the password") for _ in range(WORKERS * LIBRARY.login_failures + 10)]
    assert set(statuses) == {401, 429}
    assert statuses[-1] == 429
    return statuses.count(401)


@pytest.mark.parametrize("fault", ["killed", "hung"])
def test_the_api_goes_on_without_it_and_uses_it_again_within_5_seconds(
    fault: str, library: Callable[..., LibraryServer], redis: RedisServer, tmp_path: Path
) -> None:
    storages = {"DEMIJOHN_RATE_LIMIT_STORAGE": redis.url, "DEMIJOHN_CACHE_STORAGE": redis.url}
    running = library("sqlite", f"sqlite:///{tmp_path}/library.db", workers=WORKERS, **storages)
    site = running.start()
    before, meanwhile, after = (site.elsewhere().member() for _ in range(3))
    with borrowing(running, site, members=4) as members:
        members.wait_for_more(50)
        assert guesses(members, before) == LIBRARY.login_failures
        assert kept_in(redis, "cache")
        if fault == "killed":
            redis.stop()
        else:
            redis.hang()
        members.wait_for_more(100)
        wait_until(lambda: is_away(running), "nobody noticed")
        # Each process counts for itself then: few may be guessed, and not any number.
        assert LIBRARY.login_failures <= guesses(members, meanwhile) <= WORKERS * LIBRARY.login_failures
        if fault == "killed":
            redis.start()
        else:
            redis.go_on()
            redis.client.flushall()
        # Whatever is found in it from now on is new.
        wait_until(lambda: kept_in(redis, "cache") > 0 and not is_away(running), "Redis is not used again", BACK_S)
        members.wait_for_more(50)
        assert guesses(members, after) == LIBRARY.login_failures
    assert members.statuses.keys() <= {200, 201, 401, 409, 429}
    assert members.lost == []
    assert members.slowest_s < LONGEST_S
    members.check()
    assert running.running.stop() == 0
    assert "Traceback" not in running.running.told()
