"""Counts of requests, by operation, status and time, that all processes of a server can read.

A process has a file of its own, mapped into its memory: to count is to add to a number there, and what was counted
outlives the process. Files have numbers; a process takes the first that nobody holds, and goes on from its counts, so
there are never more files than there were processes at a time.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

__all__ = ["BUCKETS_S", "FIRST_BUCKET", "FIRST_STATUS", "SUM", "Counts", "Row", "Snapshot", "Worker", "read_workers"]

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the histogram of times, in seconds."""

FIRST_STATUS, _STATUSES = 100, 500
"""The status that is counted in the first number of a row; the others follow."""
FIRST_BUCKET = _STATUSES
"""Where in a row the numbers of the histogram begin."""
SUM = FIRST_BUCKET + len(BUCKETS_S) + 1
"""Where in a row the seconds of all requests are."""
_ROW = SUM + 1
_NUMBER = struct.calcsize("d")

_Key: TypeAlias = tuple[str, str]
"""An operation, and its method."""


@dataclass(slots=True)
class Row:
    """Hold what was counted of one operation: requests by status, by bucket of time, and their seconds in all."""

    statuses: dict[int, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0

    def add(self, other: Row) -> None:
        """Add what another process counted."""
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


class Snapshot(NamedTuple):
    """Hold what a process counted; `stats` are its other numbers, by name."""

    rows: dict[_Key, Row]
    stats: dict[str, float]


class Worker(NamedTuple):
    """Say what the file of a process holds; `pid` is None where the process has ended."""

    number: int
    pid: int | None
    snapshot: Snapshot


class Counts:
    """Count the requests of this process.

    `names` are the operations with their methods. Without a folder the counts are this process's own.
    """

    def __init__(self, names: Sequence[_Key], folder: Path | None = None) -> None:
        self._names = tuple(names)
        self.folder = folder
        self._file: int | None = None
        self._stats: Path | None = None
        self._told: Mapping[str, float] = {}
        self.numbers: memoryview[float]
        if folder is None:
            self.numbers = memoryview(bytearray(len(self._names) * _ROW * _NUMBER)).cast("d")
        else:
            self._open(folder)

    def offset(self, name: _Key) -> int:
        """Return where the numbers of an operation begin, for what counts."""
        return self._names.index(name) * _ROW

    def count(self, offset: int, status: int, seconds: float) -> None:
        """Count a request.

        Threads need no lock: nothing between the reading of a number and its writing lets another one run.
        """
        numbers = self.numbers
        numbers[offset + status - FIRST_STATUS] += 1
        numbers[offset + FIRST_BUCKET + bisect_left(BUCKETS_S, seconds)] += 1
        numbers[offset + SUM] += seconds

    def publish(self, stats: Mapping[str, float]) -> None:
        """Let the other processes know numbers that are not counted here, such as open connections.

        Where the disk is full, they know what they knew.
        """
        if self._stats is not None and stats != self._told:
            draft = self._stats.with_suffix(".new")
            with suppress(OSError):
                draft.write_text(json.dumps({"pid": os.getpid(), "stats": dict(stats)}), encoding="utf-8")
                draft.replace(self._stats)
                self._told = dict(stats)

    def rows(self) -> dict[_Key, Row]:
        """Return what this process counted."""
        return _rows(self._names, self.numbers)

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        header = json.dumps([list(name) for name in self._names]).encode() + b"\n"
        header = header.rjust(-(-len(header) // _NUMBER) * _NUMBER)
        number, file = _take(folder)
        before = _read_rows(_content(file))
        content = bytearray(header + bytes(len(self._names) * _ROW * _NUMBER))
        with memoryview(content)[len(header) :].cast("d") as numbers:
            for index, name in enumerate(self._names):
                if name in before:
                    _fill(numbers, index * _ROW, before[name])
        os.pwrite(file, content, 0)  # at once, for somebody may be reading
        os.ftruncate(file, len(content))
        self._file = file  # the lock is there for as long as the file is open
        self._map = mmap.mmap(file, 0)
        self.numbers = memoryview(self._map)[len(header) :].cast("d")
        self._stats = folder / f"{number}.json"
        self.publish({"": 0})  # the process is known before it has anything to tell

    def close(self) -> None:
        """Let another process go on with the file."""
        if self._file is not None:
            self.numbers.release()
            self._map.close()
            os.close(self._file)
            self._file = self._stats = None


def _take(folder: Path) -> tuple[int, int]:
    """Return the number of the first file that no living process holds, and the file, held."""
    number = 1
    while True:
        file = os.open(folder / f"{number}.counts", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _lock(file, fcntl.LOCK_EX):
            return number, file
        os.close(file)
        number += 1


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _fill(numbers: memoryview[float], offset: int, row: Row) -> None:
    for status, count in row.statuses.items():
        numbers[offset + status - FIRST_STATUS] = count
    for index, count in enumerate(row.buckets):
        numbers[offset + FIRST_BUCKET + index] = count
    numbers[offset + SUM] = row.seconds


def _rows(names: Sequence[_Key], numbers: Sequence[float] | memoryview[float]) -> dict[_Key, Row]:
    rows = {}
    for index, name in enumerate(names):
        row = [*numbers[index * _ROW : (index + 1) * _ROW]]
        statuses = {FIRST_STATUS + place: int(count) for place, count in enumerate(row[:_STATUSES]) if count}
        rows[name] = Row(statuses, [int(count) for count in row[FIRST_BUCKET:SUM]], row[SUM])
    return rows


def _read_rows(data: bytes) -> dict[_Key, Row]:
    """Return what is in a file; nothing for one that was made by another version, or not to its end."""
    header, _, _ = data.partition(b"\n")
    try:
        names = [(str(operation), str(method)) for operation, method in json.loads(header)]
        numbers = memoryview(data)[len(header) + 1 :].cast("d")
    except (ValueError, TypeError):
        return {}
    return _rows(names, numbers) if len(numbers) == len(names) * _ROW else {}


def read_workers(folder: Path) -> Iterator[Worker]:
    """Yield what each process counted, in the order of their numbers; those that have ended, too."""
    for path in sorted(folder.glob("*.counts"), key=lambda path: int(path.stem)):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            rows, is_held = _read_rows(_content(file)), not _lock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)
        yield _worker(path, rows, is_held=is_held)


def _worker(path: Path, rows: dict[_Key, Row], *, is_held: bool) -> Worker:
    number = int(path.stem)
    try:
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) if is_held else None
    except (OSError, ValueError):  # its process has only just taken the file
        told = None
    if told is None:
        return Worker(number, None, Snapshot(rows, {}))
    return Worker(number, told["pid"], Snapshot(rows, {name: value for name, value in told["stats"].items() if name}))
