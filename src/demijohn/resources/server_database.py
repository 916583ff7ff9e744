"""PostgreSQL and MariaDB: connections of a pool, and what to do when they break."""

from __future__ import annotations

import logging
import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn, TypeVar, cast
from weakref import WeakSet

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from demijohn.errors import Unavailable
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.engines import MADE_AT, AwayError, Door, in_words
from demijohn.resources.outdated import check_outdated
from demijohn.resources.statement import Statement
from demijohn.resources.transaction import Transaction, ViolationError, driver_error, options_of
from demijohn.resources.versions import versions_of
from demijohn.settings import Settings
from demijohn.turns import give_up

__all__ = ["ServerDatabase"]

T = TypeVar("T")

_logger = logging.getLogger("demijohn")

# What `select` can be asked about.
_MOST_FILES = 1024

# How a transaction begins that only reads: on PostgreSQL by whether the connection is in autocommit mode.
_SNAPSHOT: dict[Any, str] = {
    True: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    False: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "mariadb": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
}

# Before a transaction that the database refused is tried again, it waits between 5 and 400 ms, longer each time. Many
# who want the same rows at the same moment may meet more than once.
_PAUSES_S = ((0.005, 0.015), (0.01, 0.03), (0.02, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 0.4))


class ServerDatabase:
    """Run statements on a database server.

    `is_ours` tells that the connections of `engine` are in autocommit mode (`engines.new_engine`).
    """

    def __init__(self, engine: Engine, dialect: Dialect, door: Door, settings: Settings, *, is_ours: bool) -> None:
        self.engine = engine
        self.dialect = dialect
        self.versions = versions_of(engine, dialect)
        self._door = door
        self._is_ours = is_ours
        self._options = options_of(engine)
        self._error: type[Any] = engine.dialect.loaded_dbapi.Error
        self._recycle_s = settings.database_recycle_s
        self._lost_at = 0.0
        # Taking a connection out of SQLAlchemy's pool and putting it back costs a third of a short query. Half of
        # the pool may therefore stay with us between requests; the other half is for the application's sessions.
        self._kept: deque[_Lease] = deque()
        self._most_kept = settings.database_pool_size // 2 if is_ours else 0
        self._lock = threading.Lock()
        self._waiting = 0
        _databases.add(self)

    def read(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a reading statement by itself and return its rows."""
        parameters = statement.bind(values)
        give_up()
        try:
            return self._fetch(statement.sql, parameters)
        except _LostError:
            # A connection that the pool had kept was dead, which nobody can know before it is used.
            pass
        except Exception as error:
            self._raise_told(error)
        try:
            return self._fetch(statement.sql, parameters)
        except Exception as error:
            self._raise_told(error)

    def write(self, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        """Run `work` in a transaction of its own and commit it; roll back when it raises.

        With `alone` it runs one statement at most, which is a transaction by itself: one round trip and not three.
        Where cached answers are made from what it writes to, there is more to be done, in one transaction.
        """
        return self._transact(work, "BEGIN" if self._is_ours else "", alone)

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that reads, and all that it sees is of one moment."""
        begin = _SNAPSHOT["mariadb" if self.dialect.name == "mariadb" else self._is_ours]
        return self._transact(lambda transaction: work(transaction.connection), begin, False)

    def _transact(self, work: Callable[[Transaction], T], begin: str, alone: bool) -> T:
        give_up()
        pauses = iter(_PAUSES_S)
        may_reconnect = True
        while True:
            try:
                transaction, result = self._attempt(work, begin, alone)
            except _LostError as error:
                if not may_reconnect:
                    self._raise_told(error)
                may_reconnect = False
            except Exception as error:
                cause = driver_error(error)
                pause = next(pauses, None) if self._is_transient(cause) else None
                if pause is None:
                    self._raise_told(error)
                time.sleep(random.uniform(*pause))  # noqa: S311  # two who met should not meet again
            else:
                transaction.run_callbacks()
                return result

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
        while self._kept:
            self._kept.pop().pooled.close()
        self.engine.dispose()

    def stats(self) -> dict[str, float]:
        """Return how many connections requests use, how many wait to be used, and how many there may be."""
        pool, kept = self.engine.pool, len(self._kept)
        if not isinstance(pool, QueuePool):
            return {}
        in_use = max(pool.checkedout() - kept, 0)
        limit = pool.size() + max(pool._max_overflow, 0)
        idle = pool.checkedin() + kept
        return {
            "database_connections_in_use": in_use,
            "database_connections_idle": idle,
            "database_connections_limit": limit,
        }

    def _fetch(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        lease = self._take()
        cursor = lease.cursor
        try:
            if not self._is_ours:
                _set_autocommit(lease.connection, True)
            cursor.execute(sql, parameters, **self._options)
            rows = list(cursor.fetchall())
            if not self._is_ours:
                _set_autocommit(lease.connection, False)
        except BaseException as error:
            self._give_back_after(lease, error)
            raise
        self._give_back(lease)
        return rows

    def _attempt(self, work: Callable[[Transaction], T], begin: str, alone: bool) -> tuple[Transaction, T]:
        lease = self._take()
        # A connection that died while nobody used it is found out by BEGIN, before anything could be lost.
        alone = alone and self._is_ours and not _has_news(lease.connection)
        is_committing = alone
        try:
            if begin and not alone:
                lease.cursor.execute(begin)
            later = "BEGIN" if alone else ""
            transaction = Transaction(lease.connection, self.engine, self._options, self.versions, later)
            result = work(transaction)
            transaction.close()
            if transaction.is_open:
                is_committing = True
                lease.connection.commit()
        except BaseException as error:
            try:
                self._give_back_after(lease, error)
            except _LostError:
                if not is_committing:
                    raise
                text = "The database was lost while the change was being saved; it may be there, or not."
                raise Unavailable(text) from error
            raise
        self._give_back(lease)
        return transaction, result

    def _take(self) -> _Lease:
        while True:
            try:
                lease = self._kept.pop()
            except IndexError:
                lease = self._check_out()
            # What killed one connection, a restart for example, has killed those that are as old.
            if lease.made_at >= self._lost_at:
                return lease
            lease.pooled.invalidate()

    def _check_out(self) -> _Lease:
        with self._lock:
            self._waiting += 1
        try:
            if self._kept:  # it came back after `_take` had looked and before it knew that somebody waits
                with suppress(IndexError):
                    return self._kept.pop()
            return _Lease(self._door.check_out(self.engine))
        except PoolTimeoutError as error:
            _logger.error("All connections to %s are in use.", in_words(self.engine))
            raise Unavailable("The database is busy.") from error
        except (DBAPIError, AwayError, OSError, self._error) as error:
            # Whatever the reason, a wrong password too: the log tells it, the client cannot do anything about it.
            raise Unavailable from error
        finally:
            with self._lock:
                self._waiting -= 1

    def _give_back(self, lease: _Lease) -> None:
        is_old = time.monotonic() - lease.made_at > self._recycle_s
        if self._waiting or is_old or len(self._kept) >= self._most_kept:
            lease.pooled.close()
        else:
            self._kept.append(lease)

    def _give_back_after(self, lease: _Lease, error: BaseException) -> None:
        """Return a connection on which `error` has happened. Raises `_LostError` for one that is dead."""
        is_lost = self._is_lost(driver_error(error), lease.connection)
        if not is_lost and isinstance(error, Exception):
            try:
                lease.connection.rollback()
                if not self._is_ours:
                    _set_autocommit(lease.connection, False)
            except Exception:
                lease.pooled.invalidate()
            else:
                self._give_back(lease)
            return
        # A signal may have come in the middle of an answer: nobody knows what the connection would say next.
        lease.pooled.invalidate()
        if is_lost:
            self._lost_at = time.monotonic()
            raise _LostError from error

    def _is_lost(self, cause: BaseException, connection: Any) -> bool:
        return isinstance(cause, self._error) and self.engine.dialect.is_disconnect(cause, connection, None)

    def _is_transient(self, cause: BaseException) -> bool:
        return isinstance(cause, self._error) and self.dialect.is_transient(cause)

    def _raise_told(self, error: Exception) -> NoReturn:
        """Raise an error as what it means: a rule was broken, the database is away; everything else is itself."""
        if isinstance(error, _LostError):
            _logger.error("The connection to %s was lost: %s", in_words(self.engine), error.__cause__)
            raise Unavailable from error
        cause = driver_error(error)
        if isinstance(cause, self._error):
            violation = self.dialect.violation(cause)
            if violation is not None:
                raise ViolationError(violation) from error
            if self.dialect.is_unavailable(cause) or self.dialect.is_transient(cause):
                _logger.error("The database %s is not available: %s", in_words(self.engine), str(cause).strip())
                raise Unavailable from error
            check_outdated(error, self.dialect, self.engine)
        raise error


class _Lease:
    """Hold a connection that was taken out of the pool, and what is used on it again and again."""

    __slots__ = ("connection", "cursor", "made_at", "pooled")

    def __init__(self, pooled: PoolProxiedConnection) -> None:
        self.pooled = pooled
        self.connection = cast(Any, pooled.driver_connection)
        self.cursor: Any = self.connection.cursor()
        self.made_at: float = pooled.info.get(MADE_AT, 0.0)


class _LostError(Exception):
    """Tell that a connection broke, and nothing was committed on it."""


def _has_news(connection: Any) -> bool:
    """Tell whether a server has sent something that nobody asked for: most likely that it is gone."""
    number = connection.pgconn.socket if hasattr(connection, "pgconn") else connection._sock.fileno()
    return bool(select.select([number], [], [], 0)[0]) if number < _MOST_FILES else True


def _set_autocommit(connection: Any, wanted: bool) -> None:
    """Have each statement be its own transaction, where that costs no round trip: psycopg only notes it."""
    if hasattr(connection, "pgconn"):
        connection.autocommit = wanted
    elif not wanted:
        connection.rollback()


_databases: WeakSet[ServerDatabase] = WeakSet()
_abandoned: list[object] = []


def _after_fork() -> None:
    for database in list(_databases):
        # The sockets are the parent's; closing them here would end its connections.
        _abandoned.append(database._kept)
        database._kept = deque()
        database._lock, database._waiting = threading.Lock(), 0
        database.engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
