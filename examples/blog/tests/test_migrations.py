"""Migrations: Flask-Migrate's, with the tables in which Demijohn keeps sessions among them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

FOLDER = Path(__file__).parents[1]
OWN = {"users", "posts", "products"}
KEPT = {"demijohn_session", "demijohn_refresh_token"}


def shell(database: Path, *command: str) -> str:
    """Return what a command in a process of its own prints: Flask-Migrate sets up logging for all of it."""
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{database}", "PYTHONPATH": _path(), "FLASK_APP": "blog"}
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=database.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def _path() -> str:
    return os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])


def tables(database: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{database}")
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Give the file of a database that is not there yet."""
    return tmp_path / "blog.sqlite"


def test_flask_migrate_makes_all_tables(database: Path) -> None:
    shell(database, "flask", "db", "upgrade")
    assert tables(database) >= OWN | KEPT
    shell(database, "flask", "db", "check")
    assert "it is as the models describe it" in shell(database, "demijohn", "db", "check", str(FOLDER))
    shell(database, "flask", "db", "downgrade", "base")
    assert tables(database) <= {"alembic_version", "sqlite_sequence"}


def test_demijohn_runs_the_same_migrations(database: Path) -> None:
    assert "make the tables" in shell(database, "demijohn", "db", "upgrade", str(FOLDER))
    assert tables(database) >= OWN | KEPT
    shell(database, "flask", "db", "check")
