"""Attack cases A1, A3 to A5, A7, A9, G1, G2, and D1 to D8: what callers may do, and what they may send."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import jwt
import pytest
from served_cases import Case, cases
from served_site import NOWHERE, PASSWORD, Member, Owner, Site
from shared_cache import SharedCache
from target import Reply
from token_forger import Forger

Caller: TypeAlias = Literal["nobody", "garbage", "expired", "disabled", "member", "librarian", "admin"]
CALLERS: tuple[Caller, ...] = ("nobody", "garbage", "expired", "disabled", "member", "librarian", "admin")
BLOGS = pytest.mark.parametrize("running_site", ["blog-sqlite", "blog-postgresql"], indirect=True, scope="module")
FORBIDDEN_KEYS = {"password", "password_hash", "hash", "secret", "token_hash", "is_disabled", "stamp", "nonce"}
OF_A_LOGIN = {"access_token", "refresh_token"}
UNASKED = {
    "role": "admin",
    "roles": ["admin"],
    "is_admin": True,
    "admin": True,
    "id": 1,
    "user_id": 1,
    "owner_id": 1,
    "created_at": "2020-01-01T00:00:00Z",
    "balance": 1_000_000,
    "password_hash": "x",
    "is_disabled": False,
    "__proto__": {"role": "admin"},
    "constructor": {"prototype": {"role": "admin"}},
    "posts": [],
}

BODIES = ("register", "login", "refresh", "written")
TEXTS = [rb'"\ud800"', rb'"\udc00\ud800"', b'"\x00"', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"', rb'"\x41"', rb'"\u12"']


# A1


@pytest.mark.parametrize("headers", [{}, {"If_Match": "*"}, {"If_Match": '"other"'}, {"Prefer": "return=minimal"}])
def test_a1_what_bob_has_is_not_alices(site: Site, headers: dict[str, str]) -> None:
    alice, bob = site.owner(), site.owner()
    rows = site.rows()
    asked = 0
    for case in cases(site):
        is_bobs = not case.keys.isdisjoint(site.app.owned)
        if not is_bobs or case.is_public or (headers.keys() == {"If_Match"} and case.method in ("GET", "POST")):
            continue
        body = case.body(site, alice.member)

        def ask(path: str, case: Case = case, body: Any = body) -> Reply:
            return site.ask(case.method, path, body, token=alice.member.access, **(case.headers | headers))

        reply = ask(case.at(bob))
        nowhere = ask(case.filled())
        # Posts are there for everybody to read, and users are listed: where the contract says so, nothing is hidden.
        is_visible = 403 in case.statuses
        if case.allows("member"):
            assert (reply.status, nowhere.status) == (403 if is_visible else 404, 404), case.name
        else:  # it takes a role, whatever it is about
            assert (reply.status, nowhere.status) == (403, 403), case.name
        if not is_visible or not case.allows("member"):
            assert reply.body == nowhere.body, case.name
            assert reply.headers.keys() == nowhere.headers.keys()
        if len(case.keys) == 2:
            # bob's post below alice is no post of hers
            mixed = [{**bob.ids, "user_id": alice.member.id}, {**alice.ids, "user_id": bob.member.id}]
            assert {ask(case.filled(**ids)).status for ids in mixed} == {404}
        asked += 1
    assert asked >= (2 if headers.keys() == {"If_Match"} else 8)
    assert site.rows() == rows


@BLOGS
def test_a1_what_is_refused_with_403_can_be_seen_elsewhere(site: Site) -> None:
    alice, bob = site.owner(), site.owner()
    told = {case.path for case in cases(site) if 403 in case.statuses and "product" not in case.path}
    assert {path.split("/")[1] for path in told} == {"users", "posts"}
    assert site.ask("GET", f"/posts/{bob.ids['post_id']}").status == 200
    listed = site.ask("GET", "/users?sort=-created_at&limit=100", token=alice.member.access).json["users"]
    assert bob.member.id in [one["id"] for one in listed]
    refused = site.ask("GET", f"/users/{bob.member.id}", token=alice.member.access)
    assert (refused.status, site.ask("GET", f"/users/{NOWHERE}", token=alice.member.access).status) == (403, 404)


# A3


def token_of(site: Site, member: Member, caller: Caller) -> str | None:
    """Return what a caller of some kind shows."""
    match caller:
        case "nobody":
            return None
        case "garbage":
            return "garbage"
        case "expired":
            return Forger(site).changed(member.access, exp=Forger.now() - 60)
        case "disabled":
            site.set(member.id, is_disabled=True)
        case "librarian" | "admin":
            site.set(member.id, role=caller)
    return member.access


def expected(site: Site, case: Case, caller: Caller) -> int:
    """Return what the contract says."""
    if caller == "disabled" and case.path in (f"{site.accounts}/login", f"{site.accounts}/refresh"):
        return 401
    if case.is_public:
        return case.good
    if caller not in ("member", "librarian", "admin"):
        return 401
    return case.good if case.allows(caller) else 403


@pytest.mark.parametrize("caller", CALLERS)
def test_a3_every_caller_may_do_what_the_contract_says_and_nothing_else(site: Site, caller: Caller) -> None:
    found = {}
    wanted = {}
    for case in cases(site):
        owner = site.owner()
        if case.name in site.app.ready:
            site.app.ready[case.name](site, owner)
        token = token_of(site, owner.member, caller)
        there = site.elsewhere()
        body = case.body(site, owner.member)
        rows = site.rows()
        reply = there.ask(case.method, case.at(owner), body, token=token, **case.headers)
        found[case.name], wanted[case.name] = reply.status, expected(site, case, caller)
        if reply.status == 401:
            assert reply.headers["www-authenticate"].startswith("Bearer") or case.path == f"{site.accounts}/login"
        if reply.status >= 400 or case.method == "GET":
            assert site.rows() == rows, case.name
        if case.method == "GET":
            head = there.ask("HEAD", case.at(owner), token=token)
            found[f"HEAD {case.path}"], wanted[f"HEAD {case.path}"] = head.status, wanted[case.name]
            assert head.body == b""
    assert len(found) > 35
    assert found == wanted


@BLOGS
@pytest.mark.parametrize("caller", CALLERS)
def test_a3_a_view_beside_the_contract_asks_for_its_role(site: Site, caller: Caller) -> None:
    reply = site.ask("GET", "/reports/monthly?year=2026", token=token_of(site, site.member(), caller))
    assert reply.status == {"admin": 200, "member": 403, "librarian": 403}.get(caller, 401)
    if reply.status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")


# A4


def test_a4_nobody_writes_what_the_contract_does_not_let_them(site: Site) -> None:
    owner, admin = site.owner(), site.member("admin")
    asked = 0
    for case in cases(site):
        body = case.body(site, owner.member)
        if body is None:
            continue
        is_for_staff = not (case.is_public or case.allows("member"))
        token = (admin if is_for_staff else owner.member).access
        # What administrators may change, they may.
        properties = case.document["components"]["schemas"][case.schema]["properties"]
        rows = site.rows()
        for name, value in UNASKED.items():
            whole, alone = body | {name: value}, {name: value}
            for sent in () if is_for_staff and name in properties else (whole, alone):
                reply = site.elsewhere().ask(case.method, case.at(owner), sent, token=token, **case.headers)
                assert reply.status == 400, (case.name, name)
                # Whom a loan is for is looked at once it is known what is lent.
                if sent is whole or name not in properties:
                    assert any(name in error["pointer"] for error in reply.json["errors"]), reply.body
                asked += 1
        if case.method == "PATCH":
            merge = "application/merge-patch+json"
            reply = site.ask("PATCH", case.at(owner), {"id": 1}, token=token, Content_Type=merge, **case.headers)
            assert reply.status in (400, 415)
            for name in ("role", "user_id"):
                step = [{"op": "add", "path": f"/{name}", "value": "admin"}]
                kind = "application/json-patch+json"
                patched = site.ask("PATCH", case.at(owner), step, token=token, Content_Type=kind, **case.headers)
                assert patched.status in (400, 415)
        assert site.rows() == rows, case.name
    assert asked > 200


@pytest.mark.parametrize("name", ["role", "user_id", "is_disabled", "_method"])
def test_a4_nor_by_a_query_or_a_form(site: Site, name: str) -> None:
    owner, admin = site.owner(), site.member("admin")
    rows = site.rows()
    for case in cases(site):
        if case.method == "PATCH":
            token = (owner.member if case.allows("member") else admin).access
            for body, kind in (
                (b"{}", "application/json"),
                (f"{name}=1".encode(), "application/x-www-form-urlencoded"),
            ):
                path = f"{case.at(owner)}?{name}=admin"
                reply = site.ask("PATCH", path, body, token=token, Content_Type=kind, **case.headers)
                assert reply.status in (400, 415)
    form = b"role=admin&username=mallory&email=mallory@example.org&password=nine+lives+of+a+cat"
    made = site.ask("POST", f"{site.accounts}/register", form, Content_Type="application/x-www-form-urlencoded")
    assert made.status == 415
    assert site.rows() == rows


# A5


def keys_and_texts(value: Any) -> tuple[set[str], set[str]]:
    """Return every key, and every text, that is anywhere in a JSON value."""
    if isinstance(value, dict):
        inside = [keys_and_texts(one) for one in value.values()]
        return set(value).union(*(one for one, _ in inside)), set().union(*(one for _, one in inside))
    if isinstance(value, list):
        inside = [keys_and_texts(one) for one in value]
        return set().union(*(one for one, _ in inside)), set().union(*(one for _, one in inside))
    return set(), {value} if isinstance(value, str) else set()


@pytest.mark.parametrize("caller", ["nobody", "member"])
def test_a5_no_answer_shows_more_than_it_should(site: Site, caller: Caller) -> None:
    alice, bob = site.owner(), site.owner()
    token = None if caller == "nobody" else alice.member.access
    logins = (f"{site.accounts}/login", f"{site.accounts}/refresh")
    scanned = public = 0
    for case in cases(site):
        if case.path == f"{site.accounts}/logout" or case.method == "DELETE":
            continue
        public += case.is_public
        for owner in (alice, bob):
            body = case.body(site, alice.member)
            reply = site.elsewhere().ask(case.method, case.at(owner), body, token=token, **case.headers)
            if reply.status >= 300:
                continue
            keys, texts = keys_and_texts(reply.json)
            allowed = OF_A_LOGIN if case.path in logins else set()
            assert not keys & FORBIDDEN_KEYS - site.app.shown, case.name
            assert not {one for one in keys if "token" in one} - allowed - {"token_type"}
            sent = {one for one in (body or {}).values() if isinstance(one, str)}
            emails = {one for one in texts if "@" in one}
            assert emails <= sent | {alice.member.email, (body or {}).get("email", "")}, case.name
            if case.path in logins:
                alice = replace(alice, member=replace(alice.member, refresh=reply.json["refresh_token"]))
                site.told |= {reply.json["access_token"], reply.json["refresh_token"]}
            if case.path.startswith("/users/{user_id}") and case.method in ("PUT", "PATCH") and "email" in reply.json:
                fresh = reply.json["email"].partition("@")[0]
                alice = replace(alice, member=replace(alice.member, name=fresh))
            scanned += 1
    assert scanned >= 2 * public + (0 if caller == "nobody" else 5)
    assert public >= 5


# A7


def test_a7_a_role_that_is_taken_away_is_gone_at_the_next_request(site: Site) -> None:
    worker = site.member(site.app.staff)
    path = site.app.item.format(NOWHERE)
    assert site.on_both_workers("DELETE", path, worker.access) == {404}
    site.set(worker.id, role="member")
    assert site.on_both_workers("DELETE", path, worker.access) == {403}
    site.set(worker.id, role=site.app.staff)
    assert site.on_both_workers("DELETE", path, worker.access) == {404}


def test_a7_a_user_who_is_disabled_is_out_at_the_next_request(site: Site) -> None:
    alice = site.member()
    assert site.on_both_workers("GET", f"{site.accounts}/me", alice.access) == {200}
    site.set(alice.id, is_disabled=True)
    assert site.on_both_workers("GET", f"{site.accounts}/me", alice.access) == {401}
    assert site.again(alice, alice.refresh).status == 401
    assert site.ask("POST", f"{site.accounts}/login", alice.credentials).status == 401


@BLOGS
def test_a7_a_user_who_is_deleted_is_out_at_the_next_request(site: Site) -> None:
    alice = site.member()
    assert site.on_both_workers("GET", f"{site.accounts}/me", alice.access) == {200}
    assert site.ask("DELETE", f"/users/{alice.id}", token=alice.access).status == 204
    assert site.on_both_workers("GET", f"{site.accounts}/me", alice.access) == {401}
    assert site.again(alice, alice.refresh).status == 401


# A9; the rest of it, and A10, are in test_http_layer.py


@pytest.mark.parametrize("header", ["X_HTTP_Method_Override", "X_Method_Override", "X_HTTP_Method"])
def test_a9_a_post_stays_one(site: Site, header: str) -> None:
    posted = site.owner()
    path = f"/users/{posted.member.id}"
    for method in ("DELETE", "PATCH", "PUT"):
        reply = site.ask("POST", path, {}, token=posted.member.access, **{header: method})
        assert reply.status == 405
        assert set(reply.headers["allow"].split(", ")) == {"HEAD", "OPTIONS"} | {
            case.method for case in cases(site) if case.path == "/users/{user_id}"
        }
    assert site.ask("GET", path, token=posted.member.access).status == 200


# G1


@pytest.mark.parametrize("path", ["{me}", "/users/{id}"])
def test_g1_what_alice_got_is_for_alice_only(site: Site, path: str) -> None:
    alice, bob = site.member(), site.member()
    path = path.format(me=site.app.me, id=alice.id)
    (hidden,) = {404 - (403 in one.statuses) for one in cases(site) if one.name == "GET /users/{user_id}"}
    hers = site.ask("GET", path, token=alice.access)
    assert hers.status == 200
    tag = hers.headers["etag"]
    for headers in ({}, {"If_None_Match": tag}):
        bobs = site.ask("GET", path, token=bob.access, **headers)
        assert bobs.status == (hidden if path.endswith(str(alice.id)) else 200)
        assert alice.email.encode() not in bobs.body
        assert site.ask("GET", path, **headers).status == 401
    for cookie in (f"session={alice.access}", f"access_token={alice.access}", f"Authorization=Bearer {alice.access}"):
        assert site.ask("GET", path, Cookie=cookie).status == 401
    assert site.ask("GET", f"{path}?access_token={alice.access}").status in (400, 401)
    for name, kind in (("authorization", "Bearer"), ("AUTHORIZATION", "bearer"), ("Authorization", "BEARER")):
        assert site.ask("GET", path, **{name: f"{kind} {alice.access}"}).json == hers.json


def test_g1_a_token_that_says_it_is_bobs_is_nobodys(site: Site) -> None:
    alice, bob = site.member(), site.member()
    claims = jwt.decode(alice.access, options={"verify_signature": False})
    bobs = jwt.decode(bob.access, options={"verify_signature": False})
    # Signed with the right key even: the session is another user's.
    for changes in ({"sub": bobs["sub"]}, {"sid": bobs["sid"]}, {"sub": str(NOWHERE)}, {"sid": "0" * 32}):
        assert site.ask("GET", f"{site.accounts}/me", token=Forger(site).changed(alice.access, **changes)).status == 401
    assert site.ask("GET", f"{site.accounts}/me", token=Forger(site).changed(alice.access, role="admin")).status == 200
    assert claims["sub"] != bobs["sub"]


def test_g1_a_cache_between_them_gives_nobody_what_is_alices(site: Site) -> None:
    alice, bob = site.owner(), site.owner()
    paths = [case.at(alice) for case in cases(site) if case.method == "GET"]
    assert len(paths) >= 10
    # Some caches take `Authorization` for any other header.
    for name in ("Authorization", "X-Not-Seen"):
        cache = SharedCache(lambda path, headers: site.ask("GET", path, **_keywords(headers)))
        for path in paths:
            cache.get(path, {"Authorization": f"Bearer {alice.member.access}"})
        for member in (bob.member, None):
            headers = {} if member is None else {name: f"Bearer {member.access}"}
            for path in paths:
                reply = cache.get(path, headers)
                assert alice.member.email.encode() not in reply.body, path
                direct = site.ask("GET", path, **_keywords(headers))
                assert (reply.status, reply.body) == (direct.status, direct.body), path


# G2


UNKEYED = [
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "444"},
    {"Forwarded": "for=203.0.113.7;host=evil.example;proto=https", "X-Host": "evil.example"},
    {"X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil", "X-Forwarded-Path": "/evil"},
    {"X-Original-URL": "/users/me", "X-Rewrite-URL": "/auth/me"},
    {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "HEAD"},
    {"Accept": "image/png"},
    {"Accept": "text/html, application/xml;q=0.9"},
    {"Accept": "application/json;q=0"},
    {"Accept-Language": "xx", "Accept-Charset": "utf-16", "Accept-Encoding": "br"},
    {"Origin": "https://evil.example"},
    {"Origin": "null", "Access-Control-Request-Method": "DELETE"},
    {"Prefer": "count=exact"},
    {"Prefer": "return=minimal, handling=strict"},
    {"Range": "bytes=0-3"},
    {"Cookie": "session=evil; role=admin"},
    {"User-Agent": "<script>", "Referer": "https://evil.example"},
    {"X-Request-ID": "evil-1"},
    {"If-None-Match": "*"},
    {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"},
    {"Transfer-Encoding": "identity"},
    {"Content-Type": "application/json", "Body": '{"limit": 1, "id": 2}'},
    {"Content-Type": "application/x-www-form-urlencoded", "Body": "limit=1"},
]
OWN_OF_EACH = ("date", "x-request-id", "ratelimit", "last-modified", "connection", "cache-status", "age")


@pytest.mark.parametrize("sent", UNKEYED)
def test_g2_nobody_gets_what_somebody_elses_headers_made(site: Site, sent: dict[str, str]) -> None:
    posted = site.owner()
    paths = ["/openapi.json", "/openapi.yaml", "/ui/", "/ui/start.js", "/ui/none", "/none", "/users/none", "/users"]
    paths += [case.at(posted) for case in cases(site) if case.method == "GET" and case.is_public]
    paths += site.app.public

    def ask(path: str, headers: Mapping[str, str]) -> Reply:
        named = dict(headers)
        body = named.pop("Body", None)
        return site._exchange("GET", path, None if body is None else body.encode(), named)

    for path in paths:
        cache = SharedCache(ask)
        first = cache.get(path, sent)
        assert first.status < 500
        assert b"evil" not in first.body
        assert not any("evil" in value for name, value in first.headers.items() if name != "x-request-id")
        seen, direct = cache.get(path, {}), ask(path, {})
        assert (seen.status, seen.body) == (direct.status, direct.body), path
        for one in (seen, direct):
            for name in OWN_OF_EACH:
                one.headers.pop(name, None)
        assert seen.headers == direct.headers, path


@pytest.mark.parametrize("query", ["utm_source=evil", "_=1", "callback=evil", "limit=1&limit=100", ";limit=1", "%00"])
def test_g2_a_query_that_means_nothing_is_refused_and_not_kept(site: Site, query: str) -> None:
    cache = SharedCache(lambda path, headers: site.ask("GET", path, **_keywords(headers)))
    lists = [one.partition("?")[0] for one in site.app.public]
    for path in (*lists, site.app.item.format(1)):
        reply = cache.get(f"{path}?{query}", {})
        assert (reply.status, reply.headers["cache-control"]) == (400, "no-store")
    assert len(cache) == 0


def test_g2_what_was_not_there_is_found_when_it_is(site: Site) -> None:
    cache = SharedCache(lambda path, headers: site.ask("GET", path, **_keywords(headers)))
    token = site.member(site.app.author).access
    path, body = site.app.created
    before = site.ask("POST", path, body, token=token).json["id"]
    path = f"{path}/{before + 1}"
    assert cache.get(path, {}).status == 404
    made = site.ask("POST", site.app.created[0], body, token=token)
    assert made.headers["location"] == path
    assert cache.get(path, {}).status == 200
    assert cache.get(path, {}).body == site.ask("GET", path).body
    assert len(cache) == 1


def _keywords(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


# D1 to D8, on the bodies that have credentials, and on one that needs some


@pytest.fixture(scope="module")
def poster(running_site: Site) -> Owner:
    """Return somebody who may write."""
    return running_site.owner()


def body_of(site: Site, kind: str) -> tuple[str, dict[str, Any]]:
    """Return where a body of a kind is sent to, and a good one."""
    dora = {"email": "dora@example.org", "password": PASSWORD}
    bodies = {"register": {"username": "dora", **dora}, "login": dora, "refresh": {"refresh_token": "djr_0"}}
    return site.app.written if kind == "written" else (f"{site.accounts}/{kind}", bodies[kind])


@pytest.fixture
def unchanged(site: Site, poster: Owner) -> Iterator[None]:
    """Check that nobody and nothing was added."""
    rows = site.rows()
    yield
    assert site.rows() == rows


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", BODIES)
def test_d1_to_d5_bodies_that_are_none(site: Site, poster: Owner, kind: str) -> None:
    path, good = body_of(site, kind)
    name, *_ = good
    rest = json.dumps({key: value for key, value in good.items() if key != name}).encode()[1:]
    rest = b"," + rest if len(good) > 1 else rest
    start = b'{"' + name.encode() + b'":'
    values = [*TEXTS, b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 5000, b"true", b"null", b"1", b"[]", b"{}"]
    bodies = [start + value + rest for value in values]
    bodies += [
        b"[" * 100_000,
        b'{"a":' * 20_000,
        start + b"[" * 5000 + b"]" * 5000 + rest,
        b"[]",
        b"null",
        b'"a"',
        b"7",
    ]
    bodies += [start + b'"a",' + b'"' + name.encode() + b'":"b"' + rest, b"", b"{", json.dumps(good).encode() + b"x"]
    whole = json.dumps(good)
    bodies += [whole.encode(one) for one in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig")]
    token = poster.member.access if kind == "written" else None
    for body in bodies:
        reply = site.elsewhere().ask("POST", path, body, token=token)
        # A refresh token may come in a header, so a request without a body lacks a credential.
        assert reply.status == (401 if (kind, body) == ("refresh", b"") else 400), (path, body[:60])


def statuses_of(site: Site, sent: bytes) -> list[int]:
    """Return the status of every answer to some bytes, until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection, suppress(ConnectionError):
        connection.sendall(sent)
        while chunk := connection.recv(65536):
            received += chunk
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", BODIES)
def test_d7_d8_bodies_that_are_too_large(site: Site, poster: Owner, kind: str) -> None:
    path, good = body_of(site, kind)
    body, limit = json.dumps(good).encode(), site.app.max_body_bytes
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    if kind == "written":
        lines.append(f"Authorization: Bearer {poster.member.access}")
    announced = "\r\n".join([*lines, f"Content-Length: {limit + 1}", "", ""]).encode()
    reply, closed = site.send(announced)
    # Gunicorn lets no application close it, and waits for what was announced: none of that is ever a request.
    assert (reply.status, closed) == (413, site.server == "granian")
    if not closed:
        hidden = f"GET {site.app.public[0]} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode().ljust(limit + 1)
        last = b"GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        assert statuses_of(site, announced + hidden + last) in ([413], [413, 404])
    # Cut off at the limit it would be a good one.
    padded = body + b" " * (limit + 1 - len(body))
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(padded), padded)
    reply, _ = site.send("\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode() + chunk)
    assert reply.status == 413


@pytest.mark.usefixtures("unchanged")
def test_nobody_is_answered_before_a_body_is_read(site: Site) -> None:
    for body in (b"[" * 100_000, b"{", b"x" * (site.app.max_body_bytes + 1)):
        assert site.ask("POST", site.app.written[0], body).status == 401
        assert site.ask("POST", site.app.item.removesuffix("/{}"), body, token="garbage").status == 401


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["' OR '1'='1", "a' UNION SELECT * FROM users--", "%", "_", "\\", "\u02bc", "\\u0000"])
def test_e1_sql_in_who_logs_in_is_a_name_of_nobody(site: Site, name: str) -> None:
    there = site.elsewhere()
    for body in ({"email": f"{name}@example.org", "password": PASSWORD}, {"email": "x@example.org", "password": name}):
        assert there.ask("POST", f"{site.accounts}/login", body).status == 401
    assert there.ask("POST", f"{site.accounts}/refresh", {"refresh_token": f"djr_{name}"}).status == 401
