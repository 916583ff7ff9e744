"""Attack cases D1 to D5, D7 and D8: bodies and values that are made to break a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from target import Target

LIMIT = 64 * 1024
ADDRESS = {"person_id": 1, "street": "1 Elm Street", "city": "Springfield", "country": "US"}
HUGE = "9" * 5000


def people(target: Target) -> list[str]:
    return [person["name"] for person in target.ask("GET", "/api/people?limit=100").json]


# D1


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'{"name":[', b'[{"a":'])
@pytest.mark.parametrize("count", [65, 5_000, 100_000])
def test_d1_deep_json(target: Target, unit: bytes, count: int) -> None:
    body = unit * count
    for method, path in (("POST", "/api/people"), ("PATCH", "/api/people/1"), ("PUT", "/api/addresses/1")):
        reply = target.ask(method, path, body)
        assert reply.status == (400 if len(body) <= LIMIT else 413)


@pytest.mark.parametrize("count", [65, 5_000, 10_000])
def test_d1_deep_json_that_ends(target: Target, count: int) -> None:
    body = b'{"name":' + b"[" * count + b"]" * count + b',"email":"x@example.org"}'
    assert target.ask("POST", "/api/people", body).status == 400


# D2, D3


NUMBERS = f"""
{HUGE} -{HUGE} {2**63} {-(2**63) - 1} {2**64} {2**31} 1e400 -1e400 1e-400 1.0 1.5 true false "1" 0 -1 [1] {{}} 01 +1
0x1 1_0 NaN Infinity -Infinity
""".split()


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_d2_d3_numbers_that_are_none(target: Target, number: str) -> None:
    body = json.dumps(ADDRESS).replace('"person_id": 1', f'"person_id": {number}')
    assert target.ask("POST", "/api/addresses", body.encode()).status == 400
    steps = f'[{{"op":"replace","path":"/street","value":{number}}}]'
    if number != '"1"':
        patched = target.ask("PATCH", "/api/addresses/1", steps.encode(), Content_Type="application/json-patch+json")
        assert patched.status == 400
    if number.strip('"') == number and number not in ("[1]", "{}"):
        for path in ("/api/people/", "/api/addresses/", "/api/people/1/addresses/"):
            assert target.ask("GET", path + number.replace("+", "%2B")).status in (400, 404)
        for parameter in ("limit", "page", "offset"):
            path = "/api/people/1/addresses" if parameter == "page" else "/api/people"
            expected = 200 if (parameter, number) == ("offset", "0") else 400
            assert target.ask("GET", f"{path}?{parameter}={number.replace('+', '%2B')}").status == expected


def test_d2_a_reference_as_large_as_can_be_is_a_conflict(target: Target) -> None:
    assert target.ask("POST", "/api/addresses", ADDRESS | {"person_id": 2**31 - 1}).status == 409


# D4


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"a","name":"b","email":"x@example.org"}',
        b'{"name":"a","email":"x@example.org","n\\u0061me":"b"}',
        b'{"name":"a","email":"x@example.org","id":1,"id":2}',
    ],
)
def test_d4_duplicate_keys(target: Target, body: bytes) -> None:
    assert target.ask("POST", "/api/people", body).status == 400
    assert people(target)[:2] == ["ann", "bob"]


# D5


@pytest.mark.parametrize(
    "text",
    [
        rb'"\ud800"', rb'"\udc00\ud800"', rb'"a\u0000b"', rb'"\u0000"', b'"\x00"', b'"\x01"', b'"a\nb"', b'"\xff"',
        b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xf0\x9f\x98"', rb'"\x41"', rb'"\u12"',
    ],
)  # fmt: skip
def test_d5_texts_that_are_none(target: Target, text: bytes) -> None:
    for body in (
        b'{"name":' + text + b',"email":"d5@example.org"}',
        b'{"name":"d5","email":' + text + b"}",
        b'{"name":"d5","email":"d5@example.org",' + text + b":1}",
    ):
        assert target.ask("POST", "/api/people", body).status == 400
    assert target.ask("PATCH", "/api/people/1", b'{"name":' + text + b"}").status == 400


@pytest.mark.parametrize("sent", ["%00", "%ff", "%c0%80", "%ed%a0%80", "%f0%9f%98", "a%00b"])
def test_d5_texts_that_are_none_in_a_query(target: Target, sent: str) -> None:
    for name in ("q", "name__icontains", "email", "sort", "fields", "include", "created_at__gte"):
        assert target.ask("GET", f"/api/people?{name}={sent}").status == 400
    for name in ("city", "country", "country__in", "postcode__startswith", "cursor"):
        assert target.ask("GET", f"/api/addresses?{name}={sent}").status == 400
    assert target.ask("GET", f"/api/people/{sent}").status in (400, 404)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_d5_bodies_in_other_encodings(target: Target, encoding: str) -> None:
    body = json.dumps({"name": "d5", "email": "d5@example.org"}).encode(encoding)
    assert target.ask("POST", "/api/people", body).status == 400


@pytest.mark.parametrize("name", ["שלום", "\u202eevil", "😀" * 50, "e\u0301", "İstanbul", "\u200b", "ﷺ" * 100])
def test_d5_every_other_text_is_kept(target: Target, name: str) -> None:
    reply = target.ask("POST", "/api/people", {"name": name, "email": "kept@example.org"})
    assert reply.status == 201
    path = reply.headers["location"]
    assert target.ask("GET", path).json["name"] == name
    assert target.ask("DELETE", path).status == 204


# D7, D8


def head(*lines: str) -> bytes:
    return "\r\n".join(
        ["POST /api/people HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    ).encode()


def test_d7_a_length_beyond_the_limit_is_refused_before_the_body(target: Target) -> None:
    reply, closed = target.send(head(f"Content-Length: {LIMIT + 1}"))
    assert reply.status == 413
    assert closed


def test_d7_the_limit_itself_is_read(target: Target) -> None:
    body = b'{"name":"' + b"x" * (LIMIT - 11) + b'"}'
    assert len(body) == LIMIT
    assert target.ask("POST", "/api/people", body).status == 400
    assert target.ask("POST", "/api/people", body + b" ").status == 413


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [997, LIMIT, 1 << 20])
def test_d8_a_chunked_body_beyond_the_limit_is_refused_and_never_cut(target: Target, size: int) -> None:
    # Cut off at the limit it would be valid, and a person be made of it.
    whole = b'{"name":"d8","email":"d8@example.org"}'
    for body in (whole + b" " * (LIMIT + 1 - len(whole)), whole + b" " * LIMIT + b"x", whole + b" " * 500_000):
        reply, _ = target.send(head("Transfer-Encoding: chunked") + chunked(body, size))
        assert reply.status == 413
    assert "d8" not in people(target)


def test_d8_a_chunked_body_within_it_is_taken(target: Target) -> None:
    whole = b'{"name":"chunked","email":"chunked@example.org"}'
    body = whole + b" " * (LIMIT - len(whole))
    reply, _ = target.send(head("Transfer-Encoding: chunked") + chunked(body, 4096))
    assert reply.status == 201
    assert target.ask("DELETE", reply.headers["location"]).status == 204


# D13


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", r"^(?=(a+)+$).*$", r"^(a+)+\1$"])
def test_d13_a_pattern_that_takes_for_ever_elsewhere_takes_no_time(
    build: Callable[..., FlaskClient], pattern: str
) -> None:
    schema = {"type": "string", "pattern": pattern}
    operation = {
        "operationId": "note",
        "parameters": [{"name": "q", "in": "query", "schema": schema}],
        "requestBody": {"content": {"application/json": {"schema": {"type": "array", "items": schema}}}},
        "responses": {"200": {"description": "ok"}},
    }
    contract = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/": {"post": operation}},
    }
    client = build(contract, note=lambda body, q=None: None)
    text = "a" * 28 + "!"
    client.post("/", json=["!"])  # what is compiled once is compiled now
    began = time.monotonic()
    assert client.post(f"/?q={text}", json=[text]).status_code == 400
    assert time.monotonic() - began < 0.1
