"""Sessions, each begun by a login, and the refresh tokens that go on with them.

A refresh token is used once: its use gives the next one. Whoever presents a used one again shows that two have it, and
the whole session ends (RFC 9700, 4.14.2). A client whose answer was lost, or that asks from two tabs at once, is no
thief: for a few seconds the token that was used last gives its successor again, and always the same one. Successors are
not stored but made of the token itself and of a random number beside its hash, so that neither the database nor the
client alone knows one.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import BigInteger, String, bindparam, delete, insert, null, select, update

from demijohn.auth.pruning import Pruning
from demijohn.auth.tables import digest, refresh_tokens, sessions, stamp_of
from demijohn.auth.users import User, Users
from demijohn.resources.database import Transaction
from demijohn.resources.statement import Statement
from demijohn.settings import Settings

__all__ = ["Opened", "Refused", "Session", "Sessions"]

PREFIX: Final = "djr_"
"""How refresh tokens begin, for those who look for credentials in repositories and logs."""

_DAY_S = 86_400
_RANDOM_BYTES = 32
_LONGEST = 200

Reason: TypeAlias = Literal["unknown", "expired", "replayed", "user"]


@dataclass(frozen=True, slots=True)
class Opened:
    """Be a session that was begun, or gone on with. `refresh_token` is shown to the client, and nowhere stored."""

    id: str
    user: User
    refresh_token: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Say why a refresh token is not taken, for the log: clients are not told."""

    reason: Reason
    session: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Be a session as its user sees it. Times are seconds since 1970."""

    id: str
    created_at: int
    used_at: int
    expires_at: int
    address: str
    agent: str


def _text(name: str) -> Any:
    return bindparam(name, type_=String())


def _number(name: str) -> Any:
    return bindparam(name, type_=BigInteger())


class Sessions:
    """Begin sessions, look them up, go on with them, end them. `clock` gives the seconds since 1970."""

    def __init__(self, users: Users, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._users = users
        self._database = users.database
        self._clock = clock
        self._longest_s = settings.session_days * _DAY_S
        self._idle_s = settings.session_idle_days * _DAY_S
        self._grace_s = settings.refresh_grace_s
        self._pruning = Pruning()
        table, tokens, model = sessions, refresh_tokens, users.model
        compile_ = users.compile
        is_session, is_token = table.c.id == _text("session"), tokens.c.hash == _text("hash")
        is_users = table.c.user_key == _text("user_key")
        self._insert = compile_(insert(table).values({one.name: _bind(one) for one in table.columns}))
        self._insert_token = compile_(
            insert(tokens).values({name: _bind(tokens.c[name]) for name in ("hash", "session_id", "expires_at")})
        )
        self._look_up = compile_(
            select(table.c.expires_at, table.c.stamp, *users.columns)
            .select_from(table.join(model.model.table, users.is_user[0]))
            .where(is_session, is_users, *users.is_user[1:])
        )
        self._session_of = compile_(select(tokens.c.session_id).where(is_token))
        self._lock = compile_(
            select(table.c.user_key, table.c.stamp, table.c.expires_at).where(is_session).with_for_update()
        )
        self._token = compile_(
            select(tokens.c.expires_at, tokens.c.used_at, tokens.c.nonce).where(is_token).with_for_update()
        )
        used = {"used_at": _number("now"), "nonce": _text("nonce")}
        self._use_token = compile_(update(tokens).where(is_token).values(used))
        is_other = (tokens.c.session_id == _text("session"), tokens.c.hash != _text("hash"))
        self._forget_nonces = compile_(
            update(tokens).where(*is_other, tokens.c.nonce.is_not(None)).values(nonce=null())
        )
        self._touch = compile_(update(table).where(is_session).values(used_at=_number("now")))
        self._end = compile_(delete(table).where(is_session, is_users))
        self._end_tokens = compile_(delete(tokens).where(tokens.c.session_id == _text("session")))
        self._end_others = compile_(delete(table).where(is_users, table.c.id != _text("session")))
        self._stamp = compile_(update(table).where(is_users, table.c.stamp == _text("old")).values(stamp=_text("new")))
        shown = [table.c[name] for name in ("id", "created_at", "used_at", "expires_at", "address", "agent")]
        self._list = compile_(
            select(*shown)
            .where(is_users, table.c.stamp == _text("stamp"), table.c.expires_at > _number("now"))
            .order_by(table.c.used_at.desc(), table.c.id)
        )
        self._prune = [
            compile_(delete(table).where(table.c.expires_at < _number("now"))),
            compile_(delete(tokens).where(tokens.c.expires_at < _number("now"))),
        ]

    def begin(
        self, transaction: Transaction, user: User, address: str, agent: str, *, refreshable: bool = True
    ) -> Opened:
        """Begin a session of a user; one that is not `refreshable` gets no refresh token."""
        now = int(self._clock())
        session = secrets.token_hex(16)
        ends_at = now + self._longest_s
        row = {
            "id": session,
            "user_key": user.text,
            "stamp": user.stamp,
            "created_at": now,
            "used_at": now,
            "expires_at": ends_at,
            "address": address[:45],
            "agent": _printable(agent)[:200],
        }
        transaction.run(self._insert, row)
        token = None
        if refreshable:
            token = PREFIX + secrets.token_hex(_RANDOM_BYTES)
            self._add_token(transaction, token, session, now, ends_at)
        if self._pruning.is_due():
            for one in self._prune:
                transaction.run(one, {"now": now})
        return Opened(session, user, token)

    def look_up(self, session: str, user_key: str) -> User | None:
        """Return the user of a session that is alive, as the user is now; None where session or user is no more."""
        try:
            key = self._users.key_of(user_key)
        except ValueError:
            return None
        values = {"session": session, "user_key": user_key, **self._users.value(key)}
        rows = self._database.read(self._look_up, values)
        if not rows:
            return None
        expires_at, stamp, *row = rows[0]
        user = self._users.read(row)
        if user.is_disabled or expires_at <= self._clock() or _stamp(user.password) != stamp:
            return None
        return user

    def refresh(self, token: str) -> Opened | Refused:
        """Go on with the session of a refresh token, which is used up by that; end the session of a used one."""
        if not token.startswith(PREFIX) or len(token) > _LONGEST or not token.isascii():
            return Refused("unknown")
        hashed = digest(token)
        # Nobody takes a transaction, and SQLite's only one at that, with a token that was made up.
        found = self._database.read(self._session_of, {"hash": hashed})
        if not found:
            return Refused("unknown")
        session: str = found[0][0]
        return self._database.write(lambda transaction: self._refresh(transaction, token, hashed, session))

    def _refresh(self, transaction: Transaction, token: str, hashed: str, session: str) -> Opened | Refused:
        # The session is locked first and always: requests with several of its tokens come one after the other.
        locked = transaction.run(self._lock, {"session": session})
        rows = transaction.run(self._token, {"hash": hashed})
        if not locked or not rows:
            return Refused("unknown", session)
        user_key, stamp, session_ends_at = locked[0]
        expires_at, used_at, nonce = rows[0]
        now = int(self._clock())
        is_again = used_at is not None and nonce is not None and now - used_at <= self._grace_s
        if used_at is not None and not is_again:
            self._delete(transaction, session, user_key)
            return Refused("replayed", session, user_key)
        if expires_at <= now or session_ends_at <= now:
            return Refused("expired", session, user_key)
        user = self._users.by_key(self._users.key_of(user_key), transaction)
        if user is None or user.is_disabled or user.stamp != stamp:
            return Refused("user", session, user_key)
        if is_again:
            return Opened(session, user, _successor(token, nonce))
        nonce = secrets.token_hex(_RANDOM_BYTES)
        successor = _successor(token, nonce)
        transaction.run(self._use_token, {"hash": hashed, "now": now, "nonce": nonce})
        # What this one came from is not the last that was used any more.
        transaction.run(self._forget_nonces, {"session": session, "hash": hashed})
        transaction.run(self._touch, {"session": session, "now": now})
        self._add_token(transaction, successor, session, now, session_ends_at)
        return Opened(session, user, successor)

    def end(self, session: str, user_key: str) -> bool:
        """End a session of a user; False where the user has no such session."""

        def work(transaction: Transaction) -> bool:
            return self._delete(transaction, session, user_key)

        return self._database.write(work)

    def end_others(self, transaction: Transaction, user_key: str, session: str = "") -> None:
        """End all sessions of a user but one."""
        transaction.run(self._end_others, {"user_key": user_key, "session": session})

    def keep(self, transaction: Transaction, user_key: str, old_stamp: str, new_stamp: str) -> None:
        """Let the sessions of a user go on although the hash of the password has changed."""
        transaction.run(self._stamp, {"user_key": user_key, "old": old_stamp, "new": new_stamp})

    def of(self, user: User) -> list[Session]:
        """Return the sessions of a user that are alive, the one used last first."""
        values = {"user_key": user.text, "stamp": user.stamp, "now": int(self._clock())}
        return [Session(*row) for row in self._database.read(self._list, values)]

    def _delete(self, transaction: Transaction, session: str, user_key: str) -> bool:
        transaction.run(self._end, {"session": session, "user_key": user_key})
        is_ended = transaction.count == 1
        if is_ended:
            transaction.run(self._end_tokens, {"session": session})
        return is_ended

    def _add_token(self, transaction: Transaction, token: str, session: str, now: int, session_ends_at: int) -> None:
        expires_at = min(now + self._idle_s, session_ends_at)
        values: Mapping[str, Any] = {"hash": digest(token), "session_id": session, "expires_at": expires_at}
        transaction.run(self._insert_token, values)

    def statements(self) -> list[tuple[str, Statement]]:
        """Return what is run at a request with an access token."""
        return [("session", self._look_up)]


def _bind(column: Any) -> Any:
    return bindparam(column.name, type_=column.type)


# Hashing the same text at each request costs more than finding it here.
_stamp = lru_cache(maxsize=10_000)(stamp_of)


def _successor(token: str, nonce: str) -> str:
    """Return the token that comes after another one: nobody knows it who does not have both."""
    return PREFIX + hmac.digest(token.encode(), nonce.encode(), sha256).hex()


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() and ord(char) < 0xFFFF else "?" for char in text)
