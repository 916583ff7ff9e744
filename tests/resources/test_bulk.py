"""POST of an array: all or none, in order, and the place of each fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from members import ANN, BOB, MEMBERS, Members
from small_apis import Json, answers, array, content, path, pointers, problem, ref

MANY: dict[str, Json] = {
    "/members": {
        "get": MEMBERS["/members"]["get"],
        "post": {
            "requestBody": {"required": True, "content": content(array(ref("NewMember")))},
            "responses": answers(array(ref("Member")), 201),
        },
    },
    "/members/{id}": MEMBERS["/members/{id}"],
    "/members/{member_id}/addresses": {
        "parameters": [path("member_id")],
        "post": {
            "requestBody": {"required": True, "content": content(array(ref("NewAddress")))},
            "responses": answers(array(ref("Address")), 201),
        },
    },
}


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, MANY)
    yield made
    made.close()


def several(count: int) -> list[dict[str, Any]]:
    return [{"email": f"{index}@example.org", "name": f"N{index}"} for index in range(count)]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 237])
def test_the_answer_has_all_of_them_in_order(members: Members, count: int) -> None:
    response = members("POST", "/members", several(count))
    assert response.status_code == 201
    made = response.get_json()
    assert [item["name"] for item in made] == [f"N{index}" for index in range(count)]
    assert len({item["id"] for item in made}) == count
    assert members.value("SELECT count(*) FROM member") == count
    assert "Location" not in response.headers
    assert "ETag" not in response.headers


def test_each_may_have_properties_of_its_own(members: Members) -> None:
    extra: list[dict[str, Any]] = [{}, {"nick": "x"}, {}, {"notes": {"size": 1}, "balance": 1.25}, {"role": "boss"}] * 5
    sent = [one | more for one, more in zip(several(25), extra, strict=True)]
    made = members("POST", "/members", sent).get_json()
    for item, one in zip(made, sent, strict=True):
        assert {name: item[name] for name in one} == one
    assert members("GET", f"/members/{made[3]['id']}").get_json() == made[3]


def test_decimals_keep_their_digits(members: Members) -> None:
    body = b'[{"email": "a", "name": "a", "balance": 9999999999.99}, {"email": "b", "name": "b"}]'
    assert b'"balance":9999999999.99' in members("POST", "/members", body).data


@pytest.mark.parametrize("count", [3, 40])
def test_a_conflict_of_one_undoes_all(members: Members, count: int) -> None:
    sent = several(count)
    sent[2]["email"] = sent[0]["email"]
    assert pointers(problem(members("POST", "/members", sent), 409)) == ["#/2/email"]
    assert members.value("SELECT count(*) FROM member") == 0


def test_whatever_is_wrong_is_told_with_its_place(members: Members) -> None:
    sent: list[Any] = [ANN, {"email": "x"}, BOB | {"id": 7}, BOB | {"name": 5}]
    assert pointers(problem(members("POST", "/members", sent), 400)) == ["#/1/name", "#/2/id", "#/3/name"]
    sent = [ANN | {"balance": 1.5}, BOB | {"balance": 1.555}, ANN | {"name": "a\u0000", "balance": 0.001}]
    document = problem(members("POST", "/members", sent), 400)
    assert sorted(pointers(document)) == ["#/1/balance", "#/2/balance", "#/2/name"]
    problem(members("POST", "/members", ANN), 400)


def test_rows_below_an_item_refer_to_it(members: Members) -> None:
    members("POST", "/members", [ANN])
    addresses = [{"kind": "home", "city": "Ulm"}, {"kind": "work", "city": "Rom"}]
    made = members("POST", "/members/1/addresses", addresses).get_json()
    assert [(one["kind"], one["member_id"]) for one in made] == [("home", 1), ("work", 1)]
    problem(members("POST", "/members/9/addresses", addresses), 404)
    wrong = [{"kind": "sea", "city": "Ulm"}, {"kind": "hut", "city": "Ulm", "friend_id": 9}]
    assert pointers(problem(members("POST", "/members/1/addresses", wrong), 409)) == ["#/1/friend_id"]
    wrong = [{"kind": "sea", "city": "Ulm"}, {"kind": "home", "city": "Ulm"}]
    assert pointers(problem(members("POST", "/members/1/addresses", wrong), 409)) == ["#/1/kind"]
    assert members.value("SELECT count(*) FROM address") == 2


def test_hooks_stand_around_each_of_them(members: Members) -> None:
    seen: list[Any] = []

    @members.member.before_create
    def change(data: dict[str, Any]) -> dict[str, Any]:
        return data | {"name": data["name"].upper()}

    @members.member.after_create
    def note(item: dict[str, Any]) -> None:
        seen.append(item)

    made = members("POST", "/members", several(3)).get_json()
    assert [item["name"] for item in made] == ["N0", "N1", "N2"]
    assert seen == made
    sent = several(5)
    sent[4]["email"] = "3@example.org"
    sent[:3] = []
    assert pointers(problem(members("POST", "/members", sent), 409)) == ["#/1/email"]
