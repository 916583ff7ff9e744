"""DELETE: gone, not found, in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from members import ADDRESSES, ANN, BOB, MEMBERS, Members, at_once
from small_apis import answers, path, problem, ref


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES})
    made.made("/members", ANN)
    made.made("/members", BOB)
    made.made("/members/1/addresses", {"kind": "home", "city": "Ulm"})
    yield made
    made.close()


def test_what_is_gone_is_not_found(members: Members) -> None:
    response = members("DELETE", "/members/2")
    assert (response.status_code, response.data) == (204, b"")
    problem(members("DELETE", "/members/2"), 404)
    problem(members("GET", "/members/2"), 404)


def test_what_others_refer_to_stays(members: Members) -> None:
    document = problem(members("DELETE", "/members/1"), 409)
    assert document["detail"] == "The item is still referred to by other items."
    assert members("GET", "/members/1").status_code == 200


def test_only_the_item_below_the_right_one_goes(members: Members) -> None:
    problem(members("DELETE", "/members/2/addresses/1"), 404)
    assert members("DELETE", "/members/1/addresses/1").status_code == 204
    assert members("DELETE", "/members/1").status_code == 204


def test_a_number_that_no_row_can_have_is_not_found(members: Members) -> None:
    problem(members("DELETE", f"/members/{2**31 - 1}"), 404)


def test_of_many_who_delete_one_item_one_has_done_it(members: Members) -> None:
    assert sorted(at_once(10, lambda _: members("DELETE", "/members/2").status_code)) == [204] + [404] * 9


def test_the_answer_shows_what_was_where_the_contract_says_so(database_url: str, tmp_path: Path) -> None:
    last = {"delete": {"parameters": [path("id")], "responses": answers(ref("Member"))}}
    paths = {"/members": MEMBERS["/members"], "/members/{id}": {"get": MEMBERS["/members/{id}"]["get"], **last}}
    paths["/members/{id}"]["get"]["parameters"] = [path("id")]
    members = Members(database_url, tmp_path, paths)
    members.made("/members", ANN)
    shown = members("GET", "/members/1").data
    response = members("DELETE", "/members/1")
    assert (response.status_code, response.data) == (200, shown)
    assert "ETag" not in response.headers
    members.close()
