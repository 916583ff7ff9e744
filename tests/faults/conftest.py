"""Running Libraries, on databases and beside services that tests take away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from library_server import LibraryServer


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Callable[..., LibraryServer]]:
    """Return what makes a Library to be started, with the arguments of `LibraryServer`; the folder need not be said."""
    made: list[LibraryServer] = []

    def make(*arguments: Any, folder: Path = tmp_path, **options: Any) -> LibraryServer:
        made.append(LibraryServer(folder, *arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
