"""The tables. Demijohn compares them with the contract at every start."""

from __future__ import annotations

from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# >>> accounts
__all__ = ["Base", "Task", "User"]
# <<< accounts
# >>> plain
__all__ = ["Base", "Task"]
# <<< plain


def now() -> datetime:
    """Return the time in whole seconds, which is what every database keeps."""
    return datetime.now(UTC).replace(microsecond=0)


class Base(DeclarativeBase):
    """Collect the tables."""


# >>> accounts
class User(Base):
    """Hold one user; what is kept of the password is a hash."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(120), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(256))


# <<< accounts
class Task(Base):
    """Hold one task."""

    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    # >>> accounts
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # <<< accounts
    title: Mapped[str] = mapped_column(sa.String(120))
    due: Mapped[date] = mapped_column(index=True)
    done: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), default=now)
