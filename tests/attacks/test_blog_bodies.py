"""Attack cases D1 to D8 on the bodies of the blog: those with credentials, and those that need some."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from blog import PASSWORD, Blog, Posted

LIMIT = 128 * 1024
REGISTER, LOGIN, REFRESH, POSTS = "/auth/register", "/auth/login", "/auth/refresh", "/posts"
GOOD: dict[str, dict[str, Any]] = {
    REGISTER: {"username": "dora", "email": "dora@example.org", "password": PASSWORD},
    LOGIN: {"email": "dora@example.org", "password": PASSWORD},
    REFRESH: {"refresh_token": "djr_0"},
    POSTS: {"title": "Hello", "body": "x"},
}
TEXTS = [rb'"\ud800"', rb'"\udc00\ud800"', b'"\x00"', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"', rb'"\x41"', rb'"\u12"']


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
