"""Signing in, and staying so: reloads, two tabs, tokens that run out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Route

expect = pytest.importorskip("playwright.sync_api").expect
Visit = Callable[..., Any]

PASSWORD = "a good long read"


def test_a_reload_stays_signed_in_and_a_duplicate_does_not_take_the_session(visit: Visit, ann: Any) -> None:
    visitor = visit()
    visitor.sign_in("ann")
    visitor.told("Good to see you, ann.")
    # Nothing to steal lies around while the page is open, and so nothing to copy into another tab.
    assert visitor.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])") == "[{},{}]"
    for _ in range(2):
        visitor.page.reload()
        expect(visitor.page.locator("#who")).to_have_text("ann")
    other = visitor.new_tab()
    expect(other.page.locator("#who")).to_be_hidden()
    visitor.press("Sign out")
    visitor.page.reload()
    expect(visitor.page.locator("#found")).not_to_be_empty()
    expect(visitor.page.locator("#who")).to_be_hidden()


def test_signing_out_in_one_tab_signs_out_in_all(visit: Visit, ann: Any) -> None:
    visitor = visit()
    visitor.sign_in("ann")
    other = visitor.new_tab()
    other.sign_in("ann")
    other.go("My books")
    with other.page.expect_response("**/users/logout") as answer:
        visitor.press("Sign out")
    assert answer.value.status == 204
    expect(other.page.locator("#who")).to_be_hidden()
    expect(other.page.locator("#catalogue")).to_be_visible()
    other.check()


def test_a_token_that_has_run_out_is_renewed_once_for_all(visit: Visit, ann: Any, add: Any) -> None:
    add()
    visitor = visit()
    visitor.sign_in("ann")
    visitor.told("Good to see you")
    refused: set[str] = set()

    def refuse(route: Route) -> None:
        token = route.request.headers["authorization"]
        if not refused or token in refused:
            refused.add(token)
            route.fulfill(status=401, json={"title": "Unauthorized", "status": 401, "code": "unauthorized"})
        else:
            route.continue_()

    visitor.page.route("**/loans?*", refuse)
    visitor.page.route("**/holds?*", refuse)
    before = len(visitor.requests)
    visitor.go("My books")
    expect(visitor.page.locator("#my-holds")).to_contain_text("You wait for no book.")
    visitor.press("Sign out")  # which only somebody who is signed in can do
    visitor.told("You are signed out.")
    assert len([url for url in visitor.requests[before:] if url.endswith("/users/refresh")]) == 1


def test_who_is_signed_out_goes_on_after_signing_in(visit: Visit, ann: Any) -> None:
    visitor = visit()
    visitor.sign_in("ann")
    visitor.go("My books")
    expect(visitor.page.locator("#my-orders")).not_to_be_empty()
    refusal = {"title": "Unauthorized", "status": 401, "code": "unauthorized"}
    visitor.page.route(
        re.compile(r"/users/refresh|/loans\?|/orders\?"), lambda route: route.fulfill(status=401, json=refusal)
    )
    visitor.page.evaluate("location.hash = '#/'")
    visitor.go("My books")
    expect(visitor.page.get_by_text("You have been signed out. Sign in to go on.")).to_be_visible()
    visitor.page.unroute_all()
    visitor.sign_in("ann")
    expect(visitor.page.locator("#mine")).to_be_visible()
    expect(visitor.page.locator("#my-orders")).to_contain_text("You have asked for nothing.")


def test_faults_are_shown_at_their_fields(visit: Visit, ann: Any) -> None:
    visitor = visit()
    visitor.press("Sign in")
    visitor.press("Become a member")
    visitor.field("Name").fill("Jane Doe")
    visitor.field("E-mail address").fill("jane")
    visitor.field("Password").fill("short")
    visitor.press("Become a member", visitor.page.locator("#register-form .buttons"))
    expect(visitor.page.locator("#register-form .form-alert")).to_have_text("Please correct what is marked.")
    expect(visitor.field("Name")).to_be_focused()
    told = {"Name": "Small letters and digits", "E-mail address": "e-mail address", "Password": "at least 8"}
    for label, text in told.items():
        expect(visitor.field(label)).to_have_attribute("aria-invalid", "true")
        expect(visitor.field(label)).to_have_accessible_description(re.compile(text, re.IGNORECASE))
    for label, text in (("Name", "ann"), ("E-mail address", "jane@example.org"), ("Password", PASSWORD)):
        visitor.field(label).fill(text)
    visitor.press("Become a member", visitor.page.locator("#register-form .buttons"))
    expect(visitor.field("Name")).to_have_attribute("aria-invalid", "true")
    expect(visitor.field("E-mail address")).not_to_have_attribute("aria-invalid", "true")


def test_guessing_passwords_ends_with_a_time_to_wait(visit: Visit, ann: Any) -> None:
    visitor = visit()
    alert = visitor.page.locator("#login-form .form-alert")
    for _ in range(5):
        visitor.sign_in("ann", "not it")
        expect(alert).to_have_text("The e-mail address and the password do not go together.")
        visitor.field("Password").fill("")
    visitor.sign_in("ann")
    expect(alert).to_have_text(re.compile(r"That was too often. Please try again in \d+ minutes?\."))
