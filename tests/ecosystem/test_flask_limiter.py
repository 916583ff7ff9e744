"""Flask-Limiter: limits of its own in a blueprint and on a handler, and its defaults on contract operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint
from flask.testing import FlaskClient
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from notes import Notes
from small_apis import STRING, answers, problem, whole


def statuses(client: FlaskClient, path: str, times: int, **options: Any) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(times)]


def test_a_limit_in_a_blueprint_holds_beside_statements(notes: Callable[..., Notes]) -> None:
    shop = notes()
    limiter = Limiter(get_remote_address, app=shop.app, storage_uri="memory://", headers_enabled=True)
    slow = Blueprint("slow", __name__)

    @slow.get("/slow")
    @limiter.limit("2 per minute")
    def view() -> dict[str, bool]:
        return {"slow": True}

    shop.app.register_blueprint(slow)
    client = shop.serve()
    assert statuses(client, "/slow", 2) == [200, 200]
    refused = client.get("/slow")
    problem(refused, 429)
    assert refused.headers["X-RateLimit-Limit"] == "2"
    other = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}}
    assert statuses(client, "/slow", 3, **other) == [200, 200, 429]
    assert statuses(client, "/notes", 5) == [200] * 5


def test_its_default_limits_hold_for_contract_operations(notes: Callable[..., Notes]) -> None:
    shop = notes()

    def hello() -> dict[str, str]:
        return {"text": "Hello"}

    Limiter(get_remote_address, app=shop.app, storage_uri="memory://", default_limits=["3 per minute"])
    paths = {"/hello": {"get": {"operationId": "hello", "responses": answers(whole(text=STRING))}}}
    client = shop.serve(paths, hello=hello)
    for path in ("/notes", "/hello"):
        assert statuses(client, path, 4) == [200, 200, 200, 429], path
    problem(client.get("/notes"), 429)


def test_a_limit_on_a_handler_holds(notes: Callable[..., Notes]) -> None:
    shop = notes()
    limiter = Limiter(get_remote_address, app=shop.app, storage_uri="memory://")

    @limiter.limit("1 per minute")
    def hello(name: str) -> dict[str, str]:
        return {"text": f"Hello, {name}"}

    paths = {
        "/hello/{name}": {
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": STRING}],
            "get": {"operationId": "hello", "responses": answers(whole(text=STRING))},
        }
    }
    client = shop.serve(paths, hello=hello)
    assert client.get("/hello/Ann").get_json() == {"text": "Hello, Ann"}
    problem(client.get("/hello/Ann"), 429)
