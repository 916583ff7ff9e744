"""Bodies that arrive slowly: they never hold all threads of a worker.

The server hands a request over when its head is there, and the thread waits for the rest. Clients that trickle their
bodies, a byte now and then, would have all threads soon, and nobody else an answer. So one thread is always left: while
the others wait for slow bodies, a request with a body is refused, and one without is answered. A proxy that takes
requests whole before it passes them on spares everybody that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

from demijohn.errors import Unavailable
from demijohn.turns import Wsgi

__all__ = ["SLOW_S", "leaving_a_thread"]

SLOW_S: Final = 0.2
"""A body for which a thread has waited this long, in seconds, is slow."""


def leaving_a_thread(app: Wsgi, threads: int) -> Wsgi:
    """Return `app` in front of which all but one of its `threads`, at most, wait for bodies.

    Reading a body raises `Unavailable` where the others wait for slow ones.
    """
    arrivals = _Arrivals(threads - 1)

    def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            environ["wsgi.input"] = _Arriving(environ["wsgi.input"], arrivals)
        return app(environ, start_response)

    return door


class _Arrivals:
    """Let `most` threads wait at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since: dict[int, float] = {}
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a place; wait for one as long as those who have them may be quick."""
        me = threading.get_ident()
        with self._changed:
            if len(self._since) >= self._most:
                patience_s = max(self._since.values()) + SLOW_S - monotonic()
                if not self._changed.wait_for(lambda: len(self._since) < self._most, patience_s):
                    raise Unavailable("Other requests arrive too slowly; this one was not begun.")
            self._since[me] = monotonic()
        try:
            yield
        finally:
            with self._changed:
                del self._since[me]
                self._changed.notify()


class _Arriving:
    """Be a request body for which a thread waits only where it has a place."""

    __slots__ = ("_arrivals", "_stream")

    def __init__(self, stream: Any, arrivals: _Arrivals) -> None:
        self._stream = stream
        self._arrivals = arrivals

    def read(self, *size: int) -> bytes:
        with self._arrivals.place():
            data: bytes = self._stream.read(*size)
        return data

    def readline(self, *size: int) -> bytes:
        with self._arrivals.place():
            line: bytes = self._stream.readline(*size)
        return line

    def readlines(self, *hint: int) -> list[bytes]:
        with self._arrivals.place():
            lines: list[bytes] = self._stream.readlines(*hint)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")
