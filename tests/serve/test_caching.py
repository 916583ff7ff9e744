"""What is answered to one caller is kept for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

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
