"""SQLite: a connection to read for each thread, one to write, and the lock around it."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine

from demijohn.errors import Unavailable
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.engines import in_words
from demijohn.resources.file_lock import FileLock, LockTimeoutError
from demijohn.resources.outdated import check_outdated
from demijohn.resources.statement import Statement
from demijohn.resources.transaction import Transaction, ViolationError, driver_error
from demijohn.resources.versions import versions_of
from demijohn.settings import Settings

__all__ = ["FileDatabase", "FirstUse", "MemoryDatabase"]

T = TypeVar("T")

_logger = logging.getLogger("demijohn")

_LOCK_WAIT_S = 5.0
# Another program that writes without our lock is waited for by SQLite itself, in what is left of that time.
_LEAST_BUSY_WAIT_S = 0.5
_FIXED = (3, 51, 3)


class FirstUse:
    """Do something before a database is first used by this process; whoever else comes meanwhile waits."""

    def __init__(self, database: FileDatabase | MemoryDatabase, work: Callable[[], object]) -> None:
        self._database = database
        self._work = work
        self._turn = threading.RLock()
        self._is_begun = False

    def __call__(self) -> None:
        """Do it; what it does with the database itself goes through."""
        with self._turn:
            if not self._is_begun:
                self._is_begun = True
                try:
                    self._work()
                except BaseException:
                    self._is_begun = False
                    raise
                self._database.first_use = None


class FileDatabase:
    """Run statements on an SQLite file."""

    first_use: FirstUse | None = None

    def __init__(self, engine: Engine, dialect: Dialect, settings: Settings, path: Path) -> None:
        self.engine = engine
        self.dialect = dialect
        self.versions = versions_of(engine, dialect)
        self.lock = FileLock.of(path.with_name(path.name + "-lock"))
        self._synchronous = settings.sqlite_synchronous
        self._local = threading.local()
        # Only one thread at a time writes, so one connection will do, whichever thread it is.
        self._writer: sqlite3.Connection | None = None
        _databases.add(self)
        _warn_of_version(logging.WARNING if settings.environment == "production" else logging.DEBUG)

    def read(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a reading statement by itself and return its rows."""
        connection = self._reader()
        try:
            rows: list[tuple[Any, ...]] = connection.execute(statement.sql, statement.bind(values)).fetchall()
        except sqlite3.Error as error:
            _raise_told(error, self)
        return rows

    def write(self, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        """Run `work` in a transaction of its own and commit it; roll back when it raises."""
        if self.first_use is not None:
            self.first_use()
        started = time.monotonic()
        try:
            self.lock.acquire(_LOCK_WAIT_S)
        except LockTimeoutError:
            raise Unavailable("Other changes took too long; this one was not begun.") from None
        try:
            connection = self._writer or self._open_writer()
            waited_s = time.monotonic() - started
            busy_wait_s = max(_LOCK_WAIT_S - waited_s, _LEAST_BUSY_WAIT_S)
            transaction, result = _write(connection, self, work, busy_wait_s if waited_s > 0.1 else None)
        except BaseException as error:
            if self._writer is not None and self._writer.in_transaction:
                self._writer.close()
                self._writer = None
            _raise_told(error, self)
        finally:
            self.lock.release()
        transaction.run_callbacks()
        return result

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that reads, and all that it sees is of one moment."""
        return _snapshot(self._reader(), self, work)

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._local = threading.local()
        self.engine.dispose()

    def _reader(self) -> sqlite3.Connection:
        try:
            connection: sqlite3.Connection = self._local.connection
        except AttributeError:
            connection = self._open_reader()
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        if self.first_use is not None:
            self.first_use()
        connection = self._open()
        self._local.kept = _Kept(connection)
        self._local.connection = connection
        return connection

    def _open_writer(self) -> sqlite3.Connection:
        self._writer = writer = self._open()
        writer.execute(f"PRAGMA synchronous = {self._synchronous}")
        return writer

    def _open(self) -> sqlite3.Connection:
        """Open a connection that is ours: made by the engine and its listeners, and not counted by its pool."""
        try:
            pooled = self.engine.raw_connection()
        except Exception as error:
            _raise_told(error, self)
        connection: sqlite3.Connection = pooled.driver_connection  # type: ignore[assignment]  # it is SQLite's
        pooled.detach()
        connection.isolation_level = None
        return connection

    def _after_fork(self) -> None:
        # SQLite's connections must not be used, or closed, in another process than the one that opened them.
        _abandoned.append((self._local, self._writer))
        self._local, self._writer = threading.local(), None
        self.engine.dispose(close=False)


class MemoryDatabase:
    """Run statements on a database in memory: one connection, which the threads use in turn."""

    first_use: FirstUse | None = None

    def __init__(self, engine: Engine, dialect: Dialect) -> None:
        self.engine = engine
        self.dialect = dialect
        self.versions = versions_of(engine, dialect)
        # For as long as this is: a database in memory goes with its last connection.
        self._pooled = engine.raw_connection()
        self._connection: sqlite3.Connection = self._pooled.driver_connection  # type: ignore[assignment]  # SQLite's
        self._turn = threading.RLock()

    def read(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a reading statement by itself and return its rows."""
        if self.first_use is not None:
            self.first_use()
        with self._turn:
            try:
                return self._connection.execute(statement.sql, statement.bind(values)).fetchall()
            except sqlite3.Error as error:
                _raise_told(error, self)

    def write(self, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        """Run `work` in a transaction of its own and commit it; roll back when it raises."""
        if self.first_use is not None:
            self.first_use()
        with self._turn:
            if self._connection.in_transaction:
                raise RuntimeError("a write within a write: use the transaction that is open")
            try:
                transaction, result = _write(self._connection, self, work, None)
            except BaseException as error:
                _raise_told(error, self)
        transaction.run_callbacks()
        return result

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that reads, and all that it sees is of one moment."""
        if self.first_use is not None:
            self.first_use()
        with self._turn:
            return _snapshot(self._connection, self, work)

    def close(self) -> None:
        """Let go of the database."""
        self._pooled.close()


def _write(
    connection: sqlite3.Connection,
    database: FileDatabase | MemoryDatabase,
    work: Callable[[Transaction], T],
    busy_wait_s: float | None,
) -> tuple[Transaction, T]:
    if busy_wait_s is not None:
        (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {int(busy_wait_s * 1000)}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout = {usual}")
    else:
        connection.execute("BEGIN IMMEDIATE")
    try:
        # SQLite's connection is one of the DBAPI.
        transaction = Transaction(connection, database.engine, {}, database.versions)  # type: ignore[arg-type]
        result = work(transaction)
        transaction.close()
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back already after some errors: a full disk, for example.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return transaction, result


def _snapshot(
    connection: sqlite3.Connection, database: FileDatabase | MemoryDatabase, work: Callable[[Connection], T]
) -> T:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("BEGIN")
    try:
        transaction = Transaction(connection, database.engine, {}, None)  # type: ignore[arg-type]  # it is a DBAPI connection
        return work(transaction.connection)
    except BaseException as error:
        _raise_told(error, database)
    finally:
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA query_only = OFF")


def _raise_told(error: BaseException, database: FileDatabase | MemoryDatabase) -> NoReturn:
    """Raise an error as what it means: a rule was broken, the database is away; everything else is itself."""
    cause = driver_error(error)
    if isinstance(cause, sqlite3.Error):
        violation = database.dialect.violation(cause)
        if violation is not None:
            raise ViolationError(violation) from error
        if database.dialect.is_unavailable(cause) or database.dialect.is_transient(cause):
            _logger.error("The database %s is not available: %s", in_words(database.engine), cause)
            raise Unavailable from error
        if cause is error:
            check_outdated(cause, database.dialect, database.engine)
    raise error


class _Kept:
    """Close a thread's connection with the thread: Python 3.13 warns of one that nobody closes."""

    __slots__ = ("connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        with suppress(sqlite3.Error):
            self.connection.close()


def _warn_of_version(level: int) -> None:
    global _is_warned
    if not _is_warned and sqlite3.sqlite_version_info < _FIXED:
        _is_warned = True
        _logger.log(
            level,
            "SQLite %s can damage a file in a rare case when several connections write and checkpoint it, which %s"
            " cannot. Demijohn's own writes take turns and are safe; let no other program write to the file meanwhile.",
            sqlite3.sqlite_version,
            ".".join(map(str, _FIXED)),
        )


_is_warned = False
_databases: WeakSet[FileDatabase] = WeakSet()
_abandoned: list[object] = []


def _after_fork() -> None:
    for database in list(_databases):
        database._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
