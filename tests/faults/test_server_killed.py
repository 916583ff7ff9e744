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

KILLS = 10


@pytest.mark.parametrize(("kind", "server", "workers"), [("sqlite", "gunicorn", 2), ("postgresql", "granian", 1)])
def test_no_acknowledged_loan_is_lost_and_none_is_doubled(
    kind: Kind, server: Server, workers: int, library: Callable[..., LibraryServer], tmp_path: Path
) -> None:
    try:
        running = library(kind, databases.url(kind, tmp_path), server=server, workers=workers)
        with borrowing(running, running.start()) as members:
            for _ in range(KILLS):
                members.wait_for_more(40)
                running.running.kill()
                running.start()
            members.wait_for_more(40)
        assert members.lost, "nobody noticed"
        assert len(members.loans) > KILLS
        members.check()
        running.close()
    finally:
        databases.empty(kind)
