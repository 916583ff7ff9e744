"""`demijohn user` makes and changes the accounts of an application."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from demijohn.cli import main
from demijohn.cli.target import Options, find, open_application

APP = """\
from flask import Flask
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, Settings


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str | None] = mapped_column(String(100), unique=True)
    age: Mapped[int | None]
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str | None] = mapped_column(String(40))
    is_disabled: Mapped[bool] = mapped_column(default=False)


app = Flask(__name__)
api = Demijohn(app, settings=Settings(database_url="sqlite:///app.db", password_memory_kib=8, password_time_cost=1))
api.accounts(User, login=("email", "name"), roles="role", disabled="is_disabled")
api.add_contract("openapi.yaml")
"""
CONTRACT = """\
openapi: 3.1.0
info: {title: Users, version: "1"}
paths:
  /login:
    post:
      operationId: demijohn.auth.login
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [login, password]
              properties: {login: {type: string}, password: {type: string}}
      responses:
        "200":
          description: Tokens.
          content:
            application/json: {schema: {type: object, properties: {access_token: {type: string}}}}
  /me:
    get:
      operationId: demijohn.auth.me
      security: [{token: []}]
      responses:
        "200":
          description: The user.
          content: {application/json: {schema: {$ref: "#/components/schemas/User"}}}
components:
  schemas:
    User: {type: object, properties: {email: {type: string}, role: {type: [string, "null"]}}}
  securitySchemes: {token: {type: http, scheme: bearer}}
"""
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _application(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "openapi.yaml").write_text(CONTRACT, encoding="utf-8")


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["user", words[0], "app:app", *words[1:]], input=typed)


def made(*words: str) -> None:
    result = run("create", "--email", "Ann@example.org", "--password", PASSWORD, *words)
    assert result.exit_code == 0, result.output


def login(password: str = PASSWORD) -> str | None:
    """Return an access token, None where there is none."""
    client = open_application(find("app:app"), Options("app:app")).test_client()
    response = client.post("/login", json={"login": "ann@example.org", "password": password})
    assert response.status_code in (200, 401)
    return response.get_json()["access_token"] if response.status_code == 200 else None


def status(token: str | None) -> int:
    client = open_application(find("app:app"), Options("app:app")).test_client()
    return client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_user_who_is_made_can_log_in() -> None:
    result = run("create", "--email", "Ann@example.org", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert "Made ann@example.org (admin)." in result.output
    assert login() is not None
    listed = run("list").output.splitlines()
    assert listed[0].split() == ["KEY", "EMAIL", "NAME", "ROLES", "DISABLED"]
    assert listed[1].split() == ["1", "ann@example.org", "admin"]


def test_there_is_no_user_whom_nobody_made() -> None:
    assert len(run("list").output.splitlines()) == 1


def test_other_columns_can_be_set() -> None:
    made("--login", "name=ann", "--set", "age=40")
    assert run("list").output.splitlines()[1].split() == ["1", "ann@example.org", "ann"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--login", "nick=x"], "does not log in by 'nick'"),
        ([], "nobody could log in"),
        (["--login", "name"], "write NAME=VALUE"),
        (["--email", "a@x.org", "--set", "role=admin"], "no such column to set"),
        (["--email", "a@x.org", "--set", "age=old"], "it is no int"),
        (["--email", "a@x.org", "--role", "a b"], "a role is one word"),
        (["--email", "a@x.org", "--password", "short"], "The password "),
    ],
)
def test_what_cannot_be_made_is_told(words: list[str], told: str) -> None:
    result = run("create", *words, *([] if "--password" in words else ["--password", PASSWORD]))
    assert result.exit_code == 1
    assert told in result.output


def test_a_name_is_there_once() -> None:
    made()
    result = run("create", "--email", "ANN@example.org", "--password", PASSWORD)
    assert result.exit_code == 1
    assert "email: is taken already" in result.output


def test_disabling_and_roles_count_at_once() -> None:
    made()
    token = login()
    assert status(token) == 200
    assert run("disable", "ann@example.org").exit_code == 0
    assert (status(token), login()) == (401, None)
    assert "yes" in run("list").output
    assert run("enable", "ann@example.org").exit_code == 0
    assert status(token) == 200
    assert run("roles", "ann@example.org", "admin", "editor").exit_code == 0
    assert "admin editor" in run("list").output


def test_a_new_password_ends_what_was_open() -> None:
    made()
    token = login()
    result = run("password", "ann@example.org", typed="another good one\nanother good one\n")
    assert result.exit_code == 0, result.output
    assert (status(token), login()) == (401, None)
    assert login("another good one") is not None


def test_nobody_is_told_of() -> None:
    result = run("disable", "bob@example.org")
    assert result.exit_code == 1
    assert "There is no user 'bob@example.org'." in result.output
