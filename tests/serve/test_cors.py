"""Pages of other origins: who is let in, what a preflight is told, and that nothing is reflected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort
from flask.testing import FlaskClient

from demijohn import BindingError, SettingError, Settings

Build = Callable[..., FlaskClient]

GOOD = "https://good.example"
OTHER_GOOD = "https://app.good.example:8443"
EVIL = [
    "https://evil.example",
    "null",
    "https://good.example.evil.example",
    "https://evil-good.example",
    "http://good.example",
    "https://good.example:8443",
    "https://good.example:443",
    "https://good.example/",
    "https://sub.good.example",
    "HTTPS://GOOD.EXAMPLE",
    "https://good.example, https://evil.example",
    "https://good.example%60.evil.example",
    "https://good.example\t",
    "*",
    "",
]
TOKEN = {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "who.bearer"}
KEY = {"type": "apiKey", "in": "header", "name": "X-Key", "x-apikeyInfoFunc": "who.key"}


def contract(**more: Any) -> dict[str, Any]:
    fine = {"200": {"description": "ok", "headers": {"X-Own": {"schema": {"type": "string"}}}}}
    item = {
        "get": {
            "operationId": "read",
            "parameters": [{"name": "X-Tenant", "in": "header", "schema": {"type": "string"}}],
            "responses": fine,
        },
        "put": {
            "operationId": "replace",
            "security": [{"token": []}, {"key": []}],
            "requestBody": {"content": {"application/json": {}}},
            "responses": fine,
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": item, "/b": {"delete": {"operationId": "remove", "responses": fine}}},
        "components": {"securitySchemes": {"token": TOKEN, "key": KEY}},
        **more,
    }


@pytest.fixture
def shared(build: Build, module: Callable[..., None]) -> Callable[..., FlaskClient]:
    """Return what serves the contract with an `x-cors` and settings."""
    module("who", bearer=lambda token: {"sub": "ann"} if token == "good" else None, key=lambda apikey: None)

    def make(
        x_cors: Any = None, app: Flask | None = None, base_path: str | None = None, **settings: Any
    ) -> FlaskClient:
        more = {} if x_cors is None else {"x-cors": x_cors}
        functions = {"read": lambda: "", "replace": lambda: "", "remove": lambda: ""}
        settled = Settings(**settings)
        return build(contract(**more), settings=settled, app=app, base_path=base_path, **functions)

    return make


def shown(response: Any) -> dict[str, str]:
    """Return the headers of an answer that say anything of other origins."""
    return {name: value for name, value in response.headers if name.startswith("Access-Control-")}


def test_without_a_list_there_is_no_header_at_all(shared: Callable[..., FlaskClient]) -> None:
    client = shared()
    asked = {"Origin": GOOD, "Access-Control-Request-Method": "PUT"}
    for response in (client.get("/a", headers=asked), client.options("/a", headers=asked), client.get("/no")):
        assert shown(response) == {}
        assert response.headers.get("Vary") in (None, "X-Tenant")
    assert client.options("/a", headers=asked).headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


@pytest.mark.parametrize(
    "how", [{"cors_origins": f"{GOOD}, {OTHER_GOOD}"}, {"x_cors": {"origins": [GOOD, OTHER_GOOD]}}]
)
def test_an_origin_of_the_list_is_let_in(shared: Callable[..., FlaskClient], how: dict[str, Any]) -> None:
    client = shared(**how)
    for origin in (GOOD, OTHER_GOOD):
        response = client.get("/a", headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Vary"] == "X-Tenant, Origin"
        assert "Access-Control-Allow-Credentials" not in response.headers
        exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Link", "Location", "RateLimit", "Retry-After", "X-Own", "X-Request-ID"} <= set(exposed)


@pytest.mark.parametrize("origin", [*EVIL, None])
@pytest.mark.parametrize("path", ["/a", "/b", "/none", "/openapi.json"])
def test_any_other_origin_is_told_nothing(shared: Callable[..., FlaskClient], origin: str | None, path: str) -> None:
    client = shared({"origins": [GOOD], "credentials": True})
    headers = {} if origin is None else {"Origin": origin}
    for method in ("GET", "DELETE", "OPTIONS"):
        response = client.open(path, method=method, headers=headers)
        assert shown(response) == {}
        if path in ("/a", "/b") or response.status_code in (200, 404):
            assert "Origin" in response.headers["Vary"]


def test_errors_are_shared_as_answers_are(shared: Callable[..., FlaskClient]) -> None:
    client = shared({"origins": [GOOD]})
    responses = {
        400: client.get("/a?strange=1", headers={"Origin": GOOD}),
        401: client.put("/a", headers={"Origin": GOOD}),
        404: client.get("/none", headers={"Origin": GOOD}),
        405: client.post("/a", headers={"Origin": GOOD}),
    }
    for status, response in responses.items():
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == GOOD
        assert response.headers["Vary"] == "Origin"


def test_credentials_are_for_named_origins(shared: Callable[..., FlaskClient]) -> None:
    client = shared({"origins": [GOOD], "credentials": True})
    assert client.get("/a", headers={"Origin": GOOD}).headers["Access-Control-Allow-Credentials"] == "true"
    with pytest.raises(BindingError, match=r"openapi.json:1: x-cors allows credentials to every origin"):
        shared({"origins": "*", "credentials": True})
    with pytest.raises(BindingError, match="credentials to every origin"):
        shared({"credentials": True}, cors_origins="*")


def test_a_star_is_for_everyone_and_varies_by_no_origin(shared: Callable[..., FlaskClient]) -> None:
    client = shared(cors_origins="*")
    for headers in ({"Origin": "https://anyone.example"}, {}):
        response = client.get("/a", headers=headers)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Vary"] == "X-Tenant"


def preflight(client: FlaskClient, path: str, origin: str = GOOD, method: str = "PUT") -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-evil"}
    return client.options(path, headers=headers)


def test_a_preflight_is_answered_from_the_contract(shared: Callable[..., FlaskClient]) -> None:
    response = preflight(shared({"origins": [GOOD], "max_age": 60}), "/a")
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == GOOD
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, PUT"
    assert response.headers["Access-Control-Max-Age"] == "60"
    assert response.headers["Vary"] == "Origin"
    assert response.headers["X-Request-ID"]
    taken = set(response.headers["Access-Control-Allow-Headers"].split(", "))
    assert taken == {
        "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "X-Key",
        "X-Request-ID", "X-Tenant",
    }  # fmt: skip


def test_a_preflight_names_what_its_own_path_takes_only(shared: Callable[..., FlaskClient]) -> None:
    response = preflight(shared({"origins": [GOOD]}), "/b")
    assert response.headers["Access-Control-Allow-Methods"] == "DELETE"
    assert not {"Authorization", "Content-Type", "X-Tenant"} & set(
        response.headers["Access-Control-Allow-Headers"].split(", ")
    )


@pytest.mark.parametrize("origin", EVIL)
def test_a_preflight_of_another_origin_is_told_nothing(shared: Callable[..., FlaskClient], origin: str) -> None:
    response = preflight(shared({"origins": [GOOD], "credentials": True}), "/a", origin)
    assert shown(response) == {}
    assert response.headers["Vary"] == "Origin"
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


def test_a_preflight_reaches_no_function_of_the_application(shared: Callable[..., FlaskClient]) -> None:
    app = Flask("small")
    app.before_request(lambda: abort(401))
    client = shared({"origins": [GOOD]}, app=app)
    assert preflight(client, "/a").status_code == 204
    assert client.options("/a", headers={"Origin": GOOD}).status_code == 401


def test_the_answers_of_views_are_the_applications_own(shared: Callable[..., FlaskClient]) -> None:
    app = Flask("small")
    app.add_url_rule("/page", "page", lambda: "page")
    client = shared({"origins": [GOOD], "credentials": True}, app=app)
    assert shown(client.get("/page", headers={"Origin": GOOD})) == {}


def test_what_the_application_says_itself_is_said_once(shared: Callable[..., FlaskClient]) -> None:
    app = Flask("small")

    @app.after_request
    def own(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "https://own.example"
        response.headers["Vary"] = "Cookie, origin"
        return response

    response = shared({"origins": [GOOD]}, app=app).get("/a", headers={"Origin": GOOD})
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["https://own.example"]
    assert response.headers.getlist("Vary") == ["Cookie, origin"]


def test_a_contract_goes_before_the_settings(shared: Callable[..., FlaskClient]) -> None:
    assert shown(shared(False, cors_origins=GOOD).get("/a", headers={"Origin": GOOD})) == {}
    own = shared({"origins": [OTHER_GOOD]}, cors_origins=GOOD)
    assert shown(own.get("/a", headers={"Origin": GOOD})) == {}
    more = shared({"credentials": True, "expose": ["X-Mine"]}, cors_origins=GOOD).get("/a", headers={"Origin": GOOD})
    assert more.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-Mine" in more.headers["Access-Control-Expose-Headers"]
    assert shown(shared({"credentials": True}).get("/a", headers={"Origin": GOOD})) == {}


def test_a_contract_speaks_for_what_is_below_its_base_path(shared: Callable[..., FlaskClient]) -> None:
    client = shared({"origins": [GOOD]}, base_path="/v1")
    headers = {"Origin": GOOD}
    for path in ("/v1/a", "/v1/openapi.json", "/v1/none"):
        assert client.get(path, headers=headers).headers["Access-Control-Allow-Origin"] == GOOD, path
    for path in ("/none", "/v11/none", "/v1a"):
        assert shown(client.get(path, headers=headers)) == {}, path


def test_origins_are_read_as_browsers_write_them(shared: Callable[..., FlaskClient]) -> None:
    client = shared({"origins": ["HTTPS://Good.Example:443", "http://[::1]:80", "capacitor://localhost"]})
    for origin in (GOOD, "http://[::1]", "capacitor://localhost"):
        assert client.get("/a", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin


def test_every_wrong_key_is_told_with_its_line(shared: Callable[..., FlaskClient]) -> None:
    wrong = {
        "origins": [GOOD, "https://good.example/path", "null", "https://*.good.example", "good.example", 7],
        "credentials": "yes",
        "expose": ["X Y"],
        "max_age": 1e9,
        "methods": ["GET"],
    }
    with pytest.raises(BindingError) as caught:
        shared(wrong)
    told = str(caught.value)
    assert len(caught.value.problems) == 9
    for one in (
        "/path'",
        "'null'",
        "//*.good",
        "'good.example'",
        "origin 7",
        "'yes'",
        "X Y",
        "1000000000.0",
        "'methods'",
    ):
        assert one in told
    for wrong_whole in ([GOOD], "*", True):
        with pytest.raises(BindingError, match="write a mapping with origins, or false"):
            shared(wrong_whole)
    with pytest.raises(BindingError, match="write a list of origins"):
        shared({"origins": GOOD})


def test_wrong_origins_of_the_settings_stop_the_start(shared: Callable[..., FlaskClient]) -> None:
    with pytest.raises(SettingError) as caught:
        shared(cors_origins=f"{GOOD}, null, https://a.example/x, https://b.example:99999")
    assert len(caught.value.problems) == 3
    assert "DEMIJOHN_CORS_ORIGINS: found 'null', allowed is origins such as" in str(caught.value)
