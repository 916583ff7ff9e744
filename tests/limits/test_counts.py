"""Counts are exact, begin anew after their time, and are the same in every storage."""

from __future__ import annotations

from clocks import Clock
from members import at_once
from redis_server import RedisServer
from sqlalchemy import text

from demijohn.limits.counts import Counter, Counts, MemoryCounts, digest_of
from demijohn.limits.database import DatabaseCounts
from demijohn.limits.redis import RedisCounts
from demijohn.resources.database import Database

ANNA, BERT = Counter("login anna", 60), Counter("login bert", 60)


def test_each_hit_counts_one_more(counts: Counts) -> None:
    assert [counts.hit(ANNA).hits for _ in range(3)] == [1, 2, 3]
    assert counts.hit(BERT).hits == 1
    assert (counts.get(ANNA), counts.get(BERT), counts.get(Counter("nobody", 60))) == (3, 1, 0)


def test_the_time_that_is_left_is_told(counts: Counts) -> None:
    assert 55 < counts.hit(ANNA).left_s <= 60
    assert 55 < counts.hit(ANNA).left_s <= 60


def test_what_is_taken_back_was_not_counted(counts: Counts) -> None:
    counts.hit(ANNA)
    counts.hit(ANNA)
    counts.take_back(ANNA)
    assert counts.get(ANNA) == 1
    counts.take_back(ANNA)
    counts.take_back(ANNA)
    counts.take_back(BERT)
    assert (counts.get(ANNA), counts.get(BERT)) == (0, 0)
    assert counts.hit(ANNA).hits == 1


def test_of_many_at_the_same_time_no_two_get_the_same_number(counts: Counts) -> None:
    seen = at_once(8, lambda _: [counts.hit(ANNA).hits for _ in range(10)])
    assert sorted(number for one in seen for number in one) == list(range(1, 81))


def test_counts_that_must_hold_are_counts_like_others(counts: Counts) -> None:
    held = Counter("login anna", 60, must_hold=True)
    assert [counts.hit(held).hits, counts.get(held)] == [1, 1]
    counts.take_back(held)
    assert counts.get(held) == 0


def test_a_count_begins_anew_when_its_time_is_over(database: Database, clock: Clock) -> None:
    for counts in (MemoryCounts(clock), DatabaseCounts(lambda: database, clock)):
        counts.hit(ANNA)
        clock.now += 59.5
        assert counts.hit(ANNA) == (2, 0.5)
        clock.now += 0.5
        assert counts.get(ANNA) == 0
        counts.take_back(ANNA)
        assert counts.hit(ANNA) == (1, 60)


def test_no_more_is_left_than_the_whole_time_when_clocks_differ_a_little(database: Database, clock: Clock) -> None:
    counts = DatabaseCounts(lambda: database, clock)
    counts.hit(ANNA)
    clock.now -= 0.02
    assert counts.hit(ANNA) == (2, 60)


def test_redis_forgets_a_count_when_its_time_is_over(redis: RedisServer) -> None:
    counts = RedisCounts(redis.url)
    counts.hit(ANNA)
    counts.hit(ANNA)
    (key,) = redis.client.keys()
    assert 55_000 < redis.client.pttl(key) <= 60_000
    counts.take_back(ANNA)
    assert 55_000 < redis.client.pttl(key) <= 60_000
    redis.client.pexpire(key, 0)
    assert counts.hit(ANNA).hits == 1


def test_no_storage_holds_a_name(redis: RedisServer, database: Database) -> None:
    RedisCounts(redis.url).hit(ANNA)
    DatabaseCounts(lambda: database).hit(ANNA)
    assert all(b"anna" not in key for key in redis.client.scan_iter())
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM demijohn_rate_limit")).one()[0] == digest_of(ANNA)
    assert digest_of(Counter("\ud800", 1)) != digest_of(ANNA)


def test_the_database_is_rid_of_what_is_over(database: Database, clock: Clock) -> None:
    counts = DatabaseCounts(lambda: database, clock)
    counts.hit(ANNA)
    clock.now += 600
    counts.hit(BERT)
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM demijohn_rate_limit")).scalar_one() == 1


def test_memory_holds_no_more_than_it_may_and_forgets_what_is_over_first(clock: Clock) -> None:
    counts = MemoryCounts(clock, most=10)
    for number in range(5):
        counts.hit(Counter(f"short {number}", 10))
    for number in range(5):
        counts.hit(Counter(f"long {number}", 100))
    clock.now += 50
    counts.hit(Counter("new", 100))
    assert all(counts.get(Counter(f"long {number}", 100)) == 1 for number in range(5))
    for number in range(20):
        counts.hit(Counter(f"more {number}", 100))
    assert [counts.get(Counter(f"long {number}", 100)) for number in range(5)] == [0] * 5
    assert sum(counts.get(Counter(f"more {number}", 100)) for number in range(20)) == 10


def test_memory_forgets_no_count_that_must_hold_for_one_that_need_not(clock: Clock) -> None:
    counts, held = MemoryCounts(clock, most=10), Counter("login anna", 60, must_hold=True)
    counts.hit(held)
    for number in range(100):
        counts.hit(Counter(f"address {number}", 60))
    assert counts.get(held) == 1
