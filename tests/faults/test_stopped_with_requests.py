"""SIGTERM comes while requests are at work: they are answered, nobody new is let in, and the exit status is 0."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import databases
import pytest
import sqlalchemy as sa
from library_server import GRACE_S, LibraryServer, wait_until
from served import is_refused
from served_site import Server
from target import Reply

BORROWERS = 3


@contextmanager
def locked(engine: sa.Engine, book: int) -> Iterator[None]:
    """Keep everybody who would borrow a book waiting in the database."""
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT id FROM books WHERE id = :book FOR UPDATE"), {"book": book})
        yield


def waiting(running: LibraryServer) -> int:
    """Return how many wait for such a lock."""
    ((number,),) = running.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return int(number)


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
def test_requests_at_work_are_answered_new_ones_refused_and_the_exit_status_is_0(
    server: Server, library: Callable[..., LibraryServer], tmp_path: Path
) -> None:
    try:
        running = library("postgresql", databases.url("postgresql", tmp_path), server=server)
        site = running.start()
        book = site.ask(
            "POST", "/books", {"title": "One", "authors": ["X"], "copies": BORROWERS}, token=site.worker().access
        ).json["id"]
        replies: list[Reply] = []

        def borrow(token: str) -> None:
            replies.append(site.ask("POST", "/loans", {"book_id": book}, token=token))

        threads = [threading.Thread(target=borrow, args=(site.member().access,)) for _ in range(BORROWERS)]
        with locked(running.engine, book):
            for thread in threads:
                thread.start()
            wait_until(lambda: waiting(running) == BORROWERS, "not all of them wait")
            running.running.process.send_signal(signal.SIGTERM)
            wait_until(lambda: is_refused(running.port), "connections are still taken", 2)
            assert replies == []
            ended = time.monotonic()
        for thread in threads:
            thread.join(GRACE_S)
        assert [reply.status for reply in replies] == [201] * BORROWERS
        assert running.running.process.wait(2 * GRACE_S) == 0
        assert time.monotonic() - ended < GRACE_S - 5, "it was waited for the grace to be over"
        assert len(running.rows("SELECT id FROM loans WHERE book_id = :book", book=book)) == BORROWERS
        assert "Traceback" not in running.running.told()
        running.close()
    finally:
        databases.empty("postgresql")
