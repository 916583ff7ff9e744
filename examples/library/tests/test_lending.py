"""Lending: who gets which copy, for how long, and who is next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient


def available(client: FlaskClient, number: int) -> int:
    left: int = client.get(f"/books/{number}").get_json()["available"]
    return left


def test_a_copy_is_lent_and_comes_back(client: FlaskClient, clock: Any, ann: Any, add: Callable[..., int]) -> None:
    number = add(copies=2)
    loan = ann("POST", "/loans", 201, {"book_id": number})
    assert (loan["borrowed_at"], loan["due_at"]) == ("2026-01-05T09:30:00Z", "2026-01-26T09:30:00Z")
    assert available(client, number) == 1
    clock.pass_(days=3)
    back = ann("POST", f"/loans/{loan['id']}/return", 200)
    assert back == {**loan, "returned_at": "2026-01-08T09:30:00Z"}
    assert available(client, number) == 2
    assert "back already" in ann("POST", f"/loans/{loan['id']}/return", 409)["detail"]
    assert available(client, number) == 2


def test_the_last_copy_is_lent_once(client: FlaskClient, ann: Any, bob: Any, add: Callable[..., int]) -> None:
    number = add(copies=1)
    ann("POST", "/loans", 201, {"book_id": number})
    assert "No copy of this book is free" in bob("POST", "/loans", 409, {"book_id": number})["detail"]
    assert available(client, number) == 0


def test_what_the_library_does_not_have_is_a_conflict(ann: Any, librarian: Any, add: Callable[..., int]) -> None:
    assert ann("POST", "/loans", 409, {"book_id": 99})["errors"][0]["pointer"] == "#/book_id"
    assert ann("POST", "/holds", 409, {"book_id": 99})["errors"][0]["pointer"] == "#/book_id"
    told = librarian("POST", "/loans", 409, {"book_id": add(), "user_id": 99})
    assert told["errors"][0]["pointer"] == "#/user_id"


def test_five_books_at_a_time(ann: Any, add: Callable[..., int]) -> None:
    numbers = [add(f"Volume {number}") for number in range(6)]
    loans = [ann("POST", "/loans", 201, {"book_id": number}) for number in numbers[:5]]
    assert "5 books are on loan already" in ann("POST", "/loans", 409, {"book_id": numbers[5]})["detail"]
    ann("POST", f"/loans/{loans[0]['id']}/return", 200)
    ann("POST", "/loans", 201, {"book_id": numbers[5]})


def test_one_copy_of_a_book_is_enough(ann: Any, bob: Any, librarian: Any, add: Callable[..., int]) -> None:
    """Nobody keeps a book for good by waiting for what they have."""
    number = add(copies=2)
    loan = ann("POST", "/loans", 201, {"book_id": number})
    assert "on loan to the member already" in ann("POST", "/loans", 409, {"book_id": number})["detail"]
    bob("POST", "/loans", 201, {"book_id": number})
    assert "on loan to the member already" in ann("POST", "/holds", 409, {"book_id": number})["detail"]
    for path in ("/loans", "/holds"):
        librarian("POST", path, 409, {"book_id": number, "user_id": ann.id})
    ann("POST", f"/loans/{loan['id']}/return", 200)
    ann("POST", "/loans", 201, {"book_id": number})


def test_a_loan_is_renewed_twice(clock: Any, ann: Any, add: Callable[..., int]) -> None:
    loan = ann("POST", "/loans", 201, {"book_id": add()})
    for number in (1, 2):
        clock.pass_(days=10)
        renewed = ann("POST", f"/loans/{loan['id']}/renew", 200)
        assert renewed["renewals"] == number
    assert renewed["due_at"] == "2026-02-15T09:30:00Z"
    assert "2 times already" in ann("POST", f"/loans/{loan['id']}/renew", 409)["detail"]


def test_a_loan_is_not_renewed_while_somebody_waits(ann: Any, bob: Any, add: Callable[..., int]) -> None:
    number = add()
    loan = ann("POST", "/loans", 201, {"book_id": number})
    hold = bob("POST", "/holds", 201, {"book_id": number})
    assert "Somebody waits" in ann("POST", f"/loans/{loan['id']}/renew", 409)["detail"]
    bob("DELETE", f"/holds/{hold['id']}", 204)
    ann("POST", f"/loans/{loan['id']}/renew", 200)


def test_a_copy_that_comes_back_is_kept_for_who_waits(
    client: FlaskClient, clock: Any, ann: Any, bob: Any, sign_in: Callable[..., Any], add: Callable[..., int]
) -> None:
    carol, number = sign_in("carol"), add()
    loan = ann("POST", "/loans", 201, {"book_id": number})
    first, second = (one("POST", "/holds", 201, {"book_id": number}) for one in (bob, carol))
    assert (first["position"], second["position"]) == (1, 2)
    bob("POST", "/holds", 409, {"book_id": number})
    ann("POST", f"/loans/{loan['id']}/return", 200)
    assert bob("GET", f"/holds/{first['id']}", 200)["kept_until"] == "2026-01-08T09:30:00Z"
    assert available(client, number) == 0
    carol("POST", "/loans", 409, {"book_id": number})
    ann("POST", "/loans", 409, {"book_id": number})
    taken = bob("POST", "/loans", 201, {"book_id": number})
    assert bob("GET", "/holds", 200)["holds"] == []
    assert carol("GET", f"/holds/{second['id']}", 200)["position"] == 1
    bob("POST", f"/loans/{taken['id']}/return", 200)
    carol("POST", "/loans", 201, {"book_id": number})


def test_a_copy_that_nobody_fetches_goes_to_the_next(
    app: Flask, clock: Any, ann: Any, bob: Any, sign_in: Callable[..., Any], add: Callable[..., int]
) -> None:
    carol, number = sign_in("carol"), add()
    loan = ann("POST", "/loans", 201, {"book_id": number})
    first, second = (one("POST", "/holds", 201, {"book_id": number}) for one in (bob, carol))
    ann("POST", f"/loans/{loan['id']}/return", 200)
    clock.pass_(days=3, hours=1)
    # By the command of the night.
    assert "of 1 books" in app.test_cli_runner().invoke(args=["holds"]).output
    bob("GET", f"/holds/{first['id']}", 404)
    assert carol("GET", f"/holds/{second['id']}", 200)["kept_until"] == "2026-01-11T10:30:00Z"
    assert "of 0 books" in app.test_cli_runner().invoke(args=["holds"]).output
    # By whatever happens to the book: here a member who does not wait for it.
    clock.pass_(days=4)
    ann("POST", "/loans", 201, {"book_id": number})
    carol("GET", f"/holds/{second['id']}", 404)


def test_who_leaves_the_line_passes_the_copy_on(
    client: FlaskClient, ann: Any, bob: Any, sign_in: Callable[..., Any], add: Callable[..., int]
) -> None:
    carol, number = sign_in("carol"), add()
    loan = ann("POST", "/loans", 201, {"book_id": number})
    first, second = (one("POST", "/holds", 201, {"book_id": number}) for one in (bob, carol))
    ann("POST", f"/loans/{loan['id']}/return", 200)
    bob("DELETE", f"/holds/{first['id']}", 204)
    assert carol("GET", f"/holds/{second['id']}", 200)["kept_until"] is not None
    carol("DELETE", f"/holds/{second['id']}", 204)
    assert available(client, number) == 1


def test_nobody_waits_for_what_is_there(ann: Any, add: Callable[..., int]) -> None:
    assert "Borrow it" in ann("POST", "/holds", 409, {"book_id": add()})["detail"]


def test_new_copies_go_to_who_waits(ann: Any, bob: Any, librarian: Any, add: Callable[..., int]) -> None:
    number = add(copies=0)
    holds = [one("POST", "/holds", 201, {"book_id": number}) for one in (ann, bob)]
    assert librarian("PATCH", f"/books/{number}", 200, {"copies": 1}, If_Match="*")["copies"] == 1
    assert ann("GET", f"/holds/{holds[0]['id']}", 200)["kept_until"] is not None
    assert bob("GET", f"/holds/{holds[1]['id']}", 200)["kept_until"] is None


def test_the_desk_lends_and_takes_back_for_anybody(ann: Any, librarian: Any, add: Callable[..., int]) -> None:
    number = add(isbn13="9780140268867")
    scanned = librarian("GET", "/books?isbn13=9780140268867", 200)["books"][0]["id"]
    assert scanned == number
    loan = librarian("POST", "/loans", 201, {"book_id": scanned, "user_id": ann.id})
    assert loan["user_id"] == ann.id
    assert ann("GET", "/loans", 200)["total"] == 1
    librarian("POST", f"/loans/{loan['id']}/renew", 200)
    assert librarian("POST", f"/loans/{loan['id']}/return", 200)["returned_at"] is not None


def test_members_see_what_is_their_own(client: FlaskClient, ann: Any, bob: Any, librarian: Any, add: Any) -> None:
    number = add()
    loan = ann("POST", "/loans", 201, {"book_id": number})
    hold = bob("POST", "/holds", 201, {"book_id": number})
    bob("GET", f"/loans/{loan['id']}", 404)
    bob("POST", f"/loans/{loan['id']}/return", 404)
    bob("POST", f"/loans/{loan['id']}/renew", 404)
    ann("GET", f"/holds/{hold['id']}", 404)
    ann("DELETE", f"/holds/{hold['id']}", 404)
    bob("POST", "/loans", 400, {"book_id": number, "user_id": ann.id})
    bob("POST", "/holds", 400, {"book_id": number, "user_id": ann.id})
    assert bob("GET", "/loans", 200)["total"] == 0
    assert bob("GET", f"/loans?user_id={ann.id}", 200)["total"] == 0
    assert librarian("GET", f"/loans?user_id={ann.id}", 200)["total"] == 1
    shown = librarian("GET", "/loans?include=book,user", 200)["loans"][0]
    assert (shown["book"]["title"], shown["user"]["username"]) == ("The Odyssey", "ann")
    assert ann("GET", f"/loans/{loan['id']}?include=book", 200)["book"]["id"] == number
    for path in ("/loans", "/holds", "/orders", "/users/me", "/loans/overdue"):
        assert client.get(path).status_code == 401


def test_the_desk_sees_what_is_overdue(clock: Any, ann: Any, librarian: Any, add: Callable[..., int]) -> None:
    late = ann("POST", "/loans", 201, {"book_id": add()})
    clock.pass_(days=15)
    ann("POST", "/loans", 201, {"book_id": add("The Iliad")})
    assert librarian("GET", "/loans/overdue", 200)["loans"] == []
    clock.pass_(days=7)
    found = librarian("GET", "/loans/overdue?per_page=1", 200)
    assert [loan["id"] for loan in found["loans"]] == [late["id"]]
    assert (found["total"], found["page"], found["pages"]) == (1, 1, 1)
    assert found["loans"][0].keys().isdisjoint(("book", "user"))
    shown = librarian("GET", "/loans/overdue?include=book,user", 200)["loans"][0]
    assert (shown["book"]["title"], shown["user"]["username"]) == ("The Odyssey", "ann")
    librarian("GET", "/loans/overdue?include=cover", 400)
    assert librarian("GET", "/loans/overdue?page=2", 200)["loans"] == []
    now = "2026-01-27T09:30:00Z"
    assert librarian("GET", f"/loans?returned_at__isnull=true&due_at__lt={now}", 200)["total"] == 1
    ann("GET", "/loans/overdue", 403)
    ann("POST", f"/loans/{late['id']}/return", 200)
    assert librarian("GET", "/loans/overdue", 200)["total"] == 0


@pytest.mark.parametrize("path", ["/loans", "/holds"])
def test_the_same_request_twice_is_done_once(path: str, client: FlaskClient, ann: Any, bob: Any, add: Any) -> None:
    number = add(copies=2 if path == "/loans" else 0)
    key = {"Idempotency_Key": "8e03978e"}
    first = ann("POST", path, 201, {"book_id": number}, **key)
    assert ann("POST", path, 201, {"book_id": number}, **key) == first
    ann("POST", path, 422, {"book_id": number + 1}, **key)
    bob("POST", path, 201, {"book_id": number}, **key)
    assert ann("GET", path, 200)["total"] == 1


def test_the_charts_have_their_numbers(clock: Any, ann: Any, bob: Any, librarian: Any, add: Any) -> None:
    odyssey, iliad = add(copies=3), add("The Iliad")
    ann("POST", "/loans", 201, {"book_id": odyssey})
    ann("POST", "/loans", 201, {"book_id": iliad})
    clock.pass_(days=2)
    bob("POST", "/loans", 201, {"book_id": odyssey})
    assert librarian("GET", "/statistics/loans-per-day?days=4", 200) == [
        {"day": "2026-01-04", "loans": 0},
        {"day": "2026-01-05", "loans": 2},
        {"day": "2026-01-06", "loans": 0},
        {"day": "2026-01-07", "loans": 1},
    ]
    most = librarian("GET", "/statistics/most-borrowed?limit=1", 200)
    assert most == [{"book_id": odyssey, "title": "The Odyssey", "loans": 2}]
    assert [one["loans"] for one in librarian("GET", "/statistics/most-borrowed?days=1", 200)] == [1]
    for path in ("loans-per-day", "most-borrowed"):
        ann("GET", f"/statistics/{path}", 403)
