"""Attack cases F8, F9 and C7 on two real workers: counts are exact over processes, and no header changes them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from members import at_once
from redis_server import RedisServer
from served import served, wait_for

CONTRACT = """\
openapi: 3.1.0
info: {title: Limited, version: "1"}
paths:
  /free: {get: {operationId: handlers.who, responses: &fine {"200": {description: ok}}}}
  /many: {get: {operationId: handlers.many, x-rate-limit: 100/hour, responses: *fine}}
  /few: {get: {operationId: handlers.few, x-rate-limit: 10/hour, responses: *fine}}
  /login: {post: {operationId: handlers.login, responses: *fine}}
"""
HANDLERS = """\
import os

from flask import current_app, request

from demijohn import Unauthorized
from demijohn.limits import LoginLimits, limiter_of


def who():
    return str(os.getpid())


many = few = who


def login():
    limits = LoginLimits(limiter_of(current_app), current_app.extensions["demijohn"].settings)
    limits.before(request.headers["X-Account"], request.environ["REMOTE_ADDR"])
    raise Unauthorized("A password would have been looked at now.")
"""
APP = """\
from flask import Flask

from demijohn import Demijohn


def create_app():
    app = Flask(__name__)
    Demijohn(app).add_contract("openapi.yaml")
    return app
"""


@dataclass
class Api:
    """Be the running API, and its Redis where it has one."""

    address: str
    redis: RedisServer | None

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", urlsplit(self.address).port or 0, timeout=30)
        try:
            named = {name.replace("__", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module", params=["database", "redis"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return the API as `demijohn run --workers 2` serves it."""
    folder = tmp_path_factory.mktemp("limited")
    for name, text in (("openapi.yaml", CONTRACT), ("handlers.py", HANDLERS), ("app.py", APP)):
        (folder / name).write_text(text, encoding="utf-8")
    redis = RedisServer(folder) if request.param == "redis" else None
    storage = redis.url if redis is not None else "database"
    try:
        with served(folder, "--workers", "2", cwd=folder, DEMIJOHN_RATE_LIMIT_STORAGE=storage) as address:
            wait_for(f"{address}/free")
            api = Api(address, redis)
            deadline = time.monotonic() + 30
            while len({api.ask("/free")[2] for _ in range(10)}) < 2:
                assert time.monotonic() < deadline, "the second worker does not answer"
            yield api
    finally:
        if redis is not None:
            redis.remove()


def test_f9_exactly_as_many_are_answered_as_the_contract_allows(api: Api) -> None:
    replies = [reply for one in at_once(30, lambda _: [api.ask("/many") for _ in range(5)]) for reply in one]
    assert Counter(status for status, _, _ in replies) == {200: 100, 429: 50}
    assert len({body for status, _, body in replies if status == 200}) == 2, "one worker answered everything"
    for status, headers, body in replies:
        assert headers["ratelimit-policy"] == '"default";q=100;w=3600'
        assert 3500 < int(headers["ratelimit"].rpartition(";t=")[2]) <= 3600
        if status == 429:
            assert headers["content-type"] == "application/problem+json"
            assert json.loads(body)["code"] == "rate-limited"
            assert headers["ratelimit"].startswith('"default";r=0;')
            assert 3500 < int(headers["retry-after"]) <= 3600
    left = sorted(headers["ratelimit"].partition(";t=")[0] for status, headers, _ in replies if status == 200)
    assert left == sorted(f'"default";r={number}' for number in range(100))


def test_f8_forged_addresses_change_nothing(api: Api) -> None:
    names = ("X__Forwarded__For", "X_Forwarded_For", "X__Real__IP", "Forwarded", "Client__IP", "CF__Connecting__IP")
    replies = [
        api.ask("/few", **{name: value})
        for name in names
        for value in ("203.0.113.7", "for=203.0.113.8", "2001:db8::1, 127.0.0.1", "::1", "", "-")
    ]
    assert Counter(status for status, _, _ in replies) == {200: 10, 429: 26}


def test_f8_a_thousand_forged_addresses_are_one_client(api: Api) -> None:
    connection = HTTPConnection("127.0.0.1", urlsplit(api.address).port or 0, timeout=30)
    statuses = Counter[int]()
    for number in range(1000):
        forged = f"203.0.{number // 250}.{number % 250}"
        headers = {"X-Account": "f8", "X-Forwarded-For": forged, "Forwarded": f"for={forged}", "X-Real-IP": forged}
        connection.request("POST", "/login", headers=headers)
        with connection.getresponse() as response:
            statuses[response.status] += 1
            response.read()
    connection.close()
    assert statuses == {401: 10, 429: 990}


def test_c7_no_more_guesses_than_the_limit_get_to_the_password(api: Api) -> None:
    replies = [
        reply[0]
        for one in at_once(20, lambda _: [api.ask("/login", "POST", X__Account="anna") for _ in range(5)])
        for reply in one
    ]
    assert Counter(replies) == {401: 10, 429: 90}


def test_without_redis_the_api_goes_on_and_logins_stay_limited(api: Api) -> None:
    if api.redis is None:
        return
    api.redis.stop()
    assert {api.ask("/free")[0] for _ in range(5)} == {200}
    assert {api.ask("/many")[0] for _ in range(20)} == {200}
    guesses = Counter(status for status, _, _ in at_once(10, lambda _: api.ask("/login", "POST", X__Account="bert")))
    guesses += Counter(api.ask("/login", "POST", X__Account="bert")[0] for _ in range(60))
    assert set(guesses) == {401, 429}
    assert guesses[401] <= 20, "each of the two workers counts for itself"
    log = (api.redis.folder / "server.log").read_text(encoding="utf-8")
    assert log.count("does not answer") <= 2
