"""The application: its configurations, its contract, its commands, and what comes with it."""

from __future__ import annotations

import doctest
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, func, select

from demijohn import StartError

SECRET = "gH3-9fkq0_Zr7LmXw2Tn5cVb8YpQs4Da"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing from outside say which configuration it is; what `.env` sets is undone afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in ("SECRET_KEY", "DATABASE_URL", "DEMIJOHN_ENVIRONMENT"):
        monkeypatch.setenv(name, "x")  # so that it is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr(Flask, "auto_find_instance_path", lambda self: str(tmp_path / "instance"))


def test_development_is_the_default(library: Any, tmp_path: Path) -> None:
    app = library.create_app()
    body = {"username": "alice", "email": "alice@example.org", "password": "nine lives of a cat"}
    assert app.test_client().post("/users/register", json=body).status_code == 201
    assert (tmp_path / "instance" / "library.sqlite").is_file()


def test_a_file_may_name_the_database(library: Any, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///named.sqlite\n")
    assert library.create_app().test_client().get("/books").status_code == 200
    assert (tmp_path / "named.sqlite").is_file()


@pytest.mark.parametrize("secret", [None, "", "change-me", "secret", "x" * 64])
def test_production_starts_with_a_good_secret_only(
    library: Any, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///production.sqlite")
    if secret is not None:
        monkeypatch.setenv("SECRET_KEY", secret)
    with pytest.raises(StartError, match="SECRET_KEY"):
        library.create_app("production")
    monkeypatch.setenv("SECRET_KEY", SECRET)
    assert library.create_app("production").extensions["demijohn"].settings.environment == "production"


def test_production_takes_no_database_by_default(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    with pytest.raises(StartError, match="DATABASE_URL"):
        library.create_app("production")


def test_an_unknown_configuration_is_refused(library: Any) -> None:
    with pytest.raises(StartError, match="allowed is development, testing, production"):
        library.create_app("staging")


def test_the_contract_and_its_page_are_served(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json()["openapi"] == "3.1.0"
    assert client.get("/ui/").status_code == 200


def test_the_contract_has_no_warning(app: Flask) -> None:
    assert [str(wrinkle) for api in app.extensions["demijohn"].apis for wrinkle in api.wrinkles] == []


def test_the_example_in_the_rules_is_right(library: Any) -> None:
    assert doctest.testmod(library.rules) == (0, 1)


def test_the_samples_come_once(library: Any, app: Flask) -> None:
    models, transact = library.models, library.resources.api.transact
    tables = (models.User, models.Book, models.Loan, models.Hold)

    def count(connection: Connection) -> list[int]:
        return [connection.execute(select(func.count()).select_from(one)).scalar_one() for one in tables]

    runner = app.test_cli_runner()
    assert "Made " in runner.invoke(args=["samples"]).output
    with app.app_context():
        users, books, loans, holds = before = transact(count)
    assert (users, books) == (len(library.samples.MEMBERS), len(list(library.samples.sample_books())))
    assert loans > 100
    assert holds > 0
    assert "there already" in runner.invoke(args=["samples"]).output
    with app.app_context():
        assert transact(count) == before


def test_the_samples_keep_the_rules(library: Any, app: Flask) -> None:
    book, loan, hold = library.models.Book, library.models.Loan, library.models.Hold

    def look(connection: Connection) -> None:
        lent = {one.id: one.lent for one in connection.execute(select(book.id, book.lent).where(book.lent > 0))}
        out = connection.execute(
            select(loan.book_id, loan.user_id, loan.due_at).where(loan.returned_at.is_(None))
        ).all()
        assert lent == Counter(one.book_id for one in out)
        assert max(Counter(one.user_id for one in out).values()) <= library.rules.MOST_LOANS
        assert max(Counter((one.user_id, one.book_id) for one in out).values()) == 1
        assert 0 < sum(one.due_at < library.clock.now().replace(tzinfo=None) for one in out) < len(out)
        for book_id, user_id in connection.execute(select(hold.book_id, hold.user_id)):
            assert connection.scalar(select(book.available).where(book.id == book_id)) == 0
            assert (book_id, user_id) not in {(one.book_id, one.user_id) for one in out}

    with app.app_context():
        assert library.samples.load_samples() > 0
        library.resources.api.transact(look)


def test_nobody_logs_in_as_a_sample(library: Any, app: Flask, client: FlaskClient) -> None:
    samples = library.samples
    with app.app_context():
        samples.load_samples()
    for password in (samples.NOBODY, "password", ""):
        body = {"email": f"{samples.MEMBERS[0]}@example.org", "password": password}
        assert client.post("/users/login", json=body).status_code == (401 if password else 400)


def test_a_403_is_described_where_a_role_is_needed_and_nowhere_else(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                security = operation.get("security", document["security"])
                needs_role = any(scopes for one in security for scopes in one.values())
                assert ("403" in operation["responses"]) == needs_role, (method, path)
