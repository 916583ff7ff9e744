"""The one table and the one engine that every peer uses, so that the database costs each the same."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ScalarResult, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

DATABASE = Path(os.environ.get("BENCH_DATABASE", Path(__file__).with_name("people.sqlite")))

# The pool holds a connection for every thread of every server, so that nobody queues for one:
# FastAPI's thread pool is the largest, with 40.
engine = create_engine(f"sqlite:///{DATABASE}", pool_size=40)
new_session = sessionmaker(engine)


class Base(DeclarativeBase):
    """The declarative registry of the benchmark."""


class Person(Base):
    """A person, known by a unique last name."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    lname: Mapped[str] = mapped_column(String(32), unique=True)
    fname: Mapped[str] = mapped_column(String(32))
    timestamp: Mapped[datetime]

    def as_json(self) -> dict[str, Any]:
        """Return the row as a JSON object, for the frameworks that do not read attributes themselves."""
        return {
            "id": self.id,
            "lname": self.lname,
            "fname": self.fname,
            "timestamp": self.timestamp.isoformat(),
        }


def select_people(session: Session, limit: int, offset: int) -> ScalarResult[Person]:
    """Query one page of people, ordered by last name."""
    return session.scalars(select(Person).order_by(Person.lname).limit(limit).offset(offset))


def select_person(session: Session, lname: str) -> Person | None:
    """Query the person with this last name."""
    return session.scalars(select(Person).where(Person.lname == lname)).one_or_none()
