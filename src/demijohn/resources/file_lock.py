"""The lock around write transactions on one SQLite file: one writer at a time, of all threads and processes.

SQLite's own waiting is a race: of 16 writers the unluckiest waited five seconds while others committed thousands of
times. Here the threads of a process stand in line, and so do the processes.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from pathlib import Path
from weakref import WeakSet, WeakValueDictionary

try:
    import fcntl
except ImportError:  # not on this platform: the threads of one process stand in line, SQLite keeps processes apart
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileLock", "LockTimeoutError"]

# Threads of one process hand the lock of the file to each other this long before another process may have it.
_TURN_S = 0.005
_POLL_S = 0.0002
_SLOW_POLL_S = 0.002

# Two bytes of the file are locked, of POSIX's kind: the process that ends, however it ends, gives them back, and a
# forked one does not have them. The writer holds the first. Who wants it holds the second until he has it, so that
# a process that has just let go cannot be faster than the one that has waited.
_WRITER, _NEXT = 0, 1


class LockTimeoutError(Exception):
    """Tell that others have held the lock for too long."""


class FileLock:
    """Be held by one thread of all that ask for the same file; None stands for no file, only this process.

    Get the lock of a file by `FileLock.of`: POSIX's locks belong to the process, so it may have one object a file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None
        self._since = 0.0
        self._owner: int | None = None
        self._is_taken = self._is_file_held = False
        self._reset()
        _locks.add(self)

    @classmethod
    def of(cls, path: Path) -> FileLock:
        """Return this process's lock that stands on the file `path`, which is made when it is first needed."""
        path = path.resolve()
        with _registry:
            lock = _by_path.get(path)
            if lock is None:
                lock = _by_path[path] = cls(path)
            return lock

    def acquire(self, timeout_s: float) -> None:
        """Wait for the lock. Raises `LockTimeoutError`; `RuntimeError` in a thread that holds it already."""
        if self._owner == threading.get_ident():
            raise RuntimeError("a write within a write: use the transaction that is open")
        deadline = time.monotonic() + timeout_s
        with self._mutex:
            mine = None
            if self._is_taken:
                mine = threading.Lock()
                mine.acquire()
                self._line.append(mine)
            self._is_taken = True
        if mine is not None and not mine.acquire(timeout=timeout_s):
            with self._mutex:
                if mine in self._line:
                    self._line.remove(mine)
                    raise LockTimeoutError
            # It was handed over just now.
        if not self._is_file_held and self._path is not None and fcntl is not None:
            try:
                self._lock_file(deadline)
            except BaseException:
                self._pass_on()
                raise
        self._owner = threading.get_ident()

    def release(self) -> None:
        """Give the lock to who has waited longest."""
        self._owner = None
        if self._is_file_held and (not self._line or time.monotonic() - self._since > _TURN_S):
            self._is_file_held = False
            self._unlock(_WRITER)
        self._pass_on()

    def _pass_on(self) -> None:
        with self._mutex:
            if self._line:
                self._line.popleft().release()
                return
            self._is_taken = False
            if not self._is_file_held:
                return
            # Whoever was in line has given up meanwhile.
            self._is_file_held = False
            self._unlock(_WRITER)

    def _lock_file(self, deadline: float) -> None:
        if self._file is None:
            assert self._path is not None
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._lock(_NEXT, deadline, _SLOW_POLL_S)
        try:
            self._lock(_WRITER, deadline, _POLL_S)
        finally:
            self._unlock(_NEXT)
        self._is_file_held = True
        self._since = time.monotonic()

    def _lock(self, byte: int, deadline: float, poll_s: float) -> None:
        assert self._file is not None
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
                return
            except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as the system likes
                if time.monotonic() > deadline:
                    raise LockTimeoutError from None
            time.sleep(poll_s * (0.5 + random.random()))  # noqa: S311  # two who ask at the same time should not again

    def _unlock(self, byte: int) -> None:
        assert self._file is not None
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)

    def _reset(self) -> None:
        """Be free: at the start, and in a forked process, which has none of the threads that hold or want it."""
        self._mutex = threading.Lock()
        self._line: deque[threading.Lock] = deque()
        self._is_taken = self._is_file_held = False
        self._owner = None

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


_registry = threading.Lock()
_by_path: WeakValueDictionary[Path, FileLock] = WeakValueDictionary()
_locks: WeakSet[FileLock] = WeakSet()


def _reset_all() -> None:
    global _registry
    _registry = threading.Lock()
    for lock in list(_locks):
        lock._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
