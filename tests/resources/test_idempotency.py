"""Idempotency-Key on writes: the same request twice is done once."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from members import ANN, BOB, MEMBERS, Members, at_once
from small_apis import header, problem
from werkzeug.test import TestResponse

from demijohn.errors import Forbidden

KEYED = deepcopy(MEMBERS)
KEYED["/members"]["post"]["parameters"] = [header("Idempotency-Key")]
KEYED["/members/{id}"]["patch"]["parameters"] = [header("Idempotency-Key")]


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, KEYED)
    yield made
    made.close()


def create(members: Members, key: str, body: Any = ANN) -> TestResponse:
    return members("POST", "/members", body, {"Idempotency-Key": key})


def test_the_first_answer_is_given_again(members: Members) -> None:
    first = create(members, "k")
    again = create(members, "k")
    assert (again.status_code, again.data) == (201, first.data)
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert members.value("SELECT count(*) FROM member") == 1


def test_another_request_under_the_same_key_is_refused(members: Members) -> None:
    create(members, "k")
    problem(create(members, "k", BOB), 422)
    assert members.value("SELECT count(*) FROM member") == 1


def test_a_request_that_failed_is_done_when_it_comes_again(members: Members) -> None:
    create(members, "a")
    problem(create(members, "b"), 409)
    members("DELETE", "/members/1")
    assert create(members, "b").status_code == 201


def test_without_a_key_each_request_is_done(members: Members) -> None:
    assert members("POST", "/members", ANN).status_code == 201
    problem(members("POST", "/members", ANN), 409)


def test_a_patch_is_done_once(members: Members) -> None:
    members("POST", "/members", ANN)
    for name in ("B", "C"):
        members("PATCH", "/members/1", {"name": name}, {"Idempotency-Key": name})
    again = members("PATCH", "/members/1", {"name": "B"}, {"Idempotency-Key": "B"})
    assert again.get_json()["name"] == "B"
    assert members("GET", "/members/1").get_json()["name"] == "C"


def test_fifty_at_once_make_one_row(members: Members) -> None:
    answers = at_once(50, lambda _: create(members, "same"))
    done = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code != 201]
    assert done
    assert len({answer.data for answer in done}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in done) == 1
    assert all(problem(answer, 409)["code"] == "in-flight" for answer in waiting)
    assert members.value("SELECT count(*) FROM member") == 1


def test_what_a_hook_refuses_is_not_kept(members: Members) -> None:
    refused = [True]

    @members.member.before_create
    def refuse() -> None:
        if refused:
            refused.clear()
            raise Forbidden("Not today.")

    problem(create(members, "k"), 403)
    assert create(members, "k").status_code == 201
