"""If-Match and If-None-Match on writes, also when many come at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from members import ANN, MEMBERS, Members, at_once
from small_apis import STEPS, problem

from demijohn.compile.answers import etag_of
from demijohn.errors import PreconditionFailed, PreconditionRequired
from demijohn.resources.preconditions import Preconditions, read_preconditions


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, MEMBERS)
    made.made("/members", ANN)
    yield made
    made.close()


BODIES = {"PUT": ANN | {"name": "B"}, "PATCH": {"name": "B"}, "DELETE": None}


class Sent:
    """Be a request with a few headers."""

    method = base = path = query = scheme = address = ""

    def __init__(self, **headers: str) -> None:
        self._headers = {name.replace("_", "-"): text for name, text in headers.items()}

    def header(self, name: str) -> str | None:
        return self._headers.get(name)


def test_a_request_without_preconditions_has_none() -> None:
    assert read_preconditions(Sent(), required=False) is None
    with pytest.raises(PreconditionRequired):
        read_preconditions(Sent(If_None_Match="*"), required=True)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("*", True),
        ("TAG", True),
        ('"x", TAG ,"y"', True),
        (" , TAG", True),
        ("W/TAG", False),
        ("", False),
        ('"x"', False),
        ('"TAG', False),
        ("TA", False),
        ('"a,b"', False),
        ('"' * 9, False),
    ],
)
def test_if_match_is_a_list_of_strong_tags(text: str, holds: bool) -> None:
    text = text.replace("TAG", etag_of(b"item")).replace("TA", etag_of(b"item")[1:-1])
    if holds:
        Preconditions(text, None).check(b"item")
    else:
        with pytest.raises(PreconditionFailed):
            Preconditions(text, None).check(b"item")
    with pytest.raises(PreconditionFailed):
        Preconditions(text, None).check(None)


@pytest.mark.parametrize("method", BODIES)
def test_the_tag_of_a_read_is_the_one_that_a_write_takes(members: Members, method: str) -> None:
    tag = members("GET", "/members/1").headers["ETag"]
    problem(members(method, "/members/1", BODIES[method], {"If-Match": '"x"'}), 412)
    problem(members(method, "/members/1", BODIES[method], {"If-None-Match": tag}), 412)
    problem(members(method, "/members/1", BODIES[method], {"If-None-Match": f"W/{tag}"}), 412)
    problem(members(method, "/members/1", BODIES[method], {"If-None-Match": "*"}), 412)
    assert members("GET", "/members/1").headers["ETag"] == tag
    answer = members(method, "/members/1", BODIES[method], {"If-Match": tag, "If-None-Match": '"x"'})
    assert answer.status_code == (204 if method == "DELETE" else 200)
    problem(members(method, "/members/1", BODIES[method], {"If-Match": tag}), 404 if method == "DELETE" else 412)


@pytest.mark.parametrize("method", BODIES)
def test_an_item_that_is_not_there_is_not_found_first(members: Members, method: str) -> None:
    problem(members(method, "/members/7", BODIES[method], {"If-Match": '"x"'}), 404)


def test_a_write_gives_the_tag_for_the_next_one(members: Members) -> None:
    tag = members("GET", "/members/1").headers["ETag"]
    for name in "abc":
        step = [{"op": "replace", "path": "/name", "value": name}]
        answer = members("PATCH", "/members/1", step, {"If-Match": tag}, content_type=STEPS)
        assert answer.status_code == 200
        tag = answer.headers["ETag"]
        answer = members("PUT", "/members/1", ANN | {"name": name * 2}, {"If-Match": tag})
        tag = answer.headers["ETag"]
    assert members("GET", "/members/1").headers["ETag"] == tag


def test_of_fifty_who_know_one_version_one_changes_it(members: Members) -> None:
    successes = 0
    for turn in range(3):
        tag = members("GET", "/members/1").headers["ETag"]

        def change(index: int, tag: str = tag, turn: int = turn) -> int:
            return members("PATCH", "/members/1", {"name": f"{turn}-{index}"}, {"If-Match": tag}).status_code

        statuses = at_once(50, change)
        assert sorted(statuses) == [200] + [412] * 49
        successes += statuses.count(200)
    assert successes == 3
