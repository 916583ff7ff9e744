"""Rules of the database that a write breaks: the property at fault, in words, and nothing of the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from members import ADDRESSES, ANN, BOB, MEMBERS, Members
from small_apis import pointers, problem
from werkzeug.test import TestResponse


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES})
    made.made("/members", ANN)
    made.made("/members", BOB)
    made.made("/members/1/addresses", {"kind": "home", "city": "Ulm"})
    yield made
    made.close()


def told(response: TestResponse) -> list[tuple[str, str]]:
    """Return the errors of a conflict that says nothing of the database."""
    document = problem(response, 409)
    for word in ("constraint", "UNIQUE", "FOREIGN", "member.", "address.", "key ", "sky", "insert", "null"):
        assert word.lower() not in str(document).lower().replace("conflict", "")
    return sorted((error["pointer"], error["detail"]) for error in document.get("errors", []))


def address(**more: Any) -> dict[str, Any]:
    return {"kind": "work", "city": "Ulm"} | more


def test_a_unique_value(members: Members) -> None:
    taken = [("#/email", "is already taken")]
    assert told(members("POST", "/members", ANN)) == taken
    assert told(members("PUT", "/members/2", ANN)) == taken
    assert told(members("PATCH", "/members/2", {"email": ANN["email"]})) == taken
    assert members("PATCH", "/members/1", {"email": ANN["email"]}).status_code == 200


def test_unique_values_of_which_the_path_gives_one(members: Members) -> None:
    assert told(members("POST", "/members/1/addresses", address(kind="home"))) == [("#/kind", "is already taken")]
    assert members("POST", "/members/2/addresses", address(kind="home")).status_code == 201


def test_a_reference_to_nothing(members: Members) -> None:
    missing = [("#/friend_id", "refers to a friend that does not exist")]
    assert told(members("POST", "/members/1/addresses", address(friend_id=9))) == missing
    assert told(members("PUT", "/members/1/addresses/1", address(friend_id=9))) == missing
    assert told(members("PATCH", "/members/1/addresses/1", {"friend_id": 9, "city": "Rom"})) == missing
    assert members("PATCH", "/members/1/addresses/1", {"friend_id": 2}).status_code == 200


def test_a_rule_of_the_table(members: Members) -> None:
    broken = [("#/floor", "breaks a rule for what is stored")]
    assert told(members("POST", "/members/1/addresses", address(floor=200))) == broken
    assert told(members("PATCH", "/members/1/addresses/1", {"floor": 200})) == broken


def test_an_item_in_use(members: Members) -> None:
    assert told(members("DELETE", "/members/1")) == []
    members("PATCH", "/members/1/addresses/1", {"friend_id": 2})
    assert told(members("DELETE", "/members/2")) == []


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_value_that_is_missing_after_all(members: Members) -> None:
    members.execute("UPDATE member SET nick = ''")
    if members.engine.dialect.name == "postgresql":
        members.execute("ALTER TABLE member ALTER nick SET NOT NULL")
    else:
        members.execute("ALTER TABLE member MODIFY nick VARCHAR(20) NOT NULL")
    document = problem(members("PATCH", "/members/1", {"nick": None}), 409)
    assert pointers(document) == ["#/nick"]


def test_nothing_is_left_of_a_write_that_failed(members: Members) -> None:
    told(members("PATCH", "/members/2", {"name": "Changed", "email": ANN["email"]}))
    assert members("GET", "/members/2").get_json()["name"] == "Bob"
