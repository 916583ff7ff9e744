"""What the tests of limits share: storages of each kind, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from clocks import Clock
from databases import DATABASES, Kind
from redis_server import RedisServer

from demijohn.limits.counts import Counts, MemoryCounts
from demijohn.limits.database import DatabaseCounts, metadata
from demijohn.limits.redis import RedisCounts
from demijohn.resources.database import Database, create_tables, open_database
from demijohn.settings import Settings


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis of the test's own."""
    server = RedisServer(tmp_path)
    yield server
    server.remove()


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return an open database of each kind, with the table of the counts."""
    kind: Kind = request.param
    opened = open_database(databases.url(kind, tmp_path), Settings())
    create_tables(opened.engine, [metadata])
    yield opened
    opened.close()
    databases.empty(kind)


@pytest.fixture(params=["memory", "redis", *DATABASES])
def counts(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[Counts]:
    """Return counts in each kind of storage; the clock of Redis is its own."""
    kind = request.param
    if kind == "memory":
        yield MemoryCounts(clock)
    elif kind == "redis":
        server = RedisServer(tmp_path)
        yield RedisCounts(server.url)
        server.remove()
    else:
        opened = open_database(databases.url(kind, tmp_path), Settings())
        create_tables(opened.engine, [metadata])
        yield DatabaseCounts(lambda: opened, clock)
        opened.close()
        databases.empty(kind)
