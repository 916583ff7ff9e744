"""The table of the resources comparison, and engines for it, for all peers that use SQLAlchemy."""

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CHAR, DateTime, Dialect, Engine, Index, String, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.types import TypeDecorator

# One connection for each that the load generator holds open, so that nobody queues for one.
POOL_SIZE = 16
PRAGMAS = ("busy_timeout = 5000", "synchronous = FULL", "foreign_keys = ON")
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
SORTS = ("name", "-name", "created_at", "-created_at")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, also on SQLite, which knows no time zones (after the recipe in SQLAlchemy's documentation)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Add the time zone that the database does not keep."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class PersonColumns:
    """The columns of a person."""

    __tablename__ = "person"

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Index]:
        """Make an index for each class that has the columns."""
        return (Index("person_country_name", "country", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(120), unique=True)
    country: Mapped[str] = mapped_column(CHAR(2))
    score: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment, default=lambda: datetime.now(UTC))


class Base(DeclarativeBase):
    """The declarative registry of the peers."""


class Person(PersonColumns, Base):
    """A person."""


def database_url() -> URL:
    """Return where the peer's database is."""
    return make_url(os.environ["DATABASE_URL"])


def set_pragmas(connection: Any, record: Any) -> None:
    """Make a new connection to SQLite as durable and as strict as everyone's."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def prepare(engine: Engine) -> None:
    """Have the pragmas set on each new connection, if it is one to SQLite."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_pragmas)


def new_engine() -> Engine:
    """Make an engine for threads."""
    engine = create_engine(database_url(), pool_size=POOL_SIZE)
    prepare(engine)
    return engine


def new_async_engine() -> AsyncEngine:
    """Make an engine for asyncio, with the drivers that SQLAlchemy's documentation shows."""
    url = database_url()
    driver = "sqlite+aiosqlite" if url.get_backend_name() == "sqlite" else "postgresql+asyncpg"
    engine = create_async_engine(url.set(drivername=driver), pool_size=POOL_SIZE)
    prepare(engine.sync_engine)
    return engine


def order(sort: str | None) -> Any:
    """Return what a list is sorted by."""
    column = getattr(Person, sort.lstrip("-")) if sort else Person.id
    return column.desc() if sort and sort.startswith("-") else column
