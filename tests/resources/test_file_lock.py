from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from demijohn.resources.file_lock import FileLock, LockTimeoutError

HOLD = """
import sys, time
from pathlib import Path
from demijohn.resources.file_lock import FileLock
lock = FileLock.of(Path(sys.argv[1]))
started = time.monotonic()
lock.acquire(5)
print("held after", time.monotonic() - started, flush=True)
time.sleep(float(sys.argv[2]))
lock.release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.db-lock"


def holder(path: Path, seconds: float) -> tuple[subprocess.Popen[str], float]:
    """Return another process that has the lock, and how long it waited for it, in seconds."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text, _, waited_s = process.stdout.readline().rpartition(" ")
    assert text == "held after"
    return process, float(waited_s)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=10)


def test_two_names_of_one_file_are_one_lock(path: Path) -> None:
    other = path.parent / "link"
    other.symlink_to(path.parent)
    assert FileLock.of(path) is FileLock.of(other / path.name)


def test_one_thread_at_a_time_has_the_lock(path: Path) -> None:
    lock, inside, most = FileLock.of(path), 0, 0

    def run() -> None:
        nonlocal inside, most
        for _ in range(50):
            lock.acquire(10)
            inside += 1
            most = max(most, inside)
            time.sleep(0.0001)
            inside -= 1
            lock.release()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_threads_get_the_lock_in_the_order_in_which_they_came(path: Path) -> None:
    lock, order = FileLock.of(path), list[int]()

    def run(number: int) -> None:
        lock.acquire(10)
        order.append(number)
        lock.release()

    lock.acquire(1)
    threads = [threading.Thread(target=run, args=[number]) for number in range(5)]
    for count, thread in enumerate(threads, 1):
        thread.start()
        while len(lock._line) < count:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_thread_that_has_waited_too_long_is_told_and_leaves_the_line(path: Path) -> None:
    lock, told = FileLock.of(path), list[float]()

    def run() -> None:
        started = time.monotonic()
        with pytest.raises(LockTimeoutError):
            lock.acquire(0.1)
        told.append(time.monotonic() - started)

    lock.acquire(1)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    lock.release()
    lock.acquire(0.1)
    lock.release()
    assert 0.1 <= told[0] < 1


def test_a_thread_that_holds_the_lock_cannot_ask_for_it_again(path: Path) -> None:
    lock = FileLock.of(path)
    lock.acquire(1)
    with pytest.raises(RuntimeError, match="a write within a write"):
        lock.acquire(1)
    lock.release()
    lock.acquire(1)
    lock.release()


def test_a_lock_that_cannot_be_made_is_free_again(path: Path) -> None:
    lock = FileLock.of(path.parent / "missing" / "people.db-lock")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            lock.acquire(0.1)


def test_without_a_file_the_lock_is_one_of_this_process() -> None:
    lock = FileLock(None)
    lock.acquire(1)
    lock.release()
    lock.acquire(1)
    lock.release()


def test_another_process_waits_for_the_lock(path: Path) -> None:
    process, _ = holder(path, 0.3)
    lock, started = FileLock.of(path), time.monotonic()
    lock.acquire(5)
    waited_s = time.monotonic() - started
    lock.release()
    end(process)
    assert 0.1 < waited_s < 2


def test_waiting_for_another_process_has_an_end(path: Path) -> None:
    process, _ = holder(path, 10)
    lock, started = FileLock.of(path), time.monotonic()
    with pytest.raises(LockTimeoutError):
        lock.acquire(0.2)
    assert time.monotonic() - started < 2
    end(process)
    lock.acquire(5)
    lock.release()


def test_a_process_that_is_killed_gives_the_lock_back(path: Path) -> None:
    process, _ = holder(path, 60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    lock = FileLock.of(path)
    lock.acquire(1)
    lock.release()


def test_a_process_with_many_threads_lets_another_one_in(path: Path) -> None:
    lock, stop = FileLock.of(path), threading.Event()

    def run() -> None:
        while not stop.is_set():
            lock.acquire(10)
            time.sleep(0.0005)
            lock.release()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    process, waited_s = holder(path, 0)
    stop.set()
    for thread in threads:
        thread.join()
    end(process)
    assert waited_s < 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_does_not_have_what_its_parent_holds(path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from demijohn.resources.file_lock import FileLock, LockTimeoutError
lock = FileLock.of(Path(sys.argv[1]))
lock.acquire(1)
child = os.fork()
if child == 0:
    try:
        lock.acquire(0.2)
        os._exit(1)
    except LockTimeoutError:
        os._exit(42)
_, status = os.waitpid(child, 0)
lock.release()
child = os.fork()
if child == 0:
    lock.acquire(1)
    lock.release()
    os._exit(0)
_, second = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), os.waitstatus_to_exitcode(second))
"""
    printed = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=30)
    assert (printed.stdout, printed.stderr) == ("42 0\n", "")
