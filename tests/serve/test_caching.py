"""What is answered to one caller is kept for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from demijohn import Settings

Build = Callable[..., FlaskClient]

SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "who.any"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key", "x-apikeyInfoFunc": "who.key"},
    "query": {"type": "apiKey", "in": "query", "name": "key", "x-apikeyInfoFunc": "who.key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "key", "x-apikeyInfoFunc": "who.key"},
}
ANN = {"Authorization": "Bearer ann"}


@pytest.fixture
def client(build: Build, module: Callable[..., None]) -> Callable[..., FlaskClient]:
    """Return what serves an operation with security, and the function behind it."""
    module("who", any=lambda token: {"sub": token}, key=lambda apikey: {"sub": apikey})

    def make(*security: Any, read: Callable[..., Any] = lambda user: {"user": user}, **more: Any) -> FlaskClient:
        fine = {"200": {"description": "ok", "content": {"application/json": {}}}}
        operation = {"operationId": "read", "security": list(security), "responses": fine}
        contract = {
            "openapi": "3.1.0",
            "info": {"title": "T", "version": "1"},
            "paths": {"/a": {"get": operation}},
            "components": {"securitySchemes": SCHEMES},
            **more.pop("extensions", {}),
        }
        return build(contract, read=read, **more).application.test_client(use_cookies=False)

    return make


@pytest.mark.parametrize(
    ("security", "sent", "vary"),
    [
        ([{"token": []}], {"headers": ANN}, "Authorization"),
        ([{"header": []}], {"headers": {"X-Key": "k"}}, "X-Key"),
        ([{"cookie": []}], {"headers": {"Cookie": "key=k"}}, "Cookie"),
        ([{"query": []}], {"query_string": "key=k"}, None),
        ([{"token": []}, {"cookie": []}, {"token": ["x"]}], {"headers": ANN}, "Authorization, Cookie"),
    ],
)
def test_an_answer_to_a_caller_is_private(
    client: Callable[..., FlaskClient], security: list[Any], sent: Any, vary: str | None
) -> None:
    response = client(*security).get("/a", **sent)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "private")
    assert response.headers.get("Vary") == vary


def test_an_answer_to_anybody_varies_and_is_not_private(client: Callable[..., FlaskClient]) -> None:
    optional = client({}, {"token": []})
    anybody = optional.get("/a")
    assert "Cache-Control" not in anybody.headers
    assert anybody.headers["Vary"] == "Authorization"
    assert optional.get("/a", headers=ANN).headers["Cache-Control"] == "private"


def test_an_operation_without_security_says_nothing_of_it(client: Callable[..., FlaskClient]) -> None:
    response = client().get("/a")
    assert "Cache-Control" not in response.headers
    assert "Vary" not in response.headers


def test_what_a_handler_says_itself_stays(client: Callable[..., FlaskClient]) -> None:
    own = {"cache-control": "public, max-age=60", "vary": "Accept-Language"}
    response = client({"token": []}, read=lambda: ({}, own)).get("/a", headers=ANN)
    assert response.headers.getlist("Cache-Control") == ["public, max-age=60"]
    assert response.headers.getlist("Vary") == ["Accept-Language, Authorization"]


def test_a_response_of_the_handlers_own_is_private_too(client: Callable[..., FlaskClient]) -> None:
    def read() -> Response:
        return Response("{}", mimetype="application/json", headers={"Vary": "Accept-Language"})

    response = client({"token": []}, read=read).get("/a", headers=ANN)
    assert response.headers["Cache-Control"] == "private"
    assert response.headers.getlist("Vary") == ["Accept-Language, Authorization"]

    def said() -> Response:
        return Response("{}", mimetype="application/json", headers={"Cache-Control": "no-store"})

    assert client({"token": []}, read=said).get("/a", headers=ANN).headers.getlist("Cache-Control") == ["no-store"]


def test_a_304_says_it_again(client: Callable[..., FlaskClient]) -> None:
    served = client({"token": []}, extensions={"x-cors": {"origins": ["https://good.example"]}})
    tag = served.get("/a", headers=ANN).headers["ETag"]
    response = served.get("/a", headers=ANN | {"If-None-Match": tag, "Origin": "https://good.example"})
    assert response.status_code == 304
    assert response.headers["Cache-Control"] == "private"
    assert response.headers.getlist("Vary") == ["Authorization, Origin"]
    assert response.headers["Access-Control-Allow-Origin"] == "https://good.example"
    assert response.headers["ETag"] == tag


def test_an_error_is_stored_by_nobody(client: Callable[..., FlaskClient]) -> None:
    served = client({"token": []})
    for response in (served.get("/a"), served.get("/a?x=1", headers=ANN), served.get("/none")):
        assert response.status_code >= 400
        assert response.headers.getlist("Cache-Control") == ["no-store"]


def test_it_is_said_with_flask_around_it_as_well(client: Callable[..., FlaskClient]) -> None:
    app = Flask("small")
    app.after_request(lambda response: response)
    response = client({"token": []}, app=app).get("/a", headers=ANN)
    assert response.headers.getlist("Cache-Control") == ["private"]
    assert response.headers.getlist("Vary") == ["Authorization"]


def vary_of(build: Build, operation: dict[str, Any], method: str = "get", **more: Any) -> str | None:
    contract = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {method: {"operationId": "read", **operation}}},
        "components": {"securitySchemes": SCHEMES},
    }
    client = build(contract, **({"read": lambda **_: "{}"} | more)).application.test_client(use_cookies=False)
    response = client.open("/a", method=method.upper(), headers=ANN)
    assert response.status_code == 200, response.text
    assert client.open("/a", method=method.upper(), headers=ANN | {"Accept": "image/png"}).status_code == 406
    return response.headers.get("Vary")


ONE: dict[str, Any] = {"application/json": {}}
TWO: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}, "application/json": {}}
HEADERS = [
    {"in": "header", "name": name, "schema": {"type": "string"}}
    for name in ("Accept-Language", "If-Match", "if-none-match", "X-Request-ID", "accept", "x-key")
]
KEY_OR_TOKEN: list[Any] = [{"header": []}, {"token": []}]


@pytest.mark.parametrize(
    ("contents", "more", "vary"),
    [
        (ONE, {}, None),
        (TWO, {}, "Accept"),
        (TWO, {"security": [{"token": []}]}, "Authorization, Accept"),
        (ONE, {"parameters": HEADERS}, "Accept-Language, x-key"),
        (ONE, {"parameters": HEADERS, "security": KEY_OR_TOKEN}, "X-Key, Authorization, Accept-Language"),
        (
            ONE,
            {"parameters": [{"in": "cookie", "name": "c", "schema": {}}, {"in": "query", "name": "q", "schema": {}}]},
            "Cookie",
        ),
    ],
)
def test_an_answer_varies_by_what_the_contract_lets_decide(
    build: Build, module: Callable[..., None], contents: Any, more: Any, vary: str | None
) -> None:
    module("who", any=lambda token: {"sub": token}, key=lambda apikey: {"sub": apikey})
    operation = {"responses": {"200": {"description": "ok", "content": contents}}, **more}
    assert vary_of(build, operation) == vary


def test_the_answer_to_a_post_varies_by_nothing_that_only_a_cache_minds(build: Build) -> None:
    operation = {"responses": {"200": {"description": "ok", "content": TWO}}, "parameters": HEADERS}
    assert vary_of(build, operation, "post") is None


def test_a_mocked_answer_varies_by_what_is_preferred(build: Build) -> None:
    operation = {"responses": {"200": {"description": "ok", "content": {"application/json": {"example": {}}}}}}
    assert vary_of(build, operation, settings=Settings(unbound="mock"), read=None) == "Prefer"
