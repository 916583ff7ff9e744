"""What comes with the package, to have something to look at: books, members, and what they borrow and wait for.

The books are works whose authors died before 1956, each in its year of first publication.

Years before the invention of printing are about right. None has an ISBN, since works have none, only their editions.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, insert, select, update

from . import clock
from .models import Book, Hold, Loan, User
from .resources import api
from .rules import LOAN, MOST_LOANS

__all__ = ["BOOKS", "MEMBERS", "ROLES", "load_samples", "sample_books"]

ROLES = ("admin", "librarian", "member")
"""For whom `demijohn demo` makes an account, with a password of its own."""

BOOKS = Path(__file__).with_name("data") / "books.csv"
MEMBERS = ("amina", "bruno", "chiara", "dmitri", "elif", "farid", "greta", "hana", "ivan", "jun", "kofi", "lucia")
# No password has such a hash.
NOBODY = "!"
DAYS, LOANS, HOLDS = 60, 240, 4


def sample_books() -> Iterator[dict[str, Any]]:
    """Yield the books as the contract's `NewBook`: `title`, `authors`, `year`, `language` (of the original), `copies`.

    No two have the same title. In the file the names of several authors are separated by semicolons.
    """
    with BOOKS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            authors = [name.strip() for name in row["authors"].split(";")]
            yield {**row, "authors": authors, "year": int(row["year"]), "copies": int(row["copies"])}


def load_samples() -> int:
    """Put the samples into the database of the current application, where they are not; return how many rows were made.

    Nobody can log in as one of the members: they have no password.
    """
    return api.transact(_load)


def _load(connection: Connection) -> int:
    if connection.scalar(select(User.id).where(User.username == MEMBERS[0])) is not None:
        return 0
    known = set(connection.scalars(select(Book.title)))
    new = [book for book in sample_books() if book["title"] not in known]
    if new:
        connection.execute(insert(Book), new)
    people = [{"username": name, "email": f"{name}@example.org", "password_hash": NOBODY} for name in MEMBERS]
    connection.execute(insert(User), people)
    members = connection.scalars(select(User.id).where(User.username.in_(MEMBERS)).order_by(User.id)).all()
    copies = dict(connection.execute(select(Book.id, Book.available).order_by(Book.id)).all())
    loans = list(_loans(copies, members))
    connection.execute(insert(Loan), loans)
    lent = Counter(loan["book_id"] for loan in loans if loan["returned_at"] is None)
    for book_id, number in lent.items():
        connection.execute(update(Book).where(Book.id == book_id).values(lent=Book.lent + number))
    gone = [book_id for book_id, number in sorted(lent.items()) if number == copies[book_id]]
    having = {(loan["book_id"], loan["user_id"]) for loan in loans if loan["returned_at"] is None}
    waiting = [
        {"book_id": one, "user_id": next(member for member in members[number:] if (one, member) not in having)}
        for number, one in enumerate(gone[:HOLDS])
    ]
    if waiting:
        connection.execute(insert(Hold), waiting)
    return len(new) + len(people) + len(loans) + len(waiting)


def _loans(copies: dict[int, int], members: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield loans of the last weeks: most are back, some are not, and a few should be."""
    random, now = Random(1851), clock.now()  # noqa: S311  # always the same
    books, lent, held = list(copies), Counter[int](), defaultdict[int, set[int]](set)
    for _ in range(LOANS):
        # Some books are borrowed more than others.
        book_id, user_id = books[int(len(books) * random.random() ** 3)], random.choice(members)
        began = now - timedelta(minutes=random.randrange(DAYS * 24 * 60))
        back = began + timedelta(days=random.randint(2, 27))
        loan = {"book_id": book_id, "user_id": user_id, "borrowed_at": began, "due_at": began + LOAN}
        if back < now:
            yield {**loan, "returned_at": back}
        elif lent[book_id] < copies[book_id] and len(held[user_id]) < MOST_LOANS and book_id not in held[user_id]:
            lent[book_id] += 1
            held[user_id].add(book_id)
            yield {**loan, "returned_at": None}
