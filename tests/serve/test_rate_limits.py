"""Rate limits over HTTP: who is counted, what every answer says, what is refused."""

from __future__ import annotations

import logging
import re
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort
from flask.testing import FlaskClient
from members import Members
from small_apis import listed, problem
from werkzeug.exceptions import BadGateway
from werkzeug.exceptions import Unauthorized as Unauthenticated
from werkzeug.test import TestResponse

from demijohn import Forbidden, ProblemException, Settings, Unauthorized
from demijohn.limits import limiter_of
from demijohn.limits.database import metadata

Build = Callable[..., FlaskClient]
Module = Callable[..., None]

FINE = {"200": {"description": "ok", "content": {"application/json": {}}}}
BODY = {"content": {"application/json": {"schema": {"type": "object"}}}}


def operation(operation_id: str, **more: Any) -> dict[str, Any]:
    return {"operationId": operation_id, "responses": FINE, **more}


def contract(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    schemes = {
        "basic": {"type": "http", "scheme": "basic", "x-basicInfoFunc": "sec.basic"},
    }
    info = {"title": "Small", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"securitySchemes": schemes}, **more}


def ask(
    client: FlaskClient, path: str = "/a", method: str = "GET", address: str = "192.0.2.1", **more: Any
) -> TestResponse:
    return client.open(path, method=method, environ_overrides={"REMOTE_ADDR": address}, **more)


def left(reply: TestResponse) -> str:
    """Return the header without its times, which depend on how long a test takes."""
    return re.sub(r";t=\d+", "", reply.headers["RateLimit"])


def nothing() -> dict[str, Any]:
    return {}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def asked(module: Module) -> list[str]:
    """Return the users that the hook was asked for; the password of each is his name backwards."""
    users: list[str] = []

    def check(username: str, password: str) -> Any:
        users.append(username)
        return {"sub": username, "scope": "read"} if password == username[::-1] else None

    module("sec", basic=check)
    return users


# What is counted


def test_so_many_are_answered_and_one_more_is_429(build: Build) -> None:
    client = build(contract({"/a": {"get": operation("read", **{"x-rate-limit": "3/hour"})}}), read=nothing)
    replies = [ask(client) for _ in range(5)]
    assert [one.status_code for one in replies] == [200, 200, 200, 429, 429]
    assert [one.headers["RateLimit-Policy"] for one in replies] == ['"default";q=3;w=3600'] * 5
    assert [left(one) for one in replies] == [
        '"default";r=2',
        '"default";r=1',
        '"default";r=0',
        '"default";r=0',
        '"default";r=0',
    ]
    assert all(3590 < int(one.headers["RateLimit"].rpartition("=")[2]) <= 3600 for one in replies)
    document = problem(replies[-1], 429)
    assert (document["code"], document["detail"]) == ("rate-limited", "At most 3 per hour are allowed here.")
    assert 3590 < int(replies[-1].headers["Retry-After"]) <= 3600


def test_each_address_has_its_own_count_and_headers_change_nothing(build: Build) -> None:
    client = build(contract({"/a": {"get": operation("read", **{"x-rate-limit": "3/hour"})}}), read=nothing)
    forged = [
        {name: f"203.0.113.{number}"}
        for number in range(10)
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "True-Client-IP")
    ]
    assert sum(ask(client, headers=one).status_code == 200 for one in forged) == 3
    assert ask(client, address="192.0.2.2").status_code == 200
    assert sum(ask(client, address=f"2001:db8::{number:x}").status_code == 200 for number in range(10)) == 3
    assert ask(client, address="2001:db8:1::1").status_code == 200


def test_a_caller_has_one_count_wherever_it_is_and_another_one_has_its_own(build: Build, asked: list[str]) -> None:
    operations = {"/a": {"get": operation("read", security=[{"basic": []}], **{"x-rate-limit": "3/hour"})}}
    client = build(contract(operations), read=nothing)

    def counted(user: str, times: int) -> int:
        replies = [ask(client, address=f"192.0.2.{number}", headers=basic(user, user[::-1])) for number in range(times)]
        return sum(one.status_code == 200 for one in replies)

    assert (counted("anna", 10), counted("bert", 10)) == (3, 3)


def test_a_limit_is_shared_by_what_it_is_declared_for(build: Build) -> None:
    paths = {
        "/a": {"x-rate-limit": "3/hour", "get": operation("a"), "post": operation("b")},
        "/b": {"get": operation("c"), "post": operation("d")},
        "/c": {"get": operation("e"), "post": operation("f", **{"x-rate-limit": "3/hour"})},
        "/d": {"get": operation("g", **{"x-rate-limit": False})},
    }
    client = build(contract(paths, **{"x-rate-limit": "3/hour"}), **dict.fromkeys("abcdefg", nothing))

    def counted(*requests: tuple[str, str]) -> int:
        return sum(ask(client, path, method).status_code == 200 for method, path in requests * 4)

    assert counted(("GET", "/a"), ("POST", "/a"), ("HEAD", "/a")) == 3
    assert counted(("GET", "/b"), ("POST", "/b"), ("GET", "/c")) == 3
    assert counted(("POST", "/c")) == 3
    assert counted(("GET", "/d")) == 4
    assert not {"RateLimit", "RateLimit-Policy"} & set(ask(client, "/d").headers.keys())


def test_several_limits_hold_and_a_request_that_one_refuses_does_not_count_in_a_longer_one(build: Build) -> None:
    client = build(contract({"/a": {"get": operation("read", **{"x-rate-limit": "2/hour; 5/day"})}}), read=nothing)
    replies = [ask(client) for _ in range(6)]
    assert [one.status_code for one in replies] == [200, 200, 429, 429, 429, 429]
    assert replies[0].headers["RateLimit-Policy"] == '"hour";q=2;w=3600, "day";q=5;w=86400'
    assert left(replies[1]) == '"hour";r=0, "day";r=3'


# What every answer of a limited operation says


def boom() -> Any:
    raise RuntimeError


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (nothing, 200),
        (lambda: None, 204),
        (lambda: Response("{}", mimetype="application/json"), 200),
        (lambda: abort(409), 409),
        (lambda: ({}, 299), 500),
        (boom, 500),
    ],
)
@pytest.mark.parametrize("hooks", [False, True])
def test_every_answer_has_the_headers(build: Build, act: Callable[[], Any], status: int, hooks: bool) -> None:
    app = Flask("small")
    if hooks:
        app.after_request(lambda response: response)
    declared = operation("act", **{"x-rate-limit": "9/hour"})
    declared["responses"] = FINE | {"204": {"description": "Nothing."}}
    client = build(contract({"/a": {"get": declared}}), app=app, act=act)
    reply = ask(client)
    assert reply.status_code == status
    assert reply.headers.getlist("RateLimit-Policy") == ['"default";q=9;w=3600']
    assert reply.headers.getlist("RateLimit") == ['"default";r=8;t=3600']


def test_refusals_of_parameters_bodies_and_media_types_count_and_say_so(build: Build) -> None:
    declared = operation("act", requestBody=BODY, **{"x-rate-limit": "4/hour"})
    client = build(contract({"/a": {"post": declared}}), act=lambda body: {})
    replies = [
        ask(client, "/a?x=1", "POST", json={}),
        ask(client, "/a", "POST", json=[]),
        ask(client, "/a", "POST", data="x", content_type="text/plain"),
        ask(client, "/a", "POST", json={}, headers={"Accept": "text/html"}),
        ask(client, "/a", "POST", json={}),
    ]
    assert [one.status_code for one in replies] == [400, 400, 415, 406, 429]
    assert [left(one) for one in replies] == [f'"default";r={number}' for number in (3, 2, 1, 0, 0)]


def test_nothing_of_the_body_is_read_before_the_limit_has_refused(build: Build) -> None:
    class Unreadable:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

    declared = operation("act", requestBody=BODY, **{"x-rate-limit": "1/hour"})
    client = build(contract({"/a": {"post": declared}}), act=lambda body: {})
    assert ask(client, method="POST", json={}).status_code == 200
    environ = {"REMOTE_ADDR": "192.0.2.1", "wsgi.input": Unreadable(), "CONTENT_LENGTH": "100"}
    reply = client.post("/a", environ_overrides=environ, content_type="application/json")
    assert reply.status_code == 429


def test_other_methods_and_paths_are_not_counted(build: Build) -> None:
    client = build(contract({"/a": {"get": operation("read", **{"x-rate-limit": "1/hour"})}}), read=nothing)
    assert [ask(client, method=method).status_code for method in ("OPTIONS", "PUT", "OPTIONS")] == [204, 405, 204]
    assert [ask(client, "/b").status_code, ask(client, "/openapi.json").status_code] == [404, 200]
    assert ask(client).status_code == 200


# Wrong credentials


def test_refused_callers_are_counted_by_address_where_there_is_a_limit(build: Build, asked: list[str]) -> None:
    operations = {"/a": {"get": operation("read", security=[{"basic": ["write"]}], **{"x-rate-limit": "4/hour"})}}
    client = build(contract(operations), settings=Settings(rate_limit_failures=""), read=nothing)
    sent = [{}, basic("anna", "wrong"), basic("anna", "anna"[::-1]), {}, {}]
    replies = [ask(client, headers=one) for one in sent]
    assert [one.status_code for one in replies] == [401, 401, 403, 401, 429]
    assert left(replies[2]) == '"default";r=1'


def secured(build: Build, failures: str = "3 per hour") -> FlaskClient:
    paths = {
        "/a": {"get": operation("read", security=[{"basic": []}])},
        "/free": {"get": operation("free")},
        "/maybe": {"get": operation("maybe", security=[{}, {"basic": []}])},
    }
    settings = Settings(rate_limit_failures=failures)
    return build(contract(paths), settings=settings, read=nothing, free=nothing, maybe=nothing)


def test_an_address_that_sends_too_many_wrong_credentials_is_not_listened_to(build: Build, asked: list[str]) -> None:
    client = secured(build)
    replies = [ask(client, headers=basic("anna", "wrong")) for _ in range(6)]
    assert [one.status_code for one in replies] == [401, 401, 401, 429, 429, 429]
    assert "WWW-Authenticate" in replies[0].headers
    assert 3590 < int(replies[4].headers["Retry-After"]) <= 3600
    assert problem(replies[4], 429)["detail"] == "Too many wrong credentials came from this address."
    assert len(asked) == 4
    assert ask(client, headers=basic("anna", "anna"[::-1])).status_code == 429
    assert ask(client, "/maybe").status_code == 429
    assert ask(client, "/free").status_code == 200
    assert ask(client, headers=basic("anna", "anna"[::-1]), address="192.0.2.2").status_code == 200


def test_right_credentials_and_none_at_all_are_no_failures(build: Build, asked: list[str]) -> None:
    client = secured(build)
    assert {ask(client).status_code for _ in range(10)} == {401}
    assert {ask(client, headers=basic("anna", "anna"[::-1])).status_code for _ in range(10)} == {200}
    assert ask(client, headers=basic("anna", "wrong")).status_code == 401


@pytest.mark.parametrize(
    "refusal", [Unauthorized("No."), ProblemException(status=401), Unauthenticated(), Forbidden("No."), BadGateway()]
)
def test_a_hook_that_raises_401_has_refused_credentials_and_with_another_status_not(
    build: Build, module: Module, refusal: Exception
) -> None:
    def check(username: str, password: str) -> None:
        raise refusal

    module("sec", basic=check)
    client = secured(build)
    statuses = [ask(client, headers=basic("anna", "anna")).status_code for _ in range(4)]
    usual = getattr(refusal, "status", None) or getattr(refusal, "code", None)
    assert statuses == [usual] * 3 + [429 if usual == 401 else usual]


def test_no_limit_of_wrong_credentials_is_none(build: Build, asked: list[str]) -> None:
    client = secured(build, "")
    assert {ask(client, headers=basic("anna", "wrong")).status_code for _ in range(10)} == {401}


# Storages


def test_counts_in_the_database_are_kept_by_the_application(build: Build, tmp_path: Path) -> None:
    settings = Settings(rate_limit_storage="database", database_url=f"sqlite:///{tmp_path}/counts.sqlite")
    one = contract({"/a": {"get": operation("read", **{"x-rate-limit": "3/hour"})}})
    first = build(one, settings=settings, read=nothing)
    second = build(one, settings=settings, read=nothing)
    assert [ask(client).status_code for client in (first, second) * 3] == [200, 200, 200, 429, 429, 429]


def test_a_storage_that_is_away_ends_nothing_and_the_limit_holds(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(rate_limit_storage="redis://127.0.0.1:1/0")
    client = build(
        contract({"/a": {"get": operation("read", **{"x-rate-limit": "3/hour"})}}), settings=settings, read=nothing
    )
    assert [ask(client).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert [record.levelno for record in caplog.records if record.name == "demijohn"] == [logging.ERROR]


def test_a_missing_table_ends_nothing(build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        connection.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    connection.close()
    settings = Settings(rate_limit_storage="database", database_url=f"sqlite:///{tmp_path}/old.sqlite")
    client = build(
        contract({"/a": {"get": operation("read", **{"x-rate-limit": "3/hour"})}}), settings=settings, read=nothing
    )
    assert [ask(client).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert "no such table: demijohn_rate_limit" in caplog.text


def test_the_limiter_of_an_application_can_be_had(build: Build) -> None:
    client = build(contract({"/a": {"get": operation("read")}}), read=nothing)
    assert limiter_of(client.application).failures is not None


@pytest.mark.parametrize("storage", ["memory", "database"])
def test_operations_that_are_statements_are_limited_like_others(tmp_path: Path, storage: str) -> None:
    paths = {"/members": {"get": listed("Member"), "x-rate-limit": "2/hour"}}
    members = Members(f"sqlite:///{tmp_path}/members.sqlite", tmp_path, paths, rate_limit_storage=storage)
    metadata.create_all(members.engine)
    replies = [members("GET", "/members") for _ in range(3)]
    members.close()
    assert [one.status_code for one in replies] == [200, 200, 429]
    assert [left(one) for one in replies] == ['"default";r=1', '"default";r=0', '"default";r=0']
    assert replies[0].headers.getlist("RateLimit-Policy") == ['"default";q=2;w=3600']
