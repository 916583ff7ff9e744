"""While a shared storage is away the memory of the process counts: no error, and no limit that is off."""

from __future__ import annotations

import logging
import time

import pytest
from clocks import Clock
from redis_server import RedisServer

from demijohn.breaker import RETRY_S
from demijohn.limits.counts import Count, Counter, MemoryCounts
from demijohn.limits.redis import TIMEOUT_S, RedisCounts
from demijohn.limits.shared import SharedCounts

ANNA = Counter("login anna", 60, must_hold=True)


class Sometimes(MemoryCounts):
    """Be a storage that is away while `is_away`; `asked` counts how often it was asked for a hit."""

    is_away = False
    asked = 0

    def hit(self, counter: Counter) -> Count:
        self.asked += 1
        if self.is_away:
            raise ConnectionError("refused")
        return super().hit(counter)


def test_what_is_away_is_asked_again_after_a_while_and_not_before(clock: Clock) -> None:
    storage = Sometimes(clock)
    counts = SharedCounts(storage, "the storage", clock)
    assert counts.hit(ANNA).hits == 1
    storage.is_away = True
    assert [counts.hit(ANNA).hits for _ in range(3)] == [1, 2, 3]
    assert storage.asked == 2
    clock.now += RETRY_S
    assert [counts.hit(ANNA).hits for _ in range(3)] == [4, 5, 6]
    assert storage.asked == 3
    storage.is_away = False
    clock.now += RETRY_S
    assert counts.hit(ANNA).hits == 2


def test_the_log_tells_once_that_it_is_away_and_once_that_it_is_back(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Sometimes(clock)
    counts = SharedCounts(storage, "the storage", clock)
    storage.is_away = True
    for _ in range(3):
        counts.hit(ANNA)
        clock.now += RETRY_S
    storage.is_away = False
    counts.hit(ANNA)
    counts.hit(ANNA)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert "the storage does not answer: ConnectionError: refused" in caplog.text
    assert "counted in the storage again" in caplog.text


def test_while_it_is_away_counts_are_taken_back_and_read_as_well(clock: Clock) -> None:
    storage = Sometimes(clock)
    counts = SharedCounts(storage, "the storage", clock)
    storage.is_away = True
    counts.hit(ANNA)
    counts.hit(ANNA)
    counts.take_back(ANNA)
    assert counts.get(ANNA) == 1


def test_a_redis_that_stops_and_comes_back(redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    counts = SharedCounts(RedisCounts(redis.url), "Redis", clock)
    assert [counts.hit(ANNA).hits for _ in range(2)] == [1, 2]
    redis.stop()
    assert [counts.hit(ANNA).hits for _ in range(3)] == [1, 2, 3]
    redis.start()
    clock.now += RETRY_S
    assert counts.hit(ANNA).hits == 1  # what was in Redis is gone with it
    assert len(caplog.records) == 2


def test_a_redis_that_hangs_holds_one_request_for_a_tenth_of_a_second(
    redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    counts = SharedCounts(RedisCounts(redis.url), "Redis", clock)
    assert counts.hit(ANNA).hits == 1
    redis.hang()
    began = time.monotonic()
    assert [counts.hit(ANNA).hits for _ in range(100)] == list(range(1, 101))
    took_s = time.monotonic() - began
    # The default of the client is a minute; a hundred requests that wait would be ten seconds.
    assert TIMEOUT_S <= took_s < 5
    redis.go_on()
    clock.now += RETRY_S
    # The hit that nobody waited for counts as well: what hangs may still do it, and too many is on the safe side.
    assert counts.hit(ANNA).hits in (2, 3)
    assert "Redis does not answer" in caplog.text
