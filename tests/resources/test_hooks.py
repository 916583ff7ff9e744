"""Functions of the application around writes, within their transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from members import ADDRESSES, ANN, BOB, MEMBERS, SHORT, WORDS, Address, Member, Members, Word
from small_apis import STEPS, contract, obj, pointers, problem, whole, written
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from demijohn import Demijohn, Settings
from demijohn.compile.guards import ANONYMOUS, Caller
from demijohn.errors import BindingError, Conflict
from demijohn.resources.hooks import Hooks

Item = dict[str, Any]


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES, **WORDS})
    yield made
    made.close()


def test_a_hook_may_take_fewer_arguments() -> None:
    hooks, seen = Hooks(), []
    hooks.add("before_create", lambda: seen.append(0))
    hooks.add("before_create", lambda data: seen.append(1))
    hooks.add("before_create", lambda data, caller: seen.append(2))
    hooks.add("before_create", lambda data, caller, connection: seen.append(3))
    hooks.add("before_create", lambda *all_of_them: seen.append(len(all_of_them)))
    hooks.add("before_create", lambda data, caller, connection, more=None: seen.append(more or 4))
    for hook in hooks.before_create:
        hook({}, ANONYMOUS, None)  # type: ignore[arg-type]  # nobody looks at it
    assert seen == [0, 1, 2, 3, 3, 4]


def test_a_hook_that_cannot_be_called_is_refused() -> None:
    async def wait(data: Item) -> None: ...

    for function in (wait, lambda a, b, c, d: None, lambda a, *, d: None):
        with pytest.raises(BindingError):
            Hooks().add("before_create", function)


def test_hooks_are_none_until_one_is_added() -> None:
    hooks = Hooks()
    assert not hooks
    hooks.add("after_delete", print)
    assert hooks


def test_a_hook_may_give_what_the_body_does_not_hold(tmp_path: Path) -> None:
    schemas = {"Word": whole(key=SHORT), "NewWord": obj(key=SHORT)}
    words = {"/words": {"post": written("Word", "NewWord", status=201)}}
    (tmp_path / "openapi.json").write_text(json.dumps(contract(words, schemas)), encoding="utf-8")
    settings = Settings(database_url=f"sqlite:///{tmp_path}/words.sqlite")
    with pytest.raises(BindingError, match=r"`key` is optional, and members\.Word\.key must be there"):
        serve_words(tmp_path, settings, {})
    client = serve_words(tmp_path, settings, {"key": "made"})
    made = client.post("/words", json={})
    assert (made.status_code, made.get_json()) == (201, {"key": "made"})


def serve_words(folder: Path, settings: Settings, given: Item) -> FlaskClient:
    app = Flask("words")
    api = Demijohn(app, settings=settings)
    words = api.resource(Word)
    if given:
        words.before_create(lambda data: given | data)
    api.add_contract(folder / "openapi.json")
    return app.test_client()


def test_what_a_hook_returns_is_stored(members: Members) -> None:
    @members.member.before_create
    def first(data: Item) -> Item:
        return data | {"email": data["email"].upper()}

    @members.member.before_create
    def second(data: Item) -> None:
        assert data["email"] == "ANN@EXAMPLE.ORG"

    @members.member.before_replace
    def third(data: Item) -> Item:
        return data | {"nick": "replaced"}

    @members.member.before_patch
    def fourth(changes: Item) -> Item:
        return changes | {"nick": ",".join(changes)}

    assert members.made("/members", ANN)["email"] == "ANN@EXAMPLE.ORG"
    assert members("PUT", "/members/1", ANN).get_json()["nick"] == "replaced"
    assert members("PATCH", "/members/1", {"name": "B"}).get_json()["nick"] == "name"
    step = [{"op": "replace", "path": "/name", "value": "C"}, {"op": "test", "path": "/id", "value": 1}]
    assert members("PATCH", "/members/1", step, content_type=STEPS).get_json()["nick"] == "name"


def test_a_hook_may_set_what_clients_cannot(members: Members) -> None:
    @members.member.before_create
    def own(data: Item) -> Item:
        return data | {"owner": "me", "created_at": "2001-01-01T00:00:00Z"}

    @members.member.before_patch
    def disown(changes: Item) -> Item:
        return changes | {"owner": None}

    assert members.made("/members", ANN)["created_at"] == "2001-01-01T00:00:00Z"
    assert members.value("SELECT owner FROM member") == "me"
    members("PATCH", "/members/1", {"name": "B"})
    assert members.value("SELECT owner FROM member") is None


def test_a_hook_cannot_set_what_is_nowhere(members: Members) -> None:
    members.app.testing = False

    @members.member.before_create
    def wrong(data: Item) -> Item:
        return data | {"colour": "blue"}

    problem(members("POST", "/members", ANN), 500)
    members.member.hooks.before_create.clear()

    @members.member.before_create
    def long(data: Item) -> Item:
        return data | {"nick": "x" * 21}

    assert pointers(problem(members("POST", "/members", ANN), 400)) == ["#/nick"]


def test_a_hook_that_raises_undoes_the_write(members: Members) -> None:
    members.made("/members", ANN)
    for name in ("after_create", "after_replace", "after_patch", "after_delete"):

        def refuse(item: Item) -> None:
            raise Conflict("Not like this.")

        members.member.hooks.add(name, refuse)
    for response in (
        members("POST", "/members", BOB),
        members("PUT", "/members/1", BOB),
        members("PATCH", "/members/1", BOB),
        members("DELETE", "/members/1"),
    ):
        assert problem(response, 409)["detail"] == "Not like this."
    assert members.value("SELECT count(*) FROM member") == 1
    assert members("GET", "/members/1").get_json()["name"] == "Ann"


def test_a_hook_sees_the_item_as_it_is_answered(members: Members) -> None:
    seen: list[Item] = []
    for name in ("after_create", "after_replace", "after_patch", "after_delete"):
        members.member.hooks.add(name, seen.append)
    answers = [
        members("POST", "/members", ANN).get_json(),
        members("PUT", "/members/1", BOB).get_json(),
        members("PATCH", "/members/1", {"name": "C"}).get_json(),
    ]
    members("DELETE", "/members/1")
    assert seen == [*answers, answers[-1]]


def test_a_hook_sees_the_item_that_is_not_answered(members: Members) -> None:
    seen: list[Item] = []
    members.member.hooks.add("after_create", seen.append)
    response = members("POST", "/members", ANN, {"Prefer": "return=minimal"})
    assert response.data == b""
    assert seen[0]["email"] == ANN["email"]


def test_a_hook_writes_within_the_same_transaction(members: Members) -> None:
    @members.member.after_create
    def house(item: Item, caller: Caller, connection: Connection) -> None:
        connection.execute(insert(Address).values(member_id=item["id"], kind="home", city="Ulm"))
        with Session(connection) as session:
            session.add(Address(member_id=item["id"], kind="work", city="Ulm"))
            session.flush()
            assert session.get_one(Member, item["id"]).name == item["name"]
        assert caller is ANONYMOUS

    members.made("/members", ANN)
    assert members.value("SELECT count(*) FROM address") == 2

    @members.member.after_create
    def fail(item: Item) -> None:
        raise Conflict("No.")

    problem(members("POST", "/members", BOB), 409)
    assert members.value("SELECT count(*) FROM address") == 2


def test_a_rule_that_a_hook_breaks_is_a_conflict(members: Members) -> None:
    @members.member.after_create
    def house(item: Item, caller: Caller, connection: Connection) -> None:
        for _ in range(2):
            connection.execute(insert(Address).values(member_id=item["id"], kind="home", city="Ulm"))

    assert "errors" not in problem(members("POST", "/members", ANN), 409)
    assert members.value("SELECT count(*) FROM member") == 0


def test_a_hook_may_catch_what_it_broke(members: Members) -> None:
    members.made("/words", {"key": "a", "value": None})

    @members.member.after_create
    def note(item: Item, caller: Caller, connection: Connection) -> None:
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("INSERT INTO word VALUES ('a', 'x')")

    members.made("/members", ANN)
    assert members.value("SELECT count(*) FROM member") == 1


def test_a_hook_of_what_is_not_there_is_not_called(members: Members) -> None:
    def fail(data: Item) -> None:
        raise AssertionError

    for name in ("before_replace", "before_patch", "before_delete"):
        members.member.hooks.add(name, fail)
    problem(members("PUT", "/members/9", ANN), 404)
    problem(members("PATCH", "/members/9", {"name": "B"}), 404)
    problem(members("DELETE", "/members/9"), 404)


def test_a_hook_before_a_deletion_gets_the_key(members: Members) -> None:
    seen: list[Item] = []
    members.word.hooks.add("before_delete", seen.append)
    members.address.hooks.add("before_delete", seen.append)
    members.made("/members", ANN)
    members.made("/members/1/addresses", {"kind": "home", "city": "Ulm"})
    members("PUT", "/words/a%2Fb", {"value": None})
    members("DELETE", "/words/a%2Fb")
    members("DELETE", "/members/1/addresses/1")
    assert seen[-1] == {"id": 1}
    assert members.value("SELECT count(*) FROM address") == 0


def test_a_put_that_makes_an_item_has_its_own_hooks(members: Members) -> None:
    seen: list[tuple[str, Any]] = []
    for name in ("before_create", "before_replace", "after_replace", "after_create"):
        members.word.hooks.add(name, lambda data, name=name: seen.append((name, data)))
    for value in ("x", "y"):
        members("PUT", "/words/a", {"value": value})
    assert seen == [
        ("before_replace", {"value": "x"}),
        ("after_replace", {"key": "a", "value": "x"}),
        ("before_replace", {"value": "y"}),
        ("after_replace", {"key": "a", "value": "y"}),
    ]
