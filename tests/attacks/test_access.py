"""Attack cases A1, A3 to A5, A7, A9, G1, and D1 to D8: what callers of the blog may do, and what they may send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import jwt
import pytest
from served_blog import NOWHERE, PASSWORD, Blog, Member, Posted
from target import Reply
from token_forger import Forger

Caller: TypeAlias = Literal["nobody", "garbage", "expired", "disabled", "member", "admin"]
CALLERS: tuple[Caller, ...] = ("nobody", "garbage", "expired", "disabled", "member", "admin")
METHODS = ("get", "put", "post", "patch", "delete")
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

LIMIT = 128 * 1024
REGISTER, LOGIN, REFRESH, POSTS = "/auth/register", "/auth/login", "/auth/refresh", "/posts"
GOOD: dict[str, dict[str, Any]] = {
    REGISTER: {"username": "dora", "email": "dora@example.org", "password": PASSWORD},
    LOGIN: {"email": "dora@example.org", "password": PASSWORD},
    REFRESH: {"refresh_token": "djr_0"},
    POSTS: {"title": "Hello", "body": "x"},
}
TEXTS = [rb'"\ud800"', rb'"\udc00\ud800"', b'"\x00"', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"', rb'"\x41"', rb'"\u12"']


@dataclass(frozen=True)
class Case:
    """Be one operation of the contract as it is served."""

    method: str
    path: str
    operation: dict[str, Any]
    document: dict[str, Any]

    @property
    def security(self) -> list[dict[str, list[str]]]:
        found: list[dict[str, list[str]]] = self.operation.get("security", self.document["security"])
        return found

    @property
    def is_public(self) -> bool:
        return not self.security or {} in self.security

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.operation["responses"]}

    @property
    def good(self) -> int:
        return min(status for status in self.statuses if 200 <= status < 300)

    def at(self, posted: Posted) -> str:
        """Return the path of what somebody has."""
        return self.filled(posted.member.id, posted.post, posted.product)

    def filled(self, user: int, post: int, product: int) -> str:
        path = self.path.replace("{user_id}", str(user)).replace("{post_id}", str(post))
        return path.replace("{product_id}", str(product))

    def body(self, member: Member, number: int) -> dict[str, Any] | None:
        """Return a good body: the example of the contract, with names that nobody has yet."""
        if "requestBody" not in self.operation:
            return None
        if self.path == "/auth/login":
            return member.credentials
        if self.path == "/auth/refresh":
            return {"refresh_token": member.refresh}
        schema = self.operation["requestBody"]["content"]["application/json"]["schema"]
        body = dict(self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["example"])
        unique = {"username": f"fresh{number}", "email": f"fresh{number}@example.org", "name": f"cup {number}"}
        return body | {name: value for name, value in unique.items() if name in body}


def cases(blog: Blog) -> list[Case]:
    """Return every operation of the contract."""
    document = blog.ask("GET", "/openapi.json").json
    return [
        Case(method.upper(), path, item[method], document)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


# A1


@pytest.mark.parametrize("headers", [{}, {"If_Match": "*"}, {"If_Match": '"other"'}, {"Prefer": "return=minimal"}])
def test_a1_what_bob_has_is_not_alices(blog: Blog, headers: dict[str, str]) -> None:
    alice, bob = blog.posted(), blog.posted()
    rows = blog.rows("users", "posts", "products")
    asked = 0
    for case in cases(blog):
        is_bobs = "{user_id}" in case.path or "{post_id}" in case.path
        if not is_bobs or case.is_public or (headers.keys() == {"If_Match"} and case.method in ("GET", "POST")):
            continue
        body = case.body(alice.member, next(blog.numbers))

        def ask(path: str, case: Case = case, body: Any = body) -> Reply:
            return blog.ask(case.method, path, body, token=alice.member.access, **headers)

        reply = ask(case.at(bob))
        # Posts are there for everybody to read, and users are listed: where the contract says so, nothing is hidden.
        is_visible = 403 in case.statuses
        assert reply.status == (403 if is_visible else 404), (case.method, case.path)
        nowhere = ask(case.filled(NOWHERE, NOWHERE, NOWHERE))
        assert nowhere.status == 404
        if not is_visible:
            assert reply.body == nowhere.body, (case.method, case.path)
            assert reply.headers.keys() == nowhere.headers.keys()
        if "{user_id}" in case.path and "{post_id}" in case.path:
            # bob's post below alice is no post of hers
            assert ask(case.filled(alice.member.id, bob.post, 0)).status == 404
            assert ask(case.filled(bob.member.id, alice.post, 0)).status == 404
        asked += 1
    assert asked >= 8
    assert blog.rows("users", "posts", "products") == rows


def test_a1_what_is_refused_with_403_can_be_seen_elsewhere(blog: Blog) -> None:
    alice, bob = blog.posted(), blog.posted()
    told = {case.path for case in cases(blog) if 403 in case.statuses and "product" not in case.path}
    assert {path.split("/")[1] for path in told} == {"users", "posts"}
    assert blog.ask("GET", f"/posts/{bob.post}").status == 200
    listed = blog.ask("GET", "/users?sort=-created_at&limit=100", token=alice.member.access).json["users"]
    assert bob.member.id in [one["id"] for one in listed]
    hidden = blog.ask("GET", f"/users/{bob.member.id}", token=alice.member.access)
    nowhere = blog.ask("GET", f"/users/{NOWHERE}", token=alice.member.access)
    assert (hidden.status, hidden.body) == (404, nowhere.body)


# A3


def token_of(blog: Blog, member: Member, caller: Caller) -> str | None:
    """Return what a caller of some kind shows."""
    match caller:
        case "nobody":
            return None
        case "garbage":
            return "garbage"
        case "expired":
            return Forger(blog).changed(member.access, exp=Forger.now() - 60)
        case "disabled":
            blog.set(member.id, is_disabled=True)
        case "admin":
            blog.set(member.id, role="admin")
    return member.access


def expected(case: Case, caller: Caller) -> int:
    """Return what the contract says."""
    if caller == "disabled" and case.path in ("/auth/login", "/auth/refresh"):
        return 401
    if case.is_public:
        return case.good
    if caller not in ("member", "admin"):
        return 401
    held = {caller}
    return case.good if any(set(scopes) <= held for one in case.security for scopes in one.values()) else 403


@pytest.mark.parametrize("caller", CALLERS)
def test_a3_every_caller_may_do_what_the_contract_says_and_nothing_else(blog: Blog, caller: Caller) -> None:
    found = {}
    wanted = {}
    for case in cases(blog):
        posted = blog.posted()
        token = token_of(blog, posted.member, caller)
        there = blog.elsewhere()
        body = case.body(posted.member, next(blog.numbers))
        rows = blog.rows("users", "posts", "products")
        reply = there.ask(case.method, case.at(posted), body, token=token)
        key = f"{case.method} {case.path}"
        found[key], wanted[key] = reply.status, expected(case, caller)
        if reply.status == 401:
            assert reply.headers["www-authenticate"].startswith("Bearer") or case.path == "/auth/login"
        if reply.status >= 400 or case.method == "GET":
            assert blog.rows("users", "posts", "products") == rows, key
        if case.method == "GET":
            head = there.ask("HEAD", case.at(posted), token=token)
            found[f"HEAD {case.path}"], wanted[f"HEAD {case.path}"] = head.status, wanted[key]
            assert head.body == b""
    assert len(found) > 35
    assert found == wanted


@pytest.mark.parametrize("caller", CALLERS)
def test_a3_a_view_beside_the_contract_asks_for_its_role(blog: Blog, caller: Caller) -> None:
    reply = blog.ask("GET", "/reports/monthly?year=2026", token=token_of(blog, blog.member(), caller))
    assert reply.status == {"admin": 200, "member": 403}.get(caller, 401)
    if reply.status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")


# A4


def test_a4_nobody_writes_what_the_contract_does_not_let_them(blog: Blog) -> None:
    posted = blog.posted()
    admin = blog.member("admin")
    asked = 0
    for case in cases(blog):
        body = case.body(posted.member, next(blog.numbers))
        if body is None:
            continue
        rows = blog.rows("users", "posts", "products")
        token = admin.access if case.path.startswith("/products") else posted.member.access
        for name, value in UNASKED.items():
            for sent in (body | {name: value}, {name: value}):
                reply = blog.elsewhere().ask(case.method, case.at(posted), sent, token=token)
                assert reply.status == 400, (case.method, case.path, name)
                assert any(name in error["pointer"] for error in reply.json["errors"]), reply.body
                asked += 1
        if case.method == "PATCH":
            merge = blog.ask(
                "PATCH", case.at(posted), {"id": 1}, token=token, Content_Type="application/merge-patch+json"
            )
            assert merge.status in (400, 415)
            for name in ("role", "user_id"):
                step = [{"op": "add", "path": f"/{name}", "value": "admin"}]
                patched = blog.ask(
                    "PATCH", case.at(posted), step, token=token, Content_Type="application/json-patch+json"
                )
                assert patched.status in (400, 415)
        assert blog.rows("users", "posts", "products") == rows, (case.method, case.path)
    assert asked > 300


@pytest.mark.parametrize("name", ["role", "user_id", "is_disabled", "_method"])
def test_a4_nor_by_a_query_or_a_form(blog: Blog, name: str) -> None:
    posted = blog.posted()
    rows = blog.rows("users", "posts", "products")
    for method, path in (("PATCH", f"/users/{posted.member.id}"), ("PATCH", f"/posts/{posted.post}")):
        for body, kind in ((b"{}", "application/json"), (f"{name}=1".encode(), "application/x-www-form-urlencoded")):
            reply = blog.ask(method, f"{path}?{name}=admin", body, token=posted.member.access, Content_Type=kind)
            assert reply.status in (400, 415)
    form = b"role=admin&username=mallory&email=mallory@example.org&password=nine+lives+of+a+cat"
    made = blog.ask("POST", "/auth/register", form, Content_Type="application/x-www-form-urlencoded")
    assert made.status == 415
    assert blog.rows("users", "posts", "products") == rows


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
def test_a5_no_answer_shows_more_than_it_should(blog: Blog, caller: Caller) -> None:
    alice, bob = blog.posted(), blog.posted()
    token = None if caller == "nobody" else alice.member.access
    scanned = 0
    for case in cases(blog):
        if case.path == "/auth/logout" or case.method == "DELETE":
            continue
        for owner in (alice, bob):
            body = case.body(alice.member, next(blog.numbers))
            reply = blog.elsewhere().ask(case.method, case.at(owner), body, token=token)
            if reply.status >= 300:
                continue
            keys, texts = keys_and_texts(reply.json)
            allowed = OF_A_LOGIN if case.path in ("/auth/login", "/auth/refresh") else set()
            assert not keys & FORBIDDEN_KEYS, (case.method, case.path)
            assert not {one for one in keys if "token" in one} - allowed - {"token_type"}
            sent = {one for one in (body or {}).values() if isinstance(one, str)}
            emails = {one for one in texts if "@" in one}
            assert emails <= sent | {alice.member.email, (body or {}).get("email", "")}, (case.method, case.path)
            if case.path in ("/auth/login", "/auth/refresh"):
                alice = replace(alice, member=replace(alice.member, refresh=reply.json["refresh_token"]))
                blog.told |= {reply.json["access_token"], reply.json["refresh_token"]}
            if case.path.startswith("/users/{user_id}") and case.method in ("PUT", "PATCH") and "email" in reply.json:
                fresh = reply.json["email"].partition("@")[0]
                alice = replace(alice, member=replace(alice.member, name=fresh))
            scanned += 1
    assert scanned > (15 if caller == "nobody" else 25)


# A7


def test_a7_a_role_that_is_taken_away_is_gone_at_the_next_request(blog: Blog) -> None:
    admin = blog.member("admin")
    product = blog.posted().product
    assert blog.on_both_workers("DELETE", f"/products/{NOWHERE}", admin.access) == {404}
    blog.set(admin.id, role="member")
    assert blog.on_both_workers("DELETE", f"/products/{product}", admin.access) == {403}
    blog.set(admin.id, role="admin")
    assert blog.on_both_workers("DELETE", f"/products/{NOWHERE}", admin.access) == {404}


def test_a7_a_user_who_is_disabled_is_out_at_the_next_request(blog: Blog) -> None:
    alice = blog.member()
    assert blog.on_both_workers("GET", "/auth/me", alice.access) == {200}
    blog.set(alice.id, is_disabled=True)
    assert blog.on_both_workers("GET", "/auth/me", alice.access) == {401}
    assert blog.again(alice, alice.refresh).status == 401
    assert blog.ask("POST", "/auth/login", alice.credentials).status == 401


def test_a7_a_user_who_is_deleted_is_out_at_the_next_request(blog: Blog) -> None:
    alice = blog.member()
    assert blog.on_both_workers("GET", "/auth/me", alice.access) == {200}
    assert blog.ask("DELETE", f"/users/{alice.id}", token=alice.access).status == 204
    assert blog.on_both_workers("GET", "/auth/me", alice.access) == {401}
    assert blog.again(alice, alice.refresh).status == 401


# A9; the rest of it, and A10, are in test_http_layer.py


@pytest.mark.parametrize("header", ["X_HTTP_Method_Override", "X_Method_Override", "X_HTTP_Method"])
def test_a9_a_post_stays_one(blog: Blog, header: str) -> None:
    posted = blog.posted()
    path = f"/users/{posted.member.id}"
    for method in ("DELETE", "PATCH", "PUT"):
        reply = blog.ask("POST", path, {}, token=posted.member.access, **{header: method})
        assert reply.status == 405
        assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}
    assert blog.ask("GET", path, token=posted.member.access).status == 200


# G1


@pytest.mark.parametrize("path", ["/auth/me", "/users/profile", "/users/{id}"])
def test_g1_what_alice_got_is_for_alice_only(blog: Blog, path: str) -> None:
    alice, bob = blog.member(), blog.member()
    path = path.replace("{id}", str(alice.id))
    hers = blog.ask("GET", path, token=alice.access)
    assert hers.status == 200
    tag = hers.headers["etag"]
    for headers in ({}, {"If_None_Match": tag}):
        bobs = blog.ask("GET", path, token=bob.access, **headers)
        assert bobs.status == (404 if path.endswith(str(alice.id)) else 200)
        assert alice.email.encode() not in bobs.body
        assert blog.ask("GET", path, **headers).status == 401
    for cookie in (f"session={alice.access}", f"access_token={alice.access}", f"Authorization=Bearer {alice.access}"):
        assert blog.ask("GET", path, Cookie=cookie).status == 401
    assert blog.ask("GET", f"{path}?access_token={alice.access}").status in (400, 401)
    for name, kind in (("authorization", "Bearer"), ("AUTHORIZATION", "bearer"), ("Authorization", "BEARER")):
        assert blog.ask("GET", path, **{name: f"{kind} {alice.access}"}).json == hers.json


def test_g1_a_token_that_says_it_is_bobs_is_nobodys(blog: Blog) -> None:
    alice, bob = blog.member(), blog.member()
    claims = jwt.decode(alice.access, options={"verify_signature": False})
    bobs = jwt.decode(bob.access, options={"verify_signature": False})
    # Signed with the right key even: the session is another user's.
    for changes in ({"sub": bobs["sub"]}, {"sid": bobs["sid"]}, {"sub": str(NOWHERE)}, {"sid": "0" * 32}):
        assert blog.ask("GET", "/auth/me", token=Forger(blog).changed(alice.access, **changes)).status == 401
    assert blog.ask("GET", "/auth/me", token=Forger(blog).changed(alice.access, role="admin")).status == 200
    assert claims["sub"] != bobs["sub"]


# D1 to D8, on the bodies that have credentials, and on one that needs some


@pytest.fixture(scope="module")
def poster(running_blog: Blog) -> Posted:
    """Return somebody who may write posts."""
    return running_blog.posted()


@pytest.fixture
def unchanged(blog: Blog, poster: Posted) -> Iterator[None]:
    """Check that nobody and nothing was added."""
    rows = blog.rows("users", "posts")
    yield
    assert blog.rows("users", "posts") == rows


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("path", GOOD)
def test_d1_to_d5_bodies_that_are_none(blog: Blog, poster: Posted, path: str) -> None:
    good = GOOD[path]
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
    token = poster.member.access if path == POSTS else None
    for body in bodies:
        reply = blog.elsewhere().ask("POST", path, body, token=token)
        # A refresh token may come in a header, so a request without a body lacks a credential.
        assert reply.status == (401 if (path, body) == (REFRESH, b"") else 400), (path, body[:60])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("path", GOOD)
def test_d7_d8_bodies_that_are_too_large(blog: Blog, poster: Posted, path: str) -> None:
    body = json.dumps(GOOD[path]).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    if path == POSTS:
        lines.append(f"Authorization: Bearer {poster.member.access}")
    announced = "\r\n".join([*lines, f"Content-Length: {LIMIT + 1}", "", ""]).encode()
    reply, closed = blog.send(announced)
    assert (reply.status, closed) == (413, True)
    # Cut off at the limit it would be a good one.
    padded = body + b" " * (LIMIT + 1 - len(body))
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(padded), padded)
    reply, _ = blog.send("\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode() + chunk)
    assert reply.status == 413


@pytest.mark.usefixtures("unchanged")
def test_nobody_is_answered_before_a_body_is_read(blog: Blog) -> None:
    for body in (b"[" * 100_000, b"{", b"x" * (LIMIT + 1)):
        assert blog.ask("POST", POSTS, body).status == 401
        assert blog.ask("POST", "/products", body, token="garbage").status == 401


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["' OR '1'='1", "a' UNION SELECT * FROM users--", "%", "_", "\\", "\u02bc", "\\u0000"])
def test_e1_sql_in_who_logs_in_is_a_name_of_nobody(blog: Blog, name: str) -> None:
    there = blog.elsewhere()
    for body in ({"email": f"{name}@example.org", "password": PASSWORD}, {"email": "x@example.org", "password": name}):
        assert there.ask("POST", LOGIN, body).status == 401
    assert there.ask("POST", REFRESH, {"refresh_token": f"djr_{name}"}).status == 401
