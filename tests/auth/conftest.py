"""What the tests of accounts share: a clean database of each kind, and the application on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from accounts_app import Application
from databases import DATABASES, Kind


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Kind:
    """Return the name of a database; a test that asks for it runs once on each."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def database_url(database: Kind, tmp_path: Path) -> Iterator[str]:
    """Return where an empty database of that kind is; what is in it is dropped afterwards."""
    yield databases.url(database, tmp_path)
    databases.empty(database)


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Application]:
    """Return the application, without users."""
    made = Application(database_url, tmp_path)
    yield made
    made.close()
