"""The disk with the database, the counts and the log is full: what is there is read, and nothing is half written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from borrowers import borrowing
from library_server import METRICS_TOKEN, LibraryServer, wait_until
from small_disk import small_disk

LONGEST_S = 8.0


def requests_in(log: str) -> int:
    """Return how many lines of the log tell of a request; the one at which the disk was full may be half a line."""
    return sum(
        line.startswith("{") and line.endswith("}") and '"message":"request"' in line for line in log.splitlines()
    )


def test_writes_are_503_and_reads_are_answered_until_there_is_space(
    library: Callable[..., LibraryServer], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 12) as disk:
        variables = {"DEMIJOHN_LOG_FORMAT": "json", "DEMIJOHN_ACCESS_LOG": "1"}
        running = library("sqlite", f"sqlite:///{disk.folder}/library.db", folder=disk.folder, **variables)
        site = running.start()
        somebody = site.member()
        with borrowing(running, site) as members:
            workers = sorted(running.workers())
            for _ in range(2):
                members.wait_for_more(50)
                disk.fill()
                members.are_refused(60)
                members.wait_for_more(50)
                wait_until(lambda: any(running.counts.glob("*.new")), "the counts found room")
                assert site.ask("GET", "/metrics", token=METRICS_TOKEN).status == 200
                disk.free()
                members.are_served_again()
                assert members.log_in(somebody) == 200
            lines = requests_in(running.running.told())
            wait_until(lambda: requests_in(running.running.told()) > lines, "nothing is logged any more")
            wait_until(lambda: not any(running.counts.glob("*.new")), "the counts are not told any more")
        assert not [request for request in members.refused if request.startswith("GET")]
        assert members.lost == []
        assert members.slowest_s < LONGEST_S
        assert sorted(running.workers()) == workers
        members.check()
        assert [row[0] for row in running.rows("PRAGMA integrity_check")] == ["ok"]
        assert running.running.stop() == 0
        told = running.running.told()
        assert "Traceback" not in told, told[told.index("Traceback") :][:4000]
        running.close()
