"""Users: a list for all of them, and everything of each for that one and for administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

SignIn = Callable[..., dict[str, str]]
Check = Callable[..., dict[str, Any]]


def names(answer: Any) -> list[str]:
    return [user["username"] for user in answer.get_json()["users"]]


def test_users_are_listed_newest_first_without_their_addresses(client: FlaskClient, sign_in: SignIn) -> None:
    tokens = [sign_in(name) for name in ("alice", "bob", "carol")]
    response = client.get("/users?page=1&limit=2", headers=tokens[0])
    page = response.get_json()
    assert {key: page[key] for key in ("total", "page", "pages")} == {"total": 3, "page": 1, "pages": 2}
    assert names(response) == ["carol", "bob"]
    assert {frozenset(user) for user in page["users"]} == {frozenset({"id", "username", "created_at"})}
    assert 'rel="next"' in response.headers["Link"]
    assert names(client.get("/users?page=2&limit=2", headers=tokens[0])) == ["alice"]
    assert names(client.get("/users?sort=username&username=carol", headers=tokens[0])) == ["carol"]


@pytest.mark.parametrize(
    "query", ["sort=email", "sort=password_hash", "email=a@example.org", "role=admin", "fields=email"]
)
def test_what_is_not_shown_cannot_be_asked_for(
    client: FlaskClient, sign_in: SignIn, problem: Check, query: str
) -> None:
    problem(client.get(f"/users?{query}", headers=sign_in("alice")), 400)


def test_a_user_changes_their_own_data(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    alice = sign_in("alice")
    before = client.get("/users/1", headers=alice).get_json()
    assert before == client.get("/auth/me", headers=alice).get_json()
    changed = client.patch("/users/1", json={"username": "alicia"}, headers=alice)
    assert (changed.status_code, changed.get_json()) == (200, before | {"username": "alicia"})
    body = {"username": "alice", "email": "alice@example.com"}
    assert client.put("/users/1", json=body, headers=alice).get_json() == before | body
    problem(client.put("/users/1", json={"username": "alice"}, headers=alice), 400)
    assert client.delete("/users/1", headers=alice).status_code == 204
    problem(client.get("/auth/me", headers=alice), 401)


@pytest.mark.parametrize(
    "body", [{"role": "admin"}, {"id": 9}, {"password_hash": "x"}, {"created_at": "2026-01-01T00:00:00Z"}]
)
def test_what_the_server_decides_is_not_for_users(
    client: FlaskClient, sign_in: SignIn, problem: Check, body: dict[str, Any]
) -> None:
    alice = sign_in("alice")
    before = client.get("/users/1", headers=alice).data
    problem(client.patch("/users/1", json=body, headers=alice), 400)
    problem(client.put("/users/1", json={"username": "al", "email": "a@example.org"} | body, headers=alice), 400)
    assert client.get("/users/1", headers=alice).data == before


def test_another_user_cannot_be_read_or_changed(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    alice, bob = sign_in("alice"), sign_in("bob")
    before = client.get("/users/1", headers=alice).data
    body = {"username": "mallory", "email": "mallory@example.org"}
    for method, json in (("GET", None), ("PUT", body), ("PATCH", body), ("DELETE", None)):
        # That there is such a user is no secret: the list tells it.
        problem(client.open("/users/1", method=method, json=json, headers=bob), 403)
        problem(client.open("/users/999", method=method, json=json, headers=bob), 404)
    assert client.get("/users/1", headers=alice).data == before


def test_an_administrator_sees_and_changes_everybody(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    alice, root = sign_in("alice"), sign_in("root", role="admin")
    assert client.get("/users/1", headers=root).get_json()["email"] == "alice@example.org"
    assert client.patch("/users/1", json={"username": "alicia"}, headers=root).status_code == 200
    assert client.get("/auth/me", headers=alice).get_json()["username"] == "alicia"
    assert client.delete("/users/1", headers=root).status_code == 204
    problem(client.get("/users/1", headers=root), 404)


def test_a_taken_name_stays_taken(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    sign_in("alice")
    errors = problem(client.patch("/users/2", json={"username": "alice"}, headers=sign_in("bob")), 409)["errors"]
    assert [error["pointer"] for error in errors] == ["#/username"]


def test_a_change_may_be_bound_to_what_was_seen(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    alice = sign_in("alice")
    tag = client.get("/users/1", headers=alice).headers["ETag"]
    seen = alice | {"If-Match": tag}
    assert client.patch("/users/1", json={"username": "alicia"}, headers=seen).status_code == 200
    problem(client.patch("/users/1", json={"username": "alice"}, headers=seen), 412)
