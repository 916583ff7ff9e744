"""What the tests of resources share: a clean database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from databases import DATABASES, Kind
from sqlalchemy import Engine, create_engine


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Kind:
    """Return the name of a database; a test that asks for it runs once on each."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def database_url(database: Kind, tmp_path: Path) -> Iterator[str]:
    """Return where an empty database of that kind is, as SQLAlchemy writes it; what is in it is dropped afterwards.

    `@pytest.mark.parametrize("database", ["postgresql"])` runs a test on one of them only.
    """
    yield databases.url(database, tmp_path)
    databases.empty(database)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return a plain engine of SQLAlchemy's on that database, with none of Demijohn's settings."""
    made = create_engine(database_url)
    yield made
    made.dispose()
