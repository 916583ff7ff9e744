"""The secret of an application: its own, or one that is kept."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from demijohn import SettingError, Settings
from demijohn.secret import FILE_NAME, signing_key, signing_keys, weakness

PRODUCTION = Settings(environment="production")
WEAK = ["", "   ", "secret", "changeme", "Change-Me", "dev", "a" * 64, "ab" * 20, "x" * 31, secrets.token_bytes(31)]
GOOD = [
    "s3cr3t of the cellar, 32 bytes it is",
    secrets.token_urlsafe(48),
    secrets.token_hex(16),
    secrets.token_bytes(32),
]
CONTRACT = """\
openapi: 3.1.0
info: {title: Cellar, version: "1"}
paths:
  /bottles:
    get:
      parameters:
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        "200":
          description: Some.
          content:
            application/json:
              schema:
                type: object
                required: [items, next_cursor]
                additionalProperties: false
                properties:
                  items: {type: array, items: {$ref: "#/components/schemas/Bottle"}}
                  next_cursor: {type: [string, "null"]}
components:
  schemas:
    Bottle: {type: object, required: [id], additionalProperties: false, properties: {id: {type: integer}}}
"""
APP = """\
import os
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from demijohn import Demijohn

class Base(DeclarativeBase):
    pass

class Bottle(Base):
    __tablename__ = "bottle"
    id: Mapped[int] = mapped_column(primary_key=True)

app = Flask(__name__)
app.secret_key = os.environ.get("OWN_KEY")
api = Demijohn(app)
api.resource(Base)
api.add_contract("openapi.yaml")
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)


def test_the_secret_key_of_flask_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    app = Flask("a", instance_path=str(tmp_path))
    app.secret_key = "s" * 40
    other = Flask("b", instance_path=str(tmp_path))
    other.secret_key = b"s" * 40
    assert (
        signing_key(app, "cursor", Settings())
        == signing_key(other, "cursor", Settings())
        != signing_key(app, "token", Settings())
    )
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    with ThreadPoolExecutor(8) as pool:
        keys = list(
            pool.map(lambda _: signing_key(Flask("a", instance_path=str(folder)), "cursor", Settings()), range(16))
        )
    assert len(set(keys)) == 1
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_where_nothing_can_be_kept_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    app = Flask("a", instance_path=str(tmp_path / "file" / "below"))
    assert len(signing_key(app, "cursor", Settings())) == 32
    assert "SECRET_KEY" in caplog.text


@pytest.mark.parametrize("secret", GOOD, ids=range(len(GOOD)))
def test_a_random_secret_is_good(secret: str | bytes) -> None:
    assert weakness(secret) is None


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "none"),
        (" \n", "none"),
        ("secret", "well known"),
        ("Change-Me!", "well known"),
        ("your-secret-key-change-this-in-production", "well known"),
        ("x7" * 15 + "z", "31 bytes"),
        ("a" * 64, "over and over"),
        ("0123456789abcdef" * 3, "over and over"),
        ("aabbccddaabbccddaabbccddaabbccda", "only 4 different characters"),
        ("abcdefghijklmnopqrstuvwxyz0123456789", "a sequence"),
    ],
)
def test_a_secret_that_can_be_guessed_is_told_from_others(secret: str, why: str) -> None:
    assert why in str(weakness(secret))
    assert why in str(weakness(secret.encode()))


@pytest.mark.parametrize("secret", [None, *WEAK], ids=range(len(WEAK) + 1))
def test_in_production_a_weak_secret_is_refused_and_not_shown(tmp_path: Path, secret: str | bytes | None) -> None:
    app = Flask("a", instance_path=str(tmp_path))
    app.secret_key = secret
    with pytest.raises(SettingError, match=r"SECRET_KEY: found .* `demijohn secret` prints one") as caught:
        signing_key(app, "token", PRODUCTION)
    if secret and secret not in ("secret", "   "):
        assert str(secret) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_in_production_each_former_secret_has_to_be_good_too(tmp_path: Path) -> None:
    app = Flask("a", instance_path=str(tmp_path))
    app.secret_key, app.config["SECRET_KEY_FALLBACKS"] = "dev", ["changeme", GOOD[0]]
    with pytest.raises(SettingError) as caught:
        signing_key(app, "token", PRODUCTION)
    assert [str(problem).partition(":")[0] for problem in caught.value.problems] == [
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
    ]
    app.secret_key, app.config["SECRET_KEY_FALLBACKS"] = GOOD[1], [GOOD[0]]
    assert len(set(signing_keys(app, "token", PRODUCTION))) == 2


def test_in_development_a_weak_secret_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("a", instance_path=str(tmp_path))
    app.secret_key = "dev"
    assert signing_key(app, "token", Settings()) != signing_key(app, "cursor", Settings())
    (record,) = caplog.records
    assert record.getMessage().startswith("SECRET_KEY: found one that is well known")


def test_the_environment_has_the_secret_where_the_application_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = (Flask("a", instance_path=str(tmp_path)) for _ in range(2))
    own.secret_key = "s3cr3t of the cellar, 32 bytes it is"
    monkeypatch.setenv("SECRET_KEY", own.secret_key)
    assert signing_key(own, "token", PRODUCTION) == signing_key(other, "token", PRODUCTION)


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"OWN_KEY": ""}, 1),
        ({"OWN_KEY": "secret"}, 1),
        ({"OWN_KEY": "changeme"}, 1),
        ({"OWN_KEY": "dev"}, 1),
        ({"OWN_KEY": "x7" * 15 + "z"}, 1),
        ({"OWN_KEY": "s3cr3t of the cellar, 32 bytes it is"}, 0),
        ({"SECRET_KEY": "s3cr3t of the cellar, 32 bytes it is"}, 0),
        ({"DEMIJOHN_ENVIRONMENT": "development"}, 0),
    ],
    ids=str,
)
def test_production_does_not_start_with_a_weak_secret(tmp_path: Path, variables: dict[str, str], status: int) -> None:
    (tmp_path / "openapi.yaml").write_text(CONTRACT)
    (tmp_path / "app.py").write_text(APP)
    environment = {**os.environ, "DEMIJOHN_ENVIRONMENT": "production", "DATABASE_URL": "sqlite://", **variables}
    command = [sys.executable, "-m", "demijohn", "check", "app:app"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("SECRET_KEY: found " in done.stdout + done.stderr) is bool(status)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_list_without_cursors_needs_no_secret(tmp_path: Path) -> None:
    contract = CONTRACT.replace("cursor, in: query", "limit, in: query").replace("{type: string}", "{type: integer}")
    contract = contract.replace("required: [items, next_cursor]", "required: [items]")
    contract = contract.replace('                  next_cursor: {type: [string, "null"]}\n', "")
    (tmp_path / "openapi.yaml").write_text(contract)
    (tmp_path / "app.py").write_text(APP)
    environment = {**os.environ, "DEMIJOHN_ENVIRONMENT": "production", "DATABASE_URL": "sqlite://"}
    command = [sys.executable, "-m", "demijohn", "check", "app:app"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
