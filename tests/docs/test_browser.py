"""Swagger UI in a real browser: it renders, tries an operation out, and talks to nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

Build = Callable[..., FlaskClient]

NODE = {
    "type": "object",
    "example": {"n": 1},
    "properties": {"next": {"$ref": "#/components/schemas/Node"}, "n": {"type": "integer"}},
}
PART = {"type": "object", "properties": {"note": {"type": "string"}, "again": {"$ref": "part.json"}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Shown",
        "version": "1",
        "description": "**bold**",
    },
    "servers": [{"url": "https://api.example.com/v1"}],
    "components": {"schemas": {"Node": NODE}},
    "paths": {
        "/nodes": {
            "post": {
                "operationId": "create",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}},
                "responses": {
                    "200": {"description": "made", "content": {"application/json": {"schema": {"$ref": "part.json"}}}}
                },
            }
        }
    },
}


@contextmanager
def serving(client: FlaskClient) -> Iterator[str]:
    """Serve an application on a free port."""
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def address(build: Build, files: Callable[..., None]) -> Iterator[str]:
    """Serve the document."""
    files(**{"part.json": json.dumps(PART)})
    with serving(build(DOCUMENT, create=lambda body=None: {"note": "done", "again": {}})) as address:
        yield address


def test_the_page_renders_and_calls_its_own_server(browser: Any, address: str) -> None:
    page = browser.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith(address) else troubles.append(sent.url))
    page.goto(f"{address}/v1/ui/?url=https://evil.example/x.json")
    page.locator(".opblock").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    live = page.locator(".live-responses-table")
    live.wait_for()
    assert page.locator(".request-url").inner_text().endswith(f"{address}/v1/nodes")
    assert "done" in live.inner_text()
    assert "note" in page.locator(".responses-inner").inner_text()
    assert page.locator(".info .title").inner_text().startswith("Shown")
    assert troubles == []


def test_scripts_in_the_contract_do_not_run(browser: Any, address: str, build: Build) -> None:
    attack = '<svg onload="window.hacked=1"></svg><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    info = {"title": attack, "version": attack, "description": attack}
    client = build(DOCUMENT | {"info": info}, create=lambda body=None: {})
    page = browser.new_page()
    with serving(client) as evil:
        page.goto(f"{evil}/v1/ui/")
        page.locator(".opblock").wait_for()
        assert page.evaluate("window.hacked") is None
