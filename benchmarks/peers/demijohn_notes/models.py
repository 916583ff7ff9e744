"""The two models: all that there is beside the contract."""

from datetime import datetime

from sqlalchemy import CHAR, DateTime, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative registry, handed over whole."""


class Account(Base):
    """Somebody who logs in, and has notes."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    is_disabled: Mapped[bool]


class Note(Base):
    """A note of somebody's."""

    __tablename__ = "note"
    __table_args__ = (Index("note_account_id_id", "account_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    title: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(String(120))
    language: Mapped[str] = mapped_column(CHAR(2))
    score: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
