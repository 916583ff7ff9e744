"""`demijohn user` makes and changes the accounts of an application."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from click.testing import CliRunner, Result
from databases import DATABASES, Kind

from demijohn.cli import main
from demijohn.cli.target import Options, find, open_application

APP = """\
import os

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
url = os.environ["DATABASE_URL"]
api = Demijohn(app, settings=Settings(database_url=url, password_memory_kib=8, password_time_cost=1))
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


@pytest.fixture
def database() -> Kind:
    """Name the database of the application; a test may ask for others."""
    return "sqlite"


on_each_database = pytest.mark.parametrize("database", DATABASES)


@pytest.fixture(autouse=True)
def _application(database: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", databases.url(database, tmp_path))
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "openapi.yaml").write_text(CONTRACT, encoding="utf-8")
    yield
    databases.empty(database)


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
        ([], "say who it is: --login email=... or --login name=..."),
        (["--login", "name"], "write NAME=VALUE"),
        (["--email", "a@x.org", "--set", "role=admin"], "no such column to set"),
        (["--email", "a@x.org", "--set", "name=a"], "no such column to set"),
        (["--email", "a@x.org", "--login", "name=b@x.org"], "must not have an @ in it"),
        (["--email", " "], "must not be empty"),
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


EVERY = [
    ("list",),
    ("create", "--email", "bob@example.org"),
    ("disable", "ann@example.org"),
    ("enable", "ann@example.org"),
    ("roles", "ann@example.org", "admin"),
    ("password", "ann@example.org"),
]


def refused(result: Result) -> str:
    """Return the one line that a command ends with; a traceback is none."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@on_each_database
def test_every_command_works_on_every_database(database: Kind) -> None:
    if database != "sqlite":
        assert CliRunner().invoke(main, ["db", "create", "app:app"]).exit_code == 0
    made("--role", "author")
    assert "email: is taken already" in refused(run("create", "--email", " ANN@example.org", typed="never asked"))
    assert run("disable", "ann@example.org").exit_code == 0
    assert run("list").output.splitlines()[1].split() == ["1", "ann@example.org", "author", "yes"]
    assert run("enable", "Ann@Example.org").exit_code == 0
    assert run("roles", "ann@example.org", "admin", "editor").exit_code == 0
    assert run("password", "ann@example.org", typed="another good one\nanother good one\n").exit_code == 0
    assert login("another good one") is not None
    assert run("list").output.splitlines()[1].split() == ["1", "ann@example.org", "admin", "editor"]


@on_each_database
def test_a_database_without_the_tables_is_told_of_with_the_command_that_makes_them(
    database: Kind, tmp_path: Path
) -> None:
    if database == "sqlite":  # an empty one gets them
        with sqlite3.connect(tmp_path / "demijohn.db") as connection:
            connection.execute("CREATE TABLE other (id INTEGER)")
        connection.close()
    for words in EVERY:
        told = refused(run(*words, typed="never asked"))
        assert "Run `demijohn db create app:app`, or `demijohn db upgrade app:app` where" in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://nobody:pass-word@127.0.0.1:1/none",
        "mariadb+pymysql://nobody:pass-word@127.0.0.1:1/none",
        "sqlite:////dev/null/none.db",
    ],
)
def test_a_database_that_is_away_is_told_of(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    for words in EVERY:
        told = refused(run(*words, typed="never asked"))
        assert "cannot be used: " in told
        assert "pass-word" not in told


def test_no_server_starts_without_the_tables_of_sessions(tmp_path: Path) -> None:
    made()
    with sqlite3.connect(tmp_path / "demijohn.db") as connection:
        connection.execute("DROP TABLE demijohn_session")
    connection.close()
    result = CliRunner().invoke(main, ["run", "app:app", "--port", "0"])
    assert result.exit_code == 1
    assert "the database has no table `demijohn_session`; `demijohn db create TARGET` makes it" in result.stderr


def test_two_passwords_that_differ_are_asked_for_again() -> None:
    result = run("create", "--email", "ann@example.org", typed=f"{PASSWORD}\nanother\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert "do not match" in result.output
    assert PASSWORD not in result.output
    assert login() is not None
