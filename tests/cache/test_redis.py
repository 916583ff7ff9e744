"""Answers that processes share by Redis: found by others, never too old, and no harm when it is away."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clocks import Clock
from flask import Flask
from flask.testing import FlaskClient
from redis_server import RedisServer
from small_apis import INTEGER, STRING, contract, crud, obj, whole
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.test import TestResponse

from demijohn import Demijohn, SettingError, Settings
from demijohn.breaker import RETRY_S
from demijohn.cache.redis import TIMEOUT_S, RedisStore
from demijohn.compile.answers import Answer


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))


SHORT = STRING | {"maxLength": 20}
PATHS = crud("/books", "Book")
for _path in PATHS.values():
    _path["get"]["x-cache"] = 60
CONTRACT = contract(
    PATHS, {"Book": whole(id=INTEGER, title=SHORT), "NewBook": whole(title=SHORT), "BookUpdate": obj(title=SHORT)}
)


def opened(folder: Path, storage: str, database: str = "data.db") -> FlaskClient:
    (folder / "openapi.json").write_text(json.dumps(CONTRACT))
    app = Flask("small", root_path=str(folder))
    api = Demijohn(app, settings=Settings(database_url=f"sqlite:///{folder}/{database}", cache_storage=storage))
    api.resource(Base)
    api.add_contract("openapi.json")
    return app.test_client()


@pytest.fixture
def clients(redis: RedisServer, tmp_path: Path) -> Iterator[list[FlaskClient]]:
    """Return the application as three processes have it."""
    made = [opened(tmp_path, redis.url) for _ in range(3)]
    yield made
    for one in made:
        one.application.extensions["demijohn"].resources.database.close()


def told(response: TestResponse) -> str:
    assert response.status_code == 200
    return response.headers["Cache-Status"].partition("; ttl")[0].removeprefix("demijohn; ")


def test_what_one_has_made_the_others_find(clients: list[FlaskClient], redis: RedisServer) -> None:
    assert clients[0].post("/books", json={"title": "One"}).status_code == 201
    found = [client.get("/books?limit=5") for client in clients]
    assert [told(one) for one in found] == ["fwd=miss; stored", "hit", "hit"]
    for name in ("ETag", "Link", "Content-Type", "Cache-Control"):
        assert len({one.headers.get(name) for one in found}) == 1
    assert len({one.data for one in found}) == 1
    keys: Any = redis.client.keys("*")
    (key,) = keys
    assert key.startswith(b"demijohn:cache:")
    assert b"books" not in key
    assert 0 < redis.client.ttl(key) <= 60
    assert clients[1].patch("/books/1", json={"title": "New"}).status_code == 200
    assert [told(client.get("/books?limit=5")) for client in clients] == ["fwd=stale; stored", "hit", "hit"]
    assert [client.get("/books?limit=5").get_json() for client in clients] == [[{"id": 1, "title": "New"}]] * 3


def test_the_age_of_what_another_has_made_counts(redis: RedisServer) -> None:
    now = [1000.0]
    store = RedisStore(redis.url, lambda: now[0])
    store.put(b"k", Answer(200, b"[1]\n[2]", "application/json", [("ETag", '"1"')]), 60)
    now[0] += 20
    assert store.get(b"k") == (Answer(200, b"[1]\n[2]", "application/json", [("ETag", '"1"')]), 20.0)
    assert store.get(b"other") is None
    for value in (b"", b"nothing", b"[1]\n[]", b"null\n", b'[1, "a", 2]\n', b'["x", "a", []]\n'):
        redis.client.set(b"demijohn:cache:k", value)
        assert store.get(b"k") is None


def test_databases_do_not_meet_in_one_redis(redis: RedisServer, tmp_path: Path) -> None:
    one, other = (opened(tmp_path, redis.url, name) for name in ("one.db", "other.db"))
    one.post("/books", json={"title": "One"})
    assert [len(client.get("/books").get_json()) for client in (one, other, one, other)] == [1, 0, 1, 0]
    for client in (one, other):
        client.application.extensions["demijohn"].resources.database.close()


def test_a_redis_that_is_away_costs_nothing_but_what_it_had(
    clients: list[FlaskClient], redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert clients[0].post("/books", json={"title": "One"}).status_code == 201
    assert [told(client.get("/books")) for client in clients] == ["fwd=miss; stored", "hit", "hit"]
    redis.stop()
    assert clients[0].patch("/books/1", json={"title": "New"}).status_code == 200
    for client in clients:
        assert [told(client.get("/books")) for _ in range(2)] == ["fwd=stale; stored", "hit"]
        assert client.get("/books").get_json() == [{"id": 1, "title": "New"}]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 3  # one for each process
    assert "Each process keeps the answers that it makes for itself, since the Redis of the cache" in caplog.text
    redis.start()
    for client in clients:
        client.application.extensions["demijohn"].caches._shared._breaker._retry_at = 0.0
        assert client.get("/books?limit=3").status_code == 200
    assert "Answers are kept in Redis again" in caplog.text


def test_a_redis_that_hangs_holds_one_request_for_a_tenth_of_a_second(
    clients: list[FlaskClient], redis: RedisServer
) -> None:
    client = clients[0]
    assert client.get("/books").status_code == 200
    redis.hang()
    began = time.monotonic()
    assert {client.get(f"/books?limit={number}").status_code for number in range(1, 51)} == {200}
    took_s = time.monotonic() - began
    redis.go_on()
    # The default of the client is five seconds, for each of a hundred round trips.
    assert TIMEOUT_S <= took_s < 3


def test_a_breaker_asks_again_after_a_while(redis: RedisServer, clock: Clock) -> None:
    store = RedisStore(redis.url)
    store._breaker._clock = clock
    answer = Answer(200, b"[]", "application/json", [])
    store.put(b"k", answer, 60)
    redis.stop()
    assert store.get(b"k") is None
    redis.start()
    store.put(b"k", answer, 60)
    assert store.get(b"k") is None
    clock.now += RETRY_S
    store.put(b"k", answer, 60)
    assert store.get(b"k") is not None


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("database", "DEMIJOHN_CACHE_STORAGE: found 'database', allowed is memory, or an address"),
        ("postgresql://u:secret@h/d", "DEMIJOHN_CACHE_STORAGE: found 'postgresql', allowed is memory"),
        ("redis://localhost:x/0", "DEMIJOHN_CACHE_STORAGE: the address cannot be read"),
    ],
)
def test_a_storage_that_is_none_stops_the_start(storage: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        Demijohn(Flask("small"), settings=Settings(cache_storage=storage))
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)
