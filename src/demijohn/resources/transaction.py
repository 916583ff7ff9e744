"""An open write transaction, and SQLAlchemy's way into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.pool import PoolProxiedConnection

from demijohn.resources.dialects.dialect import Violation
from demijohn.resources.statement import Statement
from demijohn.resources.versions import Versions, known_versions, note, take_noted

__all__ = ["Transaction", "ViolationError", "driver_error", "join", "options_of"]


class ViolationError(Exception):
    """Tell which rule of the database a write broke; the transaction is over."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation)
        self.violation = violation


class Transaction:
    """Be an open write transaction: statements, and whatever hooks do by SQLAlchemy, are one change or none."""

    __slots__ = (
        "_after",
        "_begin",
        "_connection",
        "_cursor",
        "_driver_connection",
        "_engine",
        "_is_undone",
        "_options",
        "_touched",
        "_versions",
        "count",
    )

    count: int
    """How many rows the last statement changed."""

    def __init__(
        self,
        driver_connection: DBAPIConnection,
        engine: Engine,
        options: Mapping[str, Any],
        versions: Versions | None,
        begin: str = "",
    ) -> None:
        """Use a connection on which a transaction is open; where it is not, `begin` opens one if one is needed."""
        self._driver_connection = driver_connection
        self._cursor: Any = driver_connection.cursor()
        self._engine = engine
        self._options = options
        self._versions = versions
        self._begin = begin
        self._touched: frozenset[str] = frozenset()
        self._connection: Connection | None = None
        self._after: list[Callable[[], object]] | None = None
        self._is_undone = False
        self.count = -1

    def run(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, `[]` where it gives none; sets `count`."""
        cursor, versions = self._cursor, self._versions
        if versions is not None and (names := versions.watched.written(statement.sql)):
            self._touch(versions, names)
        cursor.execute(statement.sql, statement.bind(values), **self._options)
        rows = list(cursor.fetchall()) if cursor.description is not None else []
        # SQLite knows how many rows a statement with RETURNING has changed once they are all fetched.
        self.count = cursor.rowcount
        return rows

    @property
    def connection(self) -> Connection:
        """Return SQLAlchemy's connection to this transaction, for hooks; made when first asked for.

        It can be used like any other, `Session(bind=connection)` and `begin_nested()` too; what it cannot do is end
        the transaction. A rollback of it makes the whole write fail.
        """
        if self._connection is None:
            self._connection = _JoinedConnection(self._engine, _Guard(self._driver_connection, self._undo))
        return self._connection

    def after_commit(self, callback: Callable[[], object]) -> None:
        """Have a function called once this transaction is committed; not at all when it is not."""
        if self._after is None:
            self._after = []
        self._after.append(callback)

    def _undo(self) -> None:
        self._is_undone = True

    def _touch(self, versions: Versions, names: frozenset[str]) -> None:
        """Remember which tables of cached answers are written to; the change and their versions are one transaction."""
        if self._begin:
            self._cursor.execute(self._begin)
            self._begin = ""
        self._touched |= names
        versions.touch(names)

    @property
    def is_open(self) -> bool:
        """Tell whether there is something to commit: one statement alone may have been its own transaction."""
        return not self._begin

    def close(self) -> None:
        """Raise the versions of what was changed, before the commit.

        Checks that nobody has rolled the transaction back: raises `InvalidRequestError`.
        """
        if self._is_undone:
            raise InvalidRequestError("a hook rolled back the transaction that it was given")
        if self._versions is not None:
            touched = self._touched if self._connection is None else self._touched | take_noted(self._connection)
            if touched:
                self._versions.record(touched, self.run)

    def run_callbacks(self) -> None:
        """Call what waits for the commit, in the order in which it was added."""
        for callback in self._after or ():
            callback()


def join(connection: Connection) -> Transaction:
    """Return the transaction that is open on a connection of SQLAlchemy's, or begin one; who gave it commits it.

    Functions for `after_commit` are called when they are added: nobody tells when somebody else commits.
    """
    if not connection.in_transaction():
        connection.begin()
    driver_connection = cast(DBAPIConnection, connection.connection.driver_connection)
    return _BorrowedTransaction(driver_connection, connection)


class _BorrowedTransaction(Transaction):
    __slots__ = ()

    def __init__(self, driver_connection: DBAPIConnection, connection: Connection) -> None:
        engine = connection.engine
        super().__init__(driver_connection, engine, options_of(engine), known_versions(engine))
        self._connection: Connection = connection

    def _touch(self, versions: Versions, names: frozenset[str]) -> None:
        note(self._connection, versions, names)

    def after_commit(self, callback: Callable[[], object]) -> None:
        callback()


def options_of(engine: Engine) -> Mapping[str, Any]:
    """Return what the `execute` of the engine's driver is told: psycopg, to prepare each statement once."""
    return {"prepare": True} if engine.driver == "psycopg" else {}


def driver_error(error: BaseException) -> BaseException:
    """Return the driver's error in the one that SQLAlchemy has made of it; other errors as they are."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


class _Guard:
    """Stand between SQLAlchemy and the driver's connection: who joins a transaction does not end it."""

    is_valid = True
    is_detached = False

    def __init__(self, connection: DBAPIConnection, undo: Callable[[], None]) -> None:
        self.dbapi_connection = self.driver_connection = connection
        self.info: dict[Any, Any] = {}
        self.rollback = undo

    def commit(self) -> None:
        raise InvalidRequestError("the transaction is Demijohn's, which commits it when the operation is done")

    def invalidate(self, error: BaseException | None = None, soft: bool = False) -> None:
        """Leave the connection to who owns it, and who will see the same error."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dbapi_connection, name)


class _JoinedConnection(Connection):
    """Be a connection on which a transaction is open that is somebody else's."""

    def __init__(self, engine: Engine, guard: _Guard) -> None:
        super().__init__(engine, connection=cast(PoolProxiedConnection, guard), _allow_revalidate=False)
        self.begin()

    def _begin_impl(self, transaction: RootTransaction) -> None:
        """Begin nothing: the database has begun already. Listeners that say BEGIN themselves must not do so again."""

    def close(self) -> None:
        """Stay open, until the transaction is over: `with connection:` in a hook is no end."""

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()
