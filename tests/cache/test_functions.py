"""What functions answer is kept, for whom it was made, unless they say otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request
from flask.testing import FlaskClient
from small_apis import INTEGER, STRING, header, query
from werkzeug.test import TestResponse

from demijohn import Problem, Settings
from demijohn.auth import current_caller

Build = Callable[..., FlaskClient]
Module = Callable[..., None]

FINE = {"200": {"description": "ok", "content": {"application/json": {}, "text/plain": {}}}}
SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "who.token"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key", "x-apikeyInfoFunc": "who.key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "sid", "x-apikeyInfoFunc": "who.key"},
}


def contract(said: Any = None, *parameters: Any, **more: Any) -> dict[str, Any]:
    operation = {
        "operationId": "answer",
        "x-cache": {"seconds": 60, "tables": []} if said is None else said,
        "parameters": list(parameters),
        "responses": FINE,
        **more,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": operation}},
        "components": {"securitySchemes": SCHEMES},
    }


class Counted:
    """Be a function that counts its calls, and answers their number where it is given no other answer."""

    def __init__(self, answer: Callable[[], Any] | None = None) -> None:
        self.calls = 0
        self.answer = answer

    def __call__(self) -> Any:
        self.calls += 1
        return {"n": self.calls} if self.answer is None else self.answer()


def told(response: TestResponse) -> str:
    return response.headers["Cache-Status"].partition("; ttl")[0].removeprefix("demijohn; ")


def asked(client: FlaskClient, **more: Any) -> TestResponse:
    return client.application.test_client(use_cookies=False).get("/a", **more)


def test_an_answer_that_only_its_time_ends_says_how_long(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    function = Counted()
    client = build(contract(), answer=function)
    now = [1000.0]
    for plan in client.application.extensions["demijohn"].dispatcher.routes.match("/a").resource.plans.values():
        monkeypatch.setattr(plan.cache, "_clock", lambda: now[0])
    first = asked(client)
    assert (told(first), first.headers["Cache-Control"], "Age" in first.headers) == (
        "fwd=miss; stored",
        "public, max-age=60",
        False,
    )
    now[0] += 59.5
    second = asked(client)
    assert (second.headers["Cache-Status"], second.headers["Age"]) == ("demijohn; hit; ttl=0", "59")
    assert second.get_json() == {"n": 1}
    now[0] += 0.5
    assert told(asked(client)) == "fwd=stale; stored"
    assert asked(client).get_json() == {"n": 2}


def refuse() -> Any:
    raise Problem("Not now.", status=409)


@pytest.mark.parametrize(
    "answer",
    [
        lambda: ({}, 200, {"Set-Cookie": "a=b"}),
        lambda: ({}, 200, {"Cache-Control": "no-store"}),
        lambda: ({}, 200, {"cache-control": "Private, max-age=9"}),
        lambda: ({}, 200, {"Vary": "Accept-Language"}),
        lambda: ({}, 200, {"Vary": "*"}),
        lambda: Response("{}", mimetype="application/json"),
        lambda: jsonify({}),
    ],
)
def test_what_is_not_for_everybody_is_not_kept(build: Build, answer: Callable[[], Any]) -> None:
    function = Counted(answer)
    client = build(contract(), answer=function)
    assert [told(asked(client)) for _ in range(3)] == ["fwd=miss"] * 3
    assert function.calls == 3


@pytest.mark.parametrize("answer", [refuse, lambda: ({}, 500), lambda: ({}, 203)])
def test_only_what_is_good_is_kept(build: Build, answer: Callable[[], Any]) -> None:
    function = Counted(answer)
    client = build(contract(), answer=function, settings=Settings(validate_responses=False))
    for _ in range(2):
        assert "stored" not in asked(client).headers.get("Cache-Status", "")
    assert function.calls == 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda: ({}, 200, {"Vary": "Accept, Origin"}),
        lambda: ({}, 200, {"Cache-Control": "public, max-age=600"}),
        lambda: ({}, 200, {"X-Own": "1", "ETag": '"own"'}),
    ],
)
def test_what_a_function_says_itself_is_kept_with_it(build: Build, answer: Callable[[], Any]) -> None:
    client = build(contract(), answer=Counted(answer))
    first, again = asked(client), asked(client)
    assert (told(first), told(again)) == ("fwd=miss; stored", "hit")
    own = answer()[2]
    for name, value in own.items():
        assert again.headers[name] == first.headers[name] == value
    tag = again.headers["ETag"]
    assert asked(client, headers={"If-None-Match": tag}).status_code == 304


def test_what_is_declared_and_what_addresses_are_made_of_is_part_of_what_is_asked(build: Build) -> None:
    def answer() -> Any:
        return {"at": request.url, "sent": [request.headers.get("X-Lang"), request.cookies.get("c")]}

    parameters = [header("X-Lang"), query("n", INTEGER), {"name": "c", "in": "cookie", "schema": STRING}]
    said = {"seconds": 60, "tables": [], "shared": True}
    client = build(contract(said, *parameters), answer=answer)
    variants: list[dict[str, Any]] = [
        {},
        {"headers": {"X-Lang": "de"}},
        {"headers": {"Cookie": "c=1"}},
        {"query_string": "n=1"},
        {"headers": {"Host": "other.example"}},
        {"base_url": "https://localhost"},
        {"environ_overrides": {"SCRIPT_NAME": "/below"}},
        {"headers": {"Accept": "text/plain"}},
    ]
    bodies = []
    for sent in variants:
        first, again = asked(client, **sent), asked(client, **sent)
        assert (told(first), told(again)) == ("fwd=miss; stored", "hit"), sent
        assert again.data == first.data
        bodies.append(first.data)
    assert len(set(bodies[:-1])) == len(variants) - 1


def test_headers_that_nobody_declares_change_nothing_for_others(build: Build) -> None:
    client = build(contract(None, query("n", INTEGER)), answer=lambda: {"at": request.url})
    clean = asked(client)
    for name in ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "Origin"):
        assert asked(client, headers={name: "evil.example"}).data == clean.data
    assert asked(client, query_string="utm_source=x").status_code == 400
    fat = asked(client, data=b'{"n": 1}', headers={"Content-Type": "application/json"})
    assert (told(fat), fat.data) == ("hit", clean.data)
    assert asked(client, query_string="n=x").status_code == 400
    assert (told(asked(client)), asked(client).data) == ("hit", clean.data)
    long = asked(client, headers={"Prefer": "x" * 5000})
    assert told(long) == "fwd=bypass"


KNOWN: dict[str, dict[str, Any]] = {
    "alice": {"sub": 1},
    "bob": {"sub": 2},
    "also": {"sub": "1"},
    "truth": {"sub": True},
    "nobody": {},
}


@pytest.fixture
def guarded(build: Build, module: Module) -> Callable[..., FlaskClient]:
    module("who", token=KNOWN.get, key=lambda apikey: KNOWN.get(apikey))

    def make(answer: Callable[..., Any], *security: Any, **more: Any) -> FlaskClient:
        return build(contract(**more, security=list(security)), answer=answer)

    return make


def test_each_caller_has_answers_of_their_own(guarded: Callable[..., FlaskClient]) -> None:
    client = guarded(
        lambda user, token_info: {"user": user, "info": token_info}, {"token": []}, {"key": []}, {"cookie": []}
    )
    seen = {}
    for name, info in KNOWN.items():
        for sent in ({"Authorization": f"Bearer {name}"}, {"X-Key": name}, {"Cookie": f"sid={name}"}):
            first, again = asked(client, headers=sent), asked(client, headers=sent)
            assert (told(first), told(again)) == ("fwd=miss; stored", "hit"), sent
            assert first.get_json() == again.get_json() == {"user": info.get("sub"), "info": info}
            assert again.headers["Cache-Control"] == "private, max-age=60"
            assert again.headers["Vary"] == "Authorization, X-Key, Cookie, Accept"
            seen[str(sent)] = again.data
    assert asked(client).status_code == 401
    assert asked(client, headers={"Authorization": "Bearer eve"}).status_code == 401
    assert asked(client, headers={"authorization": "bearer alice"}).get_json()["user"] == 1


def test_anybody_and_a_caller_are_two(guarded: Callable[..., FlaskClient]) -> None:
    client = guarded(lambda user: {"user": user}, {}, {"token": []})
    ann = {"Authorization": "Bearer alice"}
    for sent, user, said in (
        (ann, 1, "private, max-age=60"),
        ({}, None, "max-age=60"),
        (ann, 1, "private, max-age=60"),
    ):
        response = asked(client, headers=sent)
        assert (response.get_json(), response.headers["Cache-Control"]) == ({"user": user}, said)
    assert [told(asked(client, headers=sent)) for sent in (ann, {})] == ["hit", "hit"]


def test_what_is_shared_is_one_answer_for_every_caller_that_is_admitted(guarded: Callable[..., FlaskClient]) -> None:
    said = {"seconds": 60, "tables": [], "shared": True}
    function = Counted()
    client = guarded(function, {"token": []}, said=said)
    statuses = [told(asked(client, headers={"Authorization": f"Bearer {name}"})) for name in ("alice", "bob")]
    assert (statuses, function.calls) == (["fwd=miss; stored", "hit"], 1)
    assert asked(client).status_code == 401
    assert asked(client, headers={"Authorization": "Bearer alice"}).headers["Cache-Control"] == "private, max-age=60"


def test_who_is_known_to_a_function_that_nothing_guards_gets_nothing_that_is_kept(build: Build) -> None:
    def answer() -> Any:
        return {"who": request.headers.get("Authorization") or request.cookies.get("sid")}

    client = build(contract(), answer=answer)
    for sent, who in (
        ({"Authorization": "Bearer alice"}, "Bearer alice"),
        ({}, None),
        ({"Cookie": "sid=bob"}, "bob"),
        ({"Authorization": "Bearer bob"}, "Bearer bob"),
        ({}, None),
    ):
        response = asked(client, headers=sent)
        assert response.get_json() == {"who": who}
        assert (told(response) == "fwd=bypass") == bool(sent)
    assert told(asked(client)) == "hit"


def test_current_caller_is_known_where_an_answer_is_kept(guarded: Callable[..., FlaskClient]) -> None:
    client = guarded(lambda: {"user": current_caller().user}, {"token": []})
    for name in ("alice", "bob", "alice"):
        response = asked(client, headers={"Authorization": f"Bearer {name}"})
        assert response.get_json() == {"user": KNOWN[name]["sub"]}


def test_a_caller_whose_roles_change_is_another_one(build: Build, module: Module) -> None:
    roles = {"alice": ["reader", "admin"]}
    module("who", token=lambda token: {"sub": 1, "scope": roles[token]}, key=None)
    client = build(contract(security=[{"token": ["reader"]}]), answer=lambda token_info: {"may": token_info["scope"]})
    ann = {"Authorization": "Bearer alice"}
    assert [asked(client, headers=ann).get_json()["may"] for _ in range(2)] == [["reader", "admin"]] * 2
    roles["alice"] = ["reader"]
    assert asked(client, headers=ann).get_json() == {"may": ["reader"]}
    roles["alice"] = []
    assert asked(client, headers=ann).status_code == 403


def test_hooks_of_the_application_see_what_is_kept_as_they_see_everything(build: Build) -> None:
    app, seen = Flask("small"), []

    @app.after_request
    def note(response: Response) -> Response:
        seen.append(response.headers["Cache-Status"].partition("; ttl")[0])
        response.headers["X-Seen"] = str(len(seen))
        return response

    client = build(contract(), app=app, answer=lambda: {"a": 1})
    assert [asked(client).headers["X-Seen"] for _ in range(3)] == ["1", "2", "3"]
    assert seen == ["demijohn; fwd=miss; stored", "demijohn; hit", "demijohn; hit"]


def test_limits_count_what_is_kept_as_well(build: Build) -> None:
    client = build(contract(**{"x-rate-limit": "3/hour"}), answer=lambda: {"a": 1})
    found = [asked(client) for _ in range(4)]
    assert [one.status_code for one in found] == [200, 200, 200, 429]
    assert [one.headers["RateLimit"].partition(";t")[0] for one in found] == [f'"default";r={n}' for n in (2, 1, 0, 0)]


def test_a_large_answer_is_not_kept_and_many_take_no_more_than_they_may(build: Build) -> None:
    settings = Settings(cache_entry_bytes=1000, cache_memory_bytes=50_000)
    client = build(contract(None, query("n", INTEGER)), settings=settings, answer=lambda n: "x" * n)
    statuses = [told(asked(client, query_string=f"n={n}")) for n in (990, 1100, 990, 1100)]
    assert statuses == ["fwd=miss; stored", "fwd=miss", "hit", "fwd=miss"]
    for n in range(200):
        asked(client, query_string=f"n={n}")
    memory = client.application.extensions["demijohn"].caches.memory
    assert 5 < len(memory) < 50
    assert memory.bytes <= 50_000
