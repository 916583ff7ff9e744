"""PATCH: merge patches of columns and of the documents in them, and JSON patches of the whole item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from members import ADDRESSES, ANN, BOB, MEMBERS, WORDS, Members, at_once, without
from small_apis import MERGE, STEPS, pointers, problem
from werkzeug.test import TestResponse

from demijohn.resources.patches import merged

NOTES = {"size": 1, "tags": ["a", "b"], "deep": {"x": 1, "y": {"z": 2}}}


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES})
    made.made("/members", ANN | {"nick": "annie", "balance": 12345678.9, "notes": NOTES, "secret": "hush"})
    yield made
    made.close()


def patch(members: Members, body: Any, media_type: str = MERGE, address: str = "/members/1") -> TestResponse:
    return members("PATCH", address, body, content_type=media_type)


def steps(members: Members, *operations: dict[str, Any]) -> TestResponse:
    return patch(members, list(operations), STEPS)


# RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
    ids=str,
)
def test_merging_is_what_the_rfc_says(target: Any, change: Any, result: Any) -> None:
    assert merged(target, change) == result


def test_only_what_is_named_changes(members: Members) -> None:
    members.execute("UPDATE member SET updated_at = '2001-01-01 00:00:00.000000'")
    before = members("GET", "/members/1").get_json()
    after = patch(members, {"name": "Anna", "nick": None}).get_json()
    assert without(after, ["updated_at"]) == without(before, ["updated_at"]) | {"name": "Anna", "nick": None}
    assert after["updated_at"] > "2020" > before["updated_at"]
    assert members.value("SELECT secret FROM member") == "hush"


def test_an_empty_patch_changes_nothing(members: Members) -> None:
    before = members("GET", "/members/1")
    for response in (patch(members, {}), patch(members, [], STEPS)):
        assert response.data == before.data
        assert response.headers["ETag"] == before.headers["ETag"]
    problem(patch(members, {}, address="/members/9"), 404)


def test_a_document_in_a_column_is_merged(members: Members) -> None:
    notes = patch(members, {"notes": {"tags": ["c"], "deep": {"x": None, "y": {"new": 3}}}}).get_json()["notes"]
    assert notes == {"size": 1, "tags": ["c"], "deep": {"y": {"z": 2, "new": 3}}}
    assert patch(members, {"notes": None}).get_json()["notes"] is None
    assert patch(members, {"notes": {"deep": {"a": 1, "b": None}}}).get_json()["notes"] == {"deep": {"a": 1}}


def test_many_who_merge_into_one_document_lose_nothing(members: Members) -> None:
    patch(members, {"notes": None})
    at_once(20, lambda index: patch(members, {"notes": {"deep": {str(index): index}}}))
    assert members("GET", "/members/1").get_json()["notes"]["deep"] == {str(index): index for index in range(20)}


def test_a_document_stays_valid(members: Members) -> None:
    assert pointers(problem(steps(members, {"op": "add", "path": "/notes/tags/-", "value": 5}), 409)) == [
        "#/notes/tags/2"
    ]


def test_decimals_keep_their_digits(members: Members) -> None:
    assert b'"balance":9999999999.99' in patch(members, b'{"balance": 9999999999.99}').data
    test = b'{"op": "test", "path": "/balance", "value": 9999999999.990}'
    change = b'{"op": "replace", "path": "/balance", "value": 9999999999.98}'
    assert b'"balance":9999999999.98' in patch(members, b"[%b, %b]" % (test, change), STEPS).data
    # A value that nobody touches is not rounded either.
    assert b'"balance":9999999999.98' in steps(members, {"op": "replace", "path": "/name", "value": "B"}).data


def test_the_steps_reach_into_documents(members: Members) -> None:
    response = steps(
        members,
        {"op": "add", "path": "/notes/tags/0", "value": "first"},
        {"op": "add", "path": "/notes/tags/-", "value": "last"},
        {"op": "move", "path": "/notes/deep/q", "from": "/notes/deep/y"},
        {"op": "copy", "path": "/nick", "from": "/name"},
        {"op": "test", "path": "/notes/tags/3", "value": "last"},
        {"op": "remove", "path": "/notes/size"},
    )
    item = response.get_json()
    assert item["notes"] == {"tags": ["first", "a", "b", "last"], "deep": {"x": 1, "q": {"z": 2}}}
    assert item["nick"] == "Ann"
    assert members("GET", "/members/1").data == response.data


def test_a_step_may_test_what_nobody_can_write(members: Members) -> None:
    assert steps(members, {"op": "test", "path": "/id", "value": 1}).status_code == 200
    problem(steps(members, {"op": "test", "path": "/id", "value": 2}), 409)
    assert pointers(problem(steps(members, {"op": "replace", "path": "/id", "value": 2}), 409)) == ["#/id"]


def test_a_step_cannot_look_at_what_is_never_shown(members: Members) -> None:
    for operation in (
        {"op": "test", "path": "/secret", "value": "hush"},
        {"op": "copy", "path": "/nick", "from": "/secret"},
    ):
        problem(steps(members, operation), 409)
    assert steps(members, {"op": "add", "path": "/secret", "value": "new"}).status_code == 200
    assert members.value("SELECT secret FROM member") == "new"


def test_what_the_steps_make_has_to_be_valid(members: Members) -> None:
    wrong = {"op": "add", "path": "/name", "value": "x" * 21}, {"op": "add", "path": "/email", "value": 7}
    assert pointers(problem(steps(members, *wrong), 409)) == ["#/email", "#/name"]
    assert pointers(problem(steps(members, {"op": "remove", "path": "/email"}), 409)) == ["#/email"]
    assert pointers(problem(steps(members, {"op": "add", "path": "/other", "value": 7}), 409)) == ["#/other"]
    assert members("GET", "/members/1").get_json()["name"] == "Ann"


def test_steps_that_come_to_nothing_change_nothing(members: Members) -> None:
    before = members("GET", "/members/1")
    response = steps(
        members, {"op": "replace", "path": "/name", "value": "B"}, {"op": "replace", "path": "/name", "value": "Ann"}
    )
    assert response.data == before.data


def test_an_item_stays_below_the_one_above(members: Members) -> None:
    members.made("/members", BOB)
    members.made("/members/1/addresses", {"kind": "home", "city": "Ulm"})
    assert pointers(problem(members("PATCH", "/members/1/addresses/1", {"member_id": 2}), 409)) == ["#/member_id"]
    assert members("PATCH", "/members/1/addresses/1", {"member_id": 1, "city": "Rom"}).get_json()["city"] == "Rom"
    problem(members("PATCH", "/members/2/addresses/1", {"city": "Bern"}), 404)


def test_a_key_cannot_be_changed(database_url: str, tmp_path: Path) -> None:
    members = Members(database_url, tmp_path, WORDS)
    members("PUT", "/words/a", {"value": "x"})
    assert pointers(problem(patch(members, {"key": "b"}, address="/words/a"), 409)) == ["#/key"]
    assert patch(members, {"key": "a", "value": "y"}, address="/words/a").get_json() == {"key": "a", "value": "y"}
    wanted = [{"op": "replace", "path": "/key", "value": "b"}]
    assert pointers(problem(patch(members, wanted, STEPS, "/words/a"), 409)) == ["#/key"]
    members.close()
