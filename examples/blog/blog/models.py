"""Users, posts and products, as the tables of Flask-SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Numeric, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

__all__ = ["Post", "Product", "User", "db"]


class Base(DeclarativeBase):
    """Collect the tables of this application."""


db = SQLAlchemy(model_class=Base)

# SQLite would give the number of the last row again once that row is gone; the others never do.
NEVER_TWICE = {"sqlite_autoincrement": True}


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


class User(db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """Hold one user; what is kept of the password is a hash."""

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

    posts: Mapped[list[Post]] = relationship(back_populates="author", passive_deletes="all", order_by="Post.id")


class Post(db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """Hold one post; it goes with its author."""

    __tablename__ = "posts"
    __table_args__ = (
        Index("posts_by_time", "created_at", "id"),
        Index("posts_by_title", "title", "id"),
        Index("posts_of_user_by_time", "user_id", "created_at", "id"),
        Index("posts_of_user_by_title", "user_id", "title", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(text(200))
    body: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, onupdate=now)

    author: Mapped[User] = relationship(back_populates="posts")


class Product(db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """Hold one product. The database itself keeps stock and price from falling below nothing."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="product_price"),
        CheckConstraint("stock >= 0", name="product_stock"),
        Index("products_by_price", "price", "id"),
        NEVER_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(120), unique=True)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    stock: Mapped[int]
