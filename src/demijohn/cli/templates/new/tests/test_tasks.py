"""The API as its clients see it: through HTTP, on a database of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from project_name import create_app

TASK = {"title": "Label the bottles", "due": "2026-08-01"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Give an application without any data."""
    return create_app(f"sqlite:///{tmp_path}/test.sqlite")


# >>> accounts
def client_of(app: Flask, name: str) -> FlaskClient:
    """Register somebody, log in, and return the client that says so with each request."""
    client = app.test_client()
    credentials = {"email": f"{name}@example.org", "password": "nine lives of a cat"}
    assert client.post("/api/auth/register", json=credentials).status_code == 201
    token = client.post("/api/auth/login", json=credentials).get_json()["access_token"]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


# <<< accounts
@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client."""
    # >>> accounts
    return client_of(app, "alice")
    # <<< accounts
    # >>> plain
    return app.test_client()
    # <<< plain


def test_a_task_is_added_changed_and_deleted(client: FlaskClient) -> None:
    created = client.post("/api/tasks", json=TASK)
    assert (created.status_code, created.headers["Location"]) == (201, "/api/tasks/1")
    assert created.get_json().items() >= {"id": 1, "done": False, **TASK}.items()
    assert client.patch("/api/tasks/1", json={"done": True}).get_json()["done"] is True
    assert client.delete("/api/tasks/1").status_code == 204
    assert client.get("/api/tasks/1").status_code == 404


def test_tasks_are_filtered_and_sorted(client: FlaskClient) -> None:
    for title, due in (("Cork", "2026-08-03"), ("Rinse", "2026-08-01"), ("Fill", "2026-08-02")):
        client.post("/api/tasks", json={"title": title, "due": due})
    client.patch("/api/tasks/2", json={"done": True})
    found = client.get("/api/tasks?done=false&sort=due").get_json()
    assert [task["title"] for task in found] == ["Fill", "Cork"]


def test_the_next_task_is_the_open_one_that_is_due_first(client: FlaskClient) -> None:
    assert client.get("/api/tasks/next").status_code == 404
    for title, due in (("Cork", "2026-08-03"), ("Rinse", "2026-08-01")):
        client.post("/api/tasks", json={"title": title, "due": due})
    assert client.get("/api/tasks/next").get_json()["title"] == "Rinse"


@pytest.mark.parametrize("change", [{"title": ""}, {"due": "soon"}, {"colour": "red"}])
def test_a_task_outside_the_contract_is_refused(client: FlaskClient, change: dict[str, str]) -> None:
    refused = client.post("/api/tasks", json=TASK | change)
    assert refused.status_code == 400
    assert [f"#/{name}" for name in change] == [error["pointer"] for error in refused.get_json()["errors"]]


# >>> accounts
def test_everybody_has_tasks_of_their_own(app: Flask, client: FlaskClient) -> None:
    client.post("/api/tasks", json=TASK)
    other = client_of(app, "bob")
    assert other.get("/api/tasks").get_json() == []
    assert other.get("/api/tasks/1").status_code == 404
    assert other.get("/api/tasks/next").status_code == 404
    assert app.test_client().get("/api/tasks").status_code == 401


# <<< accounts
def test_the_contract_has_no_warning(app: Flask) -> None:
    assert [str(one) for api in app.extensions["demijohn"].apis for one in api.wrinkles] == []
