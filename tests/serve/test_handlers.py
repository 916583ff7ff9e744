"""Calling handlers and taking their answers, by Connexion's conventions."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import wraps
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, Response, jsonify, stream_with_context
from flask.testing import FlaskClient

from demijohn import (
    BindingError,
    Demijohn,
    MethodViewResolver,
    NoContent,
    ProblemException,
    RelativeResolver,
    RestyResolver,
    Settings,
    problem,
)

Build = Callable[..., FlaskClient]
Module = Callable[..., None]

JSON: dict[str, Any] = {"content": {"application/json": {}}}
OK: dict[str, Any] = {"200": {"description": "ok", **JSON}, "204": {"description": "gone"}}


def contract(operation: dict[str, Any], path: str = "/", method: str = "get", **more: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {path: {method: {"operationId": "read", "responses": OK} | operation}},
        **more,
    }


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"} | schema}


def path(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def show(**given: Any) -> dict[str, Any]:
    return given


def test_path_parameters_and_declared_query_parameters_are_passed(build: Build) -> None:
    parameters = [path("id", "integer"), query("a"), query("b", default="x"), query("c")]
    client = build(contract({"parameters": parameters}, "/{id}"), read=lambda id, a, b, c="none": [id, a, b, c])
    assert client.get("/7?a=1").json == [7, "1", "x", "none"]


def test_a_query_parameter_that_the_function_does_not_name_is_left_out(build: Build) -> None:
    client = build(contract({"parameters": [query("a"), query("b")]}), read=lambda b: [b])
    assert client.get("/?a=1&b=2").json == ["2"]


def test_an_absent_parameter_without_any_default_is_none(build: Build) -> None:
    client = build(contract({"parameters": [query("a")]}), read=lambda a: [a])
    assert client.get("/").json == [None]


def test_keyword_arguments_take_everything(build: Build) -> None:
    header = {"name": "X-A", "in": "header", "schema": {"type": "string"}}
    parameters = [path("id"), query("a"), query("b"), header]
    client = build(contract({"parameters": parameters}, "/{id}"), read=show)
    assert client.get("/7?a=1", headers={"X-A": "h"}).json == {"id": "7", "a": "1"}


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("filter[x]", "filter_x"),
        ("$top", "top"),
        ("X-Y", "XY"),
        ("X-Y", "X_Y"),
        ("X-Y", "x_y"),
        ("id", "id"),
        ("id", "id_"),
        ("class", "class_"),
        ("from", "from_"),
        ("page.size", "page_size"),
        ("2nd", "nd"),
    ],
)
def test_names_become_identifiers(build: Build, name: str, argument: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def read({argument}): return [{argument}]", namespace)
    client = build(contract({"parameters": [query(name)]}), read=namespace["read"])
    assert client.get("/", query_string={name: "v"}).json == ["v"]


def test_header_and_cookie_parameters_are_passed_where_asked_for(build: Build) -> None:
    parameters = [
        {"name": "X-Trace", "in": "header", "schema": {"type": "integer"}},
        {"name": "theme", "in": "cookie", "schema": {"type": "string"}},
    ]
    client = build(contract({"parameters": parameters}), read=lambda x_trace, theme: [x_trace, theme])
    client.set_cookie("theme", "dark")
    assert client.get("/", headers={"X-Trace": "5"}).json == [5, "dark"]


def body(schema: Any, media_type: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}, **more}}


def test_the_body_arrives_as_body_or_under_its_own_name(build: Build) -> None:
    thing = {"type": "object"}
    client = build(contract(body(thing), method="post"), read=lambda body: body)
    assert client.post("/", json={"a": 1}).json == {"a": 1}
    client = build(contract(body(thing, **{"x-body-name": "person"}), method="post"), read=lambda person: person)
    assert client.post("/", json={"a": 1}).json == {"a": 1}


def test_a_form_is_one_dict_and_its_files_are_arguments(build: Build) -> None:
    form = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "photo": {"type": "string", "format": "binary"},
            "papers": {"type": "array", "items": {"type": "string", "format": "binary"}},
        },
    }

    def read(body: dict[str, Any], photo: Any, papers: Any) -> Any:
        return [body, photo.read().decode(), [one.filename for one in papers]]

    client = build(contract(body(form, "multipart/form-data"), method="post"), read=read)
    data = {
        "name": "Ann",
        "age": "7",
        "photo": (BytesIO(b"pixels"), "p.png"),
        "papers": [(BytesIO(b"1"), "one"), (BytesIO(b"2"), "two")],
    }
    assert client.post("/", data=data).json == [{"name": "Ann", "age": 7}, "pixels", ["one", "two"]]


def test_swagger_form_fields_are_arguments_and_its_body_has_its_own_name(build: Build) -> None:
    def swagger(*parameters: Any) -> dict[str, Any]:
        operation = {"operationId": "read", "parameters": list(parameters), "responses": {"200": {"description": ""}}}
        return {"swagger": "2.0", "info": {"title": "T", "version": "1"}, "paths": {"/": {"post": operation}}}

    fields = [
        {"name": "name", "in": "formData", "type": "string", "required": True},
        {"name": "count", "in": "formData", "type": "integer"},
        {"name": "file", "in": "formData", "type": "file"},
    ]
    client = build(swagger(*fields), read=lambda name, count=1, file=None: [name, count, file and file.read().decode()])
    assert client.post("/", data={"name": "n", "count": "2", "file": (BytesIO(b"x"), "f")}).json == ["n", 2, "x"]
    assert client.post("/", data={"name": "n"}, content_type="multipart/form-data").json == ["n", 1, None]
    person = {"name": "person", "in": "body", "required": True, "schema": {"type": "object"}}
    client = build(swagger(person), read=lambda person: person)
    assert client.post("/", json={"a": 1}).json == {"a": 1}


def test_the_context_is_passed_on_request(build: Build) -> None:
    client = build(contract({}), read=lambda user, token_info, context_: [user, token_info, context_])
    assert client.get("/").json == [None, None, {"user": None, "token_info": None}]


def test_a_wrapped_function_is_bound_by_its_own_signature(build: Build) -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @logged
    def read(a: str) -> Any:
        return [a]

    client = build(contract({"parameters": [query("a"), query("b")]}), read=read)
    assert client.get("/?a=1&b=2").json == ["1"]


def test_everything_that_does_not_fit_is_told_at_once(build: Build) -> None:
    document = contract({"parameters": [path("id")]}, "/{id}")
    document["paths"]["/b"] = {"get": {"operationId": "extra", "responses": OK}}
    document["paths"]["/c"] = {"get": {"responses": OK}}
    with pytest.raises(BindingError) as caught:
        build(document, read=dict, extra=lambda surprise: {})
    text = str(caught.value)
    assert "path parameter 'id' has no argument" in text
    assert "argument 'surprise'" in text
    assert "GET /c: the operation has no function" in text
    assert text.count("openapi.json:1:") == 3


@dataclasses.dataclass
class Point:
    x: int
    when: date


class Color(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("result", "status", "value"),
    [
        ({"a": 1}, 200, {"a": 1}),
        ("text", 200, "text"),
        ([], 200, []),
        (0, 200, 0),
        (False, 200, False),
        (({"a": 1}, 200), 200, {"a": 1}),
        (({"a": 1}, HTTPStatus.OK), 200, {"a": 1}),
        (({"a": 1}, {"X-A": "1"}), 200, {"a": 1}),
        (({"a": 1}, 200, {"X-A": "1"}), 200, {"a": 1}),
        (({"a": 1}, 200, [("X-A", "1")]), 200, {"a": 1}),
        ((None, 200), 200, None),
        (None, 204, ...),
        (NoContent, 204, ...),
        ((NoContent, 204), 204, ...),
        (Point(1, date(2026, 1, 31)), 200, {"x": 1, "when": "2026-01-31"}),
        ({"c": Color.RED}, 200, {"c": "red"}),
        ([UUID(int=1)], 200, ["00000000-0000-0000-0000-000000000001"]),
        ([datetime(2026, 1, 31, tzinfo=UTC)], 200, ["2026-01-31T00:00:00+00:00"]),
        ((1, 2), 500, ...),
        ((1, 2, 3, 4), 500, ...),
        (({"a": 1}, "fine"), 500, ...),
        (object(), 500, ...),
    ],
)
def test_return_forms(build: Build, result: Any, status: int, value: Any) -> None:
    reply = build(contract({}), read=lambda: result).get("/")
    assert reply.status_code == status
    if value is not ...:
        assert reply.json == value
        assert reply.content_type == "application/json"
        if isinstance(result, tuple) and len(result) > 1 and not isinstance(result[1], int):
            assert reply.headers["X-A"] == "1"
    if status == 204:
        assert reply.data == b""
        assert "Content-Type" not in reply.headers


def test_decimals_keep_every_digit(build: Build) -> None:
    reply = build(contract({}), read=lambda: {"price": Decimal("12345678901234567890.10")}).get("/")
    assert reply.data == b'{"price":12345678901234567890.10}'


def test_the_only_successful_status_is_the_default_one(build: Build) -> None:
    client = build(contract({"responses": {"201": {"description": "made", **JSON}}}), read=dict)
    assert client.get("/").status_code == 201


def test_response_objects_pass_through_and_are_checked(build: Build) -> None:
    schema = {"type": "object", "required": ["a"]}
    responses = {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
    results = [
        lambda: jsonify(a=1),
        lambda: jsonify(b=1),
        lambda: Response("x", 200, mimetype="text/plain"),
        lambda: Response("x", 202),
    ]
    client = build(contract({"responses": responses}), read=lambda: results.pop(0)())
    assert [client.get("/").status_code for _ in range(4)] == [200, 500, 500, 500]


def test_a_stream_passes_through(build: Build) -> None:
    responses = {"200": {"description": "ok", "content": {"text/plain": {}}}}
    client = build(
        contract({"responses": responses}),
        read=lambda: Response(stream_with_context(iter(["a", "b"])), mimetype="text/plain"),
    )
    assert client.get("/").text == "ab"


def test_problems_may_be_raised_or_returned(build: Build) -> None:
    def read(how: str) -> Any:
        if how == "raise":
            raise ProblemException(status=409, title="Taken", detail="d", ext={"more": 1}, headers={"X-A": "1"})
        return problem(409, "Taken", "d", ext={"more": 1}, headers={"X-A": "1"})

    client = build(contract({"parameters": [query("how")]}), read=read)
    for how in ("raise", "return"):
        reply = client.get(f"/?how={how}")
        assert (reply.status_code, reply.headers["X-A"]) == (409, "1")
        assert reply.json == {
            "type": "about:blank",
            "title": "Taken",
            "status": 409,
            "code": "conflict",
            "detail": "d",
            "more": 1,
        }


def test_unchecked_answers_are_possible(build: Build) -> None:
    settings = Settings(validate_responses=False)
    client = build(contract({}), settings=settings, read=lambda: ({"a": 1}, 299))
    assert (client.get("/").status_code, client.get("/").json) == (299, {"a": 1})


def test_the_media_type_is_negotiated_among_those_declared(build: Build) -> None:
    content: dict[str, Any] = {"application/json": {}, "text/csv": {}, "image/*": {}}
    responses = {"200": {"description": "ok", "content": content}, "404": {"description": "no", **JSON}}
    called: list[int] = []

    def read(how: str = "") -> Any:
        called.append(1)
        if how == "missing":
            return {"no": 1}, 404
        return (b"\x89PNG", 200, {"Content-Type": "image/png"}) if how == "png" else "a,b"

    client = build(contract({"responses": responses, "parameters": [query("how")]}), read=read)

    def content_type(accept: str, how: str = "") -> str:
        return str(client.get(f"/?how={how}", headers={"Accept": accept}).content_type)

    assert content_type("*/*") == "application/json"
    assert content_type("text/*") == "text/csv; charset=utf-8"
    assert content_type("text/csv;q=0.1, application/json;q=0.9") == "application/json"
    assert content_type("image/png", "png") == "image/png"
    assert content_type("text/csv", "missing") == "application/json"
    count = len(called)
    refused = client.get("/", headers={"Accept": "application/xml"})
    assert refused.status_code == 406
    assert "text/csv" in refused.text
    assert len(called) == count


def test_declared_response_headers_are_demanded_and_checked(build: Build) -> None:
    headers = {
        "X-Count": {"required": True, "schema": {"type": "integer"}},
        "X-List": {"schema": {"type": "array", "items": {"type": "integer"}}},
    }
    results: list[dict[str, Any]] = [{"X-Count": 5, "X-List": [1, 2]}, {}, {"X-Count": "five"}, {"x-count": "6"}]
    client = build(
        contract({"responses": {"200": {"description": "ok", "headers": headers, **JSON}}}),
        read=lambda: ({}, 200, results.pop(0)),
    )
    reply = client.get("/")
    assert (reply.headers["X-Count"], reply.headers["X-List"]) == ("5", "1,2")
    assert [client.get("/").status_code for _ in range(3)] == [500, 500, 200]


def test_get_has_a_strong_etag_and_answers_304(build: Build) -> None:
    client = build(contract({}), read=lambda: {"a": 1})
    reply = client.get("/")
    tag = reply.headers["ETag"]
    assert tag.startswith('"')
    again = client.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_is_get_without_a_body(build: Build) -> None:
    client = build(contract({}), read=lambda: {"a": 1})
    head, get = client.head("/"), client.get("/")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.headers["ETag"] == get.headers["ETag"]


def test_options_and_405_tell_the_exact_methods(build: Build) -> None:
    document = contract({})
    document["paths"]["/"]["delete"] = {"operationId": "remove", "responses": OK}
    client = build(document, read=dict, remove=lambda: None)
    assert client.options("/").headers["Allow"] == "DELETE, GET, HEAD, OPTIONS"
    assert client.options("/").status_code == 204
    for method in ("POST", "TRACE", "FOO", "get"):
        reply = (
            client.open("/", method=method)
            if method != "get"
            else client.open("/", environ_overrides={"REQUEST_METHOD": "get"})
        )
        assert (reply.status_code, reply.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")
        assert reply.content_type == "application/problem+json"


def test_every_answer_carries_an_id_and_takes_the_callers(build: Build) -> None:
    client = build(contract({}), read=dict)
    assert client.get("/").headers["X-Request-ID"] != client.get("/").headers["X-Request-ID"]
    assert client.get("/", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    assert client.get("/none", headers={"X-Request-ID": 'a"b'}).headers["X-Request-ID"] != 'a"b'


def test_answers_carry_the_headers_an_api_needs(build: Build) -> None:
    client = build(contract({}), read=dict)
    for reply in (client.get("/"), client.get("/?zz=1"), client.post("/"), client.get("/none"), client.options("/")):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]


def test_handlers_are_found_below_their_controller(build: Build, module: Module) -> None:
    module("people", read=lambda: {"n": 1}, service=type("S", (), {"read": staticmethod(lambda: {"n": 2})})())
    client = build(contract({"x-openapi-router-controller": "people"}), resolve=False)
    assert client.get("/").json == {"n": 1}
    client = build(contract({"operationId": "people.service.read"}), resolve=False)
    assert client.get("/").json == {"n": 2}


def test_the_contracts_folder_is_importable(build: Build, files: Callable[..., None]) -> None:
    files(**{"folder_handlers.py": "def read():\n    return {'n': 3}\n"})
    client = build(contract({"operationId": "folder_handlers.read"}), resolve=False)
    assert client.get("/").json == {"n": 3}


def test_an_error_inside_a_module_is_told(build: Build, files: Callable[..., None]) -> None:
    files(**{"broken_handlers.py": "import no_such_thing\n", "raising_handlers.py": "\nraise ValueError('no')\n"})
    with pytest.raises(BindingError, match=r"no module named 'no_such_thing' \(broken_handlers.py, line 1\)"):
        build(contract({"operationId": "broken_handlers.read"}), resolve=False)
    with pytest.raises(BindingError, match=r"ValueError: no \(raising_handlers.py, line 2\)"):
        build(contract({"operationId": "raising_handlers.read"}), resolve=False)


@pytest.mark.parametrize(
    ("operation_id", "text"),
    [
        ("read", "not of the form module.function"),
        ("json.nothing", "json has no 'nothing'"),
        ("json.JSONDecoder.decoed", "did you mean 'decode'"),
        ("math.pi", "it is a float and no function"),
        ("a b.c", "not of the form"),
    ],
)
def test_wrong_operation_ids_say_what_is_wrong(build: Build, operation_id: str, text: str) -> None:
    with pytest.raises(BindingError, match=text):
        build(contract({"operationId": operation_id}), resolve=False)


def serve(tmp: Path, document: dict[str, Any], resolver: Any) -> FlaskClient:
    import json

    (tmp / "c.json").write_text(json.dumps(document))
    app = Flask("resolved")
    Demijohn(app, settings=Settings()).add_contract(tmp / "c.json", resolver=resolver)
    return app.test_client()


def rest(*paths: tuple[str, str]) -> dict[str, Any]:
    document = contract({})
    document["paths"] = {}
    for template, method in paths:
        names = [path("id")] if "{id}" in template else []
        document["paths"].setdefault(template, {})[method] = {"parameters": names, "responses": OK}
    return document


def test_ready_resolvers_find_functions(tmp_path: Path, module: Module) -> None:
    class PetsView:
        def search(self) -> Any:
            return ["view"]

        def put(self, id: str) -> Any:
            return ["put", id]

    pets = {"search": lambda: ["all"], "get": lambda id: [id], "post": lambda: ["new"]}
    module("zoo", PetsView=PetsView, read=lambda: ["relative"])
    module("zoo.pets", **pets)
    paths = rest(("/pets", "get"), ("/pets", "post"), ("/pets/{id}", "get"))
    client = serve(tmp_path, paths, RestyResolver("zoo"))
    assert (client.get("/pets").json, client.post("/pets").json, client.get("/pets/7").json) == (
        ["all"],
        ["new"],
        ["7"],
    )
    client = serve(tmp_path, rest(("/pets", "get"), ("/pets/{id}", "put")), MethodViewResolver("zoo"))
    assert (client.get("/pets").json, client.put("/pets/7").json) == (["view"], ["put", "7"])
    assert serve(tmp_path, contract({}), RelativeResolver("zoo")).get("/").json == ["relative"]
    for resolver in (RestyResolver("zoo"), MethodViewResolver("zoo")):
        assert serve(tmp_path, contract({"operationId": "zoo.read"}) | {}, type(resolver)("")).get("/").json
    with pytest.raises(BindingError, match="has no method 'delete'"):
        serve(tmp_path, rest(("/pets", "delete")), MethodViewResolver("zoo"))
    with pytest.raises(BindingError, match="it has no operationId"):
        serve(tmp_path, rest(("/pets", "get")), RelativeResolver("zoo"))
    with pytest.raises(BindingError, match="knows no such function"):
        serve(tmp_path, contract({}), lambda name: None)


def test_unbound_operations_may_answer_501(build: Build) -> None:
    client = build(contract({}), settings=Settings(unbound="501"))
    reply = client.get("/")
    assert reply.status_code == 501
    assert reply.json is not None
    assert reply.json["code"] == "not-implemented"
