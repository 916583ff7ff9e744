"""Who may call: requirements as OR and AND, Connexion's hooks, what a client is told."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from demijohn import BindingError, Forbidden, Settings

Build = Callable[..., FlaskClient]
Module = Callable[..., None]

SCHEMES: dict[str, Any] = {
    "basic": {"type": "http", "scheme": "basic", "x-basicInfoFunc": "sec.basic"},
    "bearer": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "sec.bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key", "x-apikeyInfoFunc": "sec.key"},
    "query": {"type": "apiKey", "in": "query", "name": "key", "x-apikeyInfoFunc": "sec.key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "key", "x-apikeyInfoFunc": "sec.key"},
    "oauth": {
        "type": "oauth2",
        "flows": {"clientCredentials": {"tokenUrl": "/t", "scopes": {"read": "", "write": ""}}},
        "x-tokenInfoFunc": "sec.token",
    },
    "oidc": {"type": "openIdConnect", "openIdConnectUrl": "/o", "x-tokenInfoFunc": "sec.token"},
}


def contract(security: list[Any], **schemes: Any) -> dict[str, Any]:
    operation = {
        "operationId": "read",
        "security": security,
        "responses": {"200": {"description": "ok", "content": {"application/json": {}}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sec", "version": "1"},
        "components": {"securitySchemes": SCHEMES | schemes},
        "paths": {
            "/": {
                "get": operation,
                "post": operation
                | {
                    "operationId": "create",
                    "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                },
            }
        },
    }


def read(user: Any, token_info: Any = None) -> Any:
    return {"user": user}


@pytest.fixture
def sec(module: Module) -> list[str]:
    """Install the hooks; return the list of those that were called."""
    called: list[str] = []

    def basic(username: str, password: str) -> Any:
        called.append("basic")
        return {"sub": username} if password == "pw" else None

    def bearer(token: str, required_scopes: list[str], request: Any) -> Any:
        called.append("bearer")
        assert request.method
        return {"uid": "tok", "scope": "read"} if token == "good" else None

    def key(apikey: str) -> Any:
        called.append("key")
        return {"sub": f"key {apikey}"} if apikey.startswith("k") else None

    def token(token: str, **more: Any) -> Any:
        called.append("token")
        return {"sub": "o", "scopes": ["read"]} if token == "good" else None

    module("sec", basic=basic, bearer=bearer, key=key, token=token, never=lambda required, held: False)
    return called


def client_for(build: Build, security: list[Any], **schemes: Any) -> FlaskClient:
    return build(contract(security, **schemes), read=read, create=lambda user, body=None: {"user": user})


def basic_header(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("scheme", "headers", "url", "user"),
    [
        ("basic", basic_header("ann:pw"), "/", "ann"),
        ("basic", basic_header("änn:pw"), "/", "änn"),
        ("bearer", {"Authorization": "bearer good"}, "/", "tok"),
        ("header", {"x-key": "k1"}, "/", "key k1"),
        ("query", {}, "/?key=k%202", "key k 2"),
        ("cookie", {"Cookie": "key=k3"}, "/", "key k3"),
        ("oauth", {"Authorization": "Bearer good"}, "/", "o"),
        ("oidc", {"Authorization": "Bearer good"}, "/", "o"),
    ],
)
def test_each_kind_of_scheme_lets_the_right_credential_in(
    build: Build, sec: list[str], scheme: str, headers: dict[str, str], url: str, user: str
) -> None:
    client = client_for(build, [{scheme: []}]).application.test_client(use_cookies=False)
    reply = client.get(url, headers=headers)
    assert (reply.status_code, reply.json) == (200, {"user": user})
    refused = client.get("/")
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers


@pytest.mark.parametrize(
    ("scheme", "headers", "url"),
    [
        ("basic", basic_header("ann:no"), "/"),
        ("basic", basic_header("ann"), "/"),
        ("basic", {"Authorization": "Basic !!!"}, "/"),
        ("basic", {"Authorization": "Basic /w=="}, "/"),
        ("bearer", {"Authorization": "Bearer bad"}, "/"),
        ("bearer", {"Authorization": "Bearer"}, "/"),
        ("bearer", {"Authorization": "Bearer good extra"}, "/"),
        ("bearer", basic_header("ann:pw"), "/"),
        ("header", {"X-Key": "no"}, "/"),
        ("query", {}, "/?key=no"),
        ("query", {}, "/?key=k1&key=k2"),
        ("query", {}, "/?key=%ff"),
        ("cookie", {"Cookie": "key=no"}, "/"),
    ],
)
def test_a_wrong_credential_is_401(
    build: Build, sec: list[str], scheme: str, headers: dict[str, str], url: str
) -> None:
    client = client_for(build, [{scheme: []}]).application.test_client(use_cookies=False)
    reply = client.get(url, headers=headers)
    assert reply.status_code == 401
    assert reply.content_type == "application/problem+json"


def test_requirements_in_a_list_are_alternatives(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"bearer": []}, {"header": []}])
    assert client.get("/", headers={"Authorization": "Bearer good"}).json == {"user": "tok"}
    assert client.get("/", headers={"X-Key": "k"}).json == {"user": "key k"}
    assert client.get("/", headers={"X-Key": "k", "Authorization": "Bearer bad"}).json == {"user": "key k"}
    challenges = client.get("/").headers.getlist("WWW-Authenticate")
    assert challenges == ['Bearer realm="Sec"', 'ApiKey realm="Sec", in="header", name="X-Key"']


def test_schemes_in_one_requirement_are_all_demanded(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"bearer": [], "header": []}])
    both = {"Authorization": "Bearer good", "X-Key": "k"}
    assert client.get("/", headers=both).json == {"user": "tok"}
    assert client.get("/", headers={"X-Key": "k"}).status_code == 401
    assert client.get("/", headers=both | {"X-Key": "no"}).status_code == 401


def test_a_hook_is_asked_once_however_many_alternatives_name_it(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"bearer": [], "header": []}, {"bearer": []}])
    assert client.get("/", headers={"Authorization": "Bearer good"}).status_code == 200
    assert sec == ["bearer"]


def test_a_missing_scope_is_403(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"oauth": ["read", "write"]}])
    reply = client.get("/", headers={"Authorization": "Bearer good"})
    assert reply.status_code == 403
    assert 'error="insufficient_scope", scope="read write"' in reply.headers["WWW-Authenticate"]
    assert (
        client_for(build, [{"oauth": ["read"]}]).get("/", headers={"Authorization": "Bearer good"}).status_code == 200
    )


def test_each_scope_that_would_do_is_told(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"bearer": ["clerk"]}, {"oauth": ["admin"]}, {"bearer": ["admin"]}])
    reply = client.get("/", headers={"Authorization": "Bearer good"})
    told = reply.get_json()["detail"]
    assert (reply.status_code, told) == (403, "The credentials lack a scope: clerk or admin is needed.")
    assert 'scope="clerk"' in reply.headers["WWW-Authenticate"]


def test_scopes_hold_for_bearer_tokens_too(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"bearer": ["admin"]}])
    assert client.get("/", headers={"Authorization": "Bearer good"}).status_code == 403


def test_a_scope_function_decides_in_place_of_the_rule(build: Build, sec: list[str]) -> None:
    oauth = SCHEMES["oauth"] | {"x-scopeValidateFunc": "sec.never"}
    client = client_for(build, [{"oauth": ["read"]}], oauth=oauth)
    assert client.get("/", headers={"Authorization": "Bearer good"}).status_code == 403


def test_guards_run_before_the_body_is_read(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"bearer": []}])
    assert client.post("/", data="{", content_type="application/json").status_code == 401
    assert client.post("/", data="<a/>", content_type="application/xml").status_code == 401


def test_a_hook_may_refuse_with_a_problem_of_its_own(build: Build, module: Module) -> None:
    def bearer(token: str) -> Any:
        raise Forbidden("Locked.")

    module("sec", bearer=bearer)
    reply = client_for(build, [{"bearer": []}]).get("/", headers={"Authorization": "Bearer x"})
    assert reply.status_code == 403


def test_a_scheme_without_a_function_stops_the_start(build: Build, module: Module) -> None:
    bare = {"type": "http", "scheme": "bearer"}
    with pytest.raises(BindingError, match="has no function that checks it"):
        client_for(build, [{"bearer": []}], bearer=bare)
    with pytest.raises(BindingError, match="no module 'nowhere'"):
        client_for(build, [{"bearer": []}], bearer=bare | {"x-bearerInfoFunc": "nowhere.check"})
    with pytest.raises(BindingError, match="x-scopeValidateFunc"):
        client_for(build, [{"oauth": []}], oauth=SCHEMES["oauth"] | {"x-scopeValidateFunc": "sec.nothing"})
    with pytest.raises(BindingError, match="use http, apiKey"):
        client_for(build, [{"tls": []}], tls={"type": "mutualTLS"})


def test_a_scheme_where_none_is_declared_stops_the_start(build: Build) -> None:
    demanding = contract([{"ghost": []}])
    del demanding["components"]["securitySchemes"]
    with pytest.raises(BindingError, match="declare the scheme in `components` under `securitySchemes`"):
        build(demanding, read=read, create=lambda user, body=None: {"user": user})


def test_an_unused_scheme_needs_no_function(build: Build, sec: list[str]) -> None:
    client = client_for(build, [], spare={"type": "http", "scheme": "bearer"})
    assert client.get("/").json == {"user": None}


def test_a_mocked_operation_wants_a_credential_of_the_right_form(build: Build) -> None:
    bare = {"type": "http", "scheme": "bearer"}
    client = build(contract([{"bearer": ["x"]}], bearer=bare), settings=Settings(unbound="mock"))
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"Authorization": "Bearer anything"}).status_code == 200


def test_an_api_key_in_the_query_is_no_unknown_parameter(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{"query": []}])
    assert client.get("/?key=k").status_code == 200
    assert client.get("/?key=k&other=1").status_code == 400


def test_a_wrong_credential_is_told_though_another_one_is_missing(build: Build, sec: list[str]) -> None:
    client = client_for(build, [{}, {"header": [], "bearer": []}])
    assert client.get("/").json == {"user": None}
    assert client.get("/", headers={"Authorization": "Bearer bad"}).status_code == 401
    both = client_for(build, [{"header": [], "bearer": []}])
    assert "invalid_token" in both.get("/", headers={"Authorization": "Bearer bad"}).text + str(
        both.get("/", headers={"Authorization": "Bearer bad"}).headers
    )
