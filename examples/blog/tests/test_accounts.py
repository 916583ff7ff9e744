"""Register, log in, stay logged in, log out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

ALICE = {"username": "alice", "email": "alice@example.org", "password": "nine lives of a cat"}


def log_in(client: FlaskClient, **more: str) -> Any:
    body = {"email": ALICE["email"], "password": ALICE["password"]} | more
    return client.post("/auth/login", json=body)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_user_registers_as_a_member(client: FlaskClient) -> None:
    response = client.post("/auth/register", json=ALICE)
    assert (response.status_code, response.headers["Location"]) == (201, "/users/1")
    user = response.get_json()
    assert list(user) == ["id", "username", "email", "role", "created_at"]
    assert (user["username"], user["email"], user["role"]) == ("alice", "alice@example.org", "member")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(user["created_at"])).total_seconds()) < 60


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"username": None}, "#/username"),
        ({"email": None}, "#/email"),
        ({"password": None}, "#/password"),
        ({"username": "Alice"}, "#/username"),
        ({"email": "alice"}, "#/email"),
        ({"email": "Alice@example.org"}, "#/email"),
        ({"password": "short"}, "#/password"),
        ({"password": "x" * 129}, "#/password"),
        ({"password": "password"}, "#/password"),
        ({"role": "admin"}, "#/role"),
        ({"id": 7}, "#/id"),
        ({"password_hash": "x"}, "#/password_hash"),
        ({"is_disabled": False}, "#/is_disabled"),
    ],
)
def test_a_registration_outside_the_contract_is_refused(
    client: FlaskClient, problem: Callable[..., dict[str, Any]], change: dict[str, Any], pointer: str
) -> None:
    body = {name: value for name, value in (ALICE | change).items() if value is not None}
    errors = problem(client.post("/auth/register", json=body), 400)["errors"]
    assert pointer in {error.get("pointer") for error in errors}
    assert log_in(client).status_code == 401


@pytest.mark.parametrize(("taken", "free"), [("email", "username"), ("username", "email")])
def test_a_name_or_address_is_taken_once(
    client: FlaskClient, problem: Callable[..., dict[str, Any]], taken: str, free: str
) -> None:
    assert client.post("/auth/register", json=ALICE).status_code == 201
    other = {"username": "bob", "email": "bob@example.org", "password": ALICE["password"]}
    errors = problem(client.post("/auth/register", json=other | {taken: ALICE[taken]}), 409)["errors"]
    assert [error["pointer"] for error in errors] == [f"#/{taken}"]


def test_a_login_gives_two_tokens_that_no_cache_keeps(client: FlaskClient) -> None:
    client.post("/auth/register", json=ALICE)
    response = log_in(client)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    tokens = response.get_json()
    assert list(tokens) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    me = client.get("/auth/me", headers=bearer(tokens["access_token"]))
    assert (me.status_code, me.get_json()["email"]) == (200, "alice@example.org")
    profile = client.get("/users/profile", headers=bearer(tokens["access_token"]))
    assert (profile.status_code, profile.data) == (200, me.data)


def test_unknown_users_and_wrong_passwords_get_the_same_answer(
    client: FlaskClient, problem: Callable[..., dict[str, Any]]
) -> None:
    client.post("/auth/register", json=ALICE)
    wrong = log_in(client, password="ten lives of a cat")
    unknown = log_in(client, email="bob@example.org")
    assert problem(wrong, 401) == problem(unknown, 401)
    assert wrong.headers["WWW-Authenticate"] == unknown.headers["WWW-Authenticate"]


def test_the_eleventh_failure_is_too_many(client: FlaskClient, problem: Callable[..., dict[str, Any]]) -> None:
    client.post("/auth/register", json=ALICE)
    assert [log_in(client, password="wrong").status_code for _ in range(10)] == [401] * 10
    response = log_in(client, password="wrong")
    problem(response, 429)
    assert int(response.headers["Retry-After"]) > 0


def test_registrations_are_limited(client: FlaskClient, problem: Callable[..., dict[str, Any]]) -> None:
    answers = [client.post("/auth/register", json={}) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {400}
    response = client.post("/auth/register", json=ALICE)
    problem(response, 429)
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("is_in_body", [True, False])
def test_a_session_goes_on_with_the_refresh_token(client: FlaskClient, is_in_body: bool) -> None:
    client.post("/auth/register", json=ALICE)
    old = log_in(client).get_json()
    token = old["refresh_token"]
    if is_in_body:
        response = client.post("/auth/refresh", json={"refresh_token": token})
    else:
        response = client.post("/auth/refresh", headers=bearer(token))
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    new = response.get_json()
    assert new["refresh_token"] != token
    assert client.get("/auth/me", headers=bearer(new["access_token"])).status_code == 200


def test_a_token_is_good_for_its_own_purpose_only(client: FlaskClient, problem: Callable[..., dict[str, Any]]) -> None:
    client.post("/auth/register", json=ALICE)
    tokens = log_in(client).get_json()
    problem(client.get("/auth/me", headers=bearer(tokens["refresh_token"])), 401)
    problem(client.post("/auth/refresh", headers=bearer(tokens["access_token"])), 401)
    problem(client.post("/auth/refresh", json={"refresh_token": tokens["access_token"]}), 401)
    problem(client.post("/auth/refresh"), 401)


def test_a_logout_ends_both_tokens(client: FlaskClient, problem: Callable[..., dict[str, Any]]) -> None:
    client.post("/auth/register", json=ALICE)
    tokens = log_in(client).get_json()
    response = client.post("/auth/logout", headers=bearer(tokens["access_token"]))
    assert (response.status_code, response.data) == (204, b"")
    for path in ("/auth/me", "/users"):
        problem(client.get(path, headers=bearer(tokens["access_token"])), 401)
    problem(client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}), 401)
    assert log_in(client).status_code == 200


def test_who_is_locked_out_is_out_at_once(
    app: Flask, client: FlaskClient, problem: Callable[..., dict[str, Any]]
) -> None:
    client.post("/auth/register", json=ALICE)
    tokens = log_in(client).get_json()
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.session.execute(db.metadata.tables["users"].update().values(is_disabled=True))
        db.session.commit()
    problem(client.get("/auth/me", headers=bearer(tokens["access_token"])), 401)
    problem(client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}), 401)
    problem(log_in(client), 401)


@pytest.mark.parametrize("path", ["/auth/me", "/users", "/users/profile", "/users/1", "/reports/monthly?year=2026"])
def test_a_protected_path_asks_for_a_token(
    client: FlaskClient, problem: Callable[..., dict[str, Any]], path: str
) -> None:
    for headers in ({}, bearer("x"), bearer("a.b.c"), {"Authorization": "Basic YTpi"}):
        response = client.get(path, headers=headers)
        problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
