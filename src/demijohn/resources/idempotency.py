"""What was answered to each `Idempotency-Key`, kept in the database by the transaction of the write itself.

The rules are those of draft-ietf-httpapi-idempotency-key-header: the same key with the same request gets the first
answer again, with another request 422, and 409 while the first one is not done. Only what was committed is kept; a
request that failed may be sent again.
"""

from __future__ import annotations

import random
import time
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.mysql import LONGBLOB, MEDIUMTEXT

from demijohn.compile.answers import Answer
from demijohn.errors import Conflict, UnprocessableContent
from demijohn.resources.database import Transaction
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.statement import Statement, compile_statement
from demijohn.settings import Settings

__all__ = ["Idempotency", "fingerprint_of", "metadata"]

metadata = MetaData()

# Scope, key and fingerprint are SHA-256 in hexadecimal digits: of any length from outside, of one length in here.
_DIGEST = String(64)
_records = Table(
    "demijohn_idempotency",
    metadata,
    Column("scope", _DIGEST, primary_key=True),
    Column("key", _DIGEST, primary_key=True),
    Column("fingerprint", _DIGEST, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
    Column("body", LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb"), nullable=False),
    Column("created_at", BigInteger, nullable=False),  # seconds since 1970
    Index("demijohn_idempotency_created_at", "created_at"),
)

_HOUR_S = 3600
# Old records are looked for about this often in each process.
_PRUNE_EVERY_S = 60
_LOCK_WAIT_TIMEOUT = 1205


def fingerprint_of(*parts: bytes) -> str:
    """Return what two requests have in common exactly if all their parts are the same."""
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


class Idempotency:
    """Find and keep answers, in the transaction of the write that they are about.

    `scope` says within what a key is one key: the operation and who is calling. `fingerprint` (`fingerprint_of`)
    stands for the request. Call `claim` first thing in the transaction and `keep` last.
    """

    def __init__(self, dialect: Dialect, settings: Settings) -> None:
        self._dialect = dialect
        self._keep_s = settings.idempotency_hours * _HOUR_S
        self._prune_at = 0.0
        table, scope, key = _records, bindparam("scope", type_=_DIGEST), bindparam("key", type_=_DIGEST)
        is_this = (table.c.scope == scope, table.c.key == key)
        row = {column.name: bindparam(column.name, type_=column.type) for column in table.columns}
        answer = {name: row[name] for name in ("status", "headers", "body")}
        columns = (table.c.fingerprint, table.c.status, table.c.headers, table.c.body, table.c.created_at)
        # MariaDB's snapshot of a transaction may be older than the record; a locking read is of what is there now.
        found = select(*columns).where(*is_this)
        found = found.with_for_update(read=True) if dialect.name == "mariadb" else found
        self._find = self._compile(found)
        self._insert = self._compile(insert(table).values(row))
        self._update = self._compile(update(table).where(*is_this).values(answer))
        self._forget = self._compile(delete(table).where(*is_this))
        self._prune = self._compile(delete(table).where(table.c.created_at < bindparam("before", type_=BigInteger)))
        number = bindparam("number", type_=BigInteger)
        self._lock = self._compile(select(func.pg_try_advisory_xact_lock(number)))

    def _compile(self, statement: Any) -> Statement:
        return compile_statement(statement, self._dialect.sql)

    def claim(self, transaction: Transaction, scope: str, key: str, fingerprint: str) -> Answer | None:
        """Return the answer that was given to this key, or None: then it is this transaction's to answer.

        Raises `UnprocessableContent` where the key came with another request, and `Conflict` with the code
        `in-flight` while another transaction has it. SQLite's second writer waits for the first instead, and so
        does MySQL's.
        """
        values = _place(scope, key)
        if self._dialect.name == "postgresql":
            number = int.from_bytes(
                bytes.fromhex(fingerprint_of(scope.encode(), key.encode())[:16]), "big", signed=True
            )
            if not transaction.run(self._lock, {"number": number})[0][0]:
                raise _in_flight()
        elif self._dialect.name == "mariadb" and self._take(transaction, {**values, "fingerprint": fingerprint}):
            return None
        rows = transaction.run(self._find, values)
        if not rows:
            return None
        stored, status, headers, body, created_at = rows[0]
        if created_at < time.time() - self._keep_s:
            transaction.run(self._forget, values)
            if self._dialect.name == "mariadb":
                self._take(transaction, {**values, "fingerprint": fingerprint})
            return None
        if stored != fingerprint:
            raise UnprocessableContent("This Idempotency-Key was sent before, with another request.")
        media_type, pairs = orjson.loads(headers)
        return Answer(status, bytes(body), media_type, [(name, value) for name, value in pairs])

    def keep(self, transaction: Transaction, scope: str, key: str, fingerprint: str, answer: Answer) -> None:
        """Keep the answer to a key that this transaction has claimed, and now and then remove those that are old."""
        values = {
            **_place(scope, key),
            "fingerprint": fingerprint,
            "status": answer.status,
            "headers": orjson.dumps([answer.media_type, answer.headers], default=str).decode(),
            "body": answer.body,
            "created_at": int(time.time()),
        }
        if self._dialect.name == "mariadb":
            transaction.run(self._update, values)
        else:
            self._add(transaction, self._insert, values)
        now = time.monotonic()
        if now > self._prune_at:
            # Not all processes at the same time: they would wait for each other.
            self._prune_at = now + _PRUNE_EVERY_S * random.uniform(0.5, 1.5)  # noqa: S311
            transaction.run(self._prune, {"before": int(time.time() - self._keep_s)})

    def _take(self, transaction: Transaction, values: dict[str, Any]) -> bool:
        """Insert a record that is completed later: it is the lock, too. False where there is one.

        MariaDB's locks with a name outlive the transaction; that of a row does not.
        """
        statement = self._insert
        if getattr(self._dialect.sql, "is_mariadb", True):
            sql = f"SET STATEMENT innodb_lock_wait_timeout=0 FOR {statement.sql}"
            statement = Statement(sql, statement.order, statement.constants)
        values |= {"status": 0, "headers": "", "body": b"", "created_at": int(time.time())}
        try:
            transaction.run(statement, values)
        except Exception as error:
            if error.args and error.args[0] == _LOCK_WAIT_TIMEOUT:
                raise _in_flight() from None
            if self._dialect.violation(error) is None:
                raise
            return False
        return True

    def _add(self, transaction: Transaction, statement: Statement, values: dict[str, Any]) -> None:
        try:
            transaction.run(statement, values)
        except Exception as error:
            # At an isolation level above PostgreSQL's default, `claim` may not have seen what was just committed.
            if self._dialect.violation(error) is None:
                raise
            raise _in_flight() from None


def _place(scope: str, key: str) -> dict[str, Any]:
    return {"scope": fingerprint_of(scope.encode()), "key": fingerprint_of(key.encode())}


def _in_flight() -> Conflict:
    return Conflict(
        "Another request with this Idempotency-Key is not done yet.", code="in-flight", headers={"Retry-After": "1"}
    )
