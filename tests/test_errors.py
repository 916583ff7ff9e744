"""Problems and findings: what they say of themselves."""

from __future__ import annotations

import pytest

from demijohn import Problem, ProblemException, problem
from demijohn.errors import ContractError, Finding


def test_a_finding_names_its_place_what_was_found_and_what_is_allowed() -> None:
    assert str(Finding("a.yaml", 3, "/x", "found this", "allowed is that")) == "a.yaml:3: found this; allowed is that"
    assert repr(Finding("a.yaml", 3, "/x", "found this")) == "<Finding a.yaml:3: found this>"


@pytest.mark.parametrize(("count", "heading"), [(1, "1 problem"), (2, "2 problems")])
def test_a_start_error_counts_its_problems(count: int, heading: str) -> None:
    assert str(ContractError(["x"] * count)).startswith(f"The contract is wrong: {heading}\nx")


@pytest.mark.parametrize(
    ("status", "title", "code"),
    [
        (404, "Not Found", "not-found"),
        (413, "Content Too Large", "content-too-large"),
        (418, "I'm a Teapot", "im-a-teapot"),
        (422, "Unprocessable Content", "unprocessable-content"),
        (599, "Error", "error"),
    ],
)
def test_a_status_gives_a_problem_its_title_and_code(status: int, title: str, code: str) -> None:
    made = Problem("d", status=status)
    assert (made.title, made.code) == (title, code)


def test_a_problem_shows_its_members_in_order() -> None:
    made = Problem("d", status=409, code="taken", instance="/x", errors=[{"detail": "e"}], extra={"more": 1})
    assert list(made.document()) == ["type", "title", "status", "code", "detail", "instance", "errors", "more"]
    assert "detail" not in Problem().document()


def test_a_subclass_has_a_status_a_code_and_a_title_of_its_own() -> None:
    class Late(Problem):
        status, code, title = 409, "late", "Too late"

    assert Late("x").document() == {
        "type": "about:blank",
        "title": "Too late",
        "status": 409,
        "code": "late",
        "detail": "x",
    }


def test_the_arguments_of_connexion_work() -> None:
    made = problem(404, None, None, type="https://example.org/p", headers={"X-A": "1"}, ext={"n": 1})
    assert isinstance(made, ProblemException)
    assert made.document() == {
        "type": "https://example.org/p",
        "title": "Not Found",
        "status": 404,
        "code": "not-found",
        "n": 1,
    }
    assert made.headers == (("X-A", "1"),)
