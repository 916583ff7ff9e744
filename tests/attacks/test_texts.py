"""Attack cases E1, E3, E4, E6 and E8 on whole applications: texts that are code elsewhere, wherever one can be sent.

E9 and E10, which are about reading a contract, are in `tests/contract/test_attacks.py`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from served_cases import cases
from served_site import Kept, Member, Site
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
        reply = self._kept.ask(method, path, None if body is None else json.dumps(body), **named)
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


@pytest.mark.parametrize("running_site", ["library-sqlite"], indirect=True, scope="module")
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
FILES = ["etc/passwd", "app.py", "more.yaml", "keys", "statements.txt", "app.py%00.css"]


def test_e8_no_path_leads_to_a_file(site: Site) -> None:
    kept = Kept(site._connect())
    opened = len(site.opened())
    try:
        for start in ("/", "/ui/", "/static/", "/more/ui/", site.app.item.format("")):
            for climb in CLIMBS:
                for name in FILES:
                    reply = kept.ask("GET", start + climb * 8 + name)
                    reply.is_sound()
                    assert reply.status in (308, 400, 401, 404), (start, climb, name)
                    if reply.status == 308:  # many slashes are one
                        where = f"http://127.0.0.1:{site.port}{start}{name.partition('%')[0]}"
                        assert reply.headers["location"].startswith(where)
    finally:
        kept.close()
    assert not [one for one in site.opened()[opened:] if "passwd" in one or "more.yaml" in one]
