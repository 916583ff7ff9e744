"""The page is seen, heard and reached by everybody, and talks to nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

expect = pytest.importorskip("playwright.sync_api").expect
Visit = Callable[..., Any]

FOCUSED = """() => {
    const one = document.activeElement;
    const styles = [getComputedStyle(one), getComputedStyle(one, "::after")];
    const seen = styles.some((style) => style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2);
    return [seen || one === document.body, one.outerHTML.slice(0, 80)];
}"""
VIEWS = ("", "mine", "desk", "overdue", "orders", "numbers")


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
def test_the_page_fits_and_can_be_read(
    library: Any, app: Flask, visit: Visit, librarian: Any, scheme: str, width: int
) -> None:
    with app.app_context():
        library.samples.load_samples()
    librarian("POST", "/books", 201, {"title": f"A{'W' * 200}", "authors": ["M" * 100]})
    lent = librarian("POST", "/loans", 201, {"book_id": 5})
    librarian("POST", f"/loans/{lent['id']}/renew", 200)
    line = {"title": "W" * 200, "authors": ["M" * 100], "quantity": 1, "unit_price": "9.99"}
    librarian("POST", "/orders", 201, {"kind": "sell", "lines": [line]})
    visitor = visit(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    page = visitor.page

    def check(what: str) -> None:
        assert visitor.faults() == [], what

    check("signed out")
    visitor.press("Sign in")
    check("entry")
    visitor.press("Sign in", page.locator("#login-form"))
    expect(page.locator("#login-form [aria-invalid]")).to_have_count(2)
    check("faults")
    visitor.sign_in("libby")
    visitor.told("Good to see you")
    for view in VIEWS:
        page.evaluate(f"location.hash = '#/{view}'")
        page.wait_for_function("(id) => !document.getElementById(id).hidden", arg=view or "catalogue")
        page.wait_for_load_state("networkidle")
        check(view)
    page.locator("#most-borrowed summary").click()
    check("table")
    visitor.go("Desk")
    for code, told in (
        ("libby@example.org", "libby"),
        ("B6", "goes to"),
        ("b6", "is back"),
        ("o", "Which"),
        ("0", "no such"),
    ):
        visitor.scan(code)
        visitor.outcome(told)
        check(code)
    for name in ("book", "editor"):
        page.evaluate("location.hash = '#/books/1'")
        expect(page.locator("#book")).to_be_visible()
        if name == "editor":
            visitor.press("Edit: The Iliad")
        check(name)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(23, 18, 15)" if scheme == "dark" else "rgb(246, 241, 231)")


def test_the_text_can_be_twice_as_large(library: Any, app: Flask, visit: Visit) -> None:
    with app.app_context():
        library.samples.load_samples()
    visitor = visit(viewport={"width": 640, "height": 900})
    visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert visitor.faults("width") == []


def test_the_focus_can_be_seen_all_the_way(visit: Visit, librarian: Any, add: Any) -> None:
    add()
    visitor = visit()
    visitor.sign_in("libby")
    visitor.told("Good to see you")
    page = visitor.page
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    stops = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        seen, stop = page.evaluate(FOCUSED)
        assert seen, stop
        stops.add(stop)
    assert len(stops) > 12


def test_the_page_is_for_itself_alone(app: Flask, client: FlaskClient) -> None:
    for path in ("/", "/page/main.js", "/page/style.css", "/page/library.svg"):
        answer = client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/page/main.js").mimetype == "text/javascript"
    for path in ("/page/", "/page/../pages.py", "/page/%2e%2e/pages.py", "/page/..%5cpages.py", "/page/%00"):
        assert client.get(path).status_code == 404, path
    html = client.get("/").text
    assert not re.search(r"<script>|<style|style=|\son\w+=", html)
    assert "//" not in re.sub(r"<!doctype.*?>", "", html)


def test_without_the_last_slash_the_page_is_found_all_the_same(visit: Visit, address: str) -> None:
    visitor = visit()
    visitor.page.goto(address[:-1])
    assert visitor.page.url.rstrip("#/") == address.rstrip("/")
    expect(visitor.page.locator("#found")).not_to_be_empty()
