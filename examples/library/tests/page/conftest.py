"""Open the page of the Library in a real browser, below a prefix as `demijohn demo` serves it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

FLAGS = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
PASSWORD = "a good long read"
AUDITS = Path(__file__).with_name("audits.js").read_text(encoding="utf-8")


def unavailable(reason: str) -> None:
    """Skip for that reason, or fail where every test has to run."""
    if os.environ.get("DEMIJOHN_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason}, and DEMIJOHN_REQUIRE_ALL is set")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a Chromium that talks to nobody by itself."""
    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("Chromium is not installed")
    try:
        from playwright.sync_api import expect as patiently
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("Playwright is not installed")
    with sync_playwright() as driver:
        arguments = [f"--{flag}" for flag in (*FLAGS, "disable-component-update", "disable-sync")]
        patiently.set_options(timeout=15_000)
        browser = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


def expect(locator: Locator) -> Any:
    """Expect something of a part of the page, and wait for it."""
    from playwright.sync_api import expect

    return expect(locator)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Serve the library below `/library/`, and nothing beside it."""
    server = make_server("127.0.0.1", 0, DispatcherMiddleware(Flask("nothing"), {"/library": app}), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/library/"
    server.shutdown()
    thread.join()
    server.server_close()


class Visitor:
    """Be somebody at a browser of their own; remember what went wrong behind the page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda sent: self.requests.append(sent.url))
        page.goto(address)
        expect(page.locator("#found")).not_to_be_empty()

    def new_tab(self) -> Visitor:
        """Open the page once more, in another tab of the same browser."""
        return Visitor(self.page.context.new_page(), self.address)

    def go(self, link: str) -> None:
        """Press a link of the navigation."""
        self.page.get_by_role("navigation").get_by_role("link", name=link, exact=True).click()
        expect(self.page.locator("main > section:visible h1")).to_be_attached()

    def press(self, name: str, within: Locator | None = None) -> None:
        """Press the button with exactly that name."""
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def told(self, text: str) -> None:
        """Wait until the page says so."""
        expect(self.page.locator(".messages", has_text=text)).to_be_visible()

    def field(self, label: str) -> Locator:
        """Find the field that is shown with that label."""
        return self.page.get_by_label(label, exact=True).locator("visible=true")

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        """Fill the dialog in, which may have to be opened first."""
        if not self.page.locator("#entry").is_visible():
            self.press("Sign in")
        self.field("E-mail address").fill(f"{username}@example.org")
        self.field("Password").fill(password)
        self.field("Password").press("Enter")

    def register(self, username: str) -> None:
        """Become a member."""
        self.press("Sign in")
        self.press("Become a member")
        self.field("Name").fill(username)
        self.field("E-mail address").fill(f"{username}@example.org")
        self.field("Password").fill(PASSWORD)
        self.field("Password").press("Enter")
        self.told(f"Good to see you, {username}.")

    def search(self, words: str) -> None:
        """Type into the search field."""
        self.page.locator("#q").fill(words)

    def book(self, title: str) -> Locator:
        """Find a book among the results."""
        return self.page.locator(".book").filter(has=self.page.get_by_role("link", name=title, exact=True))

    def scan(self, code: str) -> None:
        """Scan as a scanner does: by typing fast, wherever the focus is, and Enter."""
        self.page.keyboard.type(f"{code}\n")

    def outcome(self, text: str) -> None:
        """Wait until the desk says so in large."""
        expect(self.page.locator("#outcome .said")).to_contain_text(text)

    def faults(self, *names: str) -> Any:
        """Return what the audits of that name find, or all of them."""
        return self.page.evaluate(AUDITS, list(names) or None)

    def check(self) -> None:
        """Assert that nothing went wrong, and that nobody else was asked."""
        # The browser itself writes down every answer that is an error; the page must not add anything.
        assert [one for one in self.errors if "the server responded with a status of 4" not in one] == []
        assert {urlsplit(url).netloc for url in self.requests} == {urlsplit(self.address).netloc}
        assert {url for url in self.requests if not url.startswith(self.address)} <= {self.address[:-1]}


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Visitor]]:
    """Give what opens the page for another visitor, and check each of them at the end."""
    visitors: list[Visitor] = []
    contexts: list[BrowserContext] = []

    def visit(**options: Any) -> Visitor:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
        contexts[-1].set_default_timeout(15_000)
        visitors.append(Visitor(contexts[-1].new_page(), address))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.check()
    for context in contexts:
        context.close()


@pytest.fixture
def make_late(library: Any, app: Flask) -> Callable[[], None]:
    """Give what makes each book that is out a day late."""

    def make_late() -> None:
        loan = library.models.Loan
        late = update(loan).where(loan.returned_at.is_(None)).values(due_at=datetime.now(UTC) - timedelta(days=1))
        with app.app_context():
            library.resources.api.transact(lambda connection: connection.execute(late))

    return make_late


@pytest.fixture
def desk(visit: Callable[..., Visitor], librarian: Any) -> Visitor:
    """Give a librarian at the desk."""
    visitor = visit()
    visitor.sign_in("libby")
    visitor.go("Desk")
    return visitor
