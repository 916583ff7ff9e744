"""Answers at their edges: encodings, empty bodies, who gets a Flask response."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response, after_this_request, request, session
from flask.testing import FlaskClient

from demijohn import BindingError, NoContent, Settings

Build = Callable[..., FlaskClient]

JSON: dict[str, Any] = {"content": {"application/json": {}}}


def contract(responses: dict[str, Any], **operation: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/": {"get": {"operationId": "read", "responses": responses, **operation}}},
    }


OK = {"200": {"description": "ok", **JSON}}


class Point(NamedTuple):
    x: int
    y: int


class Markup:
    def __html__(self) -> str:
        return "<b>"

    def __str__(self) -> str:
        return "bold"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        ({3}, "[3]"),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (b"bytes", '"bytes"'),
        (Markup(), '"bold"'),
        ((n for n in (1, 2)), "[1,2]"),
        (range(2), "[0,1]"),
    ],
)
def test_values_take_their_json_form(build: Build, value: Any, text: str) -> None:
    reply = build(contract(OK), read=lambda: {"v": value}).get("/")
    assert reply.text == f'{{"v":{text}}}'


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), object(), {1: 2}, b"\xff", "\ud800"])
def test_what_has_no_json_form_is_a_500(build: Build, value: Any) -> None:
    reply = build(contract(OK), read=lambda: {"v": value}).get("/")
    assert (reply.status_code, reply.content_type) == (500, "application/problem+json")


def test_a_float_that_json_cannot_say_breaks_the_contract_that_demands_a_number(build: Build) -> None:
    number = {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "number"}}}}}
    assert build(contract(number), read=lambda: float("nan")).get("/").status_code == 500


@pytest.mark.parametrize("status", [200, 202, 204])
def test_no_content_is_an_empty_answer_with_any_status(build: Build, status: int) -> None:
    reply = build(contract({str(status): {"description": "ok", **JSON}}), read=lambda: (NoContent, status)).get("/")
    assert (reply.status_code, reply.data, "Content-Type" in reply.headers) == (status, b"", False)


@pytest.mark.parametrize(
    ("result", "content_type", "data"),
    [
        ({"a": 1}, "application/json", b'{"a":1}'),
        ("text", "text/plain; charset=utf-8", b"text"),
        (b"\x00", "application/octet-stream", b"\x00"),
        (memoryview(b"m"), "application/octet-stream", b"m"),
        (("<p>", 200, {"Content-Type": "text/html"}), "text/html; charset=utf-8", b"<p>"),
    ],
)
def test_without_declared_content_the_value_says_what_it_is(
    build: Build, result: Any, content_type: str, data: bytes
) -> None:
    reply = build(contract({"200": {"description": "ok"}}), read=lambda: result).get("/")
    assert (reply.content_type, reply.data) == (content_type, data)


def test_text_is_checked_against_its_schema(build: Build) -> None:
    schema = {"type": "string", "maxLength": 3}
    client = build(
        contract({"200": {"description": "ok", "content": {"text/plain": {"schema": schema}}}}),
        read=lambda: request.args.get("x", "abc"),
    )
    assert client.get("/").text == "abc"
    client = build(
        contract({"200": {"description": "ok", "content": {"text/plain": {"schema": schema}}}}), read=lambda: "abcd"
    )
    assert client.get("/").status_code == 500


def test_an_answer_in_the_wrong_media_type_breaks_the_contract(build: Build) -> None:
    result = ("<p>", 200, {"Content-Type": "text/html"})
    assert build(contract(OK), read=lambda: result).get("/").status_code == 500
    broken = ("{", 200, {"Content-Type": "application/json"})
    unchecked = Response("{", mimetype="application/json")
    schema = {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}
    assert build(contract(schema), read=lambda: broken).get("/").status_code == 500
    assert build(contract(schema), read=lambda: unchecked).get("/").status_code == 500


def test_a_header_of_the_handler_goes_before_ours(build: Build) -> None:
    policy = "default-src 'self'"
    reply = build(contract(OK), read=lambda: ({}, {"Content-Security-Policy": policy, "ETag": '"mine"'})).get("/")
    assert reply.headers.getlist("Content-Security-Policy") == [policy]
    assert reply.headers.getlist("ETag") == ['"mine"']


def test_any_tag_matches_a_star(build: Build) -> None:
    client = build(contract(OK), read=dict)
    assert client.get("/", headers={"If-None-Match": "*"}).status_code == 304


def test_after_this_request_works(build: Build) -> None:
    def read() -> dict[str, Any]:
        @after_this_request
        def add(response: Response) -> Response:
            response.headers["X-Late"] = "yes"
            return response

        return {}

    assert build(contract(OK), read=read).get("/").headers["X-Late"] == "yes"


def test_a_session_that_was_read_varies_by_cookie(build: Build) -> None:
    app = Flask("small")
    app.secret_key = "k" * 32
    client = build(contract(OK), app=app, read=lambda: {"seen": session.get("seen")})
    assert client.get("/").headers["Vary"] == "Cookie"


def test_a_subclass_of_flask_sees_every_response(build: Build) -> None:
    class Signed(Flask):
        def process_response(self, response: Response) -> Response:
            response.headers["X-Signed"] = "yes"
            return super().process_response(response)

    client = build(contract(OK | {"204": {"description": "gone"}}), app=Signed("small"), read=dict)
    assert client.get("/").headers["X-Signed"] == "yes"


def test_an_empty_answer_has_no_type_on_flasks_way_either(build: Build) -> None:
    app = Flask("small")
    app.after_request(lambda response: response)
    client = build(contract({"204": {"description": "gone"}}), app=app, read=lambda: None)
    reply = client.get("/")
    assert (reply.status_code, {"Content-Type", "Content-Length"} & set(reply.headers.keys())) == (204, set())


def test_an_unnamed_status_is_sent_as_it_is(build: Build) -> None:
    client = build(contract(OK), settings=Settings(validate_responses=False), read=lambda: ({}, 299))
    assert client.get("/").status == "299 Unknown"


def test_the_smaller_of_two_body_limits_holds(build: Build) -> None:
    app = Flask("small")
    app.config["MAX_CONTENT_LENGTH"] = 5
    document = contract(OK)
    post = {"operationId": "create", "requestBody": JSON, "responses": OK}
    document["paths"]["/"]["post"] = post
    client = build(document, app=app, read=dict, create=lambda body: body)
    assert client.post("/", json=[1]).status_code == 200
    assert client.post("/", json=[1, 2, 3]).status_code == 413


def test_an_async_handler_needs_what_flask_needs_for_it(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Flask, function: Any) -> Any:
        raise RuntimeError("Install Flask with the 'async' extra in order to use async views.")

    monkeypatch.setattr(Flask, "async_to_sync", refuse)

    async def read() -> dict[str, Any]:
        return {}

    with pytest.raises(BindingError, match="async"):
        build(contract(OK), read=read)


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "a\r\nSet-Cookie: b=c"}, {"X-A": "snow \u2603"}, {"X A": "a"}, {"Content-Type": "text/html\nX: y"}],
)
def test_a_header_that_cannot_be_sent_is_a_500_and_not_sent(build: Build, headers: dict[str, str]) -> None:
    for settings in (Settings(), Settings(validate_responses=False)):
        reply = build(contract({"200": {"description": "ok"}}), settings=settings, read=lambda: ("x", headers)).get("/")
        assert (reply.status_code, reply.content_type) == (500, "application/problem+json")
        assert not {"Set-Cookie", "X-A", "X A", "X"} & set(reply.headers.keys())


@pytest.mark.parametrize("status", [0, 99, 600, True, -1])
def test_a_status_that_http_does_not_have_is_a_500(build: Build, status: int) -> None:
    client = build(contract({"default": {"description": "any"}}), read=lambda: ("x", status))
    assert client.get("/").status_code == 500


def test_text_that_has_no_bytes_is_a_broken_promise(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    client = build(contract({"200": {"description": "ok", "content": {"text/plain": {}}}}), read=lambda: "\ud800")
    assert client.get("/").status_code == 500
    assert "operation read" in caplog.text
