"""PUT: all of an item is what was sent; where the contract says so, it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from members import ADDRESSES, ANN, BOB, MEMBERS, WORDS, Members, at_once, without
from small_apis import pointers, problem

FULL = ANN | {"nick": "annie", "role": "boss", "state": "old", "balance": 1.5, "notes": {"size": 1}}


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES, **WORDS})
    yield made
    made.close()


def test_what_is_not_sent_is_as_in_a_new_row(members: Members) -> None:
    members.made("/members", FULL | {"secret": "s"})
    response = members("PUT", "/members/1", BOB)
    assert response.status_code == 200
    assert without(response.get_json(), ["created_at", "updated_at"]) == BOB | {
        "id": 1,
        "nick": None,
        "balance": None,
        "notes": None,
        "role": "guest",
        "state": "new",
    }
    assert members.value("SELECT secret FROM member") is None
    assert members("GET", "/members/1").data == response.data


def test_what_clients_cannot_write_stays(members: Members) -> None:
    before = members.made("/members", FULL)
    members.execute("UPDATE member SET owner = 'me', updated_at = '2001-01-01 00:00:00.000000'")
    after = members("PUT", "/members/1", FULL).get_json()
    assert members.value("SELECT owner FROM member") == "me"
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] > "2020"


def test_an_item_that_is_not_there_is_not_found(members: Members) -> None:
    problem(members("PUT", "/members/1", ANN), 404)
    assert members.value("SELECT count(*) FROM member") == 0


def test_an_item_below_another_one_is_not_found_there(members: Members) -> None:
    members.made("/members", ANN)
    members.made("/members", BOB)
    members.made("/members/1/addresses", {"kind": "home", "city": "Ulm"})
    problem(members("PUT", "/members/2/addresses/1", {"kind": "home", "city": "Rom"}), 404)
    moved = members("PUT", "/members/1/addresses/1", {"kind": "home", "city": "Rom"})
    assert (moved.get_json()["city"], moved.get_json()["member_id"]) == ("Rom", 1)


def test_an_item_is_made_under_its_key(members: Members) -> None:
    made = members("PUT", "/words/a%20b", {"value": "x"})
    assert (made.status_code, made.data) == (201, b'{"key":"a b","value":"x"}')
    assert made.headers["Location"] == "/words/a%20b"
    again = members("PUT", "/words/a%20b", {"value": "y"})
    assert (again.status_code, again.data) == (200, b'{"key":"a b","value":"y"}')
    assert "Location" not in again.headers


def test_the_key_in_the_body_is_the_one_in_the_path(members: Members) -> None:
    assert members("PUT", "/words/a", {"key": "a", "value": "x"}).status_code == 201
    assert members("PUT", "/words/a", {"key": "a", "value": "y"}).status_code == 200
    assert pointers(problem(members("PUT", "/words/a", {"key": "b", "value": "x"}), 409)) == ["#/key"]
    assert pointers(problem(members("PUT", "/words/c", {"key": "b", "value": "x"}), 409)) == ["#/key"]
    assert members.value("SELECT count(*) FROM word") == 1


def test_of_many_who_make_one_item_one_has_made_it(members: Members) -> None:
    def put(index: int) -> int:
        return members("PUT", "/words/same", {"value": str(index)}).status_code

    for _ in range(5):
        assert sorted(at_once(12, put)) == [200] * 11 + [201]
        assert members.value("SELECT count(*) FROM word") == 1
        members("DELETE", "/words/same")


def test_only_new_ones_and_only_old_ones(members: Members) -> None:
    problem(members("PUT", "/words/a", {"value": "x"}, {"If-Match": "*"}), 412)
    assert members("PUT", "/words/a", {"value": "x"}, {"If-None-Match": "*"}).status_code == 201
    problem(members("PUT", "/words/a", {"value": "y"}, {"If-None-Match": "*"}), 412)
    assert members("PUT", "/words/a", {"value": "y"}, {"If-Match": "*"}).status_code == 200


def test_a_value_that_is_taken_is_a_conflict(members: Members) -> None:
    members.made("/members", ANN)
    members.made("/members", BOB)
    assert pointers(problem(members("PUT", "/members/2", ANN), 409)) == ["#/email"]
    assert members("GET", "/members/2").get_json()["name"] == "Bob"
