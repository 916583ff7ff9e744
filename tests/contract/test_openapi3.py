"""OpenAPI 3.0, 3.1 and 3.2 as a `Contract`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demijohn.contract import Encoding, Example, MediaType, Parameter, Place, Requirement

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

OK = {"200": {"description": "ok"}}
TEXT = {"type": "string"}


def parameter(bench: Bench, version: str = "3.1.0", **members: Any) -> Parameter:
    members = {"name": "x", "in": "query", **members}
    if "content" not in members:
        members.setdefault("schema", TEXT)
    document = bench.document(version, paths=bench.get(parameters=[members]))
    (found,) = bench.operation(document).parameters
    return found


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [("query", "form", True), ("cookie", "form", True), ("header", "simple", False)],
)
def test_style_and_explode_have_the_defaults_of_their_location(
    bench: Bench, location: str, style: str, explode: bool
) -> None:
    found = parameter(bench, **{"in": location})
    assert (found.location, found.style, found.explode, found.required) == (location, style, explode, False)


def test_a_path_parameter_is_simple(bench: Bench) -> None:
    item = {"name": "x", "in": "path", "required": True, "schema": TEXT}
    document = bench.document(paths={"/a/{x}": {"get": {"parameters": [item], "responses": OK}}})
    (found,) = bench.operation(document).parameters
    assert (found.style, found.explode, found.required) == ("simple", False, True)


def test_a_parameter_says_all_about_itself(bench: Bench) -> None:
    document = bench.document(
        paths=bench.get(
            parameters=[
                {
                    "name": "x",
                    "in": "query",
                    "required": True,
                    "style": "pipeDelimited",
                    "explode": False,
                    "allowReserved": True,
                    "allowEmptyValue": True,
                    "schema": {"type": "array", "items": TEXT},
                    "examples": {
                        "one": {"value": ["a"]},
                        "two": {"$ref": "#/components/examples/two"},
                        "x-three": {"value": []},
                    },
                    "description": "what it is",
                    "deprecated": True,
                }
            ]
        ),
        components={"examples": {"two": {"value": ["b"]}}},
    )
    (found,) = bench.operation(document).parameters
    assert found == Parameter(
        name="x",
        location="query",
        place=Place("api.json", "/paths/~1a/get/parameters/0"),
        required=True,
        style="pipeDelimited",
        explode=False,
        allow_reserved=True,
        allow_empty=True,
        schema={"type": "array", "items": TEXT},
        examples=(Example("one", ["a"]), Example("two", ["b"]), Example("x-three", [])),
        description="what it is",
        deprecated=True,
    )


def test_a_deep_object_and_a_cookie_of_3_2_have_a_style(bench: Bench) -> None:
    assert parameter(bench, style="deepObject", schema={"type": "object"}).explode is False
    assert parameter(bench, "3.2.0", **{"in": "cookie", "style": "cookie"}).style == "form"


def test_a_parameter_may_be_a_document(bench: Bench) -> None:
    content = {"application/JSON; charset=utf-8": {"schema": {"type": "object"}, "example": {}}}
    found = parameter(bench, content=content)
    assert (found.content_type, found.schema) == ("application/json", {"type": "object"})
    assert found.examples == (Example("", {}),)
    assert parameter(bench, content={"text/plain": {}}).schema is True


def test_the_query_string_of_3_2_is_a_parameter(bench: Bench) -> None:
    content = {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
    found = parameter(bench, "3.2.0", **{"in": "querystring", "content": content})
    assert (found.location, found.content_type) == ("querystring", "application/x-www-form-urlencoded")


def test_an_operation_overrides_the_parameters_of_its_path(bench: Bench) -> None:
    item = {
        "parameters": [
            {"name": "b", "in": "path", "required": True, "schema": TEXT},
            {"name": "q", "in": "query", "schema": TEXT},
            {"name": "X-Same", "in": "header", "schema": TEXT},
            {"name": "q", "in": "cookie", "schema": TEXT},
        ],
        "get": {
            "parameters": [
                {"name": "q", "in": "query", "schema": {"type": "integer"}},
                {"name": "x-same", "in": "header", "schema": {"type": "integer"}},
                {"name": "a", "in": "path", "required": True, "schema": TEXT},
            ],
            "responses": OK,
        },
    }
    found = bench.operation(bench.document(paths={"/{a}/{b}": item})).parameters
    assert [(one.location, one.name) for one in found] == [
        ("path", "a"),
        ("path", "b"),
        ("query", "q"),
        ("header", "x-same"),
        ("cookie", "q"),
    ]
    assert [one.schema for one in found[2:4]] == [{"type": "integer"}] * 2


def test_a_parameter_that_is_declared_twice_is_an_error(bench: Bench) -> None:
    twice = [{"name": name, "in": "header", "schema": TEXT} for name in ("X-A", "x-a")]
    assert bench.problems(bench.document(paths=bench.get(parameters=twice))) == [
        "23: the header parameter `x-a` is declared twice; declare each parameter once"
    ]


def test_headers_that_describe_the_body_or_credentials_are_no_parameters(bench: Bench) -> None:
    names = ("Accept", "content-type", "Authorization")
    document = bench.document(
        paths=bench.get(parameters=[{"name": name, "in": "header", "schema": TEXT} for name in names])
    )
    assert bench.operation(document).parameters == ()
    assert [wrinkle.partition(" is ignored")[0].partition(" ")[2] for wrinkle in bench.wrinkles(document)] == [
        f"the header parameter `{name}`" for name in names
    ]


def test_a_body_has_contents_by_media_type(bench: Bench) -> None:
    content = {
        "application/JSON": {"schema": TEXT, "examples": {"a": {"value": "x"}, "b": {"externalValue": "far"}}},
        "application/json; version=2": {"schema": {"type": "integer"}},
        "multipart/form-data": {
            "schema": {"type": "object"},
            "encoding": {
                "file": {"contentType": "image/PNG, image/jpeg"},
                "list": {"style": "pipeDelimited", "explode": False, "allowReserved": True},
            },
        },
        "text/*": {},
    }
    document = bench.document(
        paths={"/a": {"post": {"requestBody": {"required": True, "content": content}, "responses": OK}}}
    )
    body = bench.operation(document).body
    assert body is not None
    assert (body.required, body.name, body.unpacked, body.place.pointer) == (
        True,
        "body",
        False,
        "/paths/~1a/post/requestBody",
    )
    base = "/paths/~1a/post/requestBody/content"
    assert body.contents == (
        MediaType(
            "application/json", Place("api.json", f"{base}/application~1JSON"), TEXT, examples=(Example("a", "x"),)
        ),
        MediaType(
            "multipart/form-data",
            Place("api.json", f"{base}/multipart~1form-data"),
            {"type": "object"},
            {
                "file": Encoding(("image/png", "image/jpeg")),
                "list": Encoding((), "pipeDelimited", False, True),
            },
        ),
        MediaType("text/*", Place("api.json", f"{base}/text~1*"), None),
    )
    (wrinkle,) = bench.wrinkles(document)
    assert "`application/json` is described twice, apart from its parameters; the first one counts" in wrinkle


@pytest.mark.parametrize("inside", [True, False])
def test_a_body_has_the_name_that_it_is_given(bench: Bench, inside: bool) -> None:
    named = {"x-body-name": "pet"}
    operation = {
        "requestBody": {"content": {"application/json": {}}, **(named if inside else {})},
        "responses": OK,
        **({} if inside else named),
    }
    body = bench.operation(bench.document(paths={"/a": {"post": operation}})).body
    assert body is not None
    assert body.name == "pet"


def test_media_types_of_3_2_may_be_components_and_streams(bench: Bench) -> None:
    document = bench.document(
        "3.2.0",
        paths=bench.get(
            responses={
                "200": {"description": "", "content": {"application/jsonl": {"$ref": "#/components/mediaTypes/stream"}}}
            }
        ),
        components={"mediaTypes": {"stream": {"itemSchema": TEXT, "examples": {"a": {"dataValue": ["x"]}}}}},
    )
    (media,) = bench.operation(document).responses["200"].contents
    assert (media.range, media.schema, media.examples) == (
        "application/jsonl",
        {"type": "array", "items": TEXT},
        (Example("a", ["x"]),),
    )


def test_responses_have_statuses_headers_and_links(bench: Bench) -> None:
    responses = {
        "200": {
            "description": "fine",
            "headers": {
                "X-Count": {"required": True, "schema": {"type": "integer"}},
                "x-page": {"$ref": "#/components/headers/page"},
                "content-type": {"schema": TEXT},
            },
            "content": {"application/json": {"schema": TEXT}},
            "links": {"next": {"operationId": "a"}, "prev": {"$ref": "#/components/links/prev"}},
        },
        "2xx": {"description": ""},
        "4XX": {"$ref": "#/components/responses/bad"},
        "default": {"description": "else"},
        "x-other": {},
    }
    components = {
        "headers": {"page": {"schema": {"type": "array", "items": TEXT}, "explode": True}},
        "responses": {"bad": {"description": "bad"}},
        "links": {"prev": {"operationId": "a"}},
    }
    document = bench.document(paths=bench.get(responses=responses), components=components)
    found = bench.operation(document).responses
    assert list(found) == ["200", "2XX", "4XX", "default"]
    assert [one.status for one in found.values()] == list(found)
    assert [(one.name, one.location, one.required, one.style, one.explode) for one in found["200"].headers] == [
        ("X-Count", "header", True, "simple", False),
        ("x-page", "header", False, "simple", True),
    ]
    assert found["200"].links == ("next", "prev")
    assert found["4XX"].place == Place("api.json", "/components/responses/bad")
    assert [wrinkle.partition(": ")[2] for wrinkle in bench.wrinkles(document)] == ["found `2xx`; allowed is `2XX`"]


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        (None, ""),
        ([], ""),
        ([{"url": "/"}], ""),
        ([{"url": "https://example.com"}], ""),
        ([{"url": "https://example.com/v1/"}, {"url": "/other"}], "/v1"),
        ([{"url": "/api/v1"}], "/api/v1"),
        ([{"url": "api"}], "/api"),
        ([{"url": "./api"}], "/api"),
        ([{"url": "//example.com/x"}], "/x"),
        (
            [
                {
                    "url": "{scheme}://{host}:{port}/{version}/x",
                    "variables": {
                        key: {"default": value}
                        for key, value in {"scheme": "https", "host": "h", "port": "1", "version": "v3"}.items()
                    },
                }
            ],
            "/v3/x",
        ),
    ],
)
def test_the_base_path_is_that_of_the_first_server(bench: Bench, servers: Any, base: str) -> None:
    members = {} if servers is None else {"servers": servers}
    assert bench.contract(bench.document("3.0.3", **members)).base_path == base


def test_a_server_without_a_url_that_can_be_read_is_told(bench: Bench) -> None:
    (problem,) = bench.problems(bench.document(servers=[{"url": "http://[x"}]))
    assert "the URL of this server cannot be read; write a URL or a path" in problem


def test_servers_of_paths_and_operations_are_ignored(bench: Bench) -> None:
    item = {"servers": [{"url": "/x"}], "get": {"servers": [{"url": "/y"}], "responses": OK}}
    wrinkles = bench.wrinkles(bench.document(paths={"/a": item}))
    assert [wrinkle.partition(";")[0].partition(" ")[2] for wrinkle in wrinkles] == [
        "the servers of a path or an operation are ignored"
    ] * 2


def test_security_schemes_of_every_kind(bench: Bench) -> None:
    flows = {
        "implicit": {"authorizationUrl": "https://example.com", "scopes": {"read": "to read"}},
        "clientCredentials": {"tokenUrl": "https://example.com", "scopes": {"write": "to write", "x-all": ""}},
    }
    schemes = {
        "basic": {"type": "http", "scheme": "Basic", "x-basicInfoFunc": "app.basic", "x-note": 1},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "x-bearerInfoFunc": "app.bearer"},
        "digest": {"type": "http", "scheme": "Digest"},
        "key": {"type": "apiKey", "name": "X-Key", "in": "header", "x-apikeyInfoFunc": "app.key"},
        "oauth": {
            "type": "oauth2",
            "flows": flows,
            "x-tokenInfoFunc": "app.token",
            "x-scopeValidateFunc": "app.scopes",
            "x-tokenInfoUrl": "https://example.com/info",
        },
        "connect": {"type": "openIdConnect", "openIdConnectUrl": "https://example.com"},
        "tls": {"type": "mutualTLS"},
        "again": {"$ref": "#/components/securitySchemes/key"},
    }
    document = bench.document(components={"securitySchemes": schemes})
    found = bench.contract(document).schemes
    assert {name: scheme.kind for name, scheme in found.items()} == {
        "basic": "basic",
        "bearer": "bearer",
        "digest": "http",
        "key": "apiKey",
        "oauth": "oauth2",
        "connect": "openIdConnect",
        "tls": "mutualTLS",
        "again": "apiKey",
    }
    assert [found[name].http_scheme for name in ("basic", "bearer", "digest", "key")] == [
        "basic",
        "bearer",
        "digest",
        None,
    ]
    assert (found["key"].parameter, found["key"].location) == ("X-Key", "header")
    assert (found["again"].name, found["again"].parameter) == ("again", "X-Key")
    assert found["bearer"].bearer_format == "JWT"
    assert (found["connect"].openid_url, found["oauth"].openid_url) == ("https://example.com", None)
    assert found["oauth"].scopes == {"read": "to read", "write": "to write", "x-all": ""}
    assert found["basic"].hooks == {"x-basicInfoFunc": "app.basic"}
    assert found["basic"].extensions == {"x-note": 1}
    assert found["oauth"].hooks == {"x-tokenInfoFunc": "app.token", "x-scopeValidateFunc": "app.scopes"}
    (wrinkle,) = bench.wrinkles(document)
    assert wrinkle.partition(": ")[2] == (
        "`x-tokenInfoUrl` is not supported and is ignored; name a function with `x-tokenInfoFunc`"
    )


def test_an_operation_has_its_own_security_or_that_of_the_document(bench: Bench) -> None:
    schemes = {name: {"type": "apiKey", "name": name, "in": "header"} for name in ("a", "b")}
    paths = {
        "/own": {"get": {"responses": OK, "security": [{"a": [], "b": ["x"]}, {}]}},
        "/none": {"get": {"responses": OK, "security": []}},
        "/inherited": {"get": {"responses": OK}},
    }
    document = bench.document(paths=paths, security=[{"b": []}], components={"securitySchemes": schemes})
    assert [operation.security for operation in bench.contract(document).operations] == [
        (Requirement((("a", ()), ("b", ("x",)))), Requirement(())),
        (),
        (Requirement((("b", ()),)),),
    ]


@pytest.mark.parametrize("key", ["x-openapi-router-controller", "x-swagger-router-controller"])
def test_the_nearest_controller_counts(bench: Bench, key: str) -> None:
    paths = {
        "/a": {key: "path", "get": {"responses": OK, key: "own"}, "put": {"responses": OK}},
        "/b": {"get": {"responses": OK}},
    }
    members: dict[str, Any] = {key: "document", "x-other": 1}
    contract = bench.contract(bench.document(paths=paths, **members))
    assert [operation.controller for operation in contract.operations] == ["own", "path", "document"]
    assert contract.extensions == {"x-other": 1}
    assert contract.operations[0].extensions == {}
    assert bench.operation(bench.document(paths=bench.get())).controller is None


def test_extensions_of_a_path_are_those_of_its_operations(bench: Bench) -> None:
    item = {"x-a": 1, "x-b": 1, "get": {"responses": OK, "x-b": 2, "x-c": 3}}
    found = bench.operation(bench.document(paths={"/a": item}))
    assert found.extensions == {"x-a": 1, "x-b": 2, "x-c": 3}
    assert {key: place.pointer for key, place in found.extension_places.items()} == {
        "x-a": "/paths/~1a/x-a",
        "x-b": "/paths/~1a/get/x-b",
        "x-c": "/paths/~1a/get/x-c",
    }


def test_an_operation_is_described(bench: Bench) -> None:
    document = bench.document(
        paths=bench.get(
            operationId="list",
            summary="short",
            description="long",
            tags=["a", "b"],
            deprecated=True,
            callbacks={"done": {"{$request.body#/url}": {"post": {"responses": OK}}}},
        ),
        webhooks={"new": {"post": {"responses": OK}}},
        tags=[{"name": "a"}],
    )
    contract = bench.contract(document)
    (operation,) = contract.operations
    assert (operation.method, operation.path, operation.operation_id) == ("GET", "/a", "list")
    assert (operation.summary, operation.description, operation.tags) == ("short", "long", ("a", "b"))
    assert (operation.deprecated, operation.callbacks) == (True, ("done",))
    assert (contract.title, contract.api_version, contract.version) == ("Test", "1", "3.1.0")
    assert contract.webhooks == ("new",)
    assert contract.line(operation.place) == 9
    assert contract.line(Place("none.yaml", "/x")) == 1


def test_every_method_is_an_operation(bench: Bench) -> None:
    methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
    contract = bench.contract(bench.document(paths={"/a": {method: {"responses": OK} for method in methods}}))
    assert [operation.method for operation in contract.operations] == [method.upper() for method in methods]


def test_3_2_has_more_methods(bench: Bench) -> None:
    item = {"query": {"responses": OK}, "additionalOperations": {"COPY": {"responses": OK}}}
    document = bench.document(
        "3.2.0", paths={"/a": item}, tags=[{"name": "a", "kind": "nav", "parent": "b"}, {"name": "b"}]
    )
    assert [operation.method for operation in bench.contract(document).operations] == ["QUERY", "COPY"]
    assert (
        "the key `query` is not known here"
        in bench.problems(bench.document(paths={"/a": {"query": {"responses": OK}}}))[0]
    )


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_a_path_item_may_be_a_reference_with_members_of_its_own(bench: Bench, version: str) -> None:
    shared = {"get": {"operationId": "far", "responses": OK}, "x-a": 1, "x-b": 1}
    own = {"$ref": "#/x-items/a", "put": {"operationId": "near", "responses": OK}, "x-b": 2}
    operations = bench.contract(bench.document(version, paths={"/a": own}, **{"x-items": {"a": shared}})).operations
    assert [(one.method, one.operation_id, one.extensions) for one in operations] == [
        ("GET", "far", {"x-a": 1, "x-b": 2}),
        ("PUT", "near", {"x-a": 1, "x-b": 2}),
    ]


def test_a_path_item_may_be_a_component(bench: Bench) -> None:
    items = {"a": {"get": {"responses": OK}}, "unused": {"get": {"responses": OK, "operationId": "x"}}}
    document = bench.document(paths={"/a": {"$ref": "#/components/pathItems/a"}}, components={"pathItems": items})
    (operation,) = bench.contract(document).operations
    assert operation.place == Place("api.json", "/components/pathItems/a/get")


def test_a_path_item_that_leads_nowhere_is_told(bench: Bench) -> None:
    (problem,) = bench.problems(bench.document(paths={"/a": {"$ref": "#/nowhere"}}))
    assert "`#/nowhere` leads nowhere" in problem


def test_paths_may_be_missing_in_3_1(bench: Bench) -> None:
    contract = bench.contract({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "webhooks": {}})
    assert contract.operations == ()


def test_every_unused_component_is_looked_at(bench: Bench) -> None:
    broken = {"$ref": "#/nowhere"}
    media = {"content": {"application/json": {"schema": broken}}}
    components = {
        "schemas": {"a": {"items": broken}},
        "responses": {"a": {"description": "", **media}, "b": broken},
        "parameters": {"a": {"name": "x", "in": "query", "schema": broken}, "b": broken},
        "requestBodies": {"a": media, "b": broken},
        "headers": {"a": {"schema": broken}, "b": broken},
        "examples": {"b": broken},
        "links": {"b": broken},
        "callbacks": {"a": {"{$url}": {"post": {"requestBody": media, "responses": OK}}}, "b": broken},
        "pathItems": {"a": {"get": {"responses": {"200": broken}}}},
    }
    hooks = {
        "new": {
            "post": {
                "requestBody": broken,
                "parameters": [{"name": "p", "in": "path", "required": True, "schema": TEXT}],
            }
        }
    }
    paths = bench.get(callbacks={"done": {"{$url}": {"post": {"requestBody": broken}}}})
    document = bench.document(paths=paths, components=components, webhooks=hooks)
    wrinkles = bench.wrinkles(document)
    assert len([wrinkle for wrinkle in wrinkles if "`#/nowhere` leads nowhere" in wrinkle]) == 16
    assert bench.contract(document).operations[0].callbacks == ("done",)


def test_what_is_missing_or_has_the_wrong_shape_does_not_hide_the_rest(bench: Bench) -> None:
    document = bench.document(
        "3.1.0",
        paths={
            "/a": {"get": {"parameters": "x", "responses": {"200": 3}, "requestBody": 3, "tags": 3, "security": [3]}},
            "/b": 3,
            "/c": {"get": 3, "$ref": 3},
            "/d": {"get": {"parameters": [3, {"name": 3, "in": 3}, {"name": "x", "in": "qury", "schema": {}}]}},
            "/e": {"get": {"responses": {"200": {"headers": {"x": 3}, "content": {"a/b": 3}, "links": {"x": 3}}}}},
        },
        components={"securitySchemes": {"a": {"type": "magic"}, "b": 3}, "schemas": 3},
        security=3,
    )
    assert len(bench.problems(document)) > 12
