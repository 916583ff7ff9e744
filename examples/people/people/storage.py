"""The people in a database: SQLite, PostgreSQL or MariaDB, whichever the URL names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, DateTime, Engine, String, create_engine, event, insert, inspect, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

__all__ = ["MAX_NAME_LENGTH", "Base", "Person", "Storage", "now"]

T = TypeVar("T")

MAX_NAME_LENGTH = 64
MAX_ATTEMPTS = 20
FIRST_PEOPLE = [("Doug", "Farrell"), ("Kent", "Brockman"), ("Bunny", "Easter")]

# Last names are compared and sorted by code point everywhere: other collations take "Ørsted" for "orsted".
Name = (
    String(MAX_NAME_LENGTH)
    .with_variant(String(MAX_NAME_LENGTH, collation="C"), "postgresql")
    .with_variant(String(MAX_NAME_LENGTH, collation="utf8mb4_bin"), "mysql", "mariadb")
)

# https://www.sqlite.org/pragma.html; the timeout comes first, for the switch to WAL may have to wait, too.
SQLITE_PRAGMAS = ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


class Base(DeclarativeBase):
    """Collect the tables of this application."""


class Person(Base):
    """Hold one person; the last name is the key."""

    __tablename__ = "person"

    lname: Mapped[str] = mapped_column(Name, primary_key=True)
    fname: Mapped[str] = mapped_column(Name)
    timestamp: Mapped[datetime] = mapped_column(DateTime)

    def document(self) -> dict[str, str]:
        """Return the person as the contract describes it."""
        return {
            "fname": self.fname,
            "lname": self.lname,
            "timestamp": f"{self.timestamp:%Y-%m-%d %H:%M:%S}",
        }


def now() -> datetime:
    """Return the time in UTC, in whole seconds and without a zone: that is what all three databases keep."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@dataclass(frozen=True, slots=True)
class Storage:
    """Open sessions on one database; `writer` is the same pool as `reader`."""

    reader: Engine
    writer: Engine

    @classmethod
    def open(cls, database_url: str) -> Self:
        """Connect to the database and make it ready: on the first start, with the first people in it.

        Raises `ValueError` for an SQLite database in memory, where every connection would see its own.
        """
        url = make_url(database_url)
        is_sqlite = url.get_backend_name() == "sqlite"
        if is_sqlite and url.database in {None, "", ":memory:"}:
            raise ValueError(f"DATABASE_URL: found {database_url!r}, allowed is a file: sqlite:///some.file")
        engine = create_engine(url, pool_pre_ping=True)
        if is_sqlite:
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_on_sqlite)
        storage = cls(reader=engine, writer=engine.execution_options(begin="BEGIN IMMEDIATE"))
        _create_once(storage.writer)
        engine.dispose()  # a server that forks its workers now must not share a connection between them
        return storage

    def reading(self) -> Session:
        """Return a session that reads; use it in a `with` statement."""
        return Session(self.reader)

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction and return its result; an error takes everything back.

        InnoDB ends one of two transactions that wait for each other, and expects it to be run again:
        https://mariadb.com/kb/en/innodb-lock-modes/#deadlocks
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                with Session(self.writer) as session, session.begin():
                    return work(session)
            except OperationalError as error:
                if attempt == MAX_ATTEMPTS or not _is_deadlock(error):
                    raise
        raise AssertionError("the last attempt returns or raises")


def _create_once(engine: Engine) -> None:
    """Create the table with the first people in it; whoever finds it there leaves it as it is."""
    try:
        with engine.begin() as connection:
            if inspect(connection).has_table(Person.__tablename__):
                return
            Base.metadata.create_all(connection, checkfirst=False)
            rows = [{"fname": fname, "lname": lname, "timestamp": now()} for fname, lname in FIRST_PEOPLE]
            connection.execute(insert(Person), rows)
    except DBAPIError:
        # Of several processes that start at once, PostgreSQL and MariaDB let one create the table.
        if not inspect(engine).has_table(Person.__tablename__):
            raise


def _is_deadlock(error: OperationalError) -> bool:
    """Tell whether MariaDB gave the transaction up: a deadlock (1213), or a row changed meanwhile (1020)."""
    return error.orig is not None and error.orig.args[:1] in {(1213,), (1020,)}


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_on_sqlite(connection: Connection) -> None:
    """Begin a transaction that will write as a writer: one that turns into one may find the file locked."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
