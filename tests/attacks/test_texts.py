"""Attack cases D2, D3, D5, E1, E3, E4, E6 and E8 on whole applications: values that are none, and texts that are code
elsewhere, wherever one can be sent.

E9 and E10, which are about reading a contract, are in `tests/contract/test_attacks.py`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from served_cases import cases
from served_site import PASSWORD, Kept, Member, Site
from target import Reply

LIBRARIES = pytest.mark.parametrize(
    "running_site", ["library-sqlite", "library-postgresql-gunicorn"], indirect=True, scope="module"
)
SQL = [
    "1 OR 1=1",
    "' OR '1'='1",
    '" OR ""="',
    "';DROP TABLE books;--",
    "1' AND (SELECT pg_sleep(9)) IS NULL--",
    "1) OR randomblob(1000000000/2)--",
    "1 UNION SELECT email,1,1 FROM users",
    "title;--",
    "id,(select 1 from users)",
    "title COLLATE x",
    "-id desc nulls first",
    "(CASE WHEN 1=1 THEN id ELSE title END)",
    "%",
    "_",
    "\\",
    "%s %(a)s :a ?",
    "0X27",
    "\u02bc",
]
SLOWEST_S = 6.0
MARKUP = [
    '<img src=x onerror="window.hacked=1">',
    "<svg/onload=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    "javascript:window.hacked=1",
    "{{7*7}}",
    "{{config}}",
    "${7*7} #{7*7} <%= 7*7 %>",
]


class Keyboard:
    """Ask on one connection, with a token; every answer is in time."""

    def __init__(self, site: Site, member: Member) -> None:
        self._kept = Kept(site._connect(), may_reopen=True)
        self._headers = {"Authorization": f"Bearer {member.access}"}

    def __call__(self, method: str, path: str, body: Any = None, *, echoed: str = "", **headers: str) -> Reply:
        named = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        began = time.monotonic()
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        reply = self._kept.ask(method, path, sent, **named)
        assert time.monotonic() - began < SLOWEST_S
        reply.is_sound(echoed)
        return reply

    def close(self) -> None:
        self._kept.close()


@pytest.fixture(scope="module", autouse=True)
def stocked(running_site: Site) -> None:
    """Let there be something of each kind that could be found."""
    running_site.owner()


@pytest.fixture
def ask(site: Site) -> Iterator[Keyboard]:
    """Return a way to ask as somebody who may see everything."""
    keyboard = Keyboard(site, site.member(site.app.staff))
    yield keyboard
    keyboard.close()


def items_of(reply: Reply) -> Any:
    """Return the items of a list, whatever is around them."""
    document = reply.json
    return document if isinstance(document, list) else next(one for one in document.values() if isinstance(one, list))


def never_told(site: Site, since: int, payload: str) -> None:
    """Check that no statement since then has a payload in its text; those of one character are in any."""
    assert len(payload) < 4 or ascii(payload)[1:-1] not in site.statements()[since:]


# D2, D3, D5


HUGE = "9" * 5000
NUMBERS = f"""
{HUGE} -{HUGE} {2**63} {-(2**63) - 1} {2**64} {2**31} 1e400 -1e400 NaN Infinity -Infinity 01 +1 0x1 1_0 true "1" [1]
""".split()
NO_INTEGERS = [*NUMBERS, "1.0", "1.5", "1e0", "1e-400"]
NO_TEXTS = ["%00", "a%00b", "%ff", "%c0%80", "%ed%a0%80", "%f0%9f%98"]
STRANGE = [
    "\u05e9\u05dc\u05d5\u05dd",
    "\u202eevil",
    "\U0001f600" * 50,
    "e\u0301",
    "\u0130stanbul",
    "\u200b",
    "\ufdfa" * 90,
]


@LIBRARIES
def test_d2_d3_numbers_that_are_none_are_no_part_of_a_body(site: Site, ask: Keyboard) -> None:
    rows, bodies = site.rows(), []
    for case in cases(site):
        properties = case.properties if "requestBody" in case.operation else {}
        for name, kinds in properties.items():
            if kinds & {"integer", "number"}:
                path = case.filled(book_id=1, user_id=1)
                values = NO_INTEGERS if "integer" in kinds else NUMBERS
                bodies += [(case, path, f'{{"{name}":{value}}}') for value in values]
    line = '{"kind":"buy","lines":[{"title":"x","authors":["x"],"unit_price":"1.00","quantity":%s}]}'
    (order,) = [case for case in cases(site) if case.name == "POST /orders"]
    bodies += [(order, order.path, line % value) for value in (*NO_INTEGERS, "0", "-1", "101")]
    assert len(bodies) > 250
    for case, path, body in bodies:
        reply = ask(case.method, path, body.encode(), If_Match="*")
        assert reply.status == 400, (case.name, body[:80])
    assert site.rows() == rows


@LIBRARIES
def test_d2_d3_d5_values_that_are_none_are_no_part_of_a_query(site: Site, ask: Keyboard) -> None:
    asked = 0
    for case in cases(site):
        for parameter in case.parameters:
            if case.method != "GET" or parameter["in"] != "query":
                continue
            schema = case.resolved(parameter["schema"])
            # Gunicorn itself refuses a line that is much longer.
            longest = 3900 if site.server == "gunicorn" else 5000
            numbers = NO_INTEGERS if schema["type"] == "integer" else []
            for value in (*NO_TEXTS, *(quote(one[:longest]) for one in numbers)):
                reply = ask("GET", f"{case.filled(book_id=1)}?{quote(parameter['name'])}={value}")
                assert reply.status == 400, (case.name, parameter["name"], value[:40])
                asked += 1
    assert asked > 500


@LIBRARIES
@pytest.mark.parametrize("text", STRANGE, ids=lambda text: ascii(text[:7]))
def test_d5_every_text_that_is_one_is_kept(ask: Keyboard, text: str) -> None:
    book = ask("POST", "/books", {"title": text, "authors": [text]})
    assert book.status == 201
    for query in ("authors__contains", "q"):
        (found,) = items_of(ask("GET", f"/books?{query}={quote(text)}"))
        assert (found["id"], found["title"], found["authors"]) == (book.json["id"], text, [text])
    assert ask("DELETE", book.headers["location"]).status == 204


# E1


@LIBRARIES
@pytest.mark.parametrize("payload", SQL)
def test_e1_sql_in_every_query_parameter(site: Site, ask: Keyboard, payload: str) -> None:
    rows, since = site.rows(), len(site.statements())
    assert all(rows)
    asked = 0
    for case in cases(site):
        for parameter in case.parameters:
            if case.method != "GET" or parameter["in"] != "query":
                continue
            reply = ask("GET", f"{case.filled()}?{quote(parameter['name'])}={quote(payload)}")
            assert reply.status in (200, 400, 404), (case.name, parameter["name"])
            if reply.status == 200:
                assert items_of(reply) == [], (case.name, parameter["name"])
            asked += 1
    assert asked > 30
    assert site.rows() == rows
    never_told(site, since, payload)


@LIBRARIES
@pytest.mark.parametrize("payload", SQL)
def test_e1_sql_in_every_path_and_header(site: Site, ask: Keyboard, payload: str) -> None:
    rows, since = site.rows(), len(site.statements())
    for case in cases(site):
        body: Any = {} if "requestBody" in case.operation else None
        if case.keys:
            path = re.sub(r"{\w+}", quote(payload, safe=""), case.path)
            assert ask(case.method, path, body).status in (400, 403, 404), case.name
        if payload.isascii() and case.method in ("POST", "PATCH", "DELETE") and case.keys:
            for name in ("If_Match", "If_None_Match", "Idempotency_Key", "Prefer"):
                assert 400 <= ask(case.method, case.filled(), body, **{name: payload}).status < 500, (case.name, name)
    assert site.rows() == rows
    never_told(site, since, payload)


@LIBRARIES
@pytest.mark.parametrize("payload", [*SQL, *MARKUP])
def test_e1_e3_every_text_is_a_text(site: Site, ask: Keyboard, payload: str) -> None:
    since = len(site.statements())
    book = ask("POST", "/books", {"title": payload, "authors": [payload]}, echoed=payload)
    assert book.status == 201
    where = book.headers["location"]
    try:
        listed = items_of(ask("GET", f"/books?authors__contains={quote(payload)}", echoed=payload))
        listed += items_of(ask("GET", f"/books?q={quote(payload)}", echoed=payload))
        assert [one["id"] for one in listed] == [book.json["id"]] * 2
        for found in (ask("GET", where, echoed=payload).json, *listed):
            assert (found["title"], found["authors"]) == (payload, [payload])
        line = {"title": payload, "authors": [payload], "quantity": 1, "unit_price": "1.00"}
        order = ask("POST", "/orders", {"kind": "sell", "lines": [line]}, echoed=payload)
        assert order.json["lines"] == [line]
        for reply in (book, order):
            assert reply.headers["content-type"] == "application/json"
            assert reply.headers["x-content-type-options"] == "nosniff"
        changed = ask("PATCH", where, {"title": f"{payload}x"}, echoed=payload, If_Match=book.headers["etag"])
        assert changed.json["title"] == f"{payload}x"
        for name in ("username", "email"):
            body = {"username": "mallory", "email": "m@example.org", "password": "eight lives of a dog", name: payload}
            assert ask("POST", "/users/register", body).status == 400
        # Nothing but http and https is the address of a picture.
        assert ask("POST", "/books", {"title": "x", "authors": ["x"], "cover_url": payload}).status == 400
    finally:
        assert ask("DELETE", where).status == 204
    never_told(site, since, payload)


# E3, E4


@LIBRARIES
def test_e3_e4_the_page_shows_what_is_stored_and_runs_none_of_it(site: Site, browser: Any) -> None:
    body = {"title": MARKUP[0], "authors": [one.strip() for one in MARKUP]}
    made = site.ask("POST", "/books", body, token=site.worker().access, echoed=MARKUP[0])
    assert made.status == 201
    page = browser.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda sent: None if sent.url.startswith(site.address) else elsewhere.append(sent.url))
    page.goto(f"{site.address}/ui/?url=https://evil.example/x.json&configUrl=https://evil.example/c.json")
    block = page.locator("#operations-Books-read_book")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.locator("input[placeholder=book_id]").fill(str(made.json["id"]))
    block.get_by_role("button", name="Execute").click()
    live = block.locator(".live-responses-table")
    live.wait_for()
    assert MARKUP[0].replace('"', '\\"') in live.inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator(".info .title").inner_text().startswith("Library")
    assert elsewhere == []
    page.close()


@LIBRARIES
def test_e3_the_page_for_people_runs_nothing_that_is_stored(site: Site, browser: Any) -> None:
    clerk, title = site.member("librarian"), f"{MARKUP[0]} {next(site.numbers)}"
    body = {"title": title, "authors": MARKUP, "cover_url": "https://evil.example/cover.png"}
    made = site.ask("POST", "/books", body, token=clerk.access, echoed=title)
    assert site.ask("POST", "/loans", {"book_id": made.json["id"]}, token=clerk.access).status == 201
    line = {"title": title, "authors": MARKUP, "quantity": 1, "unit_price": "1.00"}
    assert site.ask("POST", "/orders", {"kind": "buy", "lines": [line]}, token=clerk.access).status == 201
    page = browser.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda sent: None if sent.url.startswith(site.address) else elsewhere.append(sent.url))
    page.goto(f"{site.address}/?q={quote(MARKUP[2])}#{quote(MARKUP[0])}")
    page.locator("#q").fill(title)
    page.get_by_role("link", name=title, exact=True).click()
    page.get_by_role("dialog", name=title).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("E-mail address", exact=True).locator("visible=true").fill(clerk.email)
    page.get_by_label("Password", exact=True).locator("visible=true").fill(PASSWORD)
    page.keyboard.press("Enter")
    for link in ("My books", "Orders", "Numbers"):
        page.get_by_role("navigation").get_by_role("link", name=link, exact=True).click()
        page.get_by_text(title).locator("visible=true").first.wait_for()
    assert page.locator("main :is(script, img), dialog :is(script, img)").count() == 0
    assert page.evaluate("window.hacked") is None
    assert elsewhere == []
    page.close()


# E6


def test_e6_an_event_is_a_line_whatever_is_in_it(site: Site) -> None:
    fake = '\n{"level":"fake"}\r\x1b[31m'
    body = {"email": f"a{fake}@example.org", "password": "eight lives of a dog"}
    assert site.ask("POST", f"{site.accounts}/login", body).status in (400, 401)
    named = {"User-Agent": "\x1b[31m", "X-Request-ID": "a\x1b[31mb"}
    for sent in (f"/{quote(fake)}", f"/users/{quote(fake)}", f"{site.app.public[0]}&q={quote(fake)}"):
        assert site.ask("GET", sent).status in (400, 401, 404)
        # Each of the servers refuses such a header by itself.
        assert site._exchange("GET", sent, None, named).status == 400
    log = site.log()
    assert "\x1b[31m" not in log
    assert not [line for line in re.split(r"[\r\n]", log) if line.startswith('{"level":"fake"}')]


# E8


CLIMBS = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%252e%252e%252f", "....//", "%c0%ae%c0%ae/", "/"]
FILES = ["etc/passwd", "app.py", "more.yaml", "keys", "statements.txt", "app.py%00.css", "models.py", "openapi.yaml"]


def test_e8_no_path_leads_to_a_file(site: Site) -> None:
    kept = Kept(site._connect())
    with site.workers():  # who starts opens its own files
        opened = len(site.opened())
    try:
        for start in ("/", "/ui/", "/static/", "/more/ui/", "/page/", site.app.item.format("")):
            for climb, name in product((*CLIMBS, *(one * 8 for one in CLIMBS)), FILES):
                reply = kept.ask("GET", start + climb + name)
                if (start + climb).strip("/") + name == "openapi.yaml":
                    assert reply.status in (200, 308)  # the contract is for all to read
                    continue
                reply.is_sound()
                assert reply.status in (308, 400, 401, 404), (start, climb, name)
                if reply.status == 308:  # many slashes are one
                    where = f"http://127.0.0.1:{site.port}{start}{name.partition('%')[0]}"
                    assert reply.headers["location"].startswith(where)
    finally:
        kept.close()
    assert not [one for one in site.opened()[opened:] if re.search("passwd|more.yaml|models.py", one)]
