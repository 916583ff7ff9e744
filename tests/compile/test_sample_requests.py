"""Sample requests are taken by the operations that they are made for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sample_requests import RequestSamples, SampleRequest

from demijohn import Demijohn, Settings
from demijohn.contract import Contract, load

TEXT = {"type": "string"}


def contract(tmp_path: Path, operation: dict[str, Any], **components: Any) -> Contract:
    own = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    operation = {**operation, "parameters": [*operation.get("parameters", ()), own]}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a/{id}": {"post": {"responses": {"204": {"description": "ok"}}, **operation}}},
        "components": components,
    }
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    return load(path).contract


def make(tmp_path: Path, operation: dict[str, Any], *, optional: bool = False, **components: Any) -> SampleRequest:
    made = contract(tmp_path, operation, **components)
    return RequestSamples(made).make(made.operations[0], optional=optional)


def body(media_type: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema, **more}}}}


def test_parameters_go_where_they_belong(tmp_path: Path) -> None:
    places = [("q", "query"), ("page", "query"), ("X-H", "header"), ("c", "cookie"), ("d", "cookie")]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": place, "required": name != "page", "schema": TEXT, "example": f"{name} value"}
        for name, place in places
    ]
    sent = make(tmp_path, {"parameters": parameters})
    assert (sent.method, sent.path, sent.query) == ("POST", "/a/1", "q=q%20value")
    assert sent.headers == {"X-H": "X-H value", "Cookie": "c=c%20value; d=d%20value"}
    assert (sent.body, sent.content_type) == (None, None)
    assert make(tmp_path, {"parameters": parameters}, optional=True).query == "q=q%20value&page=page%20value"


def test_an_example_that_breaks_its_schema_is_not_sent(tmp_path: Path) -> None:
    number = {"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}, "example": "no"}
    assert make(tmp_path, {"parameters": [number]}).query == "n=1"


@pytest.mark.parametrize(
    ("media_type", "schema", "more", "sent", "content_type"),
    [
        ("application/json", {"type": "object", "properties": {"a": TEXT}}, {}, b'{"a":"string"}', None),
        ("*/*", {"type": "integer"}, {}, b"1", "application/json"),
        ("text/*", TEXT, {}, b"string", "text/plain"),
        ("image/*", None, {}, b"string", "image/octet-stream"),
        (
            "application/x-www-form-urlencoded",
            {"type": "object", "properties": {"a b": TEXT, "l": {"type": "array", "items": TEXT, "minItems": 2}}},
            {},
            b"a%20b=string&l=string&l=string",
            None,
        ),
        (
            "application/x-www-form-urlencoded",
            {"type": "object", "properties": {"l": {"type": "array", "items": TEXT, "minItems": 2}}},
            {"encoding": {"l": {"style": "form", "explode": False}}},
            b"l=string,string",
            None,
        ),
    ],
)
def test_bodies_are_written_in_their_media_type(
    tmp_path: Path, media_type: str, schema: Any, more: dict[str, Any], sent: bytes, content_type: str | None
) -> None:
    made = make(tmp_path, body(media_type, True if schema is None else schema, **more))
    assert (made.body, made.content_type) == (sent, content_type or media_type)


def test_a_multipart_form_holds_fields_and_files(tmp_path: Path) -> None:
    properties = {
        "name": TEXT,
        "file": {"type": "string", "format": "binary"},
        "tags": {"type": "array", "items": TEXT},
        "meta": {"type": "object", "properties": {"a": TEXT}},
        "deep": {"type": "object", "properties": {"a": TEXT}},
    }
    encoding = {"meta": {"contentType": "application/json"}, "deep": {"style": "deepObject", "explode": True}}
    form = body("multipart/form-data", {"type": "object", "properties": properties}, encoding=encoding)
    sent = make(tmp_path, form)
    assert sent.body is not None
    assert (
        b'name="file"; filename="sample.bin"\r\nContent-Type: application/octet-stream\r\n\r\nstring\r\n' in sent.body
    )
    assert b'name="meta"\r\nContent-Type: application/json\r\n\r\n{"a":"string"}\r\n' in sent.body
    assert b'name="deep[a]"\r\n\r\nstring\r\n' in sent.body
    assert sent.content_type is not None
    assert sent.content_type.startswith("multipart/form-data; boundary=")


def test_json_goes_before_other_media_types(tmp_path: Path) -> None:
    contents = {"text/plain": {}, "multipart/form-data": {"schema": {"type": "object"}}, "application/a+json": {}}
    sent = make(tmp_path, {"requestBody": {"content": contents}})
    assert sent.content_type == "application/a+json"


@pytest.mark.parametrize(
    ("scheme", "headers", "query"),
    [
        ({"type": "http", "scheme": "basic"}, {"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}, ""),
        ({"type": "http", "scheme": "bearer"}, {"Authorization": "Bearer sample-token"}, ""),
        ({"type": "http", "scheme": "digest"}, {"Authorization": "Digest sample-token"}, ""),
        ({"type": "oauth2", "flows": {}}, {"Authorization": "Bearer sample-token"}, ""),
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, {"X-Key": "sample-token"}, ""),
        ({"type": "apiKey", "in": "query", "name": "key"}, {}, "key=sample-token"),
        ({"type": "apiKey", "in": "cookie", "name": "key"}, {"Cookie": "key=sample-token"}, ""),
        ({"type": "mutualTLS"}, {}, ""),
    ],
)
def test_credentials_have_the_form_that_the_scheme_demands(
    tmp_path: Path, scheme: dict[str, Any], headers: dict[str, str], query: str
) -> None:
    sent = make(tmp_path, {"security": [{"s": []}, {}]}, securitySchemes={"s": scheme})
    assert (sent.headers, sent.query) == (headers, query)


UNSATISFIED = {
    # Its alternatives are two mappings of optional properties each, so nearly every value fits both.
    "apis-guru__mailscript.com.json",
    # It demands two kinds of `Authorization` at once.
    "readme-oas-examples__3.0__yaml__security-multiple.yaml",
}


def test_real_contracts_take_their_sample_requests_and_keep_their_word(shared: Path) -> None:
    """Send two requests to each operation of each contract, in mock mode, and check each answer."""
    wrong = []
    for path in sorted((shared / "contracts").iterdir()):
        if path.suffix not in (".json", ".yaml") or path.name in UNSATISFIED:
            continue
        app = Flask("mocks")
        app.logger.disabled = True
        Demijohn(app, settings=Settings(unbound="mock")).add_contract(path)
        api = app.extensions["demijohn"].apis[0]
        requests = RequestSamples(api.contract)
        client = app.test_client()
        for resource in api.resources:
            for method, plan in resource.plans.items():
                for optional in (False, True):
                    sent = requests.make(plan.operation, optional=optional)
                    url = f"{api.base_path}{sent.path}?{sent.query}"
                    got = client.open(
                        url, method=method, headers=sent.headers, data=sent.body, content_type=sent.content_type
                    )
                    declared = plan.answers.declared(got.status_code)
                    documented = not plan.operation.responses or declared is not None
                    problem = got.mimetype == "application/problem+json" and b'"about:blank"' in got.data
                    faults: list[str] = []
                    if declared is not None and got.data and not problem:
                        faults = declared.find(got.mimetype).check(got.data, got.mimetype)
                    if faults or problem or not documented:
                        wrong.append((path.name, method, url[:100], got.status_code, faults or got.data[:300]))
    assert wrong == []
