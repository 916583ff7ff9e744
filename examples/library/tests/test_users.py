"""Who may come in, and who may see whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

PASSWORD = "a good long read"


def test_a_member_registers_logs_in_goes_on_and_leaves(client: FlaskClient) -> None:
    body = {"username": "jdoe", "email": "jdoe@example.com", "password": PASSWORD}
    made = client.post("/users/register", json=body)
    assert made.status_code == 201
    assert made.headers["Location"] == "/users/1"
    assert "password" not in made.get_json()
    assert client.post("/users/register", json=body).status_code == 409
    tokens = client.post("/users/login", json={"email": "JDoe@example.com", "password": PASSWORD}).get_json()
    tokens = client.post("/users/refresh", json={"refresh_token": tokens["refresh_token"]}).get_json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert client.get("/users/me", headers=headers).get_json()["role"] == "member"
    assert client.post("/users/logout", headers=headers).status_code == 204
    assert client.get("/users/me", headers=headers).status_code == 401


def test_a_login_fails_five_times_in_ten_minutes(client: FlaskClient, ann: Any) -> None:
    body = {"email": "ann@example.org", "password": "not this one"}
    statuses = [client.post("/users/login", json=body).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    refused = client.post("/users/login", json={**body, "password": PASSWORD})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 600


def test_what_anybody_may_write_is_limited_by_the_day(client: FlaskClient, ann: Any) -> None:
    told = client.post("/users/login", json={"email": "nobody@example.org", "password": PASSWORD}).headers
    assert told["RateLimit-Policy"] == '"default";q=200;w=86400'
    assert "RateLimit-Policy" in client.get("/books").headers
    assert client.get("/books").headers["RateLimit-Policy"] == '"default";q=1200;w=60'


def test_the_desk_finds_members(ann: Any, bob: Any, librarian: Any) -> None:
    found = librarian("GET", "/users?q=ANN", 200)
    assert [user["username"] for user in found["users"]] == ["ann"]
    assert librarian("GET", "/users?role=librarian", 200)["total"] == 1
    assert librarian("GET", f"/users/{bob.id}", 200)["email"] == "bob@example.org"
    ann("GET", "/users", 403)
    ann("GET", f"/users/{bob.id}", 404)
    assert ann("GET", f"/users/{ann.id}", 200)["username"] == "ann"


def test_administrators_say_who_is_a_librarian(sign_in: Callable[..., Any], ann: Any, librarian: Any) -> None:
    admin = sign_in("root", "admin")
    librarian("PATCH", f"/users/{ann.id}", 403, {"role": "librarian"})
    ann("PATCH", f"/users/{ann.id}", 403, {"role": "admin"})
    admin("PATCH", f"/users/{ann.id}", 400, {"role": "king"})
    assert admin("PATCH", f"/users/{ann.id}", 200, {"role": "librarian"})["role"] == "librarian"
    ann("GET", "/users", 200)
    admin("PATCH", f"/users/{ann.id}", 200, {"is_disabled": True})
    ann("GET", "/users/me", 401)


def test_nobody_registers_with_a_role(client: FlaskClient) -> None:
    body = {"username": "jdoe", "email": "jdoe@example.com", "password": PASSWORD, "role": "admin"}
    assert client.post("/users/register", json=body).status_code == 400
