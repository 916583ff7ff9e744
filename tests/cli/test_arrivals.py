"""Bodies that arrive slowly never hold all threads of a worker."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from time import monotonic
from typing import Any

import pytest

from demijohn.cli import arrivals
from demijohn.cli.arrivals import SLOW_S, leaving_a_thread
from demijohn.errors import Unavailable
from demijohn.turns import Wsgi

LONG_S = 20.0
THREADS = 3


class Slow(BytesIO):
    """Be a body that comes when `comes` is set; `begun` once somebody waits for it."""

    def __init__(self, comes: Event) -> None:
        super().__init__(b"slow")
        self.comes, self.begun = comes, Event()

    def read(self, size: int | None = -1) -> bytes:
        self.begun.set()
        assert self.comes.wait(LONG_S)
        return super().read(size)


def no_start(*_: Any) -> None:
    pass


def reading(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return [environ["wsgi.input"].read() if "CONTENT_LENGTH" in environ else b"none"]


def ask(door: Wsgi, body: Any) -> Iterable[bytes]:
    return door({"wsgi.input": body, "CONTENT_LENGTH": "4"}, no_start)


def test_one_thread_waits_for_no_slow_body() -> None:
    door, comes = leaving_a_thread(reading, THREADS), Event()
    slow = [Slow(comes) for _ in range(THREADS - 1)]
    with ThreadPoolExecutor(THREADS) as pool:
        first = [pool.submit(ask, door, body) for body in slow]
        assert all(body.begun.wait(LONG_S) for body in slow)
        began = monotonic()
        with pytest.raises(Unavailable) as told:
            ask(door, BytesIO(b"fine"))
        assert monotonic() - began < SLOW_S + 1
        assert dict(told.value.headers) == {"Retry-After": "1"}
        assert door({}, no_start) == [b"none"]
        comes.set()
        assert [one.result() for one in first] == [[b"slow"]] * (THREADS - 1)
    assert ask(door, BytesIO(b"fine")) == [b"fine"]


def test_who_comes_while_others_may_be_quick_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "SLOW_S", LONG_S)
    door, comes = leaving_a_thread(reading, 2), Event()
    slow = Slow(comes)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, door, slow)
        assert slow.begun.wait(LONG_S)
        second = pool.submit(ask, door, BytesIO(b"fine"))
        comes.set()
        assert (first.result(), second.result()) == ([b"slow"], [b"fine"])


def test_a_body_is_read_in_every_way() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        return [body.read(1), body.readline(), *body.readlines(1), *body]

    door = leaving_a_thread(app, 2)
    assert ask(door, BytesIO(b"one\ntwo\nthree\nfour")) == [b"o", b"ne\n", b"two\n", b"three\n", b"four"]
