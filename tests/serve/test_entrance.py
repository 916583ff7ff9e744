"""Which host a request is for, and where it comes from: only known proxies are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cost
import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from demijohn import SettingError, Settings

Build = Callable[..., FlaskClient]
Seen = dict[str, Any]

CONTRACT = {
    "openapi": "3.1.0",
    "info": {"title": "T", "version": "1"},
    "paths": {
        "/a": {
            "get": {
                "operationId": "read",
                "responses": {"200": {"description": "k", "content": {"application/json": {}}}},
            }
        }
    },
}


def read() -> Seen:
    told = [name for name in request.environ if "FORWARDED" in name or name == "HTTP_X_REAL_IP"]
    return {"from": request.remote_addr, "scheme": request.scheme, "host": request.host, "told": told}


@pytest.fixture
def client(build: Build) -> Callable[..., FlaskClient]:
    """Return what serves the contract with settings."""

    def make(app: Flask | None = None, **settings: Any) -> FlaskClient:
        return build(CONTRACT, settings=Settings(**settings), app=app, read=read)

    return make


def ask(client: FlaskClient, path: str = "/a", **environ: str | None) -> Any:
    """Send a request whose environ has these values, and lacks those that are None."""
    given = {name: value for name, value in environ.items() if value is not None}
    absent = {name for name, value in environ.items() if value is None}

    def app(made: Seen, start: Any) -> Any:
        return client.application.wsgi_app({name: made[name] for name in made.keys() - absent} | given, start)

    from werkzeug.test import Client

    return Client(app).get(path)


# Hosts

WELL_FORMED = [
    "localhost",
    "example.org",
    "example.org:8000",
    "EXAMPLE.ORG",
    "127.0.0.1:80",
    "[::1]",
    "[::1]:5000",
    "a_b",
]
MALFORMED = [
    None, "", "a,b", "a, b", "evil.com/x?y@z", "user@host", "a b", "a\tb", "a\r\nX: y", "host:port", "host:99999999",
    "[::1", "::1", "a\\b", "a#b", "a%00b", "é.example", "a" * 300, "http://a",
]  # fmt: skip


@pytest.mark.parametrize("host", WELL_FORMED)
def test_any_well_formed_host_passes_where_none_are_named(client: Callable[..., FlaskClient], host: str) -> None:
    served = client()
    for _ in range(2):  # the second time it is remembered
        assert ask(served, HTTP_HOST=host).status_code == 200


@pytest.mark.parametrize("host", MALFORMED)
@pytest.mark.parametrize("path", ["/a", "/none", "/openapi.json"])
def test_a_malformed_host_is_refused_whatever_it_asks_for(
    client: Callable[..., FlaskClient], host: str | None, path: str
) -> None:
    for settings in ({}, {"trusted_hosts": "example.org"}):
        response = ask(client(**settings), path, HTTP_HOST=host)
        assert (response.status_code, response.content_type) == (400, "application/problem+json")
        assert response.headers["X-Request-ID"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "detail" in response.json
        assert not host or host not in response.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.org", 200), ("Example.Org:5000", 200), ("sub.example.com", 200), ("a.b.example.com", 200),
        ("example.com", 200), ("[::1]:80", 200), ("sub.example.org", 400), ("evil-example.com", 400),
        ("example.com.evil.test", 400), ("example.org.", 400), ("localhost", 400),
    ],
)  # fmt: skip
def test_only_trusted_hosts_are_served(client: Callable[..., FlaskClient], host: str, status: int) -> None:
    served = client(trusted_hosts="Example.org, .example.com, [::1]")
    for _ in range(2):
        assert ask(served, HTTP_HOST=host).status_code == status


def test_the_trusted_hosts_of_flask_hold_for_every_operation(client: Callable[..., FlaskClient]) -> None:
    app = Flask("small")
    app.config["TRUSTED_HOSTS"] = ["example.org"]
    served = client(app=app)
    assert ask(served, HTTP_HOST="example.org").status_code == 200
    assert ask(served, HTTP_HOST="evil.example").status_code == 400


@pytest.mark.parametrize("key", ["RAW_URI"])
def test_an_absolute_address_is_for_its_own_host(client: Callable[..., FlaskClient], key: str) -> None:
    served = client()
    assert ask(served, HTTP_HOST="example.org").status_code == 200
    assert ask(served, HTTP_HOST="example.org", **{key: "http://example.org/a"}).status_code == 200
    assert ask(served, HTTP_HOST="example.org", **{key: "http://evil.example/a"}).status_code == 400
    assert ask(served, HTTP_HOST="example.org", **{key: "/a"}).status_code == 200


def test_many_hosts_are_not_remembered_for_ever(client: Callable[..., FlaskClient]) -> None:
    served = client()
    entrance = served.application.extensions["demijohn"].dispatcher.entrance
    for index in range(600):
        assert ask(served, HTTP_HOST=f"host{index}").status_code == 200
    assert len(entrance._known) <= 256


# Proxies


def forwarded(client: FlaskClient, peer: str | None, **headers: str) -> Seen:
    """Return what an operation sees of a request of `peer` with forwarded headers."""
    named = {f"HTTP_{name}": value for name, value in headers.items()}
    response = ask(client, REMOTE_ADDR=peer, HTTP_HOST="inside", **named)
    assert response.status_code == 200
    seen: Seen = response.json
    assert seen.pop("told") == []
    return seen


FORGED = {
    "X_FORWARDED_FOR": "1.2.3.4",
    "X_FORWARDED_PROTO": "https",
    "X_FORWARDED_HOST": "evil.example",
    "X_FORWARDED_PORT": "1",
    "X_FORWARDED_PREFIX": "/evil",
    "X_REAL_IP": "1.2.3.4",
    "FORWARDED": "for=1.2.3.4;proto=https;host=evil.example",
}


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8", "203.0.113.8", "unix"])
def test_nobody_but_a_known_proxy_is_believed(client: Callable[..., FlaskClient], proxies: str) -> None:
    seen = forwarded(client(trusted_proxies=proxies), "203.0.113.9", **FORGED)
    assert seen == {"from": "203.0.113.9", "scheme": "http", "host": "inside"}


def test_a_known_proxy_is_believed(client: Callable[..., FlaskClient]) -> None:
    served = client(trusted_proxies="10.0.0.0/8, 2001:db8::/32")
    told = {"X_FORWARDED_FOR": "203.0.113.9", "X_FORWARDED_PROTO": "https", "X_FORWARDED_HOST": "example.org"}
    expected = {"from": "203.0.113.9", "scheme": "https", "host": "example.org"}
    assert forwarded(served, "10.1.2.3", **told) == expected
    assert forwarded(served, "2001:db8::7", **told) == expected
    assert forwarded(served, "::ffff:10.1.2.3", **told) == expected
    assert forwarded(served, "10.1.2.3", FORWARDED="for=1.2.3.4") == {
        "from": "10.1.2.3",
        "scheme": "http",
        "host": "inside",
    }


@pytest.mark.parametrize(
    ("chain", "client_address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("1.2.3.4,203.0.113.9,10.0.0.2,10.0.0.3", "203.0.113.9"),
        ("10.0.0.9, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:DB8:0:0::9]:4711", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, unknown", "10.0.0.1"),
        ("1.2.3.4, <script>, 10.0.0.3", "10.0.0.3"),
        ("1.2.3.4, fe80::1%eth0", "10.0.0.1"),
        ("1.2.3.4, 999.1.1.1", "10.0.0.1"),
        ("1.2.3.4,", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_is_the_client(
    client: Callable[..., FlaskClient], chain: str, client_address: str
) -> None:
    served = client(trusted_proxies="10.0.0.0/8")
    assert forwarded(served, "10.0.0.1", X_FORWARDED_FOR=chain)["from"] == client_address


@pytest.mark.parametrize(
    ("chain", "protocols", "scheme"),
    [
        ("203.0.113.9", "https", "https"),
        ("203.0.113.9", "http, https", "https"),
        ("203.0.113.9, 10.0.0.2", "http, https, http", "https"),
        ("203.0.113.9, 10.0.0.2", "https", "https"),
        ("203.0.113.9", "HTTPS", "https"),
        ("203.0.113.9", "javascript", "http"),
        ("203.0.113.9", "", "http"),
    ],
)
def test_the_scheme_is_what_the_proxy_at_the_edge_says(
    client: Callable[..., FlaskClient], chain: str, protocols: str, scheme: str
) -> None:
    served = client(trusted_proxies="10.0.0.0/8")
    seen = forwarded(served, "10.0.0.1", X_FORWARDED_FOR=chain, X_FORWARDED_PROTO=protocols)
    assert seen["scheme"] == scheme


def test_a_forwarded_host_is_checked_like_any_other(client: Callable[..., FlaskClient]) -> None:
    served = client(trusted_proxies="10.0.0.1", trusted_hosts="example.org")
    told = {"REMOTE_ADDR": "10.0.0.1", "HTTP_HOST": "inside"}
    assert ask(served, **told, HTTP_X_FORWARDED_HOST="example.org").status_code == 200
    assert ask(served, **told, HTTP_X_FORWARDED_HOST="evil.example").status_code == 400
    assert ask(served, **told, HTTP_X_FORWARDED_HOST="a/b").status_code == 400
    assert ask(served, **told).status_code == 400


def test_who_comes_through_a_socket_may_be_a_proxy(client: Callable[..., FlaskClient]) -> None:
    for peer in ("", None):
        assert forwarded(client(trusted_proxies="unix"), peer, X_FORWARDED_FOR="203.0.113.9")["from"] == "203.0.113.9"
        assert forwarded(client(), peer, X_FORWARDED_FOR="203.0.113.9")["from"] in ("", None)


def test_every_wrong_setting_is_told(client: Callable[..., FlaskClient]) -> None:
    with pytest.raises(SettingError) as caught:
        client(trusted_hosts="https://a.example, b.example:80, *", trusted_proxies="10.0.0.1/8, proxy", hsts="yes")
    told = str(caught.value)
    assert len(caught.value.problems) == 6
    for key in ("TRUSTED_HOSTS", "TRUSTED_PROXIES", "HSTS"):
        assert f"DEMIJOHN_{key}: found " in told


def test_methods_are_written_in_upper_case(client: Callable[..., FlaskClient]) -> None:
    app = Flask("small")
    app.add_url_rule("/view", "view", lambda: "seen")
    served = client(app=app)
    for method in ("get", "Get", "gET", "head", "options"):
        response = ask(served, REQUEST_METHOD=method)
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert ask(served, "/view", REQUEST_METHOD=method).status_code == 400
        assert ask(served, "/openapi.json", REQUEST_METHOD=method).status_code == 400


# Cost

SETUP = """
from demijohn import Settings
from demijohn.serve.entrance import Entrance
request = {f"HTTP_X_{index}": "value" for index in range(20)}
request |= {"HTTP_HOST": "example.org", "REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "http"}
proxied = request | {"HTTP_X_FORWARDED_FOR": "1.2.3.4, 203.0.113.9", "HTTP_X_FORWARDED_PROTO": "https"}
entrance = Entrance(Settings(trusted_hosts="example.org", trusted_proxies="10.0.0.0/8"))
"""


def test_a_plain_request_pays_next_to_nothing() -> None:
    assert cost.seconds("entrance.refuse(request)", SETUP, number=20_000, repeat=5) < 1e-6


def test_a_request_through_a_proxy_pays_little() -> None:
    assert cost.seconds("entrance.refuse(dict(proxied))", SETUP, number=10_000, repeat=5) < 5e-6
