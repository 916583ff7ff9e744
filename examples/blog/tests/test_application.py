"""The application: its configurations, its contract, and what `demijohn check` says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from demijohn import StartError


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing from outside say which configuration it is; what `.env` sets is undone afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in ("SECRET_KEY", "DATABASE_URL", "DEMIJOHN_ENVIRONMENT"):
        monkeypatch.setenv(name, "x")  # so that it is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr(Flask, "auto_find_instance_path", lambda self: str(tmp_path / "instance"))


def test_development_is_the_default(create_app: Callable[..., Flask], tmp_path: Path) -> None:
    app = create_app()
    assert app.config["SQLALCHEMY_DATABASE_URI"] == "sqlite:///blog.sqlite"
    body = {"username": "alice", "email": "alice@example.org", "password": "nine lives of a cat"}
    assert app.test_client().post("/auth/register", json=body).status_code == 201
    assert (tmp_path / "instance" / "blog.sqlite").is_file()


def test_the_environment_goes_before_the_file(
    create_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"SECRET_KEY={'from the file ' * 4}\nDATABASE_URL=sqlite:///file.sqlite\n")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///environment.sqlite")
    app = create_app()
    assert app.config["SECRET_KEY"].startswith("from the file")
    assert app.config["SQLALCHEMY_DATABASE_URI"] == "sqlite:///environment.sqlite"


@pytest.mark.parametrize("secret", [None, "", "change-me", "secret", "x" * 64])
def test_production_starts_with_a_good_secret_only(
    create_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///production.sqlite")
    if secret is not None:
        monkeypatch.setenv("SECRET_KEY", secret)
    with pytest.raises(StartError, match="SECRET_KEY"):
        create_app("production")
    monkeypatch.setenv("SECRET_KEY", "gH3-9fkq0_Zr7LmXw2Tn5cVb8YpQs4Da")
    assert create_app("production").config["DEMIJOHN_ENVIRONMENT"] == "production"


def test_production_takes_no_database_by_default(
    create_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "gH3-9fkq0_Zr7LmXw2Tn5cVb8YpQs4Da")
    with pytest.raises(StartError, match="DATABASE_URL"):
        create_app("production")


def test_an_unknown_configuration_is_refused(create_app: Callable[..., Flask]) -> None:
    with pytest.raises(StartError, match="allowed is development, testing, production"):
        create_app("staging")


def test_the_contract_and_its_page_are_served(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json()["openapi"] == "3.1.0"
    assert client.get("/ui/").status_code == 200


def test_the_contract_has_no_warning(app: Flask) -> None:
    assert [str(wrinkle) for api in app.extensions["demijohn"].apis for wrinkle in api.wrinkles] == []
