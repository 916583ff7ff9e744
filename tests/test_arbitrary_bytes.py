"""Arbitrary bytes as path, query, headers and body: never a 5xx, every refusal a problem."""

from __future__ import annotations

import json
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demijohn import Demijohn, Settings

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
ARRAY = {"type": "array", "items": {"type": "integer"}}
OBJECT = {"type": "object", "properties": {"a": INTEGER, "b": STRING}}


def parameter(name: str, where: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": where, "schema": schema, **({"required": True} if where == "path" else {}), **more}


def operation(*parameters: Any, body: Any = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"echo{operation.count}",  # type: ignore[attr-defined]
        "parameters": list(parameters),
        "responses": {"default": {"description": "any"}},
    }
    operation.count += 1  # type: ignore[attr-defined]
    return made | ({"requestBody": {"content": body}} if body else {})


operation.count = 0  # type: ignore[attr-defined]

MIXED: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Mixed", "version": "1"},
    "paths": {
        "/s/{id}": {"get": operation(parameter("id", "path", STRING))},
        "/i/{id}": {"get": operation(parameter("id", "path", INTEGER))},
        "/l/{id}": {"get": operation(parameter("id", "path", ARRAY, style="label", explode=True))},
        "/m/{id}": {"get": operation(parameter("id", "path", OBJECT, style="matrix", explode=True))},
        "/p/{a}.{b}": {"get": operation(parameter("a", "path", STRING), parameter("b", "path", INTEGER))},
        "/q": {
            "get": operation(
                parameter("i", "query", INTEGER),
                parameter("a", "query", ARRAY),
                parameter("d", "query", OBJECT, style="deepObject"),
                parameter("p", "query", ARRAY, style="pipeDelimited", explode=False),
                parameter("n", "query", {"anyOf": [{"type": "number"}, {"type": "null"}, {"type": "boolean"}]}),
                parameter("X-H", "header", ARRAY),
                parameter("c", "cookie", INTEGER),
                {"name": "j", "in": "query", "content": {"application/json": {"schema": OBJECT}}},
            )
        },
        "/body": {
            "post": operation(
                body={
                    "application/json": {"schema": OBJECT},
                    "application/*+json": {"schema": ARRAY},
                    "application/x-www-form-urlencoded": {"schema": OBJECT},
                    "multipart/form-data": {
                        "schema": {"type": "object", "properties": {"f": {"type": "string", "format": "binary"}}}
                    },
                    "text/plain": {"schema": {"type": "string", "pattern": "^(a+)+$"}},
                    "application/octet-stream": {},
                }
            )
        },
    },
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    file = tmp_path_factory.mktemp("mixed") / "openapi.json"
    file.write_text(json.dumps(MIXED))
    app = Flask("mixed")
    Demijohn(app, settings=Settings(max_body_bytes=5000)).add_contract(
        file, resolver=lambda name: lambda **arguments: {"got": sorted(arguments)}
    )
    return app


def call(
    app: Flask, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> tuple[int, str, bytes]:
    """Call the WSGI application as a server would, with text that stands for bytes."""
    seen: list[Any] = []
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.version": (1, 0),
        "HTTP_HOST": "localhost",
        **headers,
    }

    def start(status: str, sent: list[tuple[str, str]], *_: Any) -> Any:
        seen.append((int(status[:3]), dict(sent)))

    chunks = app.wsgi_app(environ, start)
    data = b"".join(chunks)
    status, sent = seen[-1]
    return status, sent.get("Content-Type", ""), data


latin = st.text(st.characters(max_codepoint=255), max_size=40)
ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
paths = st.one_of(
    latin.map(lambda text: "/" + text),
    st.tuples(st.sampled_from(["/s/", "/i/", "/l/", "/m/", "/p/"]), latin).map("".join),
    st.sampled_from(["/q", "/body"]),
)
queries = st.one_of(
    latin,
    st.lists(
        st.tuples(st.sampled_from(["i", "a", "d[a]", "d[", "p", "n", "j", "%", "x"]), ascii_text).map("=".join)
    ).map("&".join),
)
content_types = st.one_of(
    latin,
    st.sampled_from([*MIXED["paths"]["/body"]["post"]["requestBody"]["content"], "application/x+json", "text/html"]),
    st.sampled_from(["multipart/form-data; boundary=x", "text/plain; charset=utf-16", "application/json; charset=no"]),
)
header_values = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_X_H": latin,
        "HTTP_COOKIE": latin,
        "HTTP_ACCEPT": latin,
        "HTTP_PREFER": latin,
        "HTTP_IF_NONE_MATCH": latin,
        "HTTP_X_REQUEST_ID": latin,
        "HTTP_AUTHORIZATION": latin,
    },
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60).map(
        lambda data: b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + data + b"\r\n--x--"
    ),
)


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT"]), paths, queries, header_values, content_types, bodies)
def test_any_request_is_answered_or_refused_with_a_problem(
    app: Flask, method: str, path: str, query: str, headers: dict[str, str], content_type: str, body: bytes
) -> None:
    given_headers = headers | {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    status, kind, data = call(app, method, path, query, given_headers, body)
    assert status < 500
    if status >= 400 and method != "HEAD":
        assert kind == "application/problem+json"
        assert json.loads(data)["status"] == status


@pytest.mark.parametrize("length", ["abc", "-1", "٣", "1e3", "9" * 5000, " 5"])
def test_a_wrong_content_length_is_refused(app: Flask, length: str) -> None:
    headers = {"CONTENT_LENGTH": length, "CONTENT_TYPE": "application/json"}
    assert call(app, "POST", "/body", "", headers, b"{}")[0] in (400, 413)


def test_a_body_that_ends_early_is_refused(app: Flask) -> None:
    headers = {"CONTENT_LENGTH": "10", "CONTENT_TYPE": "application/json"}
    assert call(app, "POST", "/body", "", headers, b"{}")[0] == 400


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_413_and_never_cut(app: Flask, chunked: bool) -> None:
    body = json.dumps({"b": "x" * 5000}).encode()
    headers = {"CONTENT_TYPE": "application/json"}
    headers |= {"HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {"CONTENT_LENGTH": str(len(body))}
    status, kind, _ = call(app, "POST", "/body", "", headers, body)
    assert (status, kind) == (413, "application/problem+json")
    fitting = json.dumps({"b": "x" * 4900}).encode()
    headers |= {} if chunked else {"CONTENT_LENGTH": str(len(fitting))}
    assert call(app, "POST", "/body", "", headers, fitting)[0] == 200


def test_deep_json_is_refused(app: Flask) -> None:
    for text in (b"[" * 4900, b'{"a":' * 900, b"[" * 100 + b"]" * 100):
        headers = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(text))}
        assert call(app, "POST", "/body", "", headers, text)[0] == 400


def test_a_million_wrong_values_cost_little(tmp_path: Path) -> None:
    """The engine would make an error of 2 kB for each of them."""
    items = {"schema": {"type": "array", "items": {"type": "string"}}}
    document = {
        "openapi": "3.1.0",
        "info": MIXED["info"],
        "paths": {"/": {"post": operation(body={"application/json": items})}},
    }
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    app = Flask("large")
    Demijohn(app, settings=Settings()).add_contract(tmp_path / "openapi.json", resolver=lambda name: lambda body: {})
    body = b"[" + b"1," * 1_000_000 + b"1]"
    headers = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    start = time.process_time()
    status, _, data = call(app, "POST", "/", "", headers, body)
    assert (status, json.loads(data)["errors"]) == (
        400,
        [{"detail": "must be a string, found an integer", "pointer": "#/0"}],
    )
    assert time.process_time() - start < 1.0


def test_a_catastrophic_pattern_costs_nothing(app: Flask) -> None:
    text = b"a" * 4000 + b"!"
    headers = {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": str(len(text))}
    start = time.process_time()
    assert call(app, "POST", "/body", "", headers, text)[0] == 400
    assert time.process_time() - start < 0.1
