"""The served contract is the one that was written, and the docs page lets nothing else in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

from demijohn import Settings

Build = Callable[..., FlaskClient]

YAML = """\
# A comment that stays.
openapi: 3.1.0
info: {title: "<b>T</b> & co", version: "1"}
paths:
  /a:
    get:
      operationId: read
      responses:
        200: {description: 2026-01-31}
"""
JSON: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "T", "version": "1"},
    "paths": {"/a": {"get": {"operationId": "read", "responses": {"200": {"description": "ok"}}}}},
}


def test_yaml_is_served_as_written_and_as_json(build: Build) -> None:
    client = build(YAML, base_path="/v1", read=lambda: None)
    reply = client.get("/v1/openapi.yaml")
    assert (reply.text, reply.content_type) == (YAML, "application/yaml")
    as_json = client.get("/v1/openapi.json").json
    assert as_json is not None
    assert as_json["paths"]["/a"]["get"]["responses"] == {"200": {"description": "2026-01-31"}}
    assert client.get("/v1/swagger.json").status_code == 404


def test_json_is_served_as_written_and_as_yaml(build: Build) -> None:
    client = build(JSON, read=lambda: None)
    assert client.get("/openapi.json").json == JSON
    assert yaml.safe_load(client.get("/openapi.yaml").data) == JSON


def test_swagger_2_is_also_served_under_its_old_name(build: Build) -> None:
    document = {"swagger": "2.0", "info": JSON["info"], "basePath": "/old", "paths": JSON["paths"]}
    client = build(document, read=lambda: None)
    assert client.get("/old/swagger.json").json == client.get("/old/openapi.json").json == document
    assert client.get("/old/swagger.yaml").status_code == 200


def test_documents_are_revalidated_by_their_tag(build: Build) -> None:
    client = build(JSON, read=lambda: None)
    tag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_the_page_loads_only_from_its_own_server(build: Build) -> None:
    client = build(YAML, base_path="/v1", read=lambda: None)
    reply = client.get("/v1/ui/")
    assert reply.status_code == 200
    assert "&lt;b&gt;T&lt;/b&gt; &amp; co" in reply.text
    assert not re.search(r"https?:", reply.text)
    policy = reply.headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    for name in re.findall(r'(?:src|href)="([\w.-]+)"', reply.text):
        with client.get(f"/v1/ui/{name}") as asset:
            assert asset.status_code == 200, name


def test_the_page_has_one_address(build: Build) -> None:
    client = build(YAML, base_path="/v1", read=lambda: None)
    reply = client.get("/v1/ui")
    assert (reply.status_code, reply.headers["Location"]) == (308, "/v1/ui/")
    assert client.get("/v1/ui", follow_redirects=True).request.path == "/v1/ui/"


@pytest.mark.parametrize("query", ["?url=https://evil.example/x.json", "?configUrl=https://evil.example/x"])
def test_the_page_takes_no_orders_from_its_address(build: Build, query: str) -> None:
    client = build(YAML, read=lambda: None)
    assert client.get(f"/ui/{query}").text == client.get("/ui/").text
    script = client.get("/ui/start.js").text
    assert "queryConfigEnabled: false" in script
    assert "location.search" not in script


@pytest.mark.parametrize("name", ["../pages.py", "%2e%2e%2fpages.py", "index.html", "swagger-ui.js.map", "x"])
def test_no_other_file_is_served(build: Build, name: str) -> None:
    client = build(YAML, read=lambda: None)
    assert client.get(f"/ui/{name}").status_code == 404


def test_both_can_be_switched_off(build: Build) -> None:
    client = build(JSON, settings=Settings(docs_ui=False), read=lambda: None)
    assert (client.get("/ui/").status_code, client.get("/openapi.json").status_code) == (404, 200)
    client = build(JSON, settings=Settings(docs_contract=False), read=lambda: None)
    assert (client.get("/ui/").status_code, client.get("/openapi.json").status_code) == (404, 404)


def test_only_the_files_that_the_contract_refers_to_are_served(build: Build, files: Callable[..., None]) -> None:
    files(**{"part.yaml": "type: integer\n", "secret.yaml": "password: x\n"})
    schema = {"application/json": {"schema": {"$ref": "part.yaml"}}}
    document = JSON | {
        "paths": {
            "/a": {"get": {"operationId": "read", "responses": {"200": {"description": "ok", "content": schema}}}}
        }
    }
    client = build(document, read=lambda: 1)
    assert client.get("/part.yaml").text == "type: integer\n"
    assert client.get("/secret.yaml").status_code == 404


MOUNTED = {"SCRIPT_NAME": "/shop"}


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (None, [{"url": "/shop/v1"}]),
        ([], [{"url": "/shop/v1"}]),
        ([{"url": "/"}], [{"url": "/shop"}]),
        (
            [
                {"url": "/api/", "description": "Here."},
                {"url": "https://example.org/api"},
                {"url": "//example.org/api"},
            ],
            [
                {"url": "/shop/api", "description": "Here."},
                {"url": "https://example.org/api"},
                {"url": "//example.org/api"},
            ],
        ),
        ([{"url": "{base}/api"}], [{"url": "{base}/api"}]),
    ],
)
def test_the_servers_are_below_the_path_that_the_application_is_mounted_at(
    build: Build, servers: Any, expected: Any
) -> None:
    written = JSON if servers is None else JSON | {"servers": servers}
    if servers and servers[0]["url"].startswith("{"):
        servers[0]["variables"] = {"base": {"default": "/x"}}
        expected[0]["variables"] = servers[0]["variables"]
    client = build(written, base_path="/v1", read=lambda: None)
    reply = client.get("/v1/openapi.json", environ_overrides=MOUNTED)
    assert reply.json == JSON | {"servers": expected}
    assert yaml.safe_load(client.get("/v1/openapi.yaml", environ_overrides=MOUNTED).data) == reply.json
    plain = client.get("/v1/openapi.json")
    assert plain.json == written
    assert plain.headers["ETag"] != reply.headers["ETag"]


def test_the_base_path_of_swagger_2_is_below_the_path_that_the_application_is_mounted_at(build: Build) -> None:
    document = {"swagger": "2.0", "info": JSON["info"], "basePath": "/old", "paths": JSON["paths"]}
    client = build(document, read=lambda: None)
    for name in ("openapi.json", "swagger.json"):
        assert client.get(f"/old/{name}", environ_overrides=MOUNTED).json == document | {"basePath": "/shop/old"}


def test_the_page_leads_to_where_the_application_is_mounted(build: Build) -> None:
    client = build(JSON, base_path="/v1", read=lambda: None)
    assert '"server":"/shop/v1"' in client.get("/v1/ui/start.js", environ_overrides=MOUNTED).text
    assert client.get("/v1/ui", environ_overrides=MOUNTED).headers["Location"] == "/shop/v1/ui/"
