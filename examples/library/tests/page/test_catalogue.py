"""Searching, and changing books, whatever the line and the others do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask.testing import FlaskClient

if TYPE_CHECKING:
    from playwright.sync_api import Route

expect = pytest.importorskip("playwright.sync_api").expect
Visit = Callable[..., Any]

COVER = "https://covers.example.org/odyssey.jpg"
ATTACK = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>{{7*7}}"


def test_the_last_search_wins(visit: Visit, add: Any) -> None:
    add("The Iliad")
    add("The Odyssey")
    visitor = visit()
    held: list[Route] = []
    visitor.page.route("**/books?q=iliad*", lambda route: held.append(route))
    with visitor.page.expect_request("**/books?q=iliad*"):
        visitor.search("iliad")
    visitor.search("odyssey")
    expect(visitor.page.locator("#found")).to_have_text("1 book")
    expect(visitor.book("The Odyssey")).to_be_visible()
    assert len(held) == 1
    assert held[0].request.failure == "net::ERR_ABORTED"


def test_one_search_is_made_of_fast_typing(visit: Visit, add: Any) -> None:
    add("The Iliad")
    add("The Odyssey")
    visitor = visit()
    before = len(visitor.requests)
    visitor.page.locator("#q").press_sequentially("odyssey", delay=10)
    expect(visitor.page.locator("#found")).to_have_text("1 book")
    assert len([url for url in visitor.requests[before:] if "q=" in url]) == 1


def test_filters_and_pages(visit: Visit, add: Any) -> None:
    for number in range(30):
        add(f"Book {number:02}", year=1800 + number, language="en" if number % 2 else "fr", copies=number % 3)
    visitor = visit()
    expect(visitor.page.locator("#found")).to_have_text("30 books")
    expect(visitor.page.locator(".book")).to_have_count(24)
    visitor.press("Show more")
    expect(visitor.page.locator(".book")).to_have_count(30)
    expect(visitor.page.get_by_role("link", name="Book 24")).to_be_focused()
    expect(visitor.page.locator("#more")).to_be_hidden()
    filters = visitor.page.locator("#search")
    filters.get_by_label("Language").select_option("en")
    expect(visitor.page.locator("#found")).to_have_text("15 books")
    filters.get_by_label("On the shelf now").check()
    expect(visitor.page.locator("#found")).to_have_text("10 books")
    filters.get_by_label("To year").fill("1809")
    expect(visitor.page.locator("#found")).to_have_text("3 books")
    filters.get_by_label("Sort by").select_option("best rated")
    filters.get_by_label("Sort by").select_option("newest first")
    expect(visitor.page.locator(".book h2").first).to_have_text("Book 07")
    visitor.search("nothing like that")
    expect(visitor.page.locator("#found")).to_have_text("Nothing found. Try fewer words or filters.")


def test_titles_are_text_and_never_markup(visit: Visit, librarian: Any, ann: Any) -> None:
    book = librarian("POST", "/books", 201, {"title": ATTACK, "authors": [ATTACK], "cover_url": COVER})["id"]
    ann("POST", "/loans", 201, {"book_id": book})
    line = {"title": ATTACK, "authors": [ATTACK], "quantity": 1, "unit_price": "1.00"}
    ann("POST", "/orders", 201, {"kind": "buy", "lines": [line]})
    visitor = visit()
    expect(visitor.book(ATTACK)).to_be_visible()
    visitor.book(ATTACK).get_by_role("link").click()
    expect(visitor.page.get_by_role("dialog", name=ATTACK)).to_be_visible()
    visitor.page.keyboard.press("Escape")
    visitor.sign_in("libby")
    visitor.go("Desk")
    visitor.scan(ATTACK)
    visitor.outcome("Which one is")
    visitor.scan(f"B{book}")
    visitor.outcome("is back from ann.")
    for link in ("Overdue", "Orders", "Numbers"):
        visitor.go(link)
    expect(visitor.page.locator("#most-borrowed")).to_contain_text(ATTACK)
    assert visitor.page.locator("main :is(script, img), dialog :is(script, img)").count() == 0
    assert "hacked" not in visitor.page.title()


def test_a_lost_connection_is_shown_and_survived(visit: Visit, add: Any) -> None:
    add()
    visitor = visit()
    visitor.page.route("**/books?*", lambda route: route.abort())
    visitor.search("odyssey")
    expect(visitor.page.locator("#connection")).to_contain_text("The library cannot be reached. Trying again")
    visitor.page.unroute_all()
    visitor.press("Try now")
    expect(visitor.page.locator("#found")).to_have_text("1 book")
    expect(visitor.page.locator("#connection")).to_be_empty()
    visitor.errors = [error for error in visitor.errors if "ERR_FAILED" not in error]


def test_an_order_whose_answer_got_lost_is_made_once(visit: Visit, ann: Any) -> None:
    visitor = visit()
    visitor.sign_in("ann")
    visitor.go("My books")
    sent: list[str | None] = []

    def lose(route: Route) -> None:
        sent.append(route.request.header_value("idempotency-key"))
        if len(sent) == 1:
            assert route.fetch().status == 201
            route.abort()
        else:
            route.continue_()

    visitor.page.route(lambda url: url.endswith("/orders"), lose)
    visitor.press("Ask for a book")
    visitor.field("Title").fill("Theogony")
    visitor.field("Authors").fill("Hesiod")
    visitor.field("Price of one").fill("9.99")
    visitor.press("Send")
    visitor.told("The library has got it: order 1")
    assert (len(sent), len(set(sent))) == (2, 1)
    assert ann("GET", "/orders", 200)["total"] == 1
    visitor.errors = [error for error in visitor.errors if "ERR_FAILED" not in error]


def test_a_book_is_taken_out(visit: Visit, client: FlaskClient, librarian: Any, ann: Any, add: Any) -> None:
    odyssey, iliad = add("The Odyssey"), add("The Iliad")
    ann("POST", "/loans", 201, {"book_id": iliad})
    visitor = visit()
    visitor.sign_in("libby")
    visitor.book("The Odyssey").get_by_role("link").click()
    visitor.press("Edit: The Odyssey")
    visitor.press("Take out of the catalogue")
    visitor.press("Keep it")
    expect(visitor.page.get_by_role("button", name="Take out of the catalogue")).to_be_focused()
    visitor.press("Take out of the catalogue")
    expect(visitor.page.get_by_role("alert").filter(has_text="Take “The Odyssey” out")).to_be_visible()
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    visitor.told("“The Odyssey” is out of the catalogue.")
    expect(visitor.page.locator("#found")).to_have_text("1 book")
    assert client.get(f"/books/{odyssey}").status_code == 404
    # What was lent stays, and the page says what to do instead.
    visitor.book("The Iliad").get_by_role("link").click()
    visitor.press("Edit: The Iliad")
    visitor.press("Take out of the catalogue")
    visitor.press("Take it out")
    expect(visitor.page.get_by_role("alert").filter(has_text="With 0 copies nobody can borrow it.")).to_be_visible()
    assert client.get(f"/books/{iliad}").status_code == 200
    visitor.press("Close", visitor.page.locator("#editor"))
    visitor.press("Close", visitor.page.locator("#book"))
    visitor.press("Add a book")
    expect(visitor.page.locator("#take-out")).to_be_hidden()


def test_nobodys_change_of_a_book_is_lost(visit: Visit, client: FlaskClient, librarian: Any, add: Any) -> None:
    number = add(copies=2)
    visitor = visit()
    visitor.sign_in("libby")

    def change(**what: Any) -> None:
        etag = client.get(f"/books/{number}").headers["ETag"]
        librarian("PATCH", f"/books/{number}", 200, what, If_Match=etag)

    def edit() -> None:
        visitor.book("The Odyssey").get_by_role("link").click()
        visitor.press("Edit: The Odyssey")

    edit()
    change(year=-725, copies=3)
    visitor.field("Copies").fill("5")
    visitor.press("Save")
    conflict = visitor.page.get_by_role("alert").filter(has_text="Somebody else changed this book in the meantime")
    expect(conflict).to_contain_text("Year: was nothing, is now -725")
    expect(conflict).to_contain_text("Copies: was 2, is now 3")
    visitor.press("Keep my changes as well")
    expect(visitor.field("Year")).to_have_value("-725")
    expect(visitor.field("Copies")).to_have_value("5")
    visitor.press("Save")
    visitor.told("“The Odyssey” is changed.")
    book = client.get(f"/books/{number}").get_json()
    assert (book["year"], book["copies"]) == (-725, 5)
    # What only the server counts is no reason to ask.
    visitor.press("Edit: The Odyssey")
    librarian("POST", "/loans", 201, {"book_id": number})
    visitor.field("Language").fill("grc")
    visitor.press("Save")
    expect(visitor.page.locator("#editor")).to_be_hidden()
    assert client.get(f"/books/{number}").get_json()["language"] == "grc"
    # A fault of the server's finding is told at its field.
    visitor.press("Edit: The Odyssey")
    visitor.field("ISBN of 13 digits").fill("978-0-14-026886-8")
    visitor.field("Copies").fill("many")
    visitor.press("Save")
    expect(visitor.field("ISBN of 13 digits")).to_have_accessible_description(re.compile("This is no ISBN"))
    expect(visitor.field("Copies")).to_have_accessible_description("A whole number from 0 on.")
    change(title="Odyssey")
    visitor.field("ISBN of 13 digits").fill("")
    visitor.field("Copies").fill("6")
    visitor.press("Save")
    visitor.press("Reload the book")
    expect(visitor.field("Title")).to_have_value("Odyssey")
    expect(visitor.field("Copies")).to_have_value("5")
