"""Counts in the application's database: a row for each, and one statement for each hit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, bindparam, case, delete, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from demijohn.errors import Unavailable
from demijohn.limits.counts import Count, Counter, digest_of
from demijohn.resources.database import Database, Transaction
from demijohn.resources.statement import Statement, compile_statement

__all__ = ["DatabaseCounts", "metadata"]

metadata = MetaData()

_DIGEST = String(32)
_counts = Table(
    "demijohn_rate_limit",
    metadata,
    Column("key", _DIGEST, primary_key=True),
    Column("hits", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),  # milliseconds since 1970
    Index("demijohn_rate_limit_ends_at", "ends_at"),
)

# Counts that are over are looked for about this often in each process.
_PRUNE_EVERY_S = 60


class DatabaseCounts:
    """Keep counts in the database that `open_database` returns, which is called for the first hit.

    Each hit is a transaction of its own: a request that fails later was a request all the same. `clock` gives seconds
    since 1970; the hosts of an application have to agree on it. Raises `Unavailable`, and what the driver raises.
    """

    def __init__(self, open_database: Callable[[], Database], clock: Callable[[], float] = time.time) -> None:
        self._open = open_database
        self._clock = clock
        self._statements: _Statements | None = None
        self._prune_at = 0.0

    def hit(self, counter: Counter) -> Count:
        """Count one more."""
        statements, now = self._ready(), self._now()
        values = {"key": digest_of(counter), "now": now, "ends_at": now + counter.window_s * 1000}

        def work(transaction: Transaction) -> tuple[int, int]:
            rows = transaction.run(statements.hit, values)
            hits, ends_at = rows[0] if rows else transaction.run(statements.get, values)[0]
            return hits, ends_at

        hits, ends_at = statements.database.write(work)
        self._prune(statements, now)
        # Who came later may be told first: then the count began after what is now here.
        return Count(hits, min((ends_at - now) / 1000, counter.window_s))

    def take_back(self, counter: Counter) -> None:
        """Count one less, where there is one."""
        statements = self._ready()
        values = {"key": digest_of(counter), "now": self._now()}
        statements.database.write(lambda transaction: transaction.run(statements.take_back, values))

    def get(self, counter: Counter) -> int:
        """Return how often the counter was hit."""
        statements = self._ready()
        rows = statements.database.read(statements.get, {"key": digest_of(counter)})
        return int(rows[0][0]) if rows and rows[0][1] > self._now() else 0

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _ready(self) -> _Statements:
        if self._statements is None:
            self._statements = _Statements(self._open())
        return self._statements

    def _prune(self, statements: _Statements, now: int) -> None:
        """Remove what is over, now and then."""
        if now / 1000 > self._prune_at:
            # Not all processes at the same time: they would wait for each other.
            self._prune_at = now / 1000 + _PRUNE_EVERY_S * random.uniform(0.5, 1.5)  # noqa: S311
            with suppress(Unavailable):
                statements.database.write(lambda transaction: transaction.run(statements.prune, {"now": now}))


class _Statements:
    """Hold the statements for one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        table = _counts
        key, now = bindparam("key", type_=_DIGEST), bindparam("now", type_=BigInteger)
        is_this, is_over = table.c.key == key, table.c.ends_at <= now
        self.hit = self._compile(_hit(database.dialect.name, now))
        self.get = self._compile(select(table.c.hits, table.c.ends_at).where(is_this))
        self.take_back = self._compile(
            update(table).where(is_this, table.c.hits > 0, ~is_over).values(hits=table.c.hits - 1)
        )
        self.prune = self._compile(delete(table).where(is_over))

    def _compile(self, statement: Any) -> Statement:
        return compile_statement(statement, self.database.dialect.sql)


def _hit(dialect: str, now: Any) -> Any:
    """Return the statement that makes a count or adds to it, and returns both of its columns.

    MariaDB returns nothing: the row is read after it, still in the transaction that has locked it.
    """
    table = _counts
    ends_at = bindparam("ends_at", type_=BigInteger)
    values = {"key": bindparam("key", type_=_DIGEST), "hits": 1, "ends_at": ends_at}
    is_over = table.c.ends_at <= now
    # MySQL assigns one after the other: `hits` has to come first, while `ends_at` is what it was.
    changes: list[tuple[Any, Any]] = [
        ("hits", case((is_over, 1), else_=table.c.hits + 1)),
        ("ends_at", case((is_over, ends_at), else_=table.c.ends_at)),
    ]
    if dialect == "mariadb":
        return mysql.insert(table).values(values).on_duplicate_key_update(changes)
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values(values).on_conflict_do_update(index_elements=[table.c.key], set_=dict(changes))
    return statement.returning(table.c.hits, table.c.ends_at)
