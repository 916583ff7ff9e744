"""Attack cases C4, E6, F2, F8, F9, F11, F14, G1, G2 and H2 on the Library as it is operated: for one host, behind a
proxy, with a Redis for what is counted and kept, with metrics, and with a log that is JSON."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from attacked_apps import LIBRARY
from databases import Kind
from members import at_once
from redis_server import RedisServer
from served_site import PASSWORD, Kept, Server, Site, serve_site
from wire import Wire

REDIS_PASSWORD = "h2-5Kd8sQ1vXz0mTr"
METRICS_TOKEN = "h2-7Jw3nB6tYc2pLs"
PROXY, HOST = "127.7.7.7", "library.example.org"
SETTINGS = {
    "DEMIJOHN_TRUSTED_PROXIES": PROXY,
    "DEMIJOHN_TRUSTED_HOSTS": f"127.0.0.1, {HOST}",
    "DEMIJOHN_METRICS_TOKEN": METRICS_TOKEN,
    "DEMIJOHN_LOG_FORMAT": "json",
    "DEMIJOHN_ACCESS_LOG": "1",
    "GUNICORN_CMD_ARGS": f"--config {Path(__file__).parents[2] / 'deploy' / 'gunicorn.conf.py'}",
}
PAGE = ("/", "/page/main.js", "/page/style.css", "/page/none", "/metrics", "/live", "/ready")
WRONG = "eight lives of a dog"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a Redis that asks for a password."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.client.config_set("requirepass", REDIS_PASSWORD)
    yield server
    server.remove()


@pytest.fixture(scope="module", params=[("sqlite", "granian"), ("postgresql", "gunicorn")], ids="-".join)
def running_site(
    request: pytest.FixtureRequest, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Return the Library as it is operated on two workers."""
    kind: Kind
    server: Server
    kind, server = request.param
    redis.client.flushall()
    place = redis.url.replace("//", f"//:{REDIS_PASSWORD}@")
    settings = {**SETTINGS, "DEMIJOHN_RATE_LIMIT_STORAGE": place, "DEMIJOHN_CACHE_STORAGE": place}
    with serve_site(LIBRARY, kind, server, tmp_path_factory.mktemp("operated"), settings) as running:
        running.told |= {REDIS_PASSWORD, METRICS_TOKEN}
        yield running


def by_proxy(site: Site) -> Site:
    """Return the Library as the proxy asks it."""
    return replace(site, source=PROXY)


# E6


def test_e6_every_line_of_the_log_is_json_whatever_is_in_it(site: Site) -> None:
    fake = '\n{"level":"fake"}\r\x1b[31m\x7f\u0085\u2028"}'
    body = {"email": f"a{fake}@example.org", "password": WRONG}
    assert site.ask("POST", "/users/login", body).status == 401
    for path in (f"/{quote(fake)}", f"/books/{quote(fake)}", f"/page/{quote(fake)}", f"/books?q={quote(fake)}"):
        assert site.ask("GET", path).status in (400, 404)
    assert site.ask("GET", "/none", X_Request_ID="e6-last").status == 404
    deadline = time.monotonic() + 20
    while "e6-last" not in site.log():
        assert time.monotonic() < deadline, "the last line is not written"
        time.sleep(0.05)
    log = site.log()
    assert log.isascii()
    assert not {"\x1b", "\r", "\x7f"} & set(log)
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["level"] for line in lines} <= {"debug", "info", "warning"}
    assert {line["logger"] for line in lines} >= {"demijohn.auth", "demijohn.access"}


# F2


STRANGE_HOSTS = (None, "", "evil.example", f"{HOST}.evil.example", f"x{HOST}", "evil.example/x?y@z", "a b", "[::1")


def test_f2_the_library_answers_for_its_own_hosts_only(site: Site) -> None:
    wire = Wire(site.port, site.folder)
    for path in ("/books", "/", "/page/main.js", "/users/me", "/none"):
        for host in (HOST, HOST.upper(), f"{HOST}:8000", "127.0.0.1"):
            assert wire.get(path, host=host).status in (200, 401, 404), host
        for strange in (
            None,
            "",
            "evil.example",
            f"{HOST}.evil.example",
            f"x{HOST}",
            "evil.example/x?y@z",
            "a b",
            "[::1",
        ):
            assert wire.get(path, host=strange).status == 400, strange
        for two in ((HOST, "evil.example"), ("evil.example", HOST)):
            assert wire.get(path, f"Host: {two[1]}", host=two[0]).status == 400
        assert wire.get(f"http://{HOST}{path}", host="evil.example").status == 400
        forged = wire.get(path, "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", host=HOST)
        assert b"evil.example" not in forged.body + str(forged.headers).encode()


# C4, F8, F9


def log_in(site: Site, email: str, forwarded: str) -> int:
    body = {"email": email, "password": WRONG}
    return site.ask("POST", "/users/login", body, X_Forwarded_For=forwarded).status


def test_c4_f8_a_proxy_tells_the_address_and_no_client_does(site: Site) -> None:
    proxy, (alice, bob) = by_proxy(site), (site.member(), site.member())
    # What stands before the last address is what the client says.
    chains = [log_in(proxy, alice.email, f"6.6.6.{number}, 203.0.113.9") for number in range(8)]
    assert chains == [401] * 5 + [429] * 3
    assert log_in(proxy, alice.email, "203.0.113.10") == 401
    assert log_in(proxy, alice.email, "::ffff:203.0.113.9") == 429
    itself = [log_in(site, bob.email, f"203.0.113.{number}") for number in range(8)]
    assert itself == [401] * 5 + [429] * 3


def test_f9_so_many_may_register_from_one_address_as_the_contract_says(site: Site) -> None:
    proxy, before = by_proxy(site), len(site.rows("users")[0])

    def register(_: int) -> int:
        name = f"proxied{next(site.numbers)}"
        body = json.dumps({"username": name, "email": f"{name}@example.org", "password": PASSWORD}).encode()
        headers = {"Content-Type": "application/json", "X-Forwarded-For": "203.0.113.20"}
        return proxy._exchange("POST", "/users/register", body, headers).status

    statuses = Counter(at_once(LIBRARY.registrations + 50, register))
    assert statuses[429] == 50
    assert statuses[201] + statuses[503] == LIBRARY.registrations
    assert len(site.rows("users")[0]) - before == statuses[201]


# F11, F14


def test_f11_f14_the_page_and_the_probes_are_as_guarded_as_the_api(site: Site) -> None:
    for path in (*PAGE, "/books", "/users/me", "/none"):
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            for proto in ("http", "https"):
                headers = {"X-Forwarded-Proto": proto, "Origin": "https://evil.example"}
                reply = by_proxy(site)._exchange(method, path, None, headers)
                assert reply.status < 500, (method, path)
                assert reply.headers["x-content-type-options"] == "nosniff", (method, path)
                policy = reply.headers["content-security-policy"]
                assert "frame-ancestors 'none'" in policy, (method, path)
                assert "base-uri 'none'" in policy, (method, path)
                assert "referrer-policy" in reply.headers, (method, path)
                assert ("strict-transport-security" in reply.headers) is (proto == "https"), (method, path)
                assert [name for name in reply.headers if name.startswith("access-control-")] == []


# G1, G2


def test_g1_what_is_kept_of_alices_request_is_nobody_elses(site: Site) -> None:
    alice = site.member()
    number = site.app.own(site, alice)["book_id"]
    with site.workers() as workers:
        one, other = workers.values()
        for path in (f"/books/{number}", f"/books?per_page=3&year__gte=-{number}"):
            hers = one.ask("GET", path, Authorization=f"Bearer {alice.access}", Cookie="session=hers")
            theirs = [worker.ask("GET", path) for worker in (one, other)]
            for reply in theirs:
                assert "hit" in reply.headers["cache-status"]
                assert (reply.status, reply.body) == (200, hers.body)
                assert alice.email not in reply.body.decode() + str(reply.headers)
                assert "set-cookie" not in reply.headers
            # What is counted, and which request it is, is told to each.
            replies = (hers, *theirs)
            assert len({reply.headers["x-request-id"] for reply in replies}) == 3
            assert len({reply.headers["ratelimit"].partition(";t=")[0] for reply in replies}) > 1


def test_g1_a_change_is_seen_at_once_on_both_workers(site: Site) -> None:
    clerk = site.worker()
    title = f"Before {next(site.numbers)}"
    body = {"title": title, "authors": ["X"], "year": -9000 - next(site.numbers)}
    made = site.ask("POST", "/books", body, token=clerk.access)
    where, listed = made.headers["location"], f"/books?year__lte={body['year']}&year__gte={body['year']}"
    for step in range(4):
        with site.workers() as workers:
            for worker in workers.values():
                for path in (where, listed, listed):
                    assert title in worker.ask("GET", path).body.decode()
            title = f"After {step}"
            writer = list(workers.values())[step % 2]
            headers = {"Authorization": f"Bearer {clerk.access}", "If-Match": "*"}
            assert writer.ask("PATCH", where, json.dumps({"title": title}), **headers).status == 200
            for worker in workers.values():
                for path in (where, listed):
                    assert title in worker.ask("GET", path).body.decode()


POISON = [
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"},
    {"X-Original-URL": "/users/me", "X-Rewrite-URL": "/users/me"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Accept": "image/png"},
    {"Accept-Language": "xx", "Accept-Encoding": "br", "Accept-Charset": "utf-16"},
    {"Origin": "https://evil.example"},
    {"Prefer": "count=exact, return=minimal"},
    {"Range": "bytes=0-3"},
    {"If-None-Match": "*"},
    {"If-Match": '"x"'},
    {"Authorization": "Bearer garbage"},
    {"Cookie": "session=evil"},
    {"X-Request-ID": "evil-1"},
]


@pytest.mark.parametrize("sent", POISON, ids=lambda sent: next(iter(sent)))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_g2_nobody_gets_what_somebody_elses_headers_made(site: Site, sent: dict[str, str], method: str) -> None:
    path = f"/books?per_page=3&year__gte=-{next(site.numbers)}"
    first = Kept(site._connect(), may_reopen=True)
    assert first.ask(method, path, **sent).status < 500
    # With a body a GET is the same.
    assert first.ask("GET", path, '{"per_page":1}').status == 200
    first.close()
    with site.workers() as workers:
        for worker in workers.values():
            seen, direct = worker.ask("GET", path), worker.ask("GET", path, **{"Cache-Control": "no-cache"})
            assert (seen.status, seen.body) == (direct.status, direct.body) == (200, direct.body)
            for name in ("content-type", "content-length", "vary", "etag", "cache-control"):
                assert seen.headers.get(name) == direct.headers.get(name), name
            assert "evil" not in seen.body.decode() + str(seen.headers)


def test_g2_what_was_not_there_is_found_when_it_is(site: Site) -> None:
    clerk = site.worker()
    number = site.app.own(site, site.member())["book_id"] + 1
    path = f"/books/{number}"
    assert site.on_both_workers("GET", path) == {404}
    made = site.ask("POST", "/books", {"title": "New", "authors": ["X"]}, token=clerk.access)
    assert made.headers["location"] == path
    assert site.on_both_workers("GET", path) == {200}
    assert site.ask("DELETE", path, token=clerk.access).status == 204
    assert site.on_both_workers("GET", path) == {404}


# H2; the log is looked through for each of the secrets when the server has stopped


def test_h2_metrics_are_for_who_has_the_token_and_hold_no_secret(site: Site) -> None:
    admin = site.member("admin")
    wrong = [
        "",
        "Bearer",
        f"Bearer {admin.access}",
        f"Bearer {METRICS_TOKEN[:-1]}",
        f"Basic {METRICS_TOKEN}",
        METRICS_TOKEN,
    ]
    for sent in wrong:
        reply = site.ask("GET", "/metrics", Authorization=sent)
        assert (reply.status, reply.headers["cache-control"]) == (401, "no-store")
        assert reply.headers["www-authenticate"] == 'Bearer realm="metrics"'
    assert site.ask("GET", f"/metrics?token={METRICS_TOKEN}").status == 401
    site.ask("GET", f"/users/{quote(admin.email)}")
    told = site.ask("GET", "/metrics", token=METRICS_TOKEN)
    assert (told.status, told.headers["cache-control"]) == (200, "no-store")
    text = told.body.decode()
    assert "demijohn_requests_total" in text
    assert [one for one in (*site.secrets(), admin.email, HOST, str(site.folder)) if one in text] == []


def test_h2_no_secret_is_told_to_anybody(site: Site) -> None:
    paths = ["/openapi.json", "/openapi.yaml", "/ui/", "/ui/start.js", "/books?page=x", "/none", *PAGE]
    # The contract has the password of all others for an example.
    secrets = site.secrets() - {PASSWORD}
    for path in paths:
        reply = site._exchange("GET", path, None, {})
        shown = reply.body.decode() + str(reply.headers)
        assert [one for one in secrets if one in shown] == [], path
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_text(errors="replace")
        except OSError:  # it has ended
            continue
        assert [one for one in secrets if one in command] == []


def test_h2_a_redis_that_is_away_is_told_without_its_password(site: Site, redis: RedisServer) -> None:
    since = len(site.log())
    redis.stop()
    try:
        for number in range(6):
            assert site.ask("GET", f"/books?per_page=1&year__gte=-{number}").status == 200
            assert log_in(site, "nobody@example.org", "") == 401 or number >= LIBRARY.login_failures
        told = site.log()[since:]
        assert str(redis.port) in told
        assert REDIS_PASSWORD not in told
    finally:
        redis.start()
        redis.client.config_set("requirepass", REDIS_PASSWORD)
