"""Take orders, and see them through: open, approved, ordered, received; or cancelled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert, select, update

from demijohn import Conflict, NotFound

from .lending import settle
from .models import Book, Order
from .resources import orders
from .rules import is_staff

__all__ = ["approve", "cancel", "order", "receive"]


@orders.before_create
def add_up(data: dict[str, Any], caller: Any, connection: Connection) -> dict[str, Any]:
    """Look the books up, and say what the order comes to."""
    wanted = {line["book_id"] for line in data["lines"] if "book_id" in line}
    known = set(connection.scalars(select(Book.id).where(Book.id.in_(wanted))))
    errors = [
        {"detail": "is no book of the catalogue", "pointer": f"#/lines/{number}/book_id"}
        for number, line in enumerate(data["lines"])
        if "book_id" in line and line["book_id"] not in known
    ]
    if errors:
        raise Conflict("The library has no such book.", errors=errors)
    total = sum(Decimal(line["unit_price"]) * line["quantity"] for line in data["lines"])
    return {**data, "total": str(total)}


def approve(order_id: int, connection: Connection) -> dict[str, Any]:
    """Agree to an order."""
    return step(connection, order_id, "approved", "open")


def order(order_id: int, connection: Connection) -> dict[str, Any]:
    """Send an order off."""
    return step(connection, order_id, "ordered", "approved")


def receive(order_id: int, connection: Connection) -> dict[str, Any]:
    """Put the books of an order on the shelves, whoever they come from."""
    received = step(connection, order_id, "received", "ordered")
    # Two deliveries lock their books in the same order, and so never wait for each other.
    for line in sorted(received["lines"], key=lambda one: one.get("book_id", 0)):
        book_id = line.get("book_id") or catalogued(connection, line)
        connection.execute(update(Book).where(Book.id == book_id).values(copies=Book.copies + line["quantity"]))
        settle(connection, book_id)
    return received


def cancel(order_id: int, user: int, token_info: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """Withdraw an order: members as long as it is open, librarians until it was received."""
    found = locked(connection, order_id)
    if not is_staff(token_info):
        if found.user_id != user:
            raise NotFound("There is no such Order.")
        return step(connection, order_id, "cancelled", "open")
    return step(connection, order_id, "cancelled", "open", "approved", "ordered")


def step(connection: Connection, order_id: int, to: str, *allowed: str) -> dict[str, Any]:
    """Lead an order from one state to the next, and return it."""
    status = locked(connection, order_id).status
    if status not in allowed:
        raise Conflict(f"The order is {status}; it has to be {' or '.join(allowed)}.")
    connection.execute(update(Order).where(Order.id == order_id).values(status=to))
    return orders.read(order_id, connection=connection)


def locked(connection: Connection, order_id: int) -> Any:
    """Lock an order and return it."""
    wanted = select(Order.user_id, Order.status).where(Order.id == order_id)
    found = connection.execute(wanted.with_for_update()).one_or_none()
    if found is None:
        raise NotFound("There is no such Order.")
    return found


def catalogued(connection: Connection, line: dict[str, Any]) -> int:
    """Return the book of a line that names none by number: the one with its ISBN, or else a new one."""
    isbn13 = line.get("isbn13")
    known = connection.scalar(select(Book.id).where(Book.isbn13 == isbn13)) if isbn13 else None
    if known is not None:
        return known
    new = {"title": line["title"], "authors": line["authors"], "isbn13": isbn13, "copies": 0}
    return connection.execute(insert(Book).values(new).returning(Book.id)).scalar_one()
