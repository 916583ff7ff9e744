"""The tables of the accounts comparison, and what the peers without accounts of their own check of a token."""

import os
import time
from datetime import datetime
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import CHAR, ForeignKey, Index, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from peers.people import Moment

ALGORITHM = "HS256"
LIFETIME_S = 900


class Base(DeclarativeBase):
    """The declarative registry of the peers."""


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
    created_at: Mapped[datetime] = mapped_column(Moment)


def page(limit: int, account: Account | None = None) -> Any:
    """Return the query for the first notes, of one account or of all."""
    query = select(Note).order_by(Note.id).limit(limit)
    return query if account is None else query.where(Note.account_id == account.id)


def log_in(session: Session, name: str, password: str) -> str | None:
    """Return a token for an account, None where name or password is wrong."""
    account = session.scalar(select(Account).where(Account.name == name))
    try:
        if account is None or account.is_disabled or not PasswordHasher().verify(account.password_hash, password):
            return None
    except VerificationError:
        return None
    now = int(time.time())
    return jwt.encode({"sub": str(account.id), "iat": now, "exp": now + LIFETIME_S}, secret(), ALGORITHM)


def subject_of(token: str) -> int | None:
    """Return the number of the account that a token names, None for a token that is not valid."""
    try:
        claims = jwt.decode(token, secret(), algorithms=[ALGORITHM], options={"require": ["sub", "iat", "exp"]})
        return int(claims["sub"])
    except (jwt.PyJWTError, ValueError):
        return None


def account_of(session: Session, number: int) -> Account | None:
    """Return an account that may come in: it is still there, and not disabled."""
    account = session.get(Account, number)
    return None if account is None or account.is_disabled else account


def secret() -> str:
    """Return what tokens are signed with."""
    return os.environ["SECRET_KEY"]
