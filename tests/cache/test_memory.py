"""The memory that answers take is bounded, whatever is asked for; what is asked for again stays longest."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from demijohn.cache.memory import Entry, MemoryStore
from demijohn.compile.answers import Answer

HEADERS = [("Content-Type", "application/json"), ("ETag", '"3b9cfd5b45d1efffecf13518"'), ("Cache-Control", "no-cache")]


def entry(size: int = 100) -> Entry:
    return Entry(Answer(200, b"x" * size, "application/json", [*HEADERS]), (1, 2), 0.0, 60.0)


def test_what_is_put_is_found_until_another_takes_its_place() -> None:
    store = MemoryStore(100_000)
    one, two = entry(), entry()
    assert store.get("a") is None
    store.put("a", one, 1)
    assert store.get("a") is one
    store.put("a", two, 1)
    assert (store.get("a"), len(store)) == (two, 1)
    assert store.bytes == two.size + 1


def test_the_bytes_are_never_more_than_allowed() -> None:
    chance, store = random.Random(3), MemoryStore(50_000)
    for _ in range(3000):
        key = chance.randrange(60)
        if chance.random() < 0.5:
            store.put(key, entry(chance.randrange(6000)), 10)
        else:
            store.get(key)
        assert store.bytes <= 50_000
    kept = [*store._new.values(), *store._protected.values()]
    assert store.bytes == sum(size for _, size in kept)
    assert store._protected_bytes == sum(size for _, size in store._protected.values())


def test_what_is_larger_than_the_store_takes_nothing_elses_place() -> None:
    store = MemoryStore(10_000)
    store.put("small", entry(), 1)
    store.put("large", entry(20_000), 1)
    assert (store.get("large"), len(store)) == (None, 1)


@pytest.mark.parametrize("flood", [1000, 10_000])
def test_a_flood_of_what_is_asked_for_once_pushes_out_nothing_that_was_asked_for_again(flood: int) -> None:
    store = MemoryStore(100 * entry().size)
    for number in range(50):
        store.put(number, entry(), 0)
        store.get(number)
    for number in range(flood):
        store.put(f"flood {number}", entry(), 0)
    assert all(store.get(number) is not None for number in range(50))


def test_what_was_asked_for_again_long_ago_goes_in_the_end() -> None:
    store = MemoryStore(100 * entry().size)
    for number in range(1000):
        store.put(number, entry(), 0)
        store.get(number)
    assert store.get(0) is None
    assert store.get(999) is not None
    assert len(store) <= 100


def test_the_size_that_is_counted_is_no_less_than_what_is_taken() -> None:
    most = 4_000_000
    store = MemoryStore(most)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            key = (
                store,
                ("", "/books", f"limit=20&offset={number}", "application/json", None),
                (str, f"u{number}", ()),
            )
            headers = [(name, value + " " * (number % 2)) for name, value in HEADERS * 3]
            answer = Answer(200, b"%d" % number * 20, "application/json", headers)
            store.put(key, Entry(answer, (number, number), 0.5 * number, 60.5 * number), 60)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 1000 < len(store) < 3000
    assert taken <= most
