"""Security headers go with every answer, by its kind; the application's own go before ours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort, jsonify, send_file
from flask.testing import FlaskClient

from demijohn import Settings

Build = Callable[..., FlaskClient]

ANY = {"200": {"description": "fine", "content": {"application/json": {}}}}
OWN = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=1",
}


def contract() -> dict[str, Any]:
    body: dict[str, Any] = {"content": {"application/json": {}}}
    operation = {"operationId": "read", "responses": ANY}
    paths = {"/a": {"get": operation, "put": {**operation, "operationId": "replace", "requestBody": body}}}
    paths["/broken"] = {"get": {**operation, "operationId": "broken"}}
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths}


def own_headers() -> Response:
    return Response("<p>", headers=OWN)


@pytest.fixture
def client(build: Build, tmp_path: Path) -> FlaskClient:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.js").write_text("1")
    app = Flask("small", root_path=str(tmp_path))
    app.add_url_rule("/page", "page", lambda: "<p>")
    app.add_url_rule("/data", "data", lambda: jsonify(a=1))
    app.add_url_rule("/own", "own", own_headers)
    app.add_url_rule("/file", "file", lambda: send_file(tmp_path / "static" / "a.js"))
    app.add_url_rule("/abort", "abort", lambda: abort(Response("mine", 403)))
    app.add_url_rule("/fails", "fails", lambda: str(1 / 0))
    functions = {"read": dict, "replace": lambda body=None: {}, "broken": lambda: 1 / 0}
    return build(contract(), app=app, settings=Settings(max_body_bytes=5), **functions)


ROUTES = [
    ("GET", "/a", 200), ("HEAD", "/a", 200), ("OPTIONS", "/a", 204), ("POST", "/a", 405), ("GET", "/a?x=1", 400),
    ("PUT", "/a", 413), ("GET", "/broken", 500), ("GET", "/none", 404), ("GET", "/openapi.json", 200),
    ("GET", "/openapi.yaml", 200), ("GET", "/ui", 308), ("GET", "/ui/", 200), ("GET", "/ui/start.js", 200),
    ("GET", "/ui/swagger-ui.css", 200), ("GET", "/ui/nothing.js", 404), ("GET", "/page", 200), ("POST", "/page", 405),
    ("OPTIONS", "/page", 200), ("GET", "/data", 200), ("GET", "/file", 200), ("GET", "/abort", 403),
    ("GET", "/fails", 500), ("GET", "/static/a.js", 200), ("GET", "/static/none.js", 404), ("TRACE", "/a", 405),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_answer_is_protected(client: FlaskClient, method: str, path: str, status: int, scheme: str) -> None:
    data = "[1,2,3,4]" if method == "PUT" else None
    address = f"{scheme}://localhost"
    response = client.open(path, method=method, data=data, content_type="application/json", base_url=address)
    assert response.status_code == status
    assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    (policy,) = response.headers.getlist("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "object-src 'none'" in policy or "default-src 'none'" in policy
    assert len(response.headers.getlist("Referrer-Policy")) == 1
    expected = ["max-age=31536000"] if scheme == "https" else []
    assert response.headers.getlist("Strict-Transport-Security") == expected
    assert len(response.headers.getlist("X-Request-ID")) == 1
    response.close()


def test_data_may_load_nothing_and_a_page_what_it_likes(client: FlaskClient) -> None:
    for path in ("/a", "/data", "/none", "/openapi.json", "/openapi.yaml"):
        assert client.get(path).headers["Content-Security-Policy"].startswith("default-src 'none'"), path
    for path in ("/page", "/static/a.js"):
        with client.get(path) as response:
            assert "default-src" not in response.headers["Content-Security-Policy"], path


def test_what_the_application_sets_itself_stays(client: FlaskClient) -> None:
    response = client.get("/own", base_url="https://localhost")
    for name, value in OWN.items():
        assert response.headers.getlist(name) == [value]


def test_a_304_does_not_change_the_headers_that_were_kept(client: FlaskClient) -> None:
    for path in ("/openapi.json", "/ui/swagger-ui.css"):
        with client.get(path) as first, client.get(path, headers={"If-None-Match": first.headers["ETag"]}) as again:
            assert again.status_code == 304
            assert again.headers.get("Content-Security-Policy") in (None, first.headers["Content-Security-Policy"])


@pytest.mark.parametrize(
    ("hsts", "expected"), [("", None), ("max-age=5; includeSubDomains", "max-age=5; includeSubDomains")]
)
def test_transport_security_is_a_setting(build: Build, hsts: str, expected: str | None) -> None:
    functions = {"read": dict, "replace": dict, "broken": dict}
    client = build(contract(), settings=Settings(hsts=hsts), **functions)
    assert client.get("/a", base_url="https://localhost").headers.get("Strict-Transport-Security") == expected
    assert "Strict-Transport-Security" not in client.get("/a").headers


def test_transport_security_is_told_behind_a_proxy_that_ends_tls(build: Build) -> None:
    functions = {"read": dict, "replace": dict, "broken": dict}
    client = build(contract(), settings=Settings(trusted_proxies="127.0.0.1"), **functions)
    secure = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    assert "Strict-Transport-Security" in client.get("/a", headers=secure).headers
    elsewhere = {"REMOTE_ADDR": "127.0.0.2"}
    assert "Strict-Transport-Security" not in client.get("/a", headers=secure, environ_overrides=elsewhere).headers


def test_an_event_in_the_log_is_one_line_whatever_the_path_holds(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("small")
    app.before_request(lambda: str(1 / 0))
    functions = {"read": dict, "replace": dict, "broken": dict}
    client = build(contract(), app=app, **functions)
    with caplog.at_level(logging.INFO):
        response = client.get('/x%0A{"level":"fake"}%1B[31m%0D%E2%80%A8', headers={"X-Request-ID": "a\x1bb"})
    assert response.status_code == 500
    messages = [record.getMessage() for record in caplog.records]
    assert any("\\n" in message and response.headers["X-Request-ID"] in message for message in messages)
    assert all(message.isprintable() for message in messages)


def test_an_application_that_logs_failures_itself_goes_on_doing_so(build: Build) -> None:
    logged: list[Any] = []

    class Own(Flask):
        def log_exception(self, exc_info: Any, *_: Any) -> None:
            logged.append(exc_info)

    functions = {"read": dict, "replace": dict, "broken": lambda: 1 / 0}
    assert build(contract(), app=Own("small"), **functions).get("/broken").status_code == 500
    assert len(logged) == 1
