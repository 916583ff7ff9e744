"""Clients that ask without a pause, and remember everything that went wrong."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

__all__ = ["Load", "load"]


class Load:
    """Hold what clients were answered: statuses, and the names of exceptions; `bodies` are those of good answers."""

    def __init__(self) -> None:
        self.results: Counter[int | str] = Counter()
        self.bodies: Counter[bytes] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    @property
    def answered(self) -> int:
        """Return how many good answers there were."""
        return self.results[200]

    def wait_for_more(self, count: int, timeout_s: float = 60) -> None:
        """Return once there are so many more good answers."""
        wanted = self.answered + count
        pause = threading.Event()
        for _ in range(int(timeout_s / 0.05)):
            if self.answered >= wanted:
                return
            pause.wait(0.05)
        raise TimeoutError(f"{self.answered} of {wanted} answers: {self.results}, {self.failures[:5]}")

    def _ask(self, port: int, path: str, *, keeps: bool) -> None:
        connection: HTTPConnection | None = None
        while not self._is_over.is_set():
            try:
                connection = connection or HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                with self._lock:
                    self.results[answer.status] += 1
                    if answer.status == 200:
                        self.bodies[body] += 1
                    else:
                        self.failures.append(f"{answer.status} {body[:200]!r}")
            except (OSError, HTTPException) as error:
                with self._lock:
                    self.results[type(error).__name__] += 1
                    self.failures.append(repr(error))
                connection = None
            if connection is not None and not keeps:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


@contextmanager
def load(port: int, path: str, *, clients: int = 4, keeps: bool = False) -> Iterator[Load]:
    """Let clients ask for `path`; `keeps` tells whether they keep their connections."""
    found = Load()
    threads = [threading.Thread(target=found._ask, args=(port, path), kwargs={"keeps": keeps}) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found._is_over.set()
        for thread in threads:
            thread.join(30)
