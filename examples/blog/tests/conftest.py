"""Let the tests import the application from its folder, installed or not, and sign in."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

FOLDER = Path(__file__).parents[1]
PASSWORD = "nine lives of a cat"


@pytest.fixture
def create_app() -> Callable[..., Flask]:
    """Give the application's factory."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    factory: Callable[..., Flask] = importlib.import_module("blog").create_app
    return factory


@pytest.fixture
def app(create_app: Callable[..., Flask]) -> Iterator[Flask]:
    """Give an application with a database of its own, in memory, without anybody in it."""
    app = create_app("testing")
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client that nobody has signed in with."""
    return app.test_client()


@pytest.fixture
def sign_in(app: Flask, client: FlaskClient) -> Callable[..., dict[str, str]]:
    """Give what registers a user, logs in, and returns the headers that say so; `role` may be another than `member`."""

    def sign_in(username: str, role: str = "member") -> dict[str, str]:
        email = f"{username}@example.org"
        body = {"username": username, "email": email, "password": PASSWORD}
        registered = client.post("/auth/register", json=body)
        assert registered.status_code == 201, registered.text
        if role != "member":
            # Nobody gets a role through the API; on the command line it is `demijohn user roles`.
            db: Any = app.extensions["sqlalchemy"]
            users = db.metadata.tables["users"]
            with app.app_context():
                db.session.execute(update(users).where(users.c.username == username).values(role=role))
                db.session.commit()
        answer = client.post("/auth/login", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

    return sign_in


@pytest.fixture
def problem() -> Callable[[TestResponse, int], dict[str, Any]]:
    """Give what checks that an answer is a problem of some status, and returns it."""

    def check(response: TestResponse, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.mimetype == "application/problem+json"
        document: dict[str, Any] = response.get_json()
        assert document["status"] == status
        return document

    return check
