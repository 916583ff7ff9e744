"""`demijohn keys` makes the keys of an application, lists them, and takes old ones away."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from demijohn.cli import main

CONTRACT = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
paths:
  /hello:
    get:
      responses: {"200": {description: ok}}
"""
APP = """\
from flask import Flask
from demijohn import Demijohn

app = Flask(__name__)
Demijohn(app).add_contract("openapi.yaml")
"""


@pytest.fixture(autouse=True)
def _application(_folder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    Path("app.py").write_text(APP)
    monkeypatch.setenv("DEMIJOHN_UNBOUND", "501")
    monkeypatch.setenv("DEMIJOHN_TOKEN_ALGORITHM", "ES256")
    monkeypatch.setenv("DEMIJOHN_TOKEN_KEYS", "keys")


def keys(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["keys", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def kids() -> list[str]:
    return sorted(file.stem for file in Path("keys").glob("*.pem"))


def test_a_new_key_signs_and_the_old_one_stays() -> None:
    assert "No keys in keys" in keys("list", "app:app")
    assert keys("rotate", "app:app") == f"Made {kids()[0]}, which signs from now on\n"
    keys("rotate", "app:app")
    old, new = kids()
    lines = keys("list", "app:app").splitlines()
    assert [line.split()[0] for line in lines] == [old, new]
    assert [line.split()[-1] for line in lines] == ["verifies", "signs"]
    listed = json.loads(keys("list", "app:app", "--format", "json"))
    assert [(one["kid"], one["algorithm"], one["signs"]) for one in listed] == [
        (old, "ES256", False),
        (new, "ES256", True),
    ]


def test_an_old_key_is_removed_by_the_rotation_after_its_last_token() -> None:
    for _ in range(2):
        keys("rotate", "app:app")
    first, second = kids()
    over_s = time.time() - 3600
    os.utime(f"keys/{second}.pem", (over_s, over_s))
    assert keys("rotate", "app:app").splitlines()[0] == f"Removed {first}"
    assert kids()[0] == second
    assert len(kids()) == 2


def test_all_old_keys_can_be_removed_at_once() -> None:
    for _ in range(3):
        keys("rotate", "app:app")
    before = kids()
    assert keys("rotate", "app:app", "--revoke").startswith("".join(f"Removed {kid}\n" for kid in before))
    assert len(kids()) == 1


def test_a_secret_has_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMIJOHN_TOKEN_ALGORITHM", "HS256")
    for command in ("list", "rotate"):
        result = CliRunner().invoke(main, ["keys", command, "app:app"])
        assert result.exit_code == 1
        assert "HS256 signs with SECRET_KEY" in result.output
    assert not Path("keys").exists()


def test_what_is_wrong_with_the_keys_is_told() -> None:
    Path("keys").mkdir()
    Path("keys/a.pem").touch(mode=0o600)
    result = CliRunner().invoke(main, ["keys", "list", "app:app"])
    assert result.exit_code == 1
    assert "keys/a.pem: found no private key in PEM without a password" in result.output
    assert "The settings are wrong: 1 problem" in result.output
