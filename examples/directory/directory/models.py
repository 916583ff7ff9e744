"""People and their addresses, as tables."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

__all__ = ["Address", "Base", "Person"]


# SQLite would give the number of the last row again once that row is gone; the others never do.
NEVER_TWICE = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """Collect the tables of this application."""


def text(length: int) -> String:
    """Return the type of a text that is compared and sorted by code point, whatever the database does by itself."""
    return (
        String(length)
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(String(length, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
    )


def now() -> datetime:
    """Return the time in whole seconds: that is what all three databases keep."""
    return datetime.now(UTC).replace(microsecond=0)


class Person(Base):
    """Hold one person."""

    __tablename__ = "person"
    # A list is sorted by what is asked for and then by the key, so an index on both gives it ready.
    __table_args__ = (
        Index("person_by_name", "name", "id"),
        Index("person_by_time", "created_at", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(100))
    email: Mapped[str] = mapped_column(text(120), unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

    addresses: Mapped[list[Address]] = relationship(
        back_populates="person", passive_deletes="all", order_by="Address.id"
    )


class Address(Base):
    """Hold one address; it goes with its person."""

    __tablename__ = "address"
    __table_args__ = (
        Index("address_of_person", "person_id", "id"),
        Index("address_by_country", "country", "id"),
        Index("address_by_city", "city", "id"),
        Index("address_by_postcode", "postcode", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    street: Mapped[str] = mapped_column(text(100))
    city: Mapped[str] = mapped_column(text(100))
    postcode: Mapped[str | None] = mapped_column(text(12))
    country: Mapped[str] = mapped_column(text(2))

    person: Mapped[Person] = relationship(back_populates="addresses")
