"""What these tests share: an application on Flask-SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from notes import Notes, notes_app


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Callable[..., Notes]]:
    """Give what makes the application with a configuration, at most once a test."""
    made: list[Notes] = []

    def make(**config: Any) -> Notes:
        made.append(notes_app(tmp_path, **config))
        return made[-1]

    yield make
    for one in made:
        with one.app.app_context():
            one.db.engine.dispose()
