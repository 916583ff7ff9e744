"""Attack case E1: SQL in every parameter that the contract lists, and in every text of a body."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from target import Target

PAYLOADS = [
    "1 OR 1=1",
    "' OR '1'='1",
    '" OR ""="',
    "1;DROP TABLE person",
    "';DROP TABLE person;--",
    "1' AND (SELECT pg_sleep(3)) IS NULL--",
    "1) OR randomblob(1000000000/2)--",
    "';WAITFOR DELAY '0:0:3'--",
    "1 UNION SELECT name,email,1,1 FROM person",
    "name;--",
    "id,(select 1 from person)",
    "name COLLATE x",
    "id desc nulls first",
    "(CASE WHEN 1=1 THEN id ELSE name END)",
    "%",
    "_",
    "\\",
    "%s %(a)s :a ?",
    "{0} {{7*7}} ${7*7}",
    "0x27",
    "\u02bc",
]
SLOWEST_S = 2.0


def parameters(document: Any, path: str, method: str, where: str) -> list[str]:
    """Return the names of the parameters of an operation, from the contract as it is served."""
    components = document["components"]["parameters"]
    found = document["paths"][path].get("parameters", []) + document["paths"][path][method].get("parameters", [])
    resolved = [components[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in found]
    return [one["name"] for one in resolved if one["in"] == where]


def timed(target: Target, method: str, path: str, body: Any = None, *, echoed: str = "") -> Any:
    began = time.monotonic()
    reply = target.ask(method, path, body, echoed=echoed)
    assert time.monotonic() - began < SLOWEST_S
    return reply


def everything(target: Target) -> Any:
    return target.ask("GET", "/api/people?limit=100&include=addresses").json


@pytest.mark.parametrize("payload", PAYLOADS)
def test_e1_sql_in_every_query_parameter(target: Target, payload: str) -> None:
    before = everything(target)
    document = target.ask("GET", "/api/openapi.json").json
    asked = 0
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        for name in parameters(document, path, "get", "query"):
            address = path.replace("{person_id}", "1").replace("{address_id}", "1")
            reply = timed(target, "GET", f"/api{address}?{quote(name)}={quote(payload)}")
            assert reply.status in (200, 400)
            if reply.status == 200:
                items = reply.json["items"] if isinstance(reply.json, dict) else reply.json
                assert items == [], (name, payload)
            asked += 1
    assert asked > 20
    assert everything(target) == before


@pytest.mark.parametrize("payload", PAYLOADS)
def test_e1_sql_in_every_path(target: Target, payload: str) -> None:
    before = everything(target)
    document = target.ask("GET", "/api/openapi.json").json
    for path, methods in document["paths"].items():
        for name in ("{person_id}", "{address_id}"):
            if name in path:
                address = (
                    path.replace(name, quote(payload, safe="")).replace("{person_id}", "1").replace("{address_id}", "1")
                )
                for method in methods.keys() - {"parameters"}:
                    body = {"name": "x"} if method in ("post", "put", "patch") else None
                    assert timed(target, method.upper(), f"/api{address}", body).status in (400, 404)
    assert everything(target) == before


@pytest.mark.parametrize("payload", PAYLOADS)
def test_e1_sql_in_every_text_is_a_text(target: Target, payload: str) -> None:
    def ask(method: str, path: str, body: Any = None) -> Any:
        return timed(target, method, path, body, echoed=payload)

    created = ask("POST", "/api/people", {"name": payload, "email": "sql@example.org"})
    assert created.status == 201
    person = created.headers["location"]
    try:
        assert ask("GET", person).json["name"] == payload
        address = {"street": payload, "city": payload, "country": "US"}
        assert ask("POST", f"{person}/addresses", address).json["street"] == payload
        found = ask("GET", f"/api/addresses?city={quote(payload)}").json["items"]
        assert [one["city"] for one in found] == [payload]
        for name in ("name__icontains", "q"):
            people = ask("GET", f"/api/people?{name}={quote(payload)}").json
            assert payload in [one["name"] for one in people]
        assert ask("PATCH", person, {"name": payload + "x"}).json["name"] == payload + "x"
    finally:
        assert target.ask("DELETE", person).status == 204


@pytest.mark.parametrize("payload", PAYLOADS)
def test_e1_sql_in_headers(target: Target, payload: str) -> None:
    if not payload.isascii():
        return
    for headers in (
        {"If_Match": payload},
        {"If_None_Match": payload},
        {"Idempotency_Key": payload},
        {"Prefer": payload},
    ):
        reply = target.ask("PATCH", "/api/people/1", {}, **headers)
        assert reply.status in (200, 304, 400, 412)
        reply = target.ask("POST", "/api/people", {"name": "x"}, **headers)
        assert reply.status == 400
