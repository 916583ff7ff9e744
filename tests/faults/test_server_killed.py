"""The whole server is killed under load, twenty times in all: what it has acknowledged is there, and there once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import databases
import pytest
from borrowers import borrowing
from databases import Kind
from library_server import LibraryServer
from served_site import Server

# `demijohn run` takes longer to start: it looks at everything before its workers do.
CASES = [("sqlite", "gunicorn", 2, 12), ("postgresql", "granian", 1, 8)]


@pytest.mark.parametrize(("kind", "server", "workers", "kills"), CASES)
def test_no_acknowledged_loan_is_lost_and_none_is_doubled(
    kind: Kind, server: Server, workers: int, kills: int, library: Callable[..., LibraryServer], tmp_path: Path
) -> None:
    try:
        running = library(kind, databases.url(kind, tmp_path), server=server, workers=workers)
        with borrowing(running, running.start(), members=4) as members:
            for _ in range(kills):
                members.wait_for_more(30)
                running.running.kill()
                running.start()
            members.wait_for_more(30)
        assert members.lost, "nobody noticed"
        assert len(members.loans) > kills
        members.check()
        running.close()
    finally:
        databases.empty(kind)
