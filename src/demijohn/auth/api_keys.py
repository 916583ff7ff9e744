"""API keys: for programs that act for a user, with a part of what the user may do."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, String, bindparam, delete, insert, select, update

from demijohn.auth.pruning import Pruning
from demijohn.auth.tables import api_keys, digest
from demijohn.auth.users import User, Users
from demijohn.resources.database import Transaction

__all__ = ["ApiKey", "ApiKeys"]

PREFIX: Final = "dj_"
"""How API keys begin, for those who look for credentials in repositories and logs."""

_SHOWN = 8
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Be an API key as its user sees it: `prefix` is how it begins. Times are seconds since 1970."""

    id: str
    name: str | None
    prefix: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None


class ApiKeys:
    """Make keys, look them up, list and revoke them. `clock` gives the seconds since 1970."""

    def __init__(self, users: Users, clock: Callable[[], float] = time.time) -> None:
        self._users = users
        self._database = users.database
        self._clock = clock
        self._pruning = Pruning()
        table, compile_ = api_keys, users.compile
        text, number = String(), BigInteger()
        is_users = table.c.user_key == bindparam("user_key", type_=text)
        self._insert = compile_(
            insert(table).values({one.name: bindparam(one.name, type_=one.type) for one in table.columns})
        )
        self._find = compile_(
            select(table.c.id, table.c.user_key, table.c.stamp, table.c.scopes, table.c.expires_at).where(
                table.c.hash == bindparam("hash", type_=text)
            )
        )
        shown = [table.c[name] for name in ("id", "name", "prefix", "scopes", "created_at", "expires_at")]
        is_stamped = table.c.stamp == bindparam("stamp", type_=text)
        self._list = compile_(select(*shown).where(is_users, is_stamped).order_by(table.c.created_at, table.c.id))
        is_key = table.c.id == bindparam("id", type_=text)
        self._revoke = compile_(delete(table).where(is_key, is_users))
        self._revoke_all = compile_(delete(table).where(is_users))
        is_old = table.c.stamp == bindparam("old", type_=text)
        self._stamp = compile_(update(table).where(is_users, is_old).values(stamp=bindparam("new", type_=text)))
        self._prune = compile_(delete(table).where(table.c.expires_at < bindparam("now", type_=number)))

    def make(self, user: User, name: str | None, scopes: Iterable[str], expires_at: int | None) -> tuple[ApiKey, str]:
        """Make a key; return it with its text, which is told this once."""
        key = PREFIX + secrets.token_hex(32)
        row: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "user_key": user.text,
            "stamp": user.stamp,
            "name": name,
            "prefix": key[: len(PREFIX) + _SHOWN],
            "hash": digest(key),
            "scopes": json.dumps(sorted(scopes)),
            "created_at": int(self._clock()),
            "expires_at": expires_at,
        }

        def work(transaction: Transaction) -> None:
            transaction.run(self._insert, row)
            if self._pruning.is_due():
                transaction.run(self._prune, {"now": int(self._clock())})

        self._database.write(work)
        return _api_key(*(row[one] for one in ("id", "name", "prefix", "scopes", "created_at", "expires_at"))), key

    def look_up(self, key: str) -> tuple[str, User, frozenset[str]] | None:
        """Return the id of a key, its user as the user is now, and the scopes that both have; None for no good key."""
        if not key.startswith(PREFIX) or len(key) > _LONGEST or not key.isascii():
            return None
        rows = self._database.read(self._find, {"hash": digest(key)})
        if not rows:
            return None
        id_, user_key, stamp, scopes, expires_at = rows[0]
        if expires_at is not None and expires_at <= self._clock():
            return None
        user = self._users.by_key(self._users.key_of(user_key))
        if user is None or user.is_disabled or user.stamp != stamp:
            return None
        return id_, user, user.roles & frozenset(json.loads(scopes))

    def of(self, user: User) -> list[ApiKey]:
        """Return the keys of a user, the oldest first."""
        rows = self._database.read(self._list, {"user_key": user.text, "stamp": user.stamp})
        return [_api_key(*row) for row in rows]

    def revoke(self, id_: str, user_key: str) -> bool:
        """Revoke a key of a user; False where the user has no such key."""

        def work(transaction: Transaction) -> bool:
            transaction.run(self._revoke, {"id": id_, "user_key": user_key})
            return transaction.count == 1

        return self._database.write(work)

    def revoke_all(self, transaction: Transaction, user_key: str) -> None:
        """Revoke all keys of a user."""
        transaction.run(self._revoke_all, {"user_key": user_key})

    def keep(self, transaction: Transaction, user_key: str, old_stamp: str, new_stamp: str) -> None:
        """Let the keys of a user go on although the hash of the password has changed."""
        transaction.run(self._stamp, {"user_key": user_key, "old": old_stamp, "new": new_stamp})


def _api_key(id_: str, name: str | None, prefix: str, scopes: str, created_at: int, expires_at: int | None) -> ApiKey:
    return ApiKey(id_, name, prefix, tuple(json.loads(scopes)), created_at, expires_at)
