"""The one holder of connections: reads, write transactions, and what to do when the database is away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy import Connection, Engine, MetaData, event, inspect
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateTable

from demijohn.errors import SettingError
from demijohn.resources.dialects import dialect_for
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.engines import Door, check_transactions, database_file, engine_url, new_engine
from demijohn.resources.server_database import ServerDatabase
from demijohn.resources.sqlite_database import FileDatabase, MemoryDatabase
from demijohn.resources.statement import Statement
from demijohn.resources.transaction import Transaction, ViolationError, join
from demijohn.resources.versions import Versions
from demijohn.settings import Settings

__all__ = [
    "Database",
    "Transaction",
    "ViolationError",
    "compare_by_code_points",
    "create_missing",
    "create_tables",
    "engine_url",
    "open_database",
    "transaction",
]

T = TypeVar("T")


class Database(Protocol):
    """Run statements on one database."""

    engine: Engine
    dialect: Dialect
    versions: Versions

    def read(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a reading statement by itself and return its rows. Raises `Unavailable`."""

    def write(self, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        """Run `work` in a transaction of its own and commit it; roll back when it raises.

        `work` may be run again where the database asks for it. `alone` promises that it runs one statement at most,
        and fails only where that does, or where it changed nothing. Raises `ViolationError`, and `Unavailable`.
        """

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that reads, and all that it sees is of one moment. Raises `Unavailable`."""

    def close(self) -> None:
        """Close all connections; no thread may be using one."""


transaction = join


def open_database(target: str | Engine, settings: Settings) -> Database:
    """Return the database at an address, or of an engine that the application has; an engine has one.

    Nothing is asked of a server yet: it may be away when the application starts. Raises `SettingError` for an
    address, or an engine with a driver, that Demijohn cannot use.
    """
    if isinstance(target, str):
        engine = new_engine(engine_url(target), settings)
        return _open(engine, settings, is_ours=True)
    database = _opened.get(id(target))
    if database is None:
        if target.driver not in ("pysqlite", "psycopg", "pymysql"):
            problem = f"the engine's driver: found {target.driver}, allowed is sqlite3, psycopg (3) or PyMySQL"
            raise SettingError([problem])
        check_transactions(target)
        database = _opened[id(target)] = _open(target, settings, is_ours=False)
    return database


# A database holds its engine, so that the number stands for it as long as the entry is there.
_opened: WeakValueDictionary[int, Database] = WeakValueDictionary()
_doors: WeakKeyDictionary[Engine, Door] = WeakKeyDictionary()


def _open(engine: Engine, settings: Settings, *, is_ours: bool) -> Database:
    dialect = dialect_for(engine)
    path = database_file(engine.url) if dialect.name == "sqlite" else None
    if dialect.name == "sqlite" and path is None and not isinstance(engine.pool, StaticPool):
        raise SettingError(
            [
                "the engine of a database in memory: found one whose threads have a database each, allowed is"
                " poolclass=StaticPool with check_same_thread=False"
            ]
        )
    door = _doors.get(engine)
    if door is None:
        dialect.set_up(engine)
        door = _doors[engine] = Door(engine, is_ours=is_ours)
    if dialect.name != "sqlite":
        return ServerDatabase(engine, dialect, door, settings, is_ours=is_ours)
    return MemoryDatabase(engine, dialect) if path is None else FileDatabase(engine, dialect, settings, path)


def create_missing(database: Database, metadatas: Iterable[MetaData]) -> list[str]:
    """Create the tables of an SQLite database that has none, and its file and folder; return the tables' names.

    Nothing is done to a database that has a table already, or on a server. Processes that start at the same time
    create it once: it is one transaction of one of them.
    """
    if database.dialect.name != "sqlite":
        return []
    path = database_file(database.engine.url)
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def work(transaction: Transaction) -> list[str]:
        if inspect(transaction.connection).get_table_names():
            return []
        return _create(transaction.connection, metadatas)

    return database.write(work)


def create_tables(engine: Engine, metadatas: Iterable[MetaData]) -> list[str]:
    """Create the tables that are missing and return their names; tables that are there are left as they are.

    On MariaDB they compare texts as the other databases do, by code points and with trailing spaces, unless a table
    says otherwise.
    """
    path = database_file(engine.url) if engine.dialect.name == "sqlite" else None
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with engine.begin() as connection:
        return _create(connection, metadatas)


def _create(connection: Connection, metadatas: Iterable[MetaData]) -> list[str]:
    inspector = inspect(connection)
    missing = [
        (metadata, table)
        for metadata in metadatas
        for table in metadata.sorted_tables
        if not inspector.has_table(table.name, schema=table.schema)
    ]
    if connection.dialect.name in ("mysql", "mariadb"):
        event.listen(connection, "before_cursor_execute", compare_by_code_points, retval=True)
    for metadata in dict.fromkeys(metadata for metadata, _ in missing):
        metadata.create_all(connection, tables=[table for owner, table in missing if owner is metadata])
    return [table.fullname for _, table in missing]


def compare_by_code_points(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    element = getattr(getattr(context, "compiled", None), "statement", None)
    ours = (f"{connection.dialect.name}_{option}" for option in ("collate", "charset", "default_charset"))
    if isinstance(element, CreateTable) and not any(name in element.element.kwargs for name in ours):
        # MySQL calls it by another name.
        collation = "utf8mb4_nopad_bin" if getattr(connection.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        statement = f"{statement.rstrip()} CHARSET=utf8mb4 COLLATE={collation}"
    return statement, parameters
