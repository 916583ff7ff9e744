"""Answers in Redis, which processes share: an answer that one of them has made is found by the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import orjson
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demijohn.breaker import Breaker
from demijohn.compile.answers import Answer
from demijohn.turns import give_up

__all__ = ["TIMEOUT_S", "RedisStore"]

TIMEOUT_S: Final = 0.1
"""How long a request waits for Redis, in seconds: in the same network it answers within one thousandth."""

_PREFIX: Final = b"demijohn:cache:"


class RedisStore:
    """Keep answers in the Redis at an address; while it is away nothing is found, and nothing kept.

    A key says which versions of their tables answers were made from, so that none is ever too old, whatever becomes
    of Redis. `clock` gives seconds since 1970. Raises `ValueError` for an address that cannot be read.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.time) -> None:
        options: dict[str, Any] = {
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            # The default tries again for a while.
            "retry": Retry(NoBackoff(), 0),
        }
        self._redis: Any = Redis.from_url(address.replace("redis+unix://", "unix://", 1), **options)
        self._clock = clock
        without = "Each process keeps the answers that it makes for itself"
        self._breaker = Breaker("the Redis of the cache", without, "Answers are kept in Redis again")

    def get(self, digest: bytes) -> tuple[Answer, float] | None:
        """Return an answer and its age in seconds, None where there is none."""
        found = self._do(lambda redis: redis.get(_PREFIX + digest))
        if found is None:
            return None
        try:
            head, _, body = found.partition(b"\n")
            made_at, media_type, headers = orjson.loads(head)
            pairs = [(str(name), str(value)) for name, value in headers]
            return Answer(200, body, media_type, pairs), max(self._clock() - float(made_at), 0.0)
        except (ValueError, TypeError):
            return None  # somebody else's

    def put(self, digest: bytes, answer: Answer, seconds: int) -> None:
        """Keep an answer that was just made."""
        head = orjson.dumps([self._clock(), answer.media_type, answer.headers])
        self._do(lambda redis: redis.set(_PREFIX + digest, head + b"\n" + answer.body, ex=seconds))

    def _do(self, work: Callable[[Any], Any]) -> Any:
        if not self._breaker.may_ask():
            return None
        give_up()
        try:
            found = work(self._redis)
        except Exception as error:  # whatever it is, a wrong password for example: the API goes on
            self._breaker.failed(error)
            return None
        self._breaker.answered()
        return found
