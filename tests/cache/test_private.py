"""What belongs to one caller is never given to another one, and security comes before anything that is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accounts_app import PASSWORD, Application, changed
from flask import Flask
from flask.testing import FlaskClient
from redis_server import RedisServer
from small_apis import INTEGER, STRING, Json, contract, listed, query, read, whole, written
from small_apis import path as in_path
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.test import TestResponse

from demijohn import Demijohn, Settings


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(20), index=True)
    words: Mapped[str] = mapped_column(String(20))


SHORT = STRING | {"maxLength": 20}
KEPT: Json = {"x-cache": 60}
NOTE = whole(id=INTEGER, owner=SHORT | {"readOnly": True}, words=SHORT)
CONTRACT = contract(
    {
        "/notes": {
            "get": listed("Note", query("limit", INTEGER), **KEPT),
            "post": written("Note", "NewNote", status=201),
        },
        "/notes/{id}": {"parameters": [in_path("id")], "get": read("Note", **KEPT)},
        "/all": {
            "get": listed("Note", query("limit", INTEGER), security=[{}, {"key": []}], **KEPT) | {"x-owner": False}
        },
    },
    {"Note": NOTE | {"x-owner": {"column": "owner", "except": ["admin"]}}, "NewNote": whole(words=SHORT)},
    security=[{"key": []}],
)
CONTRACT["components"]["securitySchemes"] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-User", "x-apikeyInfoFunc": "doors.who"}
}
ROLES: dict[str, list[str]] = {}


@pytest.fixture(params=["memory", "redis"])
def clients(
    request: pytest.FixtureRequest, tmp_path: Path, module: Callable[..., None]
) -> Iterator[tuple[FlaskClient, FlaskClient]]:
    """Return the application twice, on one database, as two processes have it; with one Redis, or a memory each."""
    ROLES.clear()
    module("doors", who=lambda apikey: {"sub": apikey, "scope": ROLES.get(apikey, [])})
    redis = RedisServer(tmp_path) if request.param == "redis" else None
    (tmp_path / "openapi.json").write_text(json.dumps(CONTRACT))
    made = []
    for _ in range(2):
        app = Flask("small", root_path=str(tmp_path))
        storage = "memory" if redis is None else redis.url
        api = Demijohn(app, settings=Settings(database_url=f"sqlite:///{tmp_path}/data.db", cache_storage=storage))
        api.resource(Base)
        api.add_contract("openapi.json")
        made.append(app.test_client())
    yield made[0], made[1]
    for client in made:
        client.application.extensions["demijohn"].resources.database.close()
    if redis is not None:
        redis.remove()


def ask(client: FlaskClient, user: str | None, address: str, **headers: str) -> TestResponse:
    return client.get(address, headers={**({} if user is None else {"X-User": user}), **headers})


def test_everybody_has_their_own_whoever_asks_first(clients: tuple[FlaskClient, FlaskClient]) -> None:
    for user in ("alice", "bob"):
        for words in ("one", "two"):
            assert clients[0].post("/notes", json={"words": words}, headers={"X-User": user}).status_code == 201
    ROLES["root"] = ["admin"]
    own = {"alice": ["alice"] * 2, "bob": ["bob"] * 2, "eve": [], "ALICE": [], "root": ["alice"] * 2 + ["bob"] * 2}
    for turn in range(3):
        for client in clients:
            for user, owners in own.items():
                response = ask(client, user, "/notes")
                assert [one["owner"] for one in response.get_json()] == owners, (turn, user)
                assert response.headers["Cache-Control"] == "private, no-cache"
                assert response.headers["Vary"] == "X-User, Prefer"
                assert ask(client, user, "/notes/1").status_code == (200 if user in ("alice", "root") else 403)
            assert ask(client, None, "/notes", Cookie="X-User=alice").status_code == 401
            assert ask(client, "bob", "/notes", **{"X-Forwarded-User": "alice"}).get_json()[0]["owner"] == "bob"
    tag = ask(clients[0], "alice", "/notes/1").headers["ETag"]
    assert ask(clients[0], "bob", "/notes/1", **{"If-None-Match": tag}).status_code == 403
    assert ask(clients[0], "bob", "/notes/1", **{"If-None-Match": "*"}).status_code == 403
    assert ask(clients[0], "alice", "/notes/1", **{"If-None-Match": tag}).status_code == 304


def test_who_loses_a_role_loses_what_it_showed(clients: tuple[FlaskClient, FlaskClient]) -> None:
    clients[0].post("/notes", json={"words": "hers"}, headers={"X-User": "alice"})
    ROLES["root"] = ["admin"]
    assert [len(ask(client, "root", "/notes").get_json()) for client in clients] == [1, 1]
    ROLES["root"] = []
    assert [len(ask(client, "root", "/notes").get_json()) for client in clients] == [0, 0]


def test_what_anybody_may_see_is_kept_for_each_caller_and_for_nobody(clients: tuple[FlaskClient, FlaskClient]) -> None:
    clients[0].post("/notes", json={"words": "hers"}, headers={"X-User": "alice"})
    for _ in range(2):
        for client in clients:
            for user, said in ((None, "no-cache"), ("bob", "private, no-cache")):
                response = ask(client, user, "/all")
                assert len(response.get_json()) == 1
                assert response.headers["Cache-Control"] == said
    assert "hit" in ask(clients[1], None, "/all").headers["Cache-Status"]


def told(response: TestResponse) -> str:
    return response.headers["Cache-Status"].partition("; ttl")[0].removeprefix("demijohn; ")


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Application]:
    """Return accounts, and a function that tells who is calling, whose answers are kept."""
    document = changed(lambda one: one["paths"]["/books"]["get"].update({"x-cache": {"seconds": 60, "tables": []}}))
    made = Application(f"sqlite:///{tmp_path}/accounts.db", tmp_path, document)
    yield made
    made.close()


def test_a_token_that_is_over_gets_nothing_of_what_it_was_given(accounts: Application) -> None:
    user = accounts.register()["id"]
    token = accounts.login()["access_token"]
    assert [told(accounts("GET", "/books", token=token)) for _ in range(2)] == ["fwd=miss; stored", "hit"]
    assert accounts("POST", "/logout", token=token).status_code == 204
    assert accounts("GET", "/books", token=token).status_code == 401

    token = accounts.login()["access_token"]
    for roles in ("member", "librarian", "member"):
        accounts.execute(f"UPDATE app_user SET role = '{roles}' WHERE id = {user}")
        for _ in range(2):
            assert accounts("GET", "/books", token=token).get_json() == {"user": user, "scopes": [roles]}
    body = {"old_password": PASSWORD, "new_password": "another good one"}
    assert accounts("POST", "/password", body, token=token).status_code == 204
    other = accounts.login(password="another good one")["access_token"]  # of a test
    assert accounts("GET", "/books", token=other).status_code == 200
    accounts.execute(f"UPDATE app_user SET is_disabled = TRUE WHERE id = {user}")
    assert accounts("GET", "/books", token=other).status_code == 401


def test_two_tokens_and_a_key_of_two_users_never_meet(accounts: Application) -> None:
    callers: list[tuple[dict[str, Any], int]] = []
    for email in ("ann@example.org", "bob@example.org"):
        user = accounts.register(email)["id"]
        tokens = [accounts.login(email)["access_token"] for _ in range(2)]
        key = accounts("POST", "/keys", {"name": "k", "scopes": []}, token=tokens[0]).get_json()["key"]
        callers += [({"token": one}, user) for one in tokens] + [({"key": key}, user)]
    for _ in range(3):
        for sent, user in callers:
            response = accounts("GET", "/books", **sent)
            if response.status_code == 200:  # a key is for what the contract says
                assert response.get_json()["user"] == user
        assert accounts("GET", "/books").status_code == 401
