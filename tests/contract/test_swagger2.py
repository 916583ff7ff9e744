"""Swagger 2.0 as a `Contract`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demijohn.contract import Body, Encoding, Example, Operation, Parameter

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

OK = {"200": {"description": "ok"}}


def posted(bench: Bench, *parameters: Any, **members: Any) -> Operation:
    operation = {"parameters": list(parameters), "responses": OK, **members}
    return bench.operation(bench.document("2.0", paths={"/a": {"post": operation}}))


def body_of(operation: Operation) -> Body:
    assert operation.body is not None
    return operation.body


@pytest.mark.parametrize(("written", "base"), [(None, ""), ("/", ""), ("/api", "/api"), ("/api/v1/", "/api/v1")])
def test_the_base_path_has_no_slash_at_its_end(bench: Bench, written: str | None, base: str) -> None:
    members = {} if written is None else {"basePath": written}
    contract = bench.contract(bench.document("2.0", **members))
    assert (contract.base_path, contract.version) == (base, "2.0")


def test_a_body_parameter_is_the_body_and_keeps_its_name(bench: Bench) -> None:
    parameter = {
        "name": "pet",
        "in": "body",
        "required": True,
        "schema": {"type": "object"},
        "x-examples": {"application/json": {}},
    }
    body = body_of(posted(bench, parameter))
    assert (body.name, body.required, body.unpacked) == ("pet", True, False)
    (media,) = body.contents
    assert (media.range, media.schema, media.examples) == ("application/json", {"type": "object"}, (Example("", {}),))
    assert body.place.pointer == "/paths/~1a/post/parameters/0"


@pytest.mark.parametrize(
    ("document", "operation", "types"),
    [
        (None, None, ["application/json"]),
        (["application/XML"], None, ["application/xml"]),
        (["application/xml"], ["application/json; charset=utf-8", "text/plain"], ["application/json", "text/plain"]),
        (["application/xml"], [], ["application/json"]),
    ],
)
def test_a_body_has_the_types_that_are_consumed(bench: Bench, document: Any, operation: Any, types: list[str]) -> None:
    parameters = [{"name": "b", "in": "body", "schema": {}}]
    item: dict[str, Any] = {"parameters": parameters, "responses": OK}
    if operation is not None:
        item["consumes"] = operation
    members = {} if document is None else {"consumes": document}
    found = bench.operation(bench.document("2.0", paths={"/a": {"post": item}}, **members))
    assert [media.range for media in body_of(found).contents] == types


def test_form_fields_are_one_body_that_is_unpacked(bench: Bench) -> None:
    operation = posted(
        bench,
        {"name": "name", "in": "formData", "type": "string", "required": True, "description": "who"},
        {"name": "tags", "in": "formData", "type": "array", "items": {"type": "string"}, "collectionFormat": "pipes"},
        {"name": "ids", "in": "formData", "type": "array", "items": {"type": "integer"}, "collectionFormat": "multi"},
        {"name": "plain", "in": "formData", "type": "array", "items": {"type": "integer"}},
        {"name": "q", "in": "query", "type": "integer"},
    )
    body = body_of(operation)
    assert (body.unpacked, body.required, body.name) == (True, True, "body")
    (media,) = body.contents
    assert media.range == "application/x-www-form-urlencoded"
    assert media.schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "who"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "plain": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["name"],
    }
    assert media.encodings == {
        "tags": Encoding(style="pipeDelimited", explode=False),
        "ids": Encoding(style="form", explode=True),
        "plain": Encoding(style="form", explode=False),
    }
    assert [one.name for one in operation.parameters] == ["q"]


@pytest.mark.parametrize(
    ("kind", "consumes", "types"),
    [
        ("string", ["multipart/form-data"], ["multipart/form-data"]),
        (
            "string",
            ["application/x-www-form-urlencoded", "multipart/form-data", "application/json"],
            ["application/x-www-form-urlencoded", "multipart/form-data"],
        ),
        ("string", ["application/json"], ["application/x-www-form-urlencoded"]),
        ("file", ["application/x-www-form-urlencoded", "multipart/form-data"], ["multipart/form-data"]),
        ("file", [], ["multipart/form-data"]),
    ],
)
def test_a_form_is_multipart_if_it_says_so_or_has_a_file(
    bench: Bench, kind: str, consumes: list[str], types: list[str]
) -> None:
    operation = posted(bench, {"name": "x", "in": "formData", "type": kind}, consumes=consumes)
    body = body_of(operation)
    assert [media.range for media in body.contents] == types
    assert body.required is False
    if kind == "file":
        assert body.contents[0].schema == {
            "type": "object",
            "properties": {"x": {"type": "string", "format": "binary"}},
        }


def test_a_file_that_is_not_sent_as_multipart_is_told(bench: Bench) -> None:
    item = {
        "consumes": ["application/x-www-form-urlencoded"],
        "parameters": [{"name": "x", "in": "formData", "type": "file"}],
        "responses": OK,
    }
    (wrinkle,) = bench.wrinkles(bench.document("2.0", paths={"/a": {"post": item}}))
    assert "a file is sent as `application/x-www-form-urlencoded`; consume `multipart/form-data`" in wrinkle


@pytest.mark.parametrize(
    ("location", "collection", "style", "explode"),
    [
        ("query", None, "form", False),
        ("query", "csv", "form", False),
        ("query", "ssv", "spaceDelimited", False),
        ("query", "tsv", "tabDelimited", False),
        ("query", "pipes", "pipeDelimited", False),
        ("query", "multi", "form", True),
        ("header", None, "simple", False),
        ("header", "pipes", "pipeDelimited", False),
        ("path", "csv", "simple", False),
    ],
)
def test_a_collection_format_is_a_style(
    bench: Bench, location: str, collection: str | None, style: str, explode: bool
) -> None:
    parameter = {"name": "x", "in": location, "type": "array", "items": {"type": "string"}, "required": True}
    if collection:
        parameter["collectionFormat"] = collection
    path = "/a/{x}" if location == "path" else "/a"
    document = bench.document("2.0", paths={path: {"get": {"parameters": [parameter], "responses": OK}}})
    (found,) = bench.operation(document).parameters
    assert (found.style, found.explode) == (style, explode)


def test_a_parameter_describes_its_value_itself(bench: Bench) -> None:
    operation = posted(
        bench,
        {
            "name": "x",
            "in": "query",
            "type": "integer",
            "minimum": 1,
            "exclusiveMinimum": True,
            "default": 3,
            "x-nullable": True,
            "x-example": 4,
            "description": "how many",
            "allowEmptyValue": True,
        },
    )
    (found,) = operation.parameters
    assert found == Parameter(
        name="x",
        location="query",
        place=found.place,
        style="form",
        explode=False,
        allow_empty=True,
        schema={"type": ["integer", "null"], "exclusiveMinimum": 1, "default": 3, "x-nullable": True},
        examples=(Example("", 4),),
        description="how many",
    )


def test_parameters_and_responses_may_be_shared(bench: Bench) -> None:
    document = bench.document(
        "2.0",
        paths={
            "/a": {
                "parameters": [{"$ref": "#/parameters/page"}, {"$ref": "#/parameters/pet"}],
                "post": {"responses": {"404": {"$ref": "#/responses/none"}}},
            }
        },
        parameters={
            "page": {"name": "page", "in": "query", "type": "integer"},
            "pet": {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}},
            "unused": {"name": "u", "in": "query", "type": "string"},
            "body": {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/None"}},
        },
        responses={
            "none": {"description": "none"},
            "unused": {"description": "x", "schema": {"$ref": "#/definitions/Pet"}},
        },
        definitions={"Pet": {"type": "object"}},
    )
    operation = bench.operation(document)
    assert [one.name for one in operation.parameters] == ["page"]
    assert body_of(operation).contents[0].schema == {"$ref": "#/$defs/Pet"}
    assert operation.responses["404"].description == "none"
    assert len(bench.wrinkles(document)) == 1


def test_a_response_has_the_types_that_are_produced(bench: Bench) -> None:
    responses = {
        "200": {
            "description": "ok",
            "schema": {"type": "string"},
            "headers": {
                "X-Tags": {"type": "array", "items": {"type": "string"}, "description": "d"},
                "x-n": {"type": "integer"},
            },
            "examples": {"application/json": "a", "text/plain": "b", "image/png": "c"},
        },
        "201": {"description": "no content"},
        "202": {"description": "an example only", "examples": {"application/json": {"a": 1}}},
    }
    paths = {"/a": {"get": {"produces": ["application/json", "text/plain"], "responses": responses}}}
    found = bench.operation(bench.document("2.0", paths=paths, produces=["application/xml"])).responses
    assert [(media.range, media.schema, media.examples) for media in found["200"].contents] == [
        ("application/json", {"type": "string"}, (Example("", "a"),)),
        ("text/plain", {"type": "string"}, (Example("", "b"),)),
    ]
    assert [(one.name, one.style, one.description) for one in found["200"].headers] == [
        ("X-Tags", "simple", "d"),
        ("x-n", "simple", ""),
    ]
    assert found["201"].contents == ()
    assert [(media.range, media.schema) for media in found["202"].contents] == [("application/json", None)]


def test_a_response_is_json_unless_something_is_produced(bench: Bench) -> None:
    paths = {"/a": {"get": {"responses": {"200": {"description": "", "schema": {}}}}}}
    found = bench.operation(bench.document("2.0", paths=paths)).responses["200"]
    assert [media.range for media in found.contents] == ["application/json"]
    found = bench.operation(bench.document("2.0", paths=paths, produces=["text/csv"])).responses["200"]
    assert [media.range for media in found.contents] == ["text/csv"]


def test_security_definitions(bench: Bench) -> None:
    definitions = {
        "basic": {"type": "basic", "x-basicInfoFunc": "app.basic"},
        "key": {"type": "apiKey", "name": "k", "in": "query"},
        "oauth": {
            "type": "oauth2",
            "flow": "implicit",
            "authorizationUrl": "https://example.com",
            "scopes": {"read": "to read"},
            "x-tokenInfoFunc": "app.token",
        },
    }
    paths = {"/a": {"get": {"responses": OK, "security": [{"oauth": ["read"]}]}}}
    contract = bench.contract(bench.document("2.0", paths=paths, securityDefinitions=definitions))
    found = contract.schemes
    assert {name: one.kind for name, one in found.items()} == {"basic": "basic", "key": "apiKey", "oauth": "oauth2"}
    assert found["basic"].http_scheme == "basic"
    assert (found["key"].parameter, found["key"].location) == ("k", "query")
    assert found["oauth"].scopes == {"read": "to read"}
    assert found["oauth"].hooks == {"x-tokenInfoFunc": "app.token"}
    assert contract.operations[0].security[0].schemes == (("oauth", ("read",)),)


def test_a_body_stands_alone(bench: Bench) -> None:
    def problems(*parameters: Any) -> list[str]:
        item = {"parameters": list(parameters), "responses": OK}
        return bench.problems(bench.document("2.0", paths={"/a": {"post": item}}))

    body = {"name": "a", "in": "body", "schema": {}}
    assert problems(body, {**body, "name": "b"}) == [
        "16: the operation has more than one body; allowed is one body parameter"
    ]
    assert problems(body, {"name": "f", "in": "formData", "type": "string"}) == [
        "16: the operation has a body and form fields; allowed is one of the two"
    ]


def test_what_has_the_wrong_shape_does_not_hide_the_rest(bench: Bench) -> None:
    document = bench.document(
        "2.0",
        paths={"/a": {"get": {"responses": {"200": {"description": "", "headers": {"x": 3}, "schema": 3}}}}},
        securityDefinitions={"a": {"type": "http"}},
        parameters={"a": 3},
        responses={"a": 3},
        definitions={"a": 3},
    )
    assert len(bench.problems(document)) == 3
