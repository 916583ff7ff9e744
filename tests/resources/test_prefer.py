"""The Prefer header: what is understood, what is told, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from members import ANN, BOB, MEMBERS, WORDS, Members
from small_apis import names, problem

from demijohn.errors import BadRequest
from demijohn.resources.prefer import NO_PREFERENCES, Preferences, parse_prefer

MINIMAL = Preferences(returns="minimal")


@pytest.mark.parametrize(
    ("text", "preferences"),
    [
        ("", NO_PREFERENCES),
        ("return=minimal", MINIMAL),
        ("RETURN = minimal ", MINIMAL),
        ('return="minimal"', MINIMAL),
        ("return=minimal; why=so, count=exact", Preferences("minimal", count_exact=True)),
        ("count=exact,return=representation", Preferences("representation", count_exact=True)),
        ("return=minimal, return=representation", MINIMAL),
        ("respond-async, wait=10, return=minimal", MINIMAL),
        ("return=some, count=planned", NO_PREFERENCES),
        ("handling=strict, return=minimal", Preferences("minimal", strict=True)),
        ("handling=lenient, x", NO_PREFERENCES),
        (",, @@ , =, return=minimal", MINIMAL),
        ('x="a,b", return=minimal', MINIMAL),
        ("return", NO_PREFERENCES),
        ('return="minimal', NO_PREFERENCES),
    ],
)
def test_a_header_is_read_as_the_rfc_says(text: str, preferences: Preferences) -> None:
    assert parse_prefer(text) == preferences


@pytest.mark.parametrize("text", ["x", "return=some", "wait=10", "@", "count=planned; a"])
def test_who_is_strict_is_told_what_is_not_known(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_prefer(f"handling=strict, {text}")
    assert caught.value.errors[0]["name"] == "Prefer"


@pytest.mark.parametrize("text", ['"' * 5000, "a=" * 5000, "," * 5000, 'x="\\' + "\\" * 5000, " " * 5000 + "x;" * 500])
def test_a_long_header_is_read_at_once(text: str) -> None:
    assert parse_prefer(text) == NO_PREFERENCES


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **WORDS})
    yield made
    made.close()


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_answer_without_a_body(members: Members) -> None:
    minimal = {"Prefer": "return=minimal"}
    answers = [
        members("POST", "/members", ANN, minimal),
        members("PATCH", "/members/1", {"name": "B"}, minimal),
        members("PUT", "/members/1", BOB, minimal),
        members("PUT", "/words/a", {"value": "x"}, minimal),
    ]
    assert [answer.status_code for answer in answers] == [201, 204, 204, 201]
    assert [answer.data for answer in answers] == [b""] * 4
    assert {answer.headers["Preference-Applied"] for answer in answers} == {"return=minimal"}
    assert answers[0].headers["Location"] == "/members/1"


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_answer_with_a_body(members: Members) -> None:
    answer = members("POST", "/members", ANN, {"Prefer": "return=representation, handling=strict"})
    assert answer.get_json()["name"] == "Ann"
    assert answer.headers["Preference-Applied"] == "return=representation, handling=strict"
    # There is none to give.
    answer = members("DELETE", "/members/1", None, {"Prefer": "return=representation"})
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (204, None)


@pytest.mark.parametrize("database", ["sqlite"])
def test_nothing_is_written_for_who_is_not_understood(members: Members) -> None:
    strict = {"Prefer": "handling=strict, colour=blue"}
    for method, address, body in (
        ("POST", "/members", ANN),
        ("PUT", "/words/a", {"value": "x"}),
        ("PATCH", "/words/a", {}),
        ("DELETE", "/words/a", None),
    ):
        assert names(problem(members(method, address, body, strict), 400)) == [("header", "Prefer")]
    assert members.value("SELECT count(*) FROM member") == 0
