"""`demijohn secret` makes a secret, and never takes one away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from demijohn.cli import main
from demijohn.secret import weakness


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no secret before and after."""
    monkeypatch.setenv("SECRET_KEY", "")
    monkeypatch.delenv("SECRET_KEY")


def secret(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["secret", *arguments])


def test_a_good_one_is_printed_and_another_one_each_time() -> None:
    made = {secret().output.strip() for _ in range(5)}
    assert len(made) == 5
    assert all(len(one) == 64 and weakness(one) is None for one in made)


def test_it_is_written_to_a_file_of_its_owner() -> None:
    result = secret("--write", ".env")
    assert (result.exit_code, result.output) == (0, "Wrote SECRET_KEY to .env. Keep it out of version control.\n")
    name, _, made = Path(".env").read_text().partition("=")
    assert (name, weakness(made.strip())) == ("SECRET_KEY", None)
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


def test_what_is_in_the_file_stays() -> None:
    Path(".env").write_text("# mine\nDATABASE_URL=sqlite://\nMY_SECRET_KEY=1")
    Path(".env").chmod(0o644)
    assert secret("--write", ".env").exit_code == 0
    *lines, last = Path(".env").read_text().splitlines()
    assert lines == ["# mine", "DATABASE_URL=sqlite://", "MY_SECRET_KEY=1"]
    assert last.startswith("SECRET_KEY=")
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


@pytest.mark.parametrize("line", ["SECRET_KEY=x", "SECRET_KEY = ", "export SECRET_KEY=x", "A=1\n SECRET_KEY=x\n"])
def test_a_secret_that_is_there_is_not_replaced(line: str) -> None:
    Path("own.env").write_text(line)
    result = secret("--write", "own.env")
    assert result.exit_code == 1
    assert "own.env has a SECRET_KEY already" in result.output
    assert Path("own.env").read_text() == line


def test_a_file_that_cannot_be_written_is_told() -> None:
    result = secret("--write", "no/such/folder/.env")
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.output


def test_the_command_reads_the_file_and_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SECRET_KEY=of the file\n")
    secret()
    assert os.environ["SECRET_KEY"] == "of the file"
    monkeypatch.setenv("SECRET_KEY", "of the environment")
    secret()
    assert os.environ["SECRET_KEY"] == "of the environment"


def test_the_file_is_left_alone_where_flask_would_leave_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")
    Path(".env").write_text("SECRET_KEY=of the file\n")
    secret()
    assert "SECRET_KEY" not in os.environ
