"""Numbers for librarians."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from . import clock
from .models import Book, Loan

__all__ = ["loans_per_day", "most_borrowed"]


def loans_per_day(days: int, connection: Connection) -> list[dict[str, Any]]:
    """Return how many loans began on each of the last days."""
    today = clock.now().replace(hour=0, minute=0, second=0)
    first = today - timedelta(days=days - 1)
    day = func.date(Loan.borrowed_at)
    counted = select(day, func.count(Loan.id)).where(Loan.borrowed_at >= first).group_by(day)
    found = {str(one): number for one, number in connection.execute(counted)}
    listed = [str((first + timedelta(days=number)).date()) for number in range(days)]
    return [{"day": one, "loans": found.get(one, 0)} for one in listed]


def most_borrowed(days: int, limit: int, connection: Connection) -> list[dict[str, Any]]:
    """Return the books with the most loans that began in the last days."""
    number = func.count(Loan.id).label("loans")
    counted = (
        select(Book.id.label("book_id"), Book.title, number)
        .join(Loan, Loan.book_id == Book.id)
        .where(Loan.borrowed_at >= clock.now() - timedelta(days=days))
        .group_by(Book.id, Book.title)
        .order_by(number.desc(), Book.id)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(counted).mappings()]
