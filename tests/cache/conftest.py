"""What the tests of the cache share: a Redis, and functions behind operations that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocks import Clock
from redis_server import RedisServer


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis of the test's own."""
    server = RedisServer(tmp_path)
    yield server
    server.remove()


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()
