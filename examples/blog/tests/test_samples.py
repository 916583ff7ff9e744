"""The samples: something to see at once, once, and no way in."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

WRITTEN = {"title", "body", "name", "price", "stock", "username"}
SignIn = Callable[..., dict[str, str]]


def load(app: Flask) -> str:
    result = app.test_cli_runner().invoke(args=["samples"])
    assert result.exit_code == 0, result.output
    return result.output


def totals(client: FlaskClient, reader: dict[str, str]) -> dict[str, int]:
    return {name: client.get(f"/{name}", headers=reader).get_json()["total"] for name in ("users", "posts", "products")}


def test_an_empty_blog_gets_them_once(app: Flask, client: FlaskClient, sign_in: SignIn) -> None:
    assert "Made 14 rows" in load(app)
    alice = sign_in("alice")
    assert totals(client, alice) == {"users": 4, "posts": 6, "products": 5}
    assert load(app) == "There is something already.\n"
    assert totals(client, alice) == {"users": 4, "posts": 6, "products": 5}


@pytest.mark.parametrize("role", ["member", "admin"])
def test_a_blog_that_somebody_uses_stays_as_it_is(app: Flask, client: FlaskClient, sign_in: SignIn, role: str) -> None:
    alice = sign_in("alice", role=role)
    assert load(app) == "There is something already.\n"
    assert totals(client, alice) == {"users": 1, "posts": 0, "products": 0}


def test_nobody_logs_in_as_one_of_them(app: Flask, client: FlaskClient) -> None:
    load(app)
    samples = importlib.import_module("blog.samples")
    for name in samples.USERS:
        for password in (samples.NO_PASSWORD, "", name, "password"):
            answer = client.post("/auth/login", json={"email": f"{name}@example.org", "password": password})
            assert answer.status_code in (400, 401)


def test_they_are_as_the_contract_wants_them(app: Flask, client: FlaskClient, sign_in: SignIn) -> None:
    load(app)
    root = sign_in("root", role="admin")
    for path in ("/posts", "/products", "/users"):
        items: list[Any] = client.get(path, headers=root).get_json()[path[1:]]
        for item in items:
            kept = {
                name: item[name] for name in ("title", "body", "name", "price", "stock", "username") if name in item
            }
            if path == "/users":
                kept["email"] = client.get(f"/users/{item['id']}", headers=root).get_json()["email"]
            assert client.put(f"{path}/{item['id']}", json=kept, headers=root).status_code == 200
    titles = [post["title"] for post in client.get("/posts").get_json()["posts"]]
    assert (titles[0], titles[-1]) == ("It is still fermenting", "Hello")
