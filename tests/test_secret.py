"""The secret of an application: its own, or one that is kept."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from demijohn import Settings
from demijohn.secret import FILE_NAME, signing_key


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


def test_where_nothing_can_be_kept_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    app = Flask("a", instance_path=str(tmp_path / "file" / "below"))
    assert len(signing_key(app, "cursor", Settings())) == 32
    assert "SECRET_KEY" in caplog.text
