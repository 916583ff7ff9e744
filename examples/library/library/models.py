"""Users, books, loans, holds and orders, as tables of plain SQLAlchemy."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Numeric,
    String,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, column_property, mapped_column, relationship

from . import clock

__all__ = ["Base", "Book", "Hold", "Loan", "Order", "User"]

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
    """Return the time for a new row."""
    return clock.now()


class User(Base):
    """Hold one member, librarian or administrator; what is kept of the password is a hash."""

    __tablename__ = "users"
    # A list is sorted by what is asked for and then by the key, so an index on both gives it ready.
    __table_args__ = (Index("users_by_time", "created_at", "id"), NEVER_TWICE)

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(text(80), unique=True)
    email: Mapped[str] = mapped_column(text(120), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(20), default="member")
    is_disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Book(Base):
    """Hold one title. `lent` are the copies that are on loan, or kept for somebody; the database keeps count."""

    __tablename__ = "books"
    __table_args__ = (
        CheckConstraint("copies BETWEEN 0 AND 10000", name="book_copies"),
        CheckConstraint("lent >= 0", name="book_lent"),
        CheckConstraint("copies >= lent", name="book_copies_lent"),
        Index("books_by_title", "title", "id"),
        Index("books_by_year", "year", "id"),
        Index("books_by_rating", "average_rating", "id"),
        Index("books_by_ratings", "ratings_count", "id"),
        Index("books_by_language", "language", "title", "id"),
        Index("books_by_author", "authors", postgresql_using="gin").ddl_if(dialect="postgresql"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(text(300))
    authors: Mapped[list[str]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    isbn: Mapped[str | None] = mapped_column(text(10), unique=True)
    isbn13: Mapped[str | None] = mapped_column(text(13), unique=True)
    year: Mapped[int | None]
    language: Mapped[str | None] = mapped_column(text(10))
    average_rating: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    ratings_count: Mapped[int] = mapped_column(default=0)
    copies: Mapped[int] = mapped_column(default=1)
    lent: Mapped[int] = mapped_column(default=0)
    available: Mapped[int] = mapped_column(Computed("copies - lent", persisted=True))
    cover_url: Mapped[str | None] = mapped_column(text(500))
    goodreads_id: Mapped[int | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, onupdate=now)


class Loan(Base):
    """Hold one loan; it stays when the copy is back."""

    __tablename__ = "loans"
    __table_args__ = (
        Index("loans_of_user", "user_id", "returned_at", "id"),
        Index("loans_of_book", "book_id", "id"),
        Index("loans_by_due", "returned_at", "due_at", "id"),
        Index("loans_by_time", "borrowed_at", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    borrowed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    returned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    renewals: Mapped[int] = mapped_column(default=0)

    book: Mapped[Book] = relationship()
    user: Mapped[User] = relationship()


class Hold(Base):
    """Hold a place in the line for a book; with `kept_until`, a copy waits on the shelf behind the desk."""

    __tablename__ = "holds"
    __table_args__ = (
        UniqueConstraint("book_id", "user_id", name="hold_once"),
        Index("holds_of_user", "user_id", "id"),
        Index("holds_by_end", "kept_until", "book_id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    kept_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    book: Mapped[Book] = relationship()
    user: Mapped[User] = relationship()


class Order(Base):
    """Hold what a member asks the library to buy, or offers for sale; its lines are a document, as they were agreed."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("orders_of_user", "user_id", "id"),
        Index("orders_by_status", "status", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(4))
    status: Mapped[str] = mapped_column(String(10), default="open")
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, onupdate=now)

    user: Mapped[User] = relationship()


_before = aliased(Hold)
# The place in the line: 1 for who is next.
Hold.position = column_property(
    select(func.count(_before.id))
    .where(_before.book_id == Hold.book_id, _before.id <= Hold.id)
    .correlate_except(_before)
    .scalar_subquery()
)
