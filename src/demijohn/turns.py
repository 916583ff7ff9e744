"""Turns: of the threads of a worker one runs at a time, for as long as it does not wait for anything.

Threads that compete for the interpreter lock cost more than they bring: a short request takes twice the processor
time that it takes alone. Threads are there for requests that wait, for a database or a slow client. So a request
takes its turn, gives it up where it waits, and goes ahead without one after a while.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, TypeAlias

__all__ = ["Wsgi", "give_up", "in_turns"]

Wsgi: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Longer than the queue of a busy worker's short requests, shorter than a person notices.
LONGEST_WAIT_S = 0.05
# To wake another thread costs more than a short request. So while requests end this closely after each other, a thread
# that is done wakes nobody, but goes on with the request that the server has for it: until somebody has waited long.
RUSH_S = 0.0003
PATIENCE_S = 0.01

_local = threading.local()


def give_up() -> None:
    """Give up this thread's turn, where it has one: it is about to wait, and others may run meanwhile."""
    turn: _Turn | None = getattr(_local, "turn", None)
    if turn is not None:
        turn.give_up()


def in_turns(app: Wsgi, longest_wait_s: float = LONGEST_WAIT_S) -> Wsgi:
    """Return `app` behind a turnstile: one request at a time, but none waits longer than `longest_wait_s`.

    A request gives up its turn while its body arrives, and where `give_up` is called.
    """
    turnstile = _Turnstile(longest_wait_s)

    def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        turn = _local.turn = _Turn(turnstile)
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            environ["wsgi.input"] = _Body(environ["wsgi.input"], turn)
        turn.take()
        try:
            return app(environ, start_response)
        finally:
            turn.give_up()

    return door


class _Turnstile:
    """Let one thread through at a time.

    Who leaves gives the turn to the one that waits longest. In a rush, while nobody has waited long, it is given to
    nobody: then it is the next comer's, or that of the first who looks again.
    """

    __slots__ = ("_busy", "_left_at", "_longest_wait_s", "_queue")

    def __init__(self, longest_wait_s: float) -> None:
        self._busy = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._longest_wait_s = longest_wait_s
        self._left_at = 0.0

    def enter(self) -> bool:
        """Wait for a turn; return whether there is one."""
        return self._busy.acquire(blocking=False) or self._wait()

    def leave(self) -> None:
        """Let another one in."""
        now = monotonic()
        is_rush, self._left_at = now - self._left_at < RUSH_S, now
        if self._queue:
            with suppress(IndexError):
                if not is_rush or now - self._queue[0].since > PATIENCE_S:
                    self._queue.popleft().handed.release()
                    return
        self._busy.release()

    def _wait(self) -> bool:
        ticket = _Ticket()
        self._queue.append(ticket)
        while not ticket.handed.acquire(timeout=PATIENCE_S):
            is_late = monotonic() - ticket.since > self._longest_wait_s
            if not is_late and not self._busy.acquire(blocking=False):
                continue
            try:
                self._queue.remove(ticket)
            except ValueError:  # the turn was handed over just now
                return True
            return not is_late
        return True


class _Ticket:
    """Be the place of one thread in the queue; `handed` is released once it is its turn."""

    __slots__ = ("handed", "since")

    def __init__(self) -> None:
        self.since = monotonic()
        self.handed = threading.Lock()
        self.handed.acquire()


class _Turn:
    """Be one request's turn, or the right to go ahead without one."""

    __slots__ = ("_is_held", "_turnstile")

    def __init__(self, turnstile: _Turnstile) -> None:
        self._turnstile = turnstile
        self._is_held = False

    def take(self) -> None:
        self._is_held = self._turnstile.enter()

    def give_up(self) -> None:
        if self._is_held:
            self._is_held = False
            self._turnstile.leave()


class _Body:
    """Be a request body during whose arrival others have their turn."""

    __slots__ = ("_stream", "_turn")

    def __init__(self, stream: Any, turn: _Turn) -> None:
        self._stream = stream
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def read(self, *size: int) -> bytes:
        self._turn.give_up()
        try:
            data: bytes = self._stream.read(*size)
        finally:
            self._turn.take()
        return data
