"""Counts that processes share: exact, kept when a process ends, and never in each other's way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from demijohn.operating.counts import BUCKETS_S, Counts, Row, read_workers

READ, WRITE = ("read", "GET"), ("write", "POST")


def totals(folder: Path) -> dict[tuple[str, str], dict[int, int]]:
    found: dict[tuple[str, str], Row] = {}
    for worker in read_workers(folder):
        for name, row in worker.snapshot.rows.items():
            found.setdefault(name, Row()).add(row)
    return {name: row.statuses for name, row in found.items()}


def test_what_is_counted_is_told_by_operation_status_and_time() -> None:
    counts = Counts([READ, WRITE])
    count = counts.count
    count(counts.offset(WRITE), 201, 0.003)
    count(counts.offset(WRITE), 201, 30.0)
    count(counts.offset(WRITE), 503, 0.0)
    row = counts.rows()[WRITE]
    assert row.statuses == {201: 2, 503: 1}
    assert row.seconds == pytest.approx(30.003)
    assert {bound: row.buckets[index] for index, bound in enumerate((*BUCKETS_S, None)) if row.buckets[index]} == {
        0.0005: 1,
        0.005: 1,
        None: 1,
    }
    assert counts.rows()[READ] == Row()


def test_processes_have_a_file_each_and_are_read_together(tmp_path: Path) -> None:
    one, other = Counts([READ], tmp_path), Counts([READ, WRITE], tmp_path)
    one.count(one.offset(READ), 200, 0.1)
    other.count(other.offset(READ), 200, 0.1)
    other.count(other.offset(WRITE), 400, 0.1)
    other.publish({"database_connections_idle": 3})
    assert totals(tmp_path) == {READ: {200: 2}, WRITE: {400: 1}}
    workers = [*read_workers(tmp_path)]
    assert [worker.pid for worker in workers] == [os.getpid()] * 2
    assert [worker.snapshot.stats for worker in workers] == [{}, {"database_connections_idle": 3}]


def test_the_next_process_goes_on_from_the_counts_of_one_that_ended(tmp_path: Path) -> None:
    first = Counts([READ, WRITE], tmp_path)
    first.count(first.offset(READ), 200, 0.25)
    first.close()
    assert [worker.pid for worker in read_workers(tmp_path)] == [None]
    second = Counts([("new", "PUT"), READ], tmp_path)
    second.count(second.offset(READ), 200, 0.25)
    assert totals(tmp_path) == {READ: {200: 2}, ("new", "PUT"): {}}
    assert second.rows()[READ].seconds == pytest.approx(0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.counts", "1.json"]


COUNTING = """
import signal, sys
from pathlib import Path
from demijohn.operating.counts import Counts
counts = Counts([("read", "GET")], Path(sys.argv[1]))
count = counts.count
for _ in range(1000):
    count(0, 200, 0.001)
print("counted", flush=True)
signal.pause()
"""


def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNTING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        assert [worker.pid for worker in read_workers(tmp_path)] == [process.pid]
        process.kill()
    assert totals(tmp_path) == {READ: {200: 1000}}
    assert [worker.pid for worker in read_workers(tmp_path)] == [None]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    counts = Counts([READ], tmp_path)
    count, offset = counts.count, counts.offset(READ)

    def work() -> None:
        for _ in range(20_000):
            count(offset, 200, 0.001)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals(tmp_path) == {READ: {200: 80_000}}


@pytest.mark.parametrize(
    "content", [b"", b"[", b'[["read"]]\n', b'[["read", "GET"]]\n1234567', b"null\n", bytes(range(157, 256))]
)
def test_a_file_that_is_none_is_written_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.counts").write_bytes(content)
    assert totals(tmp_path) == {}
    counts = Counts([READ], tmp_path)
    counts.count(counts.offset(READ), 204, 0.001)
    assert totals(tmp_path) == {READ: {204: 1}}
