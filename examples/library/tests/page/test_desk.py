"""The desk: what a scan means, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Route

expect = pytest.importorskip("playwright.sync_api").expect
Visit = Callable[..., Any]

ISBN = "9780140268867"

SCANS: dict[str, dict[str, Any]] = {
    "9780140268867": {"kind": "isbn", "isbn13": ISBN, "isbn": "0140268863"},
    " 978-0-14-026886-7 ": {"kind": "isbn", "isbn13": ISBN, "isbn": "0140268863"},
    "ISBN-13: 978\N{EN DASH}0140268867": {"kind": "isbn", "isbn13": ISBN, "isbn": "0140268863"},
    "978014026886751500": {"kind": "isbn", "isbn13": ISBN, "isbn": "0140268863"},
    "0-14-026886-3": {"kind": "isbn", "isbn13": ISBN, "isbn": "0140268863"},
    "080442957x": {"kind": "isbn", "isbn13": "9780804429573", "isbn": "080442957X"},
    "9791034304998": {"kind": "isbn", "isbn13": "9791034304998", "isbn": None},
    "9780140268868": {"kind": "wrong"},
    "0140268864": {"kind": "wrong"},
    "4006381333931": {"kind": "wrong"},
    "b12": {"kind": "label", "id": 12},
    "13": {"kind": "card", "id": 13},
    "Ann@Example.org": {"kind": "email", "email": "ann@example.org"},
    "odyssey": {"kind": "words", "text": "odyssey"},
}


def test_a_scan_is_understood(visit: Visit) -> None:
    script = """async (codes) => {
        const { understand } = await import("./page/scans.js");
        return codes.map(understand);
    }"""
    found = visit().page.evaluate(script, list(SCANS))
    for code, one, wanted in zip(SCANS, found, SCANS.values(), strict=True):
        assert {name: one.get(name) for name in wanted} == wanted, code


def test_the_desk_takes_every_kind_of_scan(desk: Any, ann: Any, bob: Any, add: Any) -> None:
    odyssey = add("The Odyssey", isbn="0140268863", copies=1)
    iliad = add("The Iliad", copies=2)
    desk.scan("0140268863")
    desk.outcome("“The Odyssey” is not out.")
    desk.scan("ann@example.org")
    desk.outcome("ann")
    desk.scan(ISBN)
    desk.outcome("“The Odyssey” goes to ann.")
    desk.scan("bob")
    desk.outcome("Which one is “bob”?")
    desk.press("bob, bob@example.org")
    desk.outcome("Now the books.")
    expect(desk.page.locator("#code")).to_be_focused()
    desk.scan("0-14-026886-3")
    desk.outcome("“The Odyssey” is back from ann.")
    desk.scan(ISBN)
    desk.outcome("“The Odyssey” goes to bob.")
    desk.scan(f"B{iliad}")
    desk.outcome("“The Iliad” goes to bob.")
    expect(desk.page.locator("#patron")).to_contain_text("Borrowed: 2 of 5")
    desk.scan(str(ann.id))
    desk.outcome("ann")
    desk.scan(f"b{iliad}")
    desk.outcome("“The Iliad” goes to ann.")
    desk.press("Done with ann")
    expect(desk.page.locator("#patron")).to_contain_text("Nobody")
    desk.scan(f"B{iliad}")
    desk.outcome("Who brings back “The Iliad”?")
    desk.press("bob, due in 21 days")
    desk.outcome("“The Iliad” is back from bob.")
    ann("POST", "/holds", 201, {"book_id": odyssey})
    desk.scan(ISBN)
    desk.outcome("Keep it behind the desk for ann")
    desk.scan("978-0140268867")
    desk.outcome("“The Odyssey” is kept for ann.")
    for code, told in (("9780140268868", "A digit is wrong."), ("999", "no such member"), ("B999", "no such book")):
        desk.scan(code)
        desk.outcome(told)


def test_scans_on_a_slow_line_wait_for_each_other(desk: Any, ann: Any, add: Any) -> None:
    books = [add(f"Book {number}") for number in range(3)]
    held: list[Route] = []
    desk.page.route("**/users/*", lambda route: held.append(route))
    with desk.page.expect_request("**/users/*"):
        desk.scan(str(ann.id))
    for book in books:
        desk.scan(f"B{book}")
    expect(desk.page.locator("#scans .pending")).to_have_count(4)
    # The focus may be anywhere: a scan goes into the field, and presses no button.
    desk.page.get_by_role("button", name="Sign out").focus()
    desk.scan("978")
    expect(desk.page.locator("#scans .pending")).to_have_count(5)
    held[0].continue_()
    expect(desk.page.locator("#scans .lent")).to_have_count(3)
    assert {loan["book_id"] for loan in ann("GET", "/loans", 200)["loans"]} == set(books)


def test_a_code_that_is_read_twice_in_one_go_counts_once(desk: Any, ann: Any, add: Any) -> None:
    book = add()
    desk.scan(str(ann.id))
    desk.outcome("ann")
    twice = """(text) => ["", ""].forEach(() => {
        document.getElementById("code").value = text;
        document.getElementById("scan").requestSubmit();
    })"""
    desk.page.evaluate(twice, f"B{book}")
    desk.scan(str(ann.id))
    expect(desk.page.locator("#scans .twice")).to_have_text(f"B{book}read twice in one go, counted once")
    expect(desk.page.locator("#scans .member")).to_have_count(2)
    assert [loan["returned_at"] for loan in ann("GET", "/loans", 200)["loans"]] == [None]


def test_a_book_that_comes_back_from_the_overdue_list_goes_where_it_belongs(
    make_late: Callable[[], None], desk: Any, ann: Any, bob: Any, add: Any
) -> None:
    for title in ("The Odyssey", "The Iliad"):
        ann("POST", "/loans", 201, {"book_id": add(title)})
    bob("POST", "/holds", 201, {"book_id": 1})
    make_late()
    desk.go("Overdue")
    desk.press("Return: The Odyssey, from ann")
    desk.told("“The Odyssey” is back from ann. Keep it behind the desk for bob, until")
    desk.press("Return: The Iliad, from ann")
    desk.told("“The Iliad” is back from ann. It goes on the shelf.")
    expect(desk.page.locator("#overdue-list")).to_have_text("Everything that is due is back.")


def test_the_desk_renews_for_who_stands_there(make_late: Callable[[], None], desk: Any, ann: Any, add: Any) -> None:
    loan = ann("POST", "/loans", 201, {"book_id": add()})
    make_late()
    desk.scan(str(ann.id))
    desk.outcome("1 book late")
    desk.press("Renew: The Odyssey")
    desk.outcome("“The Odyssey” stays with ann.")
    expect(desk.page.locator("#patron")).to_contain_text("due in 21 days")
    expect(desk.page.locator("#code")).to_be_focused()
    assert ann("GET", f"/loans/{loan['id']}", 200)["renewals"] == 1


def test_the_desk_says_when_there_are_more_than_it_offers(desk: Any, add: Any) -> None:
    for number in range(8):
        add(f"Volume {number}")
    desk.scan("volume")
    desk.outcome("These are 6 of 8; another word leaves fewer.")
    desk.scan("volume 7")
    desk.outcome("Which one is “volume 7”?")
    expect(desk.page.locator("#outcome .said-more")).to_have_count(0)
