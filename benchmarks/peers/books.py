"""The catalogue of the Library example, for the peers that use SQLAlchemy: the table, and the search in it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Numeric, Select, String, Text, cast, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from peers.people import Moment

PER_PAGE, MOST_PER_PAGE = 20, 100


class Base(DeclarativeBase):
    """The declarative registry of the peers."""


class Book(Base):
    """A book, as far as the catalogue shows it."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(300))
    authors: Mapped[list[str]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    isbn: Mapped[str | None] = mapped_column(String(10))
    isbn13: Mapped[str | None] = mapped_column(String(13))
    year: Mapped[int | None]
    language: Mapped[str | None] = mapped_column(String(10))
    average_rating: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    ratings_count: Mapped[int]
    copies: Mapped[int]
    available: Mapped[int]
    cover_url: Mapped[str | None] = mapped_column(String(500))
    goodreads_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


def found(q: str | None) -> Select[tuple[Book]]:
    """Return the query for books that have each word of `q` in the title or in an author, in any case; all without."""
    query = select(Book)
    for word in (q or "").split():
        places = (Book.title, cast(Book.authors, Text))
        query = query.where(or_(*(place.icontains(word, autoescape=True) for place in places)))
    return query


def envelope(books: list[Any], total: int, page: int, per_page: int) -> dict[str, Any]:
    """Return a page of books as the catalogue answers it."""
    return {"books": books, "total": total, "page": page, "pages": -(-total // per_page)}
