"""Let the tests import the application from its folder, installed or not, sign in, and let time pass."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

FOLDER = Path(__file__).parents[1]
PASSWORD = "a good long read"


@pytest.fixture
def library() -> Any:
    """Give the package."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    return importlib.import_module("library")


@pytest.fixture
def app(library: Any) -> Iterator[Flask]:
    """Give an application with a database of its own, in memory, without anybody in it."""
    app = library.create_app("testing")
    yield app
    app.extensions["demijohn"].resources.database.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client that nobody has signed in with."""
    return app.test_client()


class Person:
    """Be somebody who is signed in."""

    def __init__(self, client: FlaskClient, id: int, token: str) -> None:
        self.client, self.id = client, id
        self.headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, status: int, body: Any = None, **headers: str) -> Any:
        """Ask for something; return the answer's body, once its status is the expected one."""
        named = {name.replace("_", "-"): one for name, one in headers.items()}
        sent = {} if body is None else {"json": body}
        response: TestResponse = self.client.open(path, method=method, headers={**self.headers, **named}, **sent)
        assert response.status_code == status, (response.status_code, response.text)
        if status >= 400:
            assert response.mimetype == "application/problem+json"
        return response.get_json() if response.data else None


@pytest.fixture
def sign_in(library: Any, app: Flask, client: FlaskClient) -> Callable[..., Person]:
    """Give what registers a user and logs in; `role` may be another than `member`."""

    def sign_in(username: str, role: str = "member") -> Person:
        email = f"{username}@example.org"
        registered = client.post("/users/register", json={"username": username, "email": email, "password": PASSWORD})
        assert registered.status_code == 201, registered.text
        if role != "member":
            # Nobody becomes the first administrator through the API; on the command line it is `demijohn user roles`.
            user = library.models.User
            change = update(user).where(user.username == username).values(role=role)
            with app.app_context():
                library.resources.api.transact(lambda connection: connection.execute(change))
        answer = client.post("/users/login", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Person(client, registered.get_json()["id"], answer.get_json()["access_token"])

    return sign_in


@pytest.fixture
def librarian(sign_in: Callable[..., Person]) -> Person:
    """Give a librarian."""
    return sign_in("libby", "librarian")


@pytest.fixture
def ann(sign_in: Callable[..., Person]) -> Person:
    """Give a member."""
    return sign_in("ann")


@pytest.fixture
def bob(sign_in: Callable[..., Person]) -> Person:
    """Give another member."""
    return sign_in("bob")


@pytest.fixture
def add(librarian: Person) -> Callable[..., int]:
    """Give what adds a book and returns its number."""

    def add(title: str = "The Odyssey", **more: Any) -> int:
        number: int = librarian("POST", "/books", 201, {"title": title, "authors": ["Homer"], **more})["id"]
        return number

    return add


class Clock:
    """Be a clock that somebody else winds."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **what: int) -> None:
        """Let days or hours pass."""
        self.time += timedelta(**what)


@pytest.fixture
def clock(library: Any, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the library; it stands still unless it is told otherwise."""
    clock = Clock()
    monkeypatch.setattr("library.clock.now", clock)
    return clock
