"""One evening in the library, as people have it at their browsers; one of them without a mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api").expect
Visit = Callable[..., Any]

ISBN = "9780140268867"
PASSWORD = "a good long read"


def test_an_evening_in_the_library(visit: Visit, librarian: Any, make_late: Callable[[], None]) -> None:
    # Libby opens the library, and puts one copy of one book on the shelf.
    libby = visit()
    libby.sign_in("libby")
    libby.press("Add a book")
    libby.field("Title").fill("The Odyssey")
    libby.field("Authors").fill("Homer")
    libby.field("ISBN of 13 digits").fill("978-0-14-026886-7")
    libby.field("Year").fill("-725")
    libby.press("Save")
    libby.told("“The Odyssey” is in the catalogue.")

    # Ann becomes a member, finds the book while she types, and borrows it.
    ann = visit()
    ann.register("ann")
    ann.search("homer odys")
    expect(ann.page.locator("#found")).to_have_text("1 book")
    expect(ann.book("The Odyssey")).to_contain_text("1 of 1 on the shelf")
    ann.press("Borrow: The Odyssey")
    ann.told("“The Odyssey” is yours until")
    expect(ann.book("The Odyssey")).to_contain_text("Yours, due in 21 days")

    # Bob comes too late, and waits. Now Ann cannot keep the book for longer.
    bob = visit()
    bob.register("bob")
    expect(bob.book("The Odyssey")).to_contain_text("All copies are out")
    bob.press("Wait for it: The Odyssey")
    bob.told("You are 1st in line for “The Odyssey”.")
    ann.go("My books")
    ann.press("Renew: The Odyssey")
    ann.told("Somebody waits for this book.")

    # Ann brings it back: it is not on the shelf, but behind the desk.
    ann.press("Return: The Odyssey")
    ann.told("“The Odyssey” is back. Thank you.")
    expect(ann.page.locator("#my-loans")).to_contain_text("Nothing is borrowed.")
    bob.go("My books")
    expect(bob.page.locator("#my-holds")).to_contain_text("A copy is kept for you until")
    card = bob.page.locator("#card svg").get_attribute("aria-label").removeprefix("Barcode of card ")

    # Bob fetches it at the desk, where Libby scans his card and the book.
    libby.go("Desk")
    libby.scan(card)
    libby.outcome("1 book to fetch")
    expect(libby.page.locator("#patron")).to_contain_text("The Odyssey")
    libby.scan(ISBN)
    libby.outcome("“The Odyssey” goes to bob.")
    libby.page.keyboard.press("Escape")
    expect(libby.page.locator("#patron")).to_contain_text("Nobody")

    # It becomes late. Libby sees it on the list, and scans it back the next time Bob comes by.
    make_late()
    libby.go("Overdue")
    row = libby.page.get_by_role("row", name="The Odyssey")
    expect(row).to_contain_text("bob@example.org")
    expect(row).to_contain_text("1 day late")
    libby.go("Desk")
    libby.scan("0-14-026886-3")
    libby.outcome("“The Odyssey” is back from bob.")
    libby.outcome("It goes on the shelf.")
    libby.go("Overdue")
    expect(libby.page.locator("#overdue-list")).to_have_text("Everything that is due is back.")

    # Ann asks for another book, which Libby buys.
    ann.press("Ask for a book")
    ann.field("Title").fill("Theogony")
    ann.field("Authors").fill("Hesiod")
    ann.field("Price of one").fill("9,5")
    ann.press("Send")
    ann.told("9.50 in all")
    libby.go("Orders")
    for step, state in (("Approve", "approved"), ("Order", "ordered"), ("Receive", "received")):
        libby.press(f"{step}: order 1")
        libby.page.locator("#order-status").select_option(state)
    expect(libby.page.locator("#order-list")).to_contain_text("Theogony, Hesiod")
    ann.go("Catalogue")
    ann.search("theogony")
    expect(ann.book("Theogony")).to_contain_text("1 of 1 on the shelf")

    # Libby counts, and everybody goes home.
    libby.go("Numbers")
    expect(libby.page.get_by_role("img", name="2 loans in 30 days, at most 2 on one day")).to_be_visible()
    expect(libby.page.locator("#most-borrowed .ranks")).to_contain_text("The Odyssey")
    libby.page.locator("#loans-per-day summary").click()
    expect(libby.page.locator("#loans-per-day tbody tr")).to_have_count(30)
    for visitor in (ann, bob, libby):
        visitor.press("Sign out")
        visitor.told("You are signed out.")
        expect(visitor.page.get_by_role("link", name="My books")).to_be_hidden()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(40):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the focus does not come to {selector}")


def test_a_member_needs_nothing_but_the_keyboard(visit: Visit, ann: Any, add: Any) -> None:
    add("The Iliad")
    add("The Odyssey")
    page = visit().page
    keyboard = page.keyboard
    keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    keyboard.type("odyssey")
    expect(page.locator("#found")).to_have_text("1 book")
    expect(page.locator("#q")).to_be_focused()
    tab_to(page, ".book a")
    keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="The Odyssey")
    expect(dialog).to_be_visible()
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    keyboard.press("Tab")
    expect(page.get_by_role("button", name="Borrow: The Odyssey")).to_be_focused()
    keyboard.press("Enter")
    expect(page.get_by_text("Sign in to borrow “The Odyssey”.")).to_be_visible()
    keyboard.type("ann@example.org")
    keyboard.press("Tab")
    keyboard.type(f"{PASSWORD}\n")
    expect(page.get_by_text("“The Odyssey” is yours until")).to_be_visible()
    expect(page.get_by_role("button", name="Return: The Odyssey")).to_be_visible()
    tab_to(page, "[aria-label='Return: The Odyssey']")
    keyboard.press("Space")
    expect(page.get_by_role("button", name="Borrow: The Odyssey")).to_be_visible()
    assert page.evaluate("document.querySelector('.book').contains(document.activeElement)")
