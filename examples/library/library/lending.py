"""Lend books, take them back, and keep them for who waits.

Whatever changes how many copies of a book are free locks the book first, so that one thing happens to it at a time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from demijohn import Conflict, NotFound

from . import clock
from .models import Book, Hold, Loan, User
from .resources import books, holds, loans
from .rules import AGAIN, KEEP, LOAN, MOST_LOANS, MOST_RENEWALS, is_staff

__all__ = ["give_back", "overdue", "pass_on", "renew", "settle"]


def settle(connection: Connection, book_id: int, *, back: int = 0) -> int:
    """Lock a book, put `back` copies on its shelf, pass on what is free to who waits, and return how many are left.

    A copy that nobody fetched in time is free again, which is found out here: whenever something happens to the book.
    """
    book = connection.execute(select(Book.copies, Book.lent).where(Book.id == book_id).with_for_update()).one_or_none()
    if book is None:
        raise Conflict("The library has no such book.", errors=[{"detail": "is no book", "pointer": "#/book_id"}])
    expired = delete(Hold).where(Hold.book_id == book_id, Hold.kept_until < clock.now())
    lent: int = book.lent - back - connection.execute(expired).rowcount
    waiting = select(Hold.id).where(Hold.book_id == book_id, Hold.kept_until.is_(None)).order_by(Hold.id)
    first = connection.scalars(waiting.limit(book.copies - lent)).all()
    if first:
        keep = update(Hold).where(Hold.id.in_(first)).values(kept_until=clock.now() + KEEP)
        lent += connection.execute(keep).rowcount
    if lent != book.lent:
        connection.execute(update(Book).where(Book.id == book_id).values(lent=lent))
    free: int = book.copies - lent
    return free


@loans.before_create
def borrow(data: dict[str, Any], caller: Any, connection: Connection) -> dict[str, Any]:
    """Lend the copy that is kept for the member, or one that is free."""
    book_id, user_id = data["book_id"], data.get("user_id", caller.user)
    connection.execute(select(User.id).where(User.id == user_id).with_for_update())  # one loan at a time
    free = settle(connection, book_id)
    on_loan = select(func.count(Loan.id)).where(Loan.user_id == user_id, Loan.returned_at.is_(None))
    if connection.execute(on_loan).scalar_one() >= MOST_LOANS:
        raise Conflict(f"{MOST_LOANS} books are on loan already. One has to come back first.")
    kept = delete(Hold).where(Hold.book_id == book_id, Hold.user_id == user_id, Hold.kept_until.is_not(None))
    if connection.execute(kept).rowcount == 0:
        if free == 0:
            raise Conflict("No copy of this book is free. You can wait for one.")
        connection.execute(update(Book).where(Book.id == book_id).values(lent=Book.lent + 1))
    return {**data, "due_at": (clock.now() + LOAN).isoformat()}


def give_back(loan_id: int, user: int, token_info: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """End a loan."""
    loan = open_loan(loan_id, user, token_info, connection)
    connection.execute(update(Loan).where(Loan.id == loan_id).values(returned_at=clock.now()))
    settle(connection, loan.book_id, back=1)
    return loans.read(loan_id, connection=connection)


def renew(loan_id: int, user: int, token_info: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """Let a loan run for as long as a new one; one that does already stays as it is."""
    loan = open_loan(loan_id, user, token_info, connection)
    settle(connection, loan.book_id)
    if connection.scalar(select(Hold.id).where(Hold.book_id == loan.book_id, Hold.kept_until.is_(None)).limit(1)):
        raise Conflict("Somebody waits for this book.")
    full = clock.now() + LOAN
    if connection.scalar(select(Loan.id).where(Loan.id == loan_id, Loan.due_at <= full - AGAIN)) is not None:
        if loan.renewals >= MOST_RENEWALS:
            raise Conflict(f"The loan was renewed {MOST_RENEWALS} times already.")
        longer = {"renewals": loan.renewals + 1, "due_at": full}
        connection.execute(update(Loan).where(Loan.id == loan_id).values(longer))
    return loans.read(loan_id, connection=connection)


def open_loan(loan_id: int, user: int, token_info: dict[str, Any], connection: Connection) -> Any:
    """Lock a loan that is the caller's, or anybody's at the desk, and return it."""
    wanted = select(Loan.book_id, Loan.user_id, Loan.returned_at, Loan.renewals).where(Loan.id == loan_id)
    loan = connection.execute(wanted.with_for_update()).one_or_none()
    if loan is None or (loan.user_id != user and not is_staff(token_info)):
        raise NotFound("There is no such Loan.")
    if loan.returned_at is not None:
        raise Conflict("The book is back already.")
    return loan


@holds.before_create
def wait(data: dict[str, Any], caller: Any, connection: Connection) -> None:
    """Let nobody wait for a book that can be had."""
    if settle(connection, data["book_id"]):
        raise Conflict("A copy of this book is free. Borrow it.")


@holds.after_delete
def leave(hold: dict[str, Any], caller: Any, connection: Connection) -> None:
    """Pass on the copy that was kept."""
    settle(connection, hold["book_id"], back=0 if hold["kept_until"] is None else 1)


@books.after_patch
def share_out(book: dict[str, Any], caller: Any, connection: Connection) -> None:
    """Pass on copies that are new."""
    settle(connection, book["id"])


def pass_on(connection: Connection) -> int:
    """Pass on every copy that was kept for too long; return how many books that is about."""
    late = select(Hold.book_id).where(Hold.kept_until < clock.now()).distinct().order_by(Hold.book_id)
    found = connection.scalars(late).all()
    for book_id in found:
        settle(connection, book_id)
    return len(found)


def overdue(page: int, per_page: int, connection: Connection, include: list[str] | None = None) -> dict[str, Any]:
    """Return the loans that should be back by now."""
    now = clock.now()
    found = loans.list(
        returned_at__isnull=True,
        due_at__lt=now.isoformat(),
        sort="due_at",
        limit=per_page,
        offset=(page - 1) * per_page,
        include=include,
        connection=connection,
    )
    late = select(func.count(Loan.id)).where(Loan.returned_at.is_(None), Loan.due_at < now)
    total = connection.execute(late).scalar_one()
    return {"loans": found, "total": total, "page": page, "pages": -(-total // per_page)}
