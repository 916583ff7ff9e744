"""Fifteen promises, each with its number: what must hold for every contract and every request."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import current_app, g
from flask.testing import FlaskClient

from demijohn import BindingError

Build = Callable[..., FlaskClient]


def contract(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "Promises", "version": "1"}, "paths": paths, **more}


def answer(schema: Any = True, status: str = "200") -> dict[str, Any]:
    return {status: {"description": "fine", "content": {"application/json": {"schema": schema}}}}


def get(operation_id: str, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"get": {"operationId": operation_id, "parameters": list(parameters), "responses": answer(), **more}}


def path_parameter(name: str = "id") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


BEARER = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "auth_hooks.check"}}}


@pytest.fixture
def hooks(module: Callable[..., None]) -> None:
    """Accept the token `good` and no other."""
    module("auth_hooks", check=lambda token: {"sub": "alice", "scope": "read"} if token == "good" else None)


def test_1_routing_decides_once_for_security_and_handler(build: Build, hooks: None) -> None:
    called: list[str] = []

    def secured() -> dict[str, Any]:
        called.append("secured")
        return {}

    def public(id: str) -> dict[str, Any]:
        called.append("public")
        return {}

    client = build(
        contract(
            {
                "/u/{id}": get("public", path_parameter()),
                "/u/me": get("secured", security=[{"token": []}]),
            },
            components=BEARER,
        ),
        public=public,
        secured=secured,
    )
    assert client.get("/u/me").status_code == 401
    assert called == []
    assert client.get("/u/me", headers={"Authorization": "Bearer good"}).status_code == 200
    assert client.get("/u/you").status_code == 200
    assert called == ["secured", "public"]


def test_1_routing_decides_once_for_validation_and_handler(build: Build) -> None:
    body = {"content": {"application/json": {"schema": {"type": "object", "required": ["name"]}}}}
    client = build(
        contract(
            {
                "/u/{id}": {
                    "parameters": [path_parameter()],
                    "post": {"operationId": "loose", "responses": answer()},
                },
                "/u/new": {"post": {"operationId": "strict", "requestBody": body, "responses": answer()}},
            }
        ),
        loose=lambda id: {},
        strict=lambda body: body,
    )
    assert client.post("/u/new", json={}).status_code == 400
    assert client.post("/u/7").status_code == 200


@pytest.mark.parametrize(
    "content_type", ["APPLICATION/JSON", "Application/Json; charset=UTF-8", "application/json;charset=utf-8"]
)
def test_2_media_types_have_no_case_and_may_have_parameters(build: Build, content_type: str) -> None:
    body = {"content": {"application/json": {"schema": {"type": "object", "required": ["name"]}}}}
    client = build(
        contract({"/": {"post": {"operationId": "create", "requestBody": body, "responses": answer()}}}),
        create=lambda body: body,
    )
    assert client.post("/", data=b"{}", content_type=content_type).status_code == 400
    assert client.post("/", data=b'{"name": 1}', content_type=content_type).status_code == 200


def test_3_typed_headers_and_cookies_are_accepted(build: Build) -> None:
    seen: dict[str, Any] = {}
    kinds = {
        "count": {"type": "integer"},
        "flag": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "integer"}},
    }
    headers = [{"name": f"X-{name}", "in": "header", "schema": schema} for name, schema in kinds.items()]
    cookies = [{"name": name, "in": "cookie", "schema": schema, "explode": False} for name, schema in kinds.items()]

    def read(x_count: int, x_flag: bool, x_list: list[int], count: int, flag: bool, list_: Any = None) -> Any:
        seen.update(locals())
        return {}

    client = build(contract({"/": get("read", *headers, *cookies)}), read=read)
    sent = {"X-Count": "1", "X-Flag": "true", "X-List": "1,2", "Cookie": "count=3; flag=false; list=4,5"}
    client = client.application.test_client(use_cookies=False)
    reply = client.get("/", headers=sent)
    assert reply.status_code == 200, reply.text
    assert (seen["x_count"], seen["x_flag"], seen["x_list"]) == (1, True, [1, 2])
    assert (seen["count"], seen["flag"], seen["list_"]) == (3, False, [4, 5])
    assert client.get("/", headers={"X-Count": "one"}).status_code == 400


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"type": "integer"}, {"type": "boolean"}]},
        {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        {"allOf": [{"type": "integer"}, {"minimum": 1}]},
        {"$ref": "#/components/schemas/Number"},
    ],
)
def test_4_a_query_schema_without_a_type_is_understood(build: Build, schema: Any) -> None:
    client = build(
        contract(
            {"/": get("read", {"name": "n", "in": "query", "schema": schema})},
            components={"schemas": {"Number": {"type": "integer"}}},
        ),
        read=lambda n: {"n": n},
    )
    assert client.get("/?n=5").json == {"n": 5}
    assert client.get("/?n=x").status_code == 400


def test_4_a_content_parameter_is_understood(build: Build) -> None:
    parameter = {"name": "f", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}
    client = build(contract({"/": get("read", parameter)}), read=lambda f: f)
    assert client.get("/", query_string={"f": '{"a": [1]}'}).json == {"a": [1]}
    assert client.get("/?f=[1]").status_code == 400
    assert client.get("/?f={").status_code == 400


def test_5_an_operation_overrides_the_parameters_of_its_path(build: Build) -> None:
    loose = {"name": "n", "in": "query", "schema": {"type": "integer", "maximum": 5}}
    strict = {"name": "n", "in": "query", "required": True, "schema": {"type": "integer", "maximum": 100}}
    item = get("read", strict)
    item["parameters"] = [loose]
    client = build(contract({"/": item}), read=lambda n: n)
    assert client.get("/?n=50").json == 50
    reply = client.get("/").json
    assert reply is not None
    assert reply["errors"] == [{"detail": "is required", "in": "query", "name": "n"}]


def test_6_a_comma_within_an_exploded_item_does_not_split_it(build: Build) -> None:
    array = {"type": "array", "items": {"type": "string"}}
    client = build(contract({"/": get("read", {"name": "a", "in": "query", "schema": array})}), read=lambda a: a)
    assert client.get("/?a=1,2&a=3").json == ["1,2", "3"]


@pytest.mark.parametrize(
    ("style", "explode", "path", "value"),
    [
        ("label", False, "/.a,b", ["a", "b"]),
        ("label", True, "/.a.b", ["a", "b"]),
        ("matrix", False, "/;p=a,b", ["a", "b"]),
        ("matrix", True, "/;p=a;p=b", ["a", "b"]),
        ("simple", False, "/a%2Cb,c", ["a,b", "c"]),
    ],
)
def test_6_label_and_matrix_work(build: Build, style: str, explode: bool, path: str, value: Any) -> None:
    array = {"type": "array", "items": {"type": "string"}}
    parameter = path_parameter("p") | {"schema": array, "style": style, "explode": explode}
    client = build(contract({"/{p}": get("read", parameter)}), read=lambda p: p)
    assert client.get(path).json == value


def test_6_object_parameters_work(build: Build) -> None:
    thing = {"type": "object", "properties": {"r": {"type": "integer"}, "g": {"type": "integer"}}}
    parameter = {"name": "color", "in": "query", "style": "deepObject", "schema": thing}
    client = build(contract({"/": get("read", parameter)}), read=lambda color: color)
    assert client.get("/?color[r]=1&color[g]=2").json == {"r": 1, "g": 2}


def test_7_an_absent_optional_body_is_fine(build: Build) -> None:
    body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    client = build(
        contract({"/": {"post": {"operationId": "create", "requestBody": body, "responses": answer()}}}),
        create=lambda body=None: {"got": body},
    )
    assert client.post("/").json == {"got": None}


def test_7_a_chunked_body_is_read(build: Build) -> None:
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    client = build(
        contract({"/": {"post": {"operationId": "create", "requestBody": body, "responses": answer()}}}),
        create=lambda body: body,
    )
    from io import BytesIO

    reply = client.post(
        "/",
        input_stream=BytesIO(b'{"a": 1}'),
        content_type="application/json",
        environ_overrides={"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
    )
    assert reply.json == {"a": 1}


def test_7_each_request_media_type_has_its_own_schema(build: Build) -> None:
    body = {
        "content": {
            "application/json": {"schema": {"type": "object", "required": ["json"]}},
            "application/vnd.x+json": {"schema": {"type": "array"}},
            "text/plain": {"schema": {"type": "string", "maxLength": 3}},
        }
    }
    client = build(
        contract({"/": {"post": {"operationId": "create", "requestBody": body, "responses": answer()}}}),
        create=lambda body: {"got": body},
    )
    assert client.post("/", json={"json": 1}).status_code == 200
    assert client.post("/", json=[]).status_code == 400
    assert client.post("/", data=b"[]", content_type="application/vnd.x+json").json == {"got": []}
    assert client.post("/", data=b"{}", content_type="application/vnd.x+json").status_code == 400
    assert client.post("/", data=b"abc", content_type="text/plain").json == {"got": "abc"}
    assert client.post("/", data=b"abcd", content_type="text/plain").status_code == 400
    assert client.post("/", data=b"<a/>", content_type="application/xml").status_code == 415


@pytest.mark.parametrize(
    ("result", "fine"),
    [
        (({"a": 1}, 200), True),
        (({"a": "1"}, 200), False),
        (({"b": 1}, 201), True),
        (({"a": 1}, 201), False),
        (({"c": 1}, 404), True),
        (({"a": 1}, 404), False),
        (({"a": 1}, 302), False),
    ],
)
def test_8_each_status_has_its_own_schema(
    build: Build, caplog: pytest.LogCaptureFixture, result: Any, fine: bool
) -> None:
    def only(name: str) -> dict[str, Any]:
        return {"type": "object", "required": [name], "properties": {name: {"type": "integer"}}}

    responses = answer(only("a")) | answer(only("b"), "2XX") | answer(only("c"), "4xx".upper())
    client = build(contract({"/": {"get": {"operationId": "read", "responses": responses}}}), read=lambda: result)
    with caplog.at_level(logging.ERROR):
        reply = client.get("/")
    if fine:
        assert (reply.json, reply.status_code) == result
    else:
        assert reply.status_code == 500
        assert reply.json is not None
        assert reply.json["id"] == reply.headers["X-Request-ID"]
        assert "operation read" in caplog.text
        assert reply.json["id"] in caplog.text


def test_9_a_wrong_operation_id_stops_the_start(build: Build) -> None:
    with pytest.raises(BindingError) as caught:
        build(contract({"/": get("json.dumsp"), "/b": get("nowhere.read")}), resolve=False)
    text = str(caught.value)
    assert "did you mean 'dump'" in text
    assert "nowhere" in text
    assert len(caught.value.problems) == 2


def test_10_the_served_document_keeps_its_references(build: Build) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    document = contract({"/": get("read")}, components={"schemas": {"Node": node}})
    client = build(document, read=dict)
    assert client.get("/openapi.json").json == document


@pytest.mark.parametrize("credential", ["Bearer bad", "Bearer", "Basic eDp5", "nonsense"])
def test_11_optional_security_does_not_take_a_bad_credential(build: Build, hooks: None, credential: str) -> None:
    client = build(
        contract({"/": get("read", security=[{}, {"token": []}])}, components=BEARER),
        read=lambda user: {"user": user},
    )
    assert client.get("/").json == {"user": None}
    assert client.get("/", headers={"Authorization": "Bearer good"}).json == {"user": "alice"}
    assert client.get("/", headers={"Authorization": credential}).status_code == 401


def test_12_a_401_says_how_to_authenticate(build: Build, hooks: None) -> None:
    client = build(contract({"/": get("read", security=[{"token": []}])}, components=BEARER), read=dict)
    assert client.get("/").headers["WWW-Authenticate"] == 'Bearer realm="Promises"'
    reply = client.get("/", headers={"Authorization": "Bearer bad"})
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="Promises", error="invalid_token"'


def test_12_every_error_is_told_and_no_schema(build: Build) -> None:
    integer = {"type": "integer", "maximum": 5, "x-secret": "inside"}
    client = build(
        contract({"/": get("read", *({"name": name, "in": "query", "schema": integer} for name in "ab"))}),
        read=lambda a, b: {},
    )
    reply = client.get("/?a=x&b=7")
    assert reply.json is not None
    assert [error["name"] for error in reply.json["errors"]] == ["a", "b"]
    assert "inside" not in reply.text


@pytest.mark.parametrize("text", ["1_000", "nan", "NaN", "+1", "%201", "1.0", "0x1", "1e3", "٣", "9" * 5000])
def test_12_numbers_are_strict(build: Build, text: str) -> None:
    client = build(
        contract({"/": get("read", {"name": "n", "in": "query", "schema": {"type": "integer"}})}),
        read=lambda n: {},
    )
    assert client.get(f"/?n={text}").status_code == 400


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', '{"a": 1_000}'])
def test_12_bodies_are_strict_json(build: Build, text: str) -> None:
    body: dict[str, Any] = {"content": {"application/json": {}}}
    client = build(
        contract({"/": {"post": {"operationId": "create", "requestBody": body, "responses": answer()}}}),
        create=lambda body: {},
    )
    assert client.post("/", data=text, content_type="application/json").status_code == 400


def test_13_read_only_and_write_only_know_their_direction(build: Build) -> None:
    user = {
        "type": "object",
        "required": ["id", "name", "password"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "name": {"type": "string"},
            "password": {"type": "string", "writeOnly": True},
        },
    }
    results: list[Any] = [{"id": 1, "name": "a"}, {"id": 1, "name": "a", "password": "p"}, {"name": "a"}]
    body = {"required": True, "content": {"application/json": {"schema": user}}}
    client = build(
        contract({"/": {"post": {"operationId": "create", "requestBody": body, "responses": answer(user)}}}),
        create=lambda body: results.pop(0),
    )
    sent = {"name": "a", "password": "p"}
    assert client.post("/", json=sent).status_code == 200
    assert client.post("/", json=sent).status_code == 500
    assert client.post("/", json=sent).status_code == 500
    refused = client.post("/", json=sent | {"id": 1})
    assert refused.json is not None
    assert refused.json["errors"] == [{"detail": "is read-only: leave it out", "pointer": "#/id"}]


def test_14_authentication_runs_in_the_request_context(build: Build, module: Callable[..., None]) -> None:
    def check(token: str) -> dict[str, str]:
        g.seen = current_app.name
        return {"sub": token}

    module("auth_hooks", check=check)
    client = build(
        contract({"/": get("read", security=[{"token": []}])}, components=BEARER),
        read=lambda: {"seen": g.seen},
    )
    reply = client.get("/", headers={"Authorization": "Bearer x"})
    assert reply.status_code == 200
    assert json.loads(reply.data)["seen"]


def test_15_documents_in_several_files_are_served_as_they_refer_to_each_other(
    build: Build, files: Callable[..., None]
) -> None:
    files(**{"schemas/node.yaml": "type: object\nproperties:\n  next: {$ref: node.yaml}\n"})
    schema = {"$ref": "schemas/node.yaml"}
    document = contract({"/": {"get": {"operationId": "read", "responses": answer(schema)}}})
    client = build(document, read=lambda: {"next": {"next": {}}})
    assert client.get("/").status_code == 200
    assert client.get("/openapi.json").json == document
    assert client.get("/schemas/node.yaml").text.startswith("type: object")
    assert client.get("/ui/").status_code == 200
