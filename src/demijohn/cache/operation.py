"""The answers of one operation: what they are kept under, and which of them may be."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flask import Response

from demijohn.cache.memory import Entry, MemoryStore
from demijohn.compile.answers import Answer
from demijohn.compile.guards import ANONYMOUS, Caller
from demijohn.compile.plan import Requested
from demijohn.compile.reuse import CachePolicy, Stamp

if TYPE_CHECKING:
    from demijohn.cache.redis import RedisStore

__all__ = ["OperationCache"]

_STATUS: Final = "Cache-Status"
# A longer address, or more in headers, is nothing that is asked for again and again.
_LONGEST_KEY: Final = 4000
# Keys of users that are the same exactly if they are equal and of one type.
_PLAIN = (str, int, UUID)
_PRIVATE = ("no-store", "no-cache", "private")


class OperationCache:
    """Keep the answers of one operation in memory, and in Redis where there is one.

    `identity` names operation, application and database for processes that share a Redis. `stamp` returns the versions
    of the tables that answers are made from. `headers` are those that the contract declares as parameters,
    `credentials` those that a caller is known by; without a guard nobody is. `clock` gives seconds.
    """

    def __init__(
        self,
        policy: CachePolicy,
        identity: bytes,
        memory: MemoryStore,
        shared: RedisStore | None,
        stamp: Callable[[], Stamp],
        *,
        headers: Sequence[str],
        credentials: Sequence[str],
        is_guarded: bool,
        most_entry_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy = policy
        self._identity = identity
        self._memory = memory
        self._shared = shared
        self._stamp = stamp
        self._headers = tuple(headers)
        self._credentials = tuple(dict.fromkeys((*credentials, "Authorization", "Cookie")))
        self._is_guarded = is_guarded
        self._most_entry_bytes = most_entry_bytes
        self._clock = clock
        known = ("Accept", "Origin", *headers, *credentials)
        self._known = frozenset(name.lower() for name in known)
        self._bypass = _Bypass()

    def begin(self) -> Stamp | None:
        """Return the versions of what answers are made from, None where the database does not tell them."""
        try:
            return self._stamp()
        except Exception:  # whoever makes the answer will meet it as well, and tell it
            return None

    def find(self, caller: Caller, agreed: str, request: Requested, begun: Stamp | None) -> Answer | _Search | _Bypass:
        """Return the answer that is kept for a request, else what keeps the one that is made now."""
        is_function = self.policy.is_function
        who = self._caller(caller, request)
        sent: tuple[str | None, ...] = (request.base, request.path, request.query, agreed, request.header("Prefer"))
        if self._headers:
            sent += tuple([request.header(name) for name in self._headers])
        if is_function:
            sent += (request.scheme, request.header("Host"))
        length = sum([len(one) for one in sent if one is not None])
        if who is None or length > _LONGEST_KEY or (is_function and begun is None):
            return self._bypass
        # Before anything is read: an answer may then be newer than its stamp, and never older. A function may have a
        # session that sees what was there when a hook of its application began it.
        stamp, now = begun if is_function and begun is not None else self._stamp(), self._clock()
        key = (self, sent, who)
        entry = self._memory.get(key)
        if entry is not None and entry.stamp == stamp and now < entry.ends_at:
            return self._hit(entry, now)
        if self._shared is not None:
            digest = self._digest(sent, who, stamp)
            found = self._shared.get(digest)
            if found is not None and found[1] < self.policy.seconds:
                entry = Entry(found[0], stamp, now - found[1], now - found[1] + self.policy.seconds)
                self._memory.put(key, entry, length)
                return self._hit(entry, now)
        else:
            digest = b""
        self._memory.count(is_hit=False)
        return _Search(self, key, length, stamp, now, entry is not None, digest)

    def keep(self, search: _Search, answer: Answer) -> bool:
        """Keep the answer to a request, if others may have it; tell whether it was kept."""
        if answer.status != 200 or len(answer.body) > self._most_entry_bytes or not self._is_for_others(answer):
            return False
        entry = Entry(answer, search.stamp, search.began_at, search.began_at + self.policy.seconds)
        self._memory.put(search.key, entry, search.key_bytes)
        if self._shared is not None:
            self._shared.put(search.digest, answer, self.policy.seconds)
        return True

    def _hit(self, entry: Entry, now: float) -> Answer:
        self._memory.count(is_hit=True)
        _, body, media_type, headers = entry.answer
        told = [*headers, (_STATUS, f"demijohn; hit; ttl={int(entry.ends_at - now)}")]
        if not self.policy.tables:
            told.append(("Age", str(int(now - entry.made_at))))
        return Answer(200, body, media_type, told)

    def _caller(self, caller: Caller, request: Requested) -> Hashable:
        """Return for whom an answer is; None for a request that is not answered from here.

        A function may know its callers by itself, by a session for example. Where nothing guards it, requests with
        credentials are its own business.
        """
        if self.policy.shared:
            return ()
        if not self._is_guarded:
            is_known = self.policy.is_function and (request.header("Authorization") or request.header("Cookie"))
            return None if is_known else ()
        if caller is ANONYMOUS and not self.policy.is_function:
            return ()
        user = caller.user
        if type(user) in _PLAIN and not self.policy.is_function:
            return (type(user), user, caller.scopes)
        sent = tuple([request.header(name) for name in self._credentials])
        return (type(user), repr(user), caller.scopes, repr(caller.info), sent)

    def _digest(self, sent: tuple[str | None, ...], who: Any, stamp: Stamp) -> bytes:
        """Return what an answer is called where processes share it; it tells nobody whose it is."""
        told = [one if not isinstance(one, frozenset) else sorted(one) for one in who]
        text = repr((sent, told, stamp, self.policy))
        digest = blake2b(self._identity, digest_size=20)
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest().encode()

    def _is_for_others(self, answer: Answer) -> bool:
        """Tell whether a function has said nothing that forbids to give its answer to others like this one."""
        if not self.policy.is_function:
            return True
        said = {name.lower(): str(value).lower() for name, value in answer.headers}
        if "set-cookie" in said:
            return False
        if {one.strip() for one in said.get("vary", "").split(",") if one.strip()} - self._known:
            return False
        control = said.get("cache-control", "")
        # What the policy itself says is `private` is kept for its caller, and its `no-cache` ends with a write.
        own = [one for one in _PRIVATE if one in control]
        return not own or (control in self._own_controls)

    @property
    def _own_controls(self) -> tuple[str, ...]:
        use = "no-cache" if self.policy.tables else f"max-age={self.policy.seconds}"
        return (use, f"private, {use}", f"public, {use}")


@dataclass(frozen=True, slots=True)
class _Search:
    """Be a search that has found nothing, or something that is too old."""

    cache: OperationCache
    key: Hashable
    key_bytes: int
    stamp: Stamp
    began_at: float
    is_stale: bool
    digest: bytes

    def keep(self, answer: Answer | Response) -> Answer | Response:
        """Keep an answer, if it may be; return it with a header that tells what was done."""
        told = f"demijohn; fwd={'stale' if self.is_stale else 'miss'}"
        if isinstance(answer, Response):
            return _told(answer, told)
        return _told(answer, f"{told}; stored" if self.cache.keep(self, answer) else told)


class _Bypass:
    """Be a request that is never answered from a cache."""

    def keep(self, answer: Answer | Response) -> Answer | Response:
        """Keep nothing."""
        return _told(answer, "demijohn; fwd=bypass")


def _told(answer: Answer | Response, text: str) -> Answer | Response:
    """Return an answer that tells what the cache did (RFC 9211)."""
    if isinstance(answer, Response):
        answer.headers.add(_STATUS, text)
        return answer
    return answer._replace(headers=[*answer.headers, (_STATUS, text)])
