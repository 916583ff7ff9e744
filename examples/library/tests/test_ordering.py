"""Orders: what they come to, and the steps that they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

NEW = {"title": "Theogony", "authors": ["Hesiod"], "isbn13": "9780199538317", "quantity": 3, "unit_price": "0.10"}


@pytest.fixture
def order(ann: Any, add: Callable[..., int]) -> dict[str, Any]:
    """Give an order of Ann's: of a book that the library has, and of one that it has not."""
    lines = [{"book_id": add(copies=1), "quantity": 2, "unit_price": "12.50"}, NEW]
    made: dict[str, Any] = ann("POST", "/orders", 201, {"kind": "buy", "lines": lines})
    return made


def test_the_server_adds_up(order: dict[str, Any], ann: Any) -> None:
    assert (order["total"], order["status"], order["user_id"]) == ("25.30", "open", ann.id)
    assert order["lines"][1]["unit_price"] == "0.10"
    many = [{"title": f"Volume {n}", "authors": ["?"], "quantity": 100, "unit_price": "99999.99"} for n in range(50)]
    assert ann("POST", "/orders", 201, {"kind": "sell", "lines": many})["total"] == "499999950.00"
    ann("POST", "/orders", 400, {"kind": "buy", "lines": [NEW], "total": "0.01"})


@pytest.mark.parametrize(
    ("line", "status", "pointer"),
    [
        ({"book_id": 99, "quantity": 1, "unit_price": "1.00"}, 409, "#/lines/0/book_id"),
        ({**NEW, "isbn13": "9780199538318"}, 400, "#/lines/0/isbn13"),
        ({**NEW, "quantity": 0}, 400, "#/lines/0/quantity"),
        ({**NEW, "unit_price": "1"}, 400, "#/lines/0/unit_price"),
        ({**NEW, "unit_price": -1}, 400, "#/lines/0/unit_price"),
        ({"quantity": 1, "unit_price": "1.00"}, 400, "#/lines/0"),
    ],
)
def test_a_line_that_is_wrong_is_told(ann: Any, line: dict[str, Any], status: int, pointer: str) -> None:
    told = ann("POST", "/orders", status, {"kind": "buy", "lines": [line]})
    assert pointer in [error["pointer"] for error in told["errors"]]


def test_what_is_received_stands_on_the_shelf(
    client: FlaskClient, order: dict[str, Any], librarian: Any, ann: Any
) -> None:
    path, number = f"/orders/{order['id']}", order["lines"][0]["book_id"]
    for step, status in (("approve", "approved"), ("order", "ordered"), ("receive", "received")):
        assert librarian("POST", f"{path}/{step}", 200)["status"] == status
    assert client.get(f"/books/{number}").get_json()["copies"] == 3
    (new,) = client.get("/books?isbn13=9780199538317").get_json()["books"]
    assert (new["title"], new["authors"], new["copies"], new["available"]) == ("Theogony", ["Hesiod"], 3, 3)
    assert ann("GET", path, 200)["status"] == "received"
    librarian("POST", f"{path}/receive", 409)
    assert client.get(f"/books/{number}").get_json()["copies"] == 3


def test_the_same_title_again_is_the_same_book(client: FlaskClient, librarian: Any, ann: Any) -> None:
    for _ in range(2):
        order = ann("POST", "/orders", 201, {"kind": "sell", "lines": [NEW]})
        for step in ("approve", "order", "receive"):
            librarian("POST", f"/orders/{order['id']}/{step}", 200)
    assert [book["copies"] for book in client.get("/books").get_json()["books"]] == [6]


def test_what_is_received_goes_to_who_waits(librarian: Any, ann: Any, add: Callable[..., int]) -> None:
    number = add(copies=0)
    hold = ann("POST", "/holds", 201, {"book_id": number})
    line = {"book_id": number, "quantity": 1, "unit_price": "5.00"}
    order = ann("POST", "/orders", 201, {"kind": "buy", "lines": [line]})
    for step in ("approve", "order", "receive"):
        librarian("POST", f"/orders/{order['id']}/{step}", 200)
    assert ann("GET", f"/holds/{hold['id']}", 200)["kept_until"] is not None


def test_no_delivery_makes_more_copies_than_a_book_can_have(
    client: FlaskClient, librarian: Any, add: Callable[..., int]
) -> None:
    number = add(copies=9_999)
    line = {"book_id": number, "quantity": 1, "unit_price": "5.00"}
    for status in (200, 409):
        order = librarian("POST", "/orders", 201, {"kind": "buy", "lines": [line]})["id"]
        for step in ("approve", "order"):
            librarian("POST", f"/orders/{order}/{step}", 200)
        librarian("POST", f"/orders/{order}/receive", status)
    assert client.get(f"/books/{number}").get_json()["copies"] == 10_000
    assert librarian("GET", f"/orders/{order}", 200)["status"] == "ordered"


STEPS = ("approve", "order", "receive", "cancel")
ALLOWED = {
    "open": {"approve": "approved", "cancel": "cancelled"},
    "approved": {"order": "ordered", "cancel": "cancelled"},
    "ordered": {"receive": "received", "cancel": "cancelled"},
    "received": {},
    "cancelled": {},
}
WAY = {"open": (), "approved": STEPS[:1], "ordered": STEPS[:2], "received": STEPS[:3], "cancelled": STEPS[3:]}


@pytest.mark.parametrize("status", list(ALLOWED))
def test_every_step_is_taken_or_refused(status: str, librarian: Any, ann: Any) -> None:
    for step in STEPS:
        order = ann("POST", "/orders", 201, {"kind": "buy", "lines": [NEW]})
        for one in WAY[status]:
            librarian("POST", f"/orders/{order['id']}/{one}", 200)
        wanted = ALLOWED[status].get(step)
        answer = librarian("POST", f"/orders/{order['id']}/{step}", 409 if wanted is None else 200)
        if wanted is None:
            assert f"The order is {status}" in answer["detail"]
        assert ann("GET", f"/orders/{order['id']}", 200)["status"] == (wanted or status)


def test_members_withdraw_what_is_open(order: dict[str, Any], ann: Any, bob: Any, librarian: Any) -> None:
    path = f"/orders/{order['id']}"
    for step in STEPS[:3]:
        ann("POST", f"{path}/{step}", 403)
    bob("GET", path, 404)
    bob("POST", f"{path}/cancel", 404)
    librarian("POST", f"{path}/approve", 200)
    ann("POST", f"{path}/cancel", 409)
    assert librarian("POST", f"{path}/cancel", 200)["status"] == "cancelled"
    assert bob("GET", "/orders", 200)["total"] == 0
    assert librarian("GET", "/orders?status=cancelled&kind=buy", 200)["total"] == 1
    librarian("POST", "/orders/99/approve", 404)
    librarian("POST", "/orders/99/cancel", 404)


def test_one_key_is_one_order(ann: Any, bob: Any) -> None:
    body = {"kind": "buy", "lines": [NEW]}
    first = ann("POST", "/orders", 201, body, Idempotency_Key="8e03978e")
    assert ann("POST", "/orders", 201, body, Idempotency_Key="8e03978e") == first
    ann("POST", "/orders", 422, {**body, "kind": "sell"}, Idempotency_Key="8e03978e")
    assert bob("POST", "/orders", 201, body, Idempotency_Key="8e03978e")["id"] != first["id"]
    assert ann("GET", "/orders", 200)["total"] == 1
