"""The one model: all that there is beside the contract."""

from datetime import datetime

from sqlalchemy import CHAR, DateTime, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative registry, handed over whole."""


class Person(Base):
    """A person."""

    __tablename__ = "person"
    __table_args__ = (Index("person_country_name", "country", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(120), unique=True)
    country: Mapped[str] = mapped_column(CHAR(2))
    score: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
