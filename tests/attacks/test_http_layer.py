"""Attack cases A9, A10, E6, F2, F8, F11, F14, G1, H1, H2 and H4, on Granian and on Gunicorn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from guarded_app import GOOD_ORIGIN, SECRETS, write_guarded_app
from served import served, served_by_gunicorn, wait_for
from target import INSIDE
from wire import Wire

ALICE, BOB = "Authorization: Bearer alice", "Authorization: Bearer bob"


@pytest.fixture(scope="module", params=["granian", "gunicorn"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Return the guarded application as each server serves it, behind a proxy at 127.0.0.1."""
    folder = write_guarded_app(tmp_path_factory.mktemp("guarded") / "app")
    variables = SECRETS | {"DEMIJOHN_TRUSTED_PROXIES": "127.0.0.1"}
    if request.param == "granian":
        serving, log = served(folder, cwd=folder, **variables), folder / "server.log"
    else:
        serving, log = served_by_gunicorn("app:create_app()", cwd=folder, **variables), folder / "gunicorn.log"
    with serving as address:
        wait_for(f"{address}/api/openapi.json")
        yield Wire(int(address.rpartition(":")[2]), log)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Return the guarded application on Granian, for two hosts and with no proxy before it."""
    folder = write_guarded_app(tmp_path_factory.mktemp("direct") / "app")
    variables = SECRETS | {"DEMIJOHN_TRUSTED_HOSTS": "api.example.org, .example.com"}
    with served(folder, cwd=folder, **variables) as address:
        wait_for(f"{address}/api/openapi.json", Host="api.example.org")
        yield Wire(int(address.rpartition(":")[2]), folder / "server.log")


# A9, A10


@pytest.mark.parametrize(
    ("header", "query"),
    [
        ("X-HTTP-Method-Override: DELETE", ""),
        ("X-Method-Override: DELETE", ""),
        ("X-HTTP-Method: DELETE", ""),
        ("", "?_method=DELETE"),
    ],
)
def test_a9_nothing_overrides_the_method(guarded: Wire, header: str, query: str) -> None:
    before = guarded.get("/api/me", ALICE).json["done"]
    headers = ["Content-Type: application/json", "Content-Length: 20", *filter(None, [header])]
    reply = guarded.send(f"POST /api/note{query} HTTP/1.1", *headers, body='{"_method":"DELETE"}')
    if query:  # no operation declares that parameter
        assert reply.status == 400
    else:
        assert (reply.status, reply.json) == (200, {"method": "POST"})
    assert guarded.get("/api/me", ALICE).json["done"] == before


@pytest.mark.parametrize("method", ["TRACE", "FOO", "PUT", "PROPFIND", "get", "Get", "head", "options", "M-SEARCH"])
@pytest.mark.parametrize("path", ["/api/me", "/api/note", "/", "/api/openapi.json", "/static/a.js"])
def test_a10_a_method_that_is_not_there_is_refused(guarded: Wire, method: str, path: str) -> None:
    reply = guarded.send(f"{method} {path} HTTP/1.1", ALICE)
    assert reply.status in (400, 405)
    if reply.status == 405:
        expected = {"/api/me": "GET, HEAD, OPTIONS", "/api/note": "DELETE, OPTIONS, POST"}.get(
            path, "GET, HEAD, OPTIONS"
        )
        (allow,) = reply.all("Allow")
        assert sorted(allow.split(", ")) == expected.split(", ")
    elif path.startswith("/api/") and path != "/api/openapi.json":
        assert reply.all("Allow") == []
    assert ALICE not in reply.body.decode()


@pytest.mark.parametrize("target", ["/api/me", "127.0.0.1:80", "*"])
def test_a10_connect_is_refused(guarded: Wire, target: str) -> None:
    reply = guarded.send(f"CONNECT {target} HTTP/1.1", ALICE)
    assert 400 <= reply.status < 500


def test_a10_head_needs_what_get_needs(guarded: Wire) -> None:
    refused = guarded.send("HEAD /api/me HTTP/1.1")
    assert (refused.status, refused.body) == (401, b"")
    assert refused.all("WWW-Authenticate")
    assert guarded.send("HEAD /api/me HTTP/1.1", ALICE).status == 200


# E6


def test_e6_nothing_that_a_client_sends_begins_a_line_of_the_log(guarded: Wire) -> None:
    fake = '\n{"level":"fake"}\r\x1b[31m'
    sent = quote(f"x{fake}", safe="")
    headers = (f"User-Agent: {fake[2:-5]}", "X-Request-ID: a\x1b[31mb", "X-Forwarded-For: \x1b[31m")
    for path in (f"/api/broken/{sent}", f"/fails?{sent}", f"/{sent}"):
        assert guarded.get(path, *headers).status in (400, 404, 500)
    log = guarded.log.read_bytes()
    assert b"\x1b[31m" not in log
    assert not any(line.startswith(b'{"level":"fake"}') for line in re.split(rb"[\r\n]", log))


@pytest.mark.parametrize("sent", ["short-1", "a b", "x" * 65, "a\tb", "<script>", "é"])
def test_e6_a_request_id_is_kept_only_where_it_is_harmless(guarded: Wire, sent: str) -> None:
    (told,) = guarded.get("/api/maybe", f"X-Request-ID: {sent}").all("X-Request-ID")
    assert (told == sent) is (sent == "short-1")
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", told)


# F2


@pytest.mark.parametrize("path", ["/api/maybe", "/", "/static/a.js", "/none"])
@pytest.mark.parametrize("host", [None, "", "a,b", "evil.com/x?y@z", "user@evil.com", "a b", "a:b", "[::1"])
def test_f2_a_host_that_is_none_is_refused(guarded: Wire, path: str, host: str | None) -> None:
    reply = guarded.get(path, host=host)
    assert reply.status == 400
    assert b"evil.com" not in reply.body
    assert not INSIDE.search(reply.body)


def test_f2_two_hosts_are_refused(guarded: Wire) -> None:
    for hosts in (("a.example", "b.example"), ("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1")):
        assert guarded.get("/api/maybe", f"Host: {hosts[1]}", host=hosts[0]).status == 400


def test_f2_an_absolute_address_is_for_the_host_that_is_named(guarded: Wire) -> None:
    same = guarded.get("http://127.0.0.1/api/environ")
    assert (same.status, same.json["host"]) == (200, "127.0.0.1")
    other = guarded.get("http://evil.example/api/environ")
    # Granian keeps the address to itself: then nothing of the application may see it.
    assert other.status == 400 or (other.json["host"] == "127.0.0.1" and "evil.example" not in other.json["dump"])


def test_f2_only_trusted_hosts_are_served(direct: Wire) -> None:
    for host in ("api.example.org", "API.example.org:8000", "a.example.com", "example.com"):
        assert direct.get("/api/maybe", host=host).status == 200, host
    evil = ("127.0.0.1", "evil.example", "a.api.example.org", "example.org", "xexample.com", "api.example.org.evil")
    for strange in (None, *evil):
        for path in ("/api/maybe", "/", "/none", "/static/a.js"):
            assert direct.get(path, host=strange).status == 400, strange
    assert direct.get("http://api.example.org/api/maybe", host="evil.example").status == 400


# F8

FORGED = [
    "X-Forwarded-For: 1.2.3.4",
    "X_Forwarded_For: 1.2.3.4",
    "X-Forwarded-For: 1.2.3.4, 5.6.7.8",
    "X-Forwarded-For: ::1",
    "Forwarded: for=1.2.3.4;proto=https;host=evil.example",
    "X-Real-IP: 1.2.3.4",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
]


@pytest.mark.parametrize("header", FORGED)
def test_f8_whoever_is_no_proxy_is_not_believed(direct: Wire, header: str) -> None:
    seen = direct.get("/api/environ", header, host="api.example.org").json
    assert (seen["from"], seen["scheme"], seen["host"]) == ("127.0.0.1", "http", "api.example.org")
    for value in ("1.2.3.4", "5.6.7.8", "evil.example"):
        assert value not in seen["dump"]


def test_f8_a_proxy_is_believed_for_what_it_adds(guarded: Wire) -> None:
    chain = ("X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: api.example.org")
    reply = guarded.get("/api/environ", *chain, "Forwarded: for=1.2.3.4")
    seen = reply.json
    assert (seen["from"], seen["scheme"], seen["host"]) == ("203.0.113.9", "https", "api.example.org")
    assert "6.6.6.6" not in seen["dump"]
    assert reply.all("Strict-Transport-Security") == ["max-age=31536000"]


# F11


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://good.example.evil.com", "http://good.example", "https://good.example:1"],
)
@pytest.mark.parametrize("path", ["/api/me", "/api/maybe", "/api/none", "/api/openapi.json"])
def test_f11_another_origin_is_let_in_nowhere(guarded: Wire, origin: str, path: str) -> None:
    for line in (f"GET {path} HTTP/1.1", f"OPTIONS {path} HTTP/1.1"):
        reply = guarded.send(line, f"Origin: {origin}", "Access-Control-Request-Method: GET", ALICE)
        assert [name for name, _ in reply.headers if name.startswith("access-control-")] == []
        assert "Origin" in ", ".join(reply.all("Vary"))


def test_f11_the_origin_of_the_list_is_let_in_with_credentials(guarded: Wire) -> None:
    for path in ("/api/me", "/api/none"):
        reply = guarded.get(path, f"Origin: {GOOD_ORIGIN}", ALICE)
        assert reply.all("Access-Control-Allow-Origin") == [GOOD_ORIGIN]
        assert reply.all("Access-Control-Allow-Credentials") == ["true"]
    asked = ("Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization")
    preflight = guarded.send("OPTIONS /api/me HTTP/1.1", f"Origin: {GOOD_ORIGIN}", *asked)
    assert (preflight.status, preflight.all("Access-Control-Allow-Methods")) == (204, ["GET, HEAD"])
    assert "Authorization" in preflight.all("Access-Control-Allow-Headers")[0]


# F14


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /api/maybe", 200), ("GET /api/me", 401), ("GET /api/none", 404), ("GET /none", 404), ("PUT /api/me", 405),
        ("POST /api/note", 413), ("GET /api/broken/x", 500), ("GET /fails", 500), ("GET /", 200), ("PUT /", 405),
        ("GET /static/a.js", 200), ("GET /static/none", 404), ("GET /api/ui/", 200), ("GET /api/ui/start.js", 200),
        ("GET /api/ui/swagger-ui.css", 200), ("GET /api/ui", 308), ("GET /api/openapi.json", 200),
        ("GET /api/openapi.yaml", 200), ("OPTIONS /api/me", 204), ("OPTIONS /", 200), ("HEAD /api/maybe", 200),
        ("GET /api/maybe?x=1", 400),
    ],
)  # fmt: skip
@pytest.mark.parametrize("proto", ["http", "https"])
def test_f14_every_answer_has_the_security_headers(guarded: Wire, line: str, status: int, proto: str) -> None:
    headers = ["Content-Type: application/json", "Content-Length: 5000"] if status == 413 else []
    reply = guarded.send(f"{line} HTTP/1.1", f"X-Forwarded-Proto: {proto}", *headers)
    assert reply.status == status
    assert reply.all("X-Content-Type-Options") == ["nosniff"]
    (policy,) = reply.all("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "object-src 'none'" in policy or "default-src 'none'" in policy
    assert len(reply.all("Referrer-Policy")) == 1
    assert len(reply.all("Strict-Transport-Security")) == (proto == "https")
    assert not re.search(r"\d", "".join(reply.all("Server")))
    assert reply.all("X-Powered-By") == []


# G1


@pytest.mark.parametrize("path", ["/api/me", "/api/maybe"])
def test_g1_nobody_gets_what_was_answered_to_alice(guarded: Wire, path: str) -> None:
    """Keep answers as a shared cache may (RFC 9111, 3 and 4.1), and ask again as others."""
    alice = guarded.get(path, ALICE)
    assert alice.json["user"] == "alice"
    assert alice.all("Cache-Control") == ["private"]
    assert "Authorization" in alice.all("Vary")[0]
    for headers, expected in (([BOB], "bob"), (["authorization: bearer bob"], "bob"), ([], None), ([ALICE], "alice")):
        reply = guarded.get(path, *headers, f"If-None-Match: {alice.all('ETag')[0]}")
        if headers == [ALICE]:
            assert (reply.status, reply.all("Cache-Control")) == (304, ["private"])
            assert "Authorization" in reply.all("Vary")[0]
        elif expected is None and path == "/api/me":
            assert (reply.status, reply.all("Cache-Control")) == (401, ["no-store"])
        else:
            assert reply.json["user"] == expected
    anybody = guarded.get("/api/maybe")
    assert anybody.all("Cache-Control") == []
    assert "Authorization" in anybody.all("Vary")[0]


# H1, H2, H4


@pytest.mark.parametrize("path", ["/api/broken/x", "/api/rows", "/fails"])
def test_h1_a_fault_is_told_to_the_log_and_not_to_the_client(guarded: Wire, path: str) -> None:
    reply = guarded.get(path)
    assert reply.status == 500
    assert reply.all("Content-Type") == ["application/problem+json"]
    (request_id,) = reply.all("X-Request-ID")
    assert set(reply.json) == {"type", "title", "status", "code", "id"}
    assert reply.json["id"] == request_id
    assert not INSIDE.search(reply.body)
    log = guarded.log.read_text(errors="replace")
    assert request_id in log
    assert "Traceback" in log


def test_h2_no_secret_is_in_an_answer_or_in_the_log(guarded: Wire) -> None:
    paths = ("/api/rows", "/api/broken/x", "/fails", "/api/openapi.json", "/api/ui/", "/api/me", "/none", "/")
    shown = b"".join(guarded.get(path).body for path in paths) + guarded.log.read_bytes()
    assert len(shown) > 1000
    for secret in (*SECRETS.values(), "a-password-of-the-database"):
        assert secret.encode() not in shown


def test_h4_the_environ_of_a_request_holds_nothing_of_the_process(
    guarded: Wire, request: pytest.FixtureRequest
) -> None:
    dump = guarded.get("/api/environ", "X-Own: seen").json["dump"]
    assert "'HTTP_X_OWN': 'seen'" in dump
    for name, value in SECRETS.items():
        assert name not in dump
        assert value not in dump
    for name in ("'PATH'", "'HOME'", "DEMIJOHN_TRUSTED_PROXIES"):
        assert name not in dump
