"""A worker is killed under load: what it was at work on is lost, and nothing else; another takes its place."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from borrowers import Borrowers, borrowing
from library_server import BACK_S, LibraryServer, wait_until
from served_site import WORKERS, Server

MEMBERS = 6


def kill(pid: int) -> float:
    """Kill a process; return the time at which it does nothing any more."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_dead(pid), "it lives")
    return time.monotonic()


def is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "XZ"
    except OSError:
        return True


def lost_only_what_was_in_flight(members: Borrowers, killed_at: float) -> None:
    """Check that each request that got no answer was sent before, and that each client has lost one at most."""
    assert [one for one in members.lost if one.began > killed_at] == []
    assert len(members.lost) <= MEMBERS


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
def test_nothing_is_lost_but_what_was_in_flight_and_another_takes_its_place(
    server: Server, library: Callable[..., LibraryServer], tmp_path: Path
) -> None:
    running = library("sqlite", f"sqlite:///{tmp_path}/library.db", server=server, workers=WORKERS)
    site = running.start()
    with borrowing(running, site, members=MEMBERS) as members:
        wait_until(lambda: len(running.workers()) == WORKERS, "not all workers are there")
        before = set(running.workers())
        members.wait_for_more(100)
        killed = running.workers()[0]
        killed_at = kill(killed)
        members.are_served_again()
        wait_until(lambda: len(set(running.workers()) - {killed}) == WORKERS, "nobody takes its place", BACK_S)
        assert before - {killed} < set(running.workers())
        members.wait_for_more(100)
    lost_only_what_was_in_flight(members, killed_at)
    assert members.statuses.keys() <= {200, 201, 409}
    members.check()
    assert running.running.stop() == 0
