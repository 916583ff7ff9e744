"""The version of each table that cached answers are made from: another one after every change, for every process.

It stands in the database itself and is raised by the transaction that changes the table, so that whoever sees the
change sees the new version, and the other way round.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    SmallInteger,
    String,
    Table,
    bindparam,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from demijohn.compile.reuse import Stamp
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.engines import database_file, isolation_level
from demijohn.resources.statement import Statement, compile_statement
from demijohn.resources.written import Watched

__all__ = ["Versions", "known_versions", "metadata", "note", "take_noted", "versions_of"]

metadata = MetaData()

_NAME = String(255)
_versions = Table(
    "demijohn_table_version",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)

# Transactions that end at the same time would wait for each other's row. The version is the sum of so many rows.
_SLOTS: Final = 8
# A number that was not there before, a backup that is put back included; the sum stays far below 63 bits.
_BITS = 48
# Where the `info` of a connection has the tables that its open transaction has written to.
_TOUCHED = "demijohn_touched"


class Reader(Protocol):
    """Be a database that is read."""

    def read(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a reading statement by itself and return its rows."""


class Versions:
    """Give the versions of the watched tables of one database, and raise them.

    A database in memory is of one process, and its only connection sees what is not committed yet: its versions are
    numbers of this process, raised by each statement and again at the end of its transaction.
    """

    def __init__(self, dialect: Dialect, *, in_memory: bool) -> None:
        self.watched = Watched()
        self._dialect = dialect
        self._slots = 1 if dialect.name == "sqlite" else _SLOTS
        self._local: dict[str, int] | None = {} if in_memory else None
        self._lock = threading.Lock()
        table = _versions
        summed = table.c.version if self._slots == 1 else func.sum(table.c.version)
        found = select(table.c.name, summed)
        self._find = compile_statement(found if self._slots == 1 else found.group_by(table.c.name), dialect.sql)
        row = {column.name: bindparam(column.name, type_=column.type) for column in table.columns}
        insert = dialect.insert(table).values(row)
        self._raise = dialect.upsert(insert, (table.c.name, table.c.slot), (table.c.version,))
        self._raise_statement = compile_statement(self._raise, dialect.sql)

    def watch(self, names: Iterable[str], metadatas: Iterable[MetaData]) -> None:
        """Have the versions of more tables kept; `metadatas` have all tables of the application."""
        self.watched.watch(names, metadatas)
        _listen()

    def stamp(self, database: Reader, names: Sequence[str]) -> Stamp:
        """Return the versions of tables as they are now.

        What is read afterwards is as new as this stamp or newer; what was read under it is still true for as long as
        the stamp is the same.
        """
        found: Mapping[str, Any] | None = self._local
        if found is None:
            rows: Any = database.read(self._find, {})
            found = dict(rows)
        return tuple([int(found.get(name, 0)) for name in names])

    def touch(self, names: Iterable[str]) -> None:
        """Note, in memory, that tables have changed before anything is committed."""
        if self._local is not None:
            with self._lock:
                for name in names:
                    self._local[name] = self._local.get(name, 0) + 1

    def record(self, names: Iterable[str], run: Callable[[Statement, dict[str, Any]], object]) -> None:
        """Raise the versions of tables by `run`, within the transaction that has changed them and at its end."""
        if self._local is not None:
            self.touch(names)
            return
        for values in self._rows(names):
            run(self._raise_statement, values)

    def record_on(self, connection: Connection, names: Iterable[str]) -> None:
        """Raise the versions of tables on a connection of SQLAlchemy's."""
        if self._local is not None:
            self.touch(names)
            return
        # What commits each statement by itself knows no savepoints, and needs none.
        within: AbstractContextManager[Any] = nullcontext() if _is_autocommit(connection) else connection.begin_nested()
        try:
            with within:
                for values in self._rows(names):
                    connection.execute(self._raise, values)
        except DBAPIError:
            # A migration, for example, may change data before there is the table, which nobody has read then either.
            if inspect(connection).has_table(_versions.name):
                raise

    def _rows(self, names: Iterable[str]) -> list[dict[str, Any]]:
        # Of the system, and not of `random`, which an application may seed: a version must never come a second time.
        slot = secrets.randbelow(self._slots)
        rows = []
        for name in sorted(names):  # two transactions that raise the same versions must not wait for each other
            rows.append({"name": name, "slot": slot, "version": secrets.randbits(_BITS)})
        return rows


_by_place: WeakValueDictionary[object, Versions] = WeakValueDictionary()
_by_engine: WeakKeyDictionary[Engine, object] = WeakKeyDictionary()
_lock = threading.Lock()


def versions_of(engine: Engine, dialect: Dialect) -> Versions:
    """Return the versions of the database of an engine; engines with the same address have them in common."""
    place = _place_of(engine)
    with _lock:
        found = _by_place.get(place)
        if found is None:
            found = _by_place[place] = Versions(dialect, in_memory=_is_in_memory(engine))
        return found


def known_versions(engine: Engine) -> Versions | None:
    """Return the versions of the database of an engine that somebody else may have made; None where nobody asks."""
    place = _by_engine.get(engine)
    if place is None:
        place = _by_engine[engine] = _place_of(engine)
    return _by_place.get(place)


def _is_in_memory(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and database_file(engine.url) is None


def _place_of(engine: Engine) -> object:
    """Return what two engines have in common exactly if they lead to the same database, by what their addresses say."""
    url = engine.url
    if _is_in_memory(engine):
        return id(engine.pool) if isinstance(engine.pool, StaticPool) else id(engine)
    if engine.dialect.name == "sqlite":
        return str(database_file(url))
    name = "mariadb" if engine.dialect.name == "mysql" else engine.dialect.name
    return (name, url.host or "", url.port, url.database, tuple(sorted(url.query.items())) if not url.host else ())


# What the application does by SQLAlchemy, on an engine of its own too


def _listen() -> None:
    """Listen to all engines of the process, once."""
    if not event.contains(Engine, "before_cursor_execute", _before_execute):
        event.listen(Engine, "before_cursor_execute", _before_execute)
        event.listen(Engine, "after_cursor_execute", _after_execute)
        event.listen(Engine, "commit", _before_commit)
        event.listen(Engine, "prepare_twophase", _before_prepare)
        event.listen(Engine, "rollback", _after_rollback)


def note(connection: Connection, versions: Versions, names: frozenset[str]) -> None:
    """Note what the open transaction of a connection has written to, for its end."""
    connection.info.setdefault(_TOUCHED, set()).update(names)
    versions.touch(names)


def take_noted(connection: Connection) -> frozenset[str]:
    """Return what was noted of a connection, and forget it."""
    return frozenset(connection.info.pop(_TOUCHED, ()))


def _before_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    versions = known_versions(connection.engine)
    if versions is not None and (names := versions.watched.written(statement)):
        note(connection, versions, names)


def _after_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    if _TOUCHED in connection.info and _is_autocommit(connection):
        _before_commit(connection)


def _is_autocommit(connection: Connection) -> bool:
    return isolation_level(connection) == "AUTOCOMMIT"


def _before_commit(connection: Connection) -> None:
    names = take_noted(connection)
    versions = known_versions(connection.engine) if names else None
    if versions is not None:
        versions.record_on(connection, names)


def _before_prepare(connection: Connection, xid: Any) -> None:
    _before_commit(connection)


def _after_rollback(connection: Connection) -> None:
    if connection.invalidated:  # what was noted is gone with what the connection was
        return
    names = take_noted(connection)
    versions = known_versions(connection.engine) if names else None
    if versions is not None:
        versions.touch(names)
