"""Posts: read by everybody, written by their authors and by administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

SignIn = Callable[..., dict[str, str]]
Check = Callable[..., dict[str, Any]]
HELLO = {"title": "Hello", "body": "This is the first one.\nIt has two lines."}


def write(client: FlaskClient, author: dict[str, str], **more: str) -> dict[str, Any]:
    """Write a post and return it."""
    response = client.post("/posts", json=HELLO | more, headers=author)
    assert response.status_code == 201, response.text
    return response.get_json()  # type: ignore[no-any-return]


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [post["title"] for post in answer.get_json()["posts"]]


def test_a_post_belongs_to_who_writes_it(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("alice")
    response = client.post("/posts", json=HELLO, headers=sign_in("bob"))
    assert (response.status_code, response.headers["Location"]) == (201, "/posts/1")
    post = response.get_json()
    assert list(post) == ["id", "title", "body", "user_id", "created_at", "updated_at"]
    assert {key: post[key] for key in ("id", "user_id", "title", "body")} == {"id": 1, "user_id": 2, **HELLO}
    assert post["created_at"] == post["updated_at"]


def test_everybody_reads_posts(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    post = write(client, sign_in("alice"))
    page = {"posts": [post], "total": 1, "page": 1, "pages": 1}
    for reader in ({}, sign_in("bob")):
        assert client.get("/posts", headers=reader).get_json() == page
        assert client.get("/users/1/posts", headers=reader).get_json() == page
        assert client.get("/posts/1", headers=reader).get_json() == post
        assert client.get("/users/1/posts/1", headers=reader).get_json() == post
    problem(client.get("/users/2/posts/1"), 404)
    problem(client.get("/users/9/posts"), 404)
    problem(client.get("/posts/9"), 404)


@pytest.mark.parametrize("path", ["/posts/1", "/users/1/posts/1"])
def test_an_author_changes_and_removes_a_post(client: FlaskClient, sign_in: SignIn, problem: Check, path: str) -> None:
    alice = sign_in("alice")
    post = write(client, alice)
    changed = client.patch(path, json={"title": "Hello again"}, headers=alice).get_json()
    assert changed == post | {"title": "Hello again", "updated_at": changed["updated_at"]}
    replaced = client.put(path, json=HELLO, headers=alice).get_json()
    assert replaced == post | {"updated_at": replaced["updated_at"]}
    problem(client.put(path, json={"title": "Hello"}, headers=alice), 400)
    response = client.delete(path, headers=alice)
    assert (response.status_code, response.data) == (204, b"")
    problem(client.get(path), 404)


@pytest.mark.parametrize("headers", [None, "bob"])
def test_nobody_else_changes_a_post(client: FlaskClient, sign_in: SignIn, problem: Check, headers: str | None) -> None:
    post = write(client, sign_in("alice"))
    other = {} if headers is None else sign_in(headers)
    expected = 401 if headers is None else 403
    for method, json in (("PUT", HELLO), ("PATCH", {"title": "Mine"}), ("DELETE", None)):
        problem(client.open("/posts/1", method=method, json=json, headers=other), expected)
        nested = client.open("/users/1/posts/1", method=method, json=json, headers=other)
        assert nested.status_code in ({401} if headers is None else {403, 404})
    assert client.get("/posts/1").get_json() == post


def test_an_administrator_changes_every_post(client: FlaskClient, sign_in: SignIn) -> None:
    write(client, sign_in("alice"))
    root = sign_in("root", role="admin")
    assert client.patch("/posts/1", json={"title": "Mended"}, headers=root).get_json()["user_id"] == 1
    assert client.delete("/posts/1", headers=root).status_code == 204


@pytest.mark.parametrize("more", [{"user_id": 2}, {"id": 9}, {"created_at": "2026-01-01T00:00:00Z"}, {"colour": "red"}])
def test_a_post_is_in_nobody_elses_name(
    client: FlaskClient, sign_in: SignIn, problem: Check, more: dict[str, Any]
) -> None:
    alice = sign_in("alice")
    sign_in("bob")
    post = write(client, alice)
    problem(client.post("/posts", json=HELLO | more, headers=alice), 400)
    problem(client.put("/posts/1", json=HELLO | more, headers=alice), 400)
    problem(client.patch("/posts/1", json=more, headers=alice), 400)
    assert client.get("/posts").get_json()["posts"] == [post]


def test_a_post_below_a_user_is_by_that_user(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    alice, root = sign_in("alice"), sign_in("root", role="admin")
    response = client.post("/users/1/posts", json=HELLO, headers=alice)
    assert (response.status_code, response.headers["Location"]) == (201, "/users/1/posts/1")
    assert client.post("/users/1/posts", json=HELLO, headers=root).get_json()["user_id"] == 1
    problem(client.post("/users/2/posts", json=HELLO, headers=alice), 403)
    problem(client.post("/users/9/posts", json=HELLO, headers=alice), 404)
    problem(client.post("/users/1/posts", json=HELLO), 401)
    assert client.get("/users/2/posts").get_json()["total"] == 0


def test_posts_go_with_their_author(client: FlaskClient, sign_in: SignIn) -> None:
    alice, bob = sign_in("alice"), sign_in("bob")
    write(client, alice)
    write(client, bob, title="Stays")
    assert client.delete("/users/1", headers=alice).status_code == 204
    assert titles(client.get("/posts")) == ["Stays"]


def test_posts_come_in_pages_in_the_order_that_is_asked_for(client: FlaskClient, sign_in: SignIn) -> None:
    alice = sign_in("alice")
    for title in ("Zeta", "Alpha", "Mu"):
        write(client, alice, title=title)
    for path in ("/posts", "/users/1/posts"):
        assert titles(client.get(path)) == ["Mu", "Alpha", "Zeta"]
        assert titles(client.get(f"{path}?sort=title&limit=2")) == ["Alpha", "Mu"]
        assert titles(client.get(f"{path}?sort=title&limit=2&page=2")) == ["Zeta"]
    assert titles(client.get("/posts?created_at__gte=2020-01-01T00:00:00Z&limit=1")) == ["Mu"]
    assert titles(client.get("/posts?created_at__lt=2020-01-01T00:00:00Z")) == []


@pytest.mark.parametrize("query", ["sort=body", "limit=0", "limit=101", "page=0", "user_id=1", "created_at__gte=today"])
def test_a_query_outside_the_contract_is_refused(client: FlaskClient, problem: Check, query: str) -> None:
    assert problem(client.get(f"/posts?{query}"), 400)["errors"]


def test_a_body_of_another_type_or_size_is_refused(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    alice = sign_in("alice")
    problem(client.post("/posts", data={"title": "Hello"}, headers=alice), 415)
    problem(client.post("/posts", json=HELLO | {"body": "x" * 140_000}, headers=alice), 413)
    problem(client.get("/posts", headers={"Accept": "text/html"}), 406)


def test_a_post_as_long_as_it_may_be_is_stored(client: FlaskClient, sign_in: SignIn) -> None:
    alice = sign_in("alice")
    body = "\N{CAT FACE}" * 10_000  # as the JSON of the client has it: twelve bytes each
    assert client.post("/posts", json={"title": "Cats", "body": body}, headers=alice).status_code == 201
    assert client.get("/posts/1").get_json()["body"] == body
