"""PostgreSQL is stopped at once under load, and started again: 503 meanwhile, and then all is as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from attacked_apps import LIBRARY
from borrowers import borrowing
from databases import PostgreSQL, new_server
from library_server import LibraryServer

LONGEST_S = 8.0
"""How long a request may take at most: it waits for a connection, and then for a statement."""


@pytest.fixture
def postgresql() -> Iterator[PostgreSQL]:
    """Return a PostgreSQL that keeps its promises though it is stopped at once."""
    server = new_server("postgresql")
    assert isinstance(server, PostgreSQL)
    server.keep_promises()
    yield server
    server.remove()


def test_while_it_is_away_answers_are_503_and_5_seconds_later_all_is_as_before(
    library: Callable[..., LibraryServer], postgresql: PostgreSQL
) -> None:
    running = library("postgresql", postgresql.url)
    site = running.start()
    somebody = site.member()
    with borrowing(running, site) as members:
        workers = sorted(running.workers())
        for refusals in (0, 50):
            members.wait_for_more(100)
            postgresql.crash()
            members.are_refused(refusals)
            # Nobody has guessed a password by asking in vain, more often than logins may fail at both workers.
            if refusals:
                assert {members.log_in(somebody) for _ in range(2 * LIBRARY.login_failures + 1)} == {503}
            postgresql.start()
            members.are_served_again()
            assert members.log_in(somebody) == 200
    assert members.lost == []
    assert members.slowest_s < LONGEST_S
    assert sorted(running.workers()) == workers
    members.check()
    assert running.running.stop() == 0
    assert "Traceback" not in running.running.told()
    running.close()
