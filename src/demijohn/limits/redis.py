"""Counts in Redis, over the connection that the library `limits` makes."""

from __future__ import annotations

from typing import Any, cast

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

from demijohn.limits.counts import Count, Counter, digest_of
from demijohn.turns import give_up

__all__ = ["RedisCounts"]

# Redis in the same network answers within a millisecond. Nobody waits longer than this for a count.
TIMEOUT_S = 0.1

# The scripts of `limits` ask for count and time in two round trips, and for the time in whole seconds.
_HIT = b"""
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    left = tonumber(ARGV[1])
    redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
"""
_TAKE_BACK = b"""
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then
    redis.call('DECR', KEYS[1])
end
"""


class RedisCounts:
    """Keep counts in the Redis at an address; nothing is asked of it before the first hit.

    Raises whatever the client library raises when Redis does not answer within `TIMEOUT_S`.
    """

    def __init__(self, address: str) -> None:
        options = {
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            # The default tries again for a minute.
            "retry": Retry(NoBackoff(), 0),
        }
        storage = RedisStorage(address, key_prefix="demijohn:limit", **cast(dict[str, Any], options))
        self._key = storage.prefixed_key
        self._redis: Any = storage.get_connection()
        self._hit = self._redis.register_script(_HIT)
        self._take_back = self._redis.register_script(_TAKE_BACK)

    def hit(self, counter: Counter) -> Count:
        """Count one more."""
        give_up()
        hits, left_ms = self._hit([self._key(digest_of(counter))], [counter.window_s * 1000])
        return Count(hits, left_ms / 1000)

    def take_back(self, counter: Counter) -> None:
        """Count one less, where there is one."""
        give_up()
        self._take_back([self._key(digest_of(counter))])

    def get(self, counter: Counter) -> int:
        """Return how often the counter was hit."""
        give_up()
        return int(self._redis.get(self._key(digest_of(counter))) or 0)
