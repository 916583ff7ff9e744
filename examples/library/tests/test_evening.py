"""One evening in the library, through HTTP and nothing else: what the page does, a plain client does too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

PASSWORD = "a good long read"


def test_an_evening_in_the_library(client: FlaskClient, sign_in: Callable[..., Any], clock: Any) -> None:
    # Libby opens the library, and puts one copy of one book on the shelf.
    libby = sign_in("libby", "librarian")
    new = {"title": "The Odyssey", "authors": ["Homer"], "isbn13": "9780140268867", "year": -725, "language": "grc"}
    book = libby("POST", "/books", 201, new)["id"]

    # Ann becomes a member, finds the book, and borrows it.
    ann = sign_in("ann")
    found = client.get("/books?q=odyssey%20homer&available__gte=1").get_json()
    assert [(one["id"], one["available"]) for one in found["books"]] == [(book, 1)]
    loan = ann("POST", "/loans", 201, {"book_id": book}, Idempotency_Key="ann-takes-it-home")
    assert ann("POST", "/loans", 201, {"book_id": book}, Idempotency_Key="ann-takes-it-home")["id"] == loan["id"]
    assert client.get("/books?q=odyssey&available__gte=1").get_json()["total"] == 0

    # Bob comes too late, and waits. Now Ann cannot keep the book for longer.
    bob = sign_in("bob")
    assert "You can wait" in bob("POST", "/loans", 409, {"book_id": book})["detail"]
    hold = bob("POST", "/holds", 201, {"book_id": book})
    assert (hold["position"], hold["kept_until"]) == (1, None)
    assert ann("POST", f"/loans/{loan['id']}/renew", 409)["detail"] == "Somebody waits for this book."
    bob("GET", f"/loans/{loan['id']}", 404)

    # Ann brings it back: it is not on the shelf, but behind the desk.
    assert ann("POST", f"/loans/{loan['id']}/return", 200)["returned_at"] is not None
    assert bob("GET", "/holds", 200)["holds"][0]["kept_until"] is not None
    ann("POST", "/loans", 409, {"book_id": book})

    # Bob fetches it at the desk, where Libby scans his card and the book.
    card = libby("GET", f"/users/{bob.id}", 200)
    scanned = libby("GET", "/books?isbn13=9780140268867", 200)["books"][0]
    lent = libby("POST", "/loans", 201, {"book_id": scanned["id"], "user_id": card["id"]})
    assert (lent["user_id"], bob("GET", "/holds", 200)["total"]) == (bob.id, 0)

    # Three weeks and a day later Libby sees that it is overdue, and scans it back the next time Bob comes by.
    clock.pass_(days=22)
    # The evening has been long: tokens do not live that long, but their clock is another one.
    late = libby("GET", "/loans/overdue", 200)
    assert [one["id"] for one in late["loans"]] == [lent["id"]]
    out = libby("GET", f"/loans?book_id={book}&returned_at__isnull=true&include=user", 200)["loans"]
    assert out[0]["user"]["username"] == "bob"
    libby("POST", f"/loans/{out[0]['id']}/return", 200)
    assert libby("GET", "/loans/overdue", 200)["total"] == 0

    # Ann asks for a second copy, which comes on the shelf.
    wanted = {"kind": "buy", "lines": [{"book_id": book, "quantity": 1, "unit_price": "12.50"}]}
    order = ann("POST", "/orders", 201, wanted, Idempotency_Key="one-more")
    for step in ("approve", "order", "receive"):
        libby("POST", f"/orders/{order['id']}/{step}", 200)
    assert client.get(f"/books/{book}").get_json()["available"] == 2

    # Libby counts, and everybody goes home.
    assert libby("GET", "/statistics/most-borrowed", 200) == [{"book_id": book, "title": "The Odyssey", "loans": 2}]
    for person in (ann, bob, libby):
        person("POST", "/users/logout", 204)
        person("GET", "/users/me", 401)
