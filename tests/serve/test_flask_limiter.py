"""Flask-Limiter beside Demijohn: in blueprints as its documentation says, and over operations as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from small_apis import problem

Build = Callable[..., FlaskClient]
FINE = {"200": {"description": "ok", "content": {"application/json": {}}}}
CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Small", "version": "1"},
    "paths": {
        "/limited": {"get": {"operationId": "read", "x-rate-limit": "2/hour", "responses": FINE}},
        "/plain": {"get": {"operationId": "other", "responses": FINE}},
    },
}


@pytest.fixture
def limiters() -> Iterator[Callable[..., Limiter]]:
    """Return what makes a Flask-Limiter; its storage has a thread that ends with the test."""
    made: list[Limiter] = []

    def make(app: Flask, **options: Any) -> Limiter:
        made.append(Limiter(get_remote_address, app=app, storage_uri="memory://", headers_enabled=True, **options))
        return made[-1]

    yield make
    for one in made:
        one.storage.timer.join()  # type: ignore[attr-defined]  # it is the one in memory


def read() -> dict[str, Any]:
    return {}


def test_a_blueprint_has_the_limits_that_flask_limiter_gives_it(build: Build, limiters: Callable[..., Limiter]) -> None:
    app = Flask("small")
    limiter = limiters(app)
    blueprint = Blueprint("legacy", __name__)

    @blueprint.get("/legacy")
    @limiter.limit("1/hour")
    def legacy() -> str:
        return "fine"

    @blueprint.get("/second")
    def second() -> str:
        return "fine"

    limiter.limit("3/hour")(blueprint)
    app.register_blueprint(blueprint)
    client = build(CONTRACT, app=app, read=read, other=read)
    replies = [client.get("/legacy") for _ in range(2)]
    assert [one.status_code for one in replies] == [200, 429]
    assert replies[0].headers["X-RateLimit-Limit"] == "1"
    assert problem(replies[1], 429)["code"] == "too-many-requests"
    assert [client.get("/second").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [client.get("/limited").status_code for _ in range(3)] == [200, 200, 429]
    assert {client.get("/plain").status_code for _ in range(5)} == {200}
    assert "RateLimit" not in client.get("/second").headers


def test_its_limits_of_the_whole_application_are_for_operations_too(
    build: Build, limiters: Callable[..., Limiter]
) -> None:
    app = Flask("small")
    limiters(app, application_limits=["3/hour"])
    client = build(CONTRACT, app=app, read=read, other=read)
    assert [client.get("/plain").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
