"""The operations as functions, for the application's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from members import ADDRESSES, ANN, BOB, MEMBERS, SCHEMAS, WORDS, Address, Member, Members, Word
from small_apis import INTEGER, contract, listed, obj, path, read, ref, words
from sqlalchemy import Connection

from demijohn import Demijohn
from demijohn.compile.guards import ANONYMOUS, Caller
from demijohn.errors import BadRequest, Conflict, NotFound
from demijohn.resources.functions import ModelResource

Item = dict[str, Any]


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES, **WORDS})
    yield made
    made.close()


def test_what_is_made_is_what_the_operation_shows(members: Members) -> None:
    made = members.member.create(ANN | {"notes": {"size": 1}})
    assert made == members("GET", f"/members/{made['id']}").get_json()
    assert members.member.read(made["id"]) == made


def test_an_item_is_found_by_its_key_or_by_what_is_unique(members: Members) -> None:
    ann = members.member.create(ANN)
    members.made(f"/members/{ann['id']}/addresses", {"kind": "home", "city": "Ulm"})
    assert members.member.read(email=ANN["email"]) == ann
    assert members.member.read(id=ann["id"]) == ann
    assert members.address.read(member_id=ann["id"], kind="home")["city"] == "Ulm"
    assert members.word.create({"key": "a", "value": "x"}) == members.word.read("a")
    for missing in ({"email": "x"}, {"id": 99}):
        with pytest.raises(NotFound, match="There is no such Member"):
            members.member.read(**missing)


def test_what_names_no_single_item_is_refused(members: Members) -> None:
    with pytest.raises(TypeError, match="several items may have the same name"):
        members.member.read(name="Ann")
    with pytest.raises(TypeError, match="no property and no column"):
        members.member.read(colour="blue")
    with pytest.raises(TypeError, match="the key of Member is id; 2 values were given"):
        members.member.read(1, 2)
    with pytest.raises(TypeError, match="by its key or by columns"):
        members.member.read()


def test_a_list_is_filtered_sorted_and_cut(members: Members) -> None:
    now = datetime(2026, 1, 1)
    times = {"created_at": now, "updated_at": now, "role": "guest"}
    members.put(Member, *({"email": f"{i}@example.org", "name": f"N{i}", **times} for i in range(150)))
    assert len(members.member.list()) == 150
    assert [one["name"] for one in members.member.list(sort="-id", limit=2, offset=1)] == ["N148", "N147"]
    assert [one["name"] for one in members.member.list(email="7@example.org")] == ["N7"]
    assert [one["name"] for one in members.member.list(id__in=[1, 3, 999], sort="id")] == ["N0", "N2"]
    assert len(members.member.list(email__contains="9@", nick__isnull=True)) == 15
    assert members.member.list(owner="nobody") == []
    assert members.member.list(created_at__gt=datetime(2100, 1, 1, tzinfo=UTC)) == []
    assert len(members.member.list(created_at__lt=datetime(2100, 1, 1, tzinfo=UTC))) == 150
    with pytest.raises(TypeError, match="no property and no column"):
        members.member.list(colour="blue")
    with pytest.raises(BadRequest):
        members.member.list(sort="colour")


def test_what_an_item_refers_to_is_there_on_request(database_url: str, tmp_path: Path) -> None:
    paths = {
        "/addresses": {"get": listed("Address")},
        "/addresses/{id}": {"get": read("Address", path("id"), words("include"))},
    }
    address = obj("id", id=INTEGER, member=ref("Member"), friend=ref("Member"))
    members = Members(database_url, tmp_path, MEMBERS | paths, {"Address": address})
    ann, bob = members.made("/members", ANN), members.made("/members", BOB)
    members.put(Address, {"member_id": bob["id"], "friend_id": ann["id"], "kind": "home", "city": "Ulm"})
    assert members.address.list() == [{"id": 1}]
    assert members.address.list(include="member") == [{"id": 1, "member": bob}]
    assert members.address.list(city="Ulm", include=["member", "friend"]) == [{"id": 1, "member": bob, "friend": ann}]
    assert members.address.read(1) == {"id": 1}
    assert members.address.read(1, include="friend") == {"id": 1, "friend": ann}
    with members.engine.begin() as connection:
        members.member.patch(bob["id"], {"name": "Bo"}, connection=connection)
        found = members.address.read(member_id=bob["id"], kind="home", include="member", connection=connection)
        assert found["member"]["name"] == "Bo"
        assert members.address.list(include="member", connection=connection)[0]["member"]["name"] == "Bo"
    for wrong in ("enemy", "member,enemy", ["Member"]):
        with pytest.raises(BadRequest):
            members.address.list(include=wrong)
        with pytest.raises(BadRequest):
            members.address.read(1, include=wrong)
    members.close()


def test_data_is_checked_by_the_contract(members: Members) -> None:
    with pytest.raises(BadRequest) as caught:
        members.member.create({"email": "x" * 41, "colour": "blue"})
    assert [error["pointer"] for error in caught.value.errors] == ["#/colour", "#/email", "#/name"]
    with pytest.raises(BadRequest):
        members.member.create(ANN | {"id": 7})
    key = members.member.create(ANN)["id"]
    for wrong in ({"name": None}, {"name": 5}, {"name": "x" * 21}, {"id": 5}, {"colour": "blue"}):
        with pytest.raises(BadRequest):
            members.member.patch(key, wrong)
    with pytest.raises(BadRequest):
        members.member.replace(key, {"name": "B"})
    assert members.member.read(key)["name"] == "Ann"


def test_decimals_are_taken_as_they_are(members: Members) -> None:
    key = members.member.create(ANN | {"balance": Decimal("9999999999.99")})["id"]
    assert b'"balance":9999999999.99' in members("GET", f"/members/{key}").data


def test_items_change_and_go(members: Members) -> None:
    key = members.member.create(ANN | {"notes": {"size": 1, "deep": {"a": 1}}})["id"]
    assert members.member.patch(key, {"notes": {"deep": {"b": 2}}})["notes"] == {"size": 1, "deep": {"a": 1, "b": 2}}
    assert members.member.replace(key, BOB)["notes"] is None
    members.member.delete(key)
    with pytest.raises(NotFound):
        members.member.delete(key)
    with pytest.raises(NotFound):
        members.member.patch(key, {})


def test_a_conflict_is_raised(members: Members) -> None:
    members.member.create(ANN)
    with pytest.raises(Conflict) as caught:
        members.member.create(ANN)
    assert caught.value.errors == ({"detail": "is already taken", "pointer": "#/email"},)


def test_hooks_are_called_with_the_caller(members: Members) -> None:
    seen: list[Any] = []

    @members.member.before_create
    def note(data: Item, caller: Caller) -> None:
        seen.append(caller)

    members.member.create(ANN)
    members.member.create(BOB, caller=Caller("bob"))
    assert seen == [ANONYMOUS, Caller("bob")]


def test_several_calls_are_one_transaction(members: Members) -> None:
    assert members.member.list() == []
    with members.engine.connect() as connection:
        key = members.member.create(ANN, connection=connection)["id"]
        members.member.patch(key, {"name": "B"}, connection=connection)
        assert members.member.read(key, connection=connection)["name"] == "B"
        assert [one["name"] for one in members.member.list(connection=connection)] == ["B"]
        with pytest.raises(NotFound):
            members.member.read(key)
        connection.rollback()
    assert members.member.list() == []
    with members.engine.begin() as connection:
        key = members.member.create(ANN, connection=connection)["id"]
        with pytest.raises(Conflict):
            members.member.create(ANN, connection=connection)
        members.member.create(BOB, connection=connection)
    assert sorted(one["name"] for one in members.member.list()) == ["Ann", "Bob"]


def test_a_hook_may_call_them_in_its_transaction(members: Members) -> None:
    @members.member.after_create
    def house(item: Item, caller: Caller, connection: Connection) -> None:
        members.word.create({"key": item["name"], "value": "x"}, connection=connection)

    members.made("/members", ANN)
    assert members.word.read("Ann")["value"] == "x"
    # What fails in there undoes all of it.
    document = members("POST", "/members", BOB | {"name": "Ann"})
    assert document.status_code == 409
    assert len(members.member.list()) == 1


def test_they_wait_for_a_contract() -> None:
    resource = ModelResource("Member")
    with pytest.raises(RuntimeError, match="Member is in no contract yet"):
        resource.read(1)


def test_they_are_those_of_the_current_application(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(contract(WORDS, SCHEMAS)), encoding="utf-8")
    api = Demijohn()
    words = api.resource(Word)
    api.add_contract(tmp_path / "openapi.json")
    apps = {}
    for name in ("one", "other"):
        app = apps[name] = Flask(__name__)
        app.config["DATABASE_URL"] = f"sqlite:///{tmp_path}/{name}.sqlite"
        api.init_app(app)
        with app.app_context():
            words.create({"key": name, "value": "x"})
    for name, app in apps.items():
        with app.app_context():
            assert [one["key"] for one in words.list()] == [name]
        assert [one["key"] for one in app.test_client().get("/words").get_json()] == [name]
    with pytest.raises(RuntimeError, match="by several applications"):
        words.list()
    with Flask(__name__).app_context(), pytest.raises(RuntimeError, match="in no contract yet"):
        words.list()
