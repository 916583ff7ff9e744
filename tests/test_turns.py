"""Requests of one worker take turns, and none waits long for its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from typing import Any

from demijohn.turns import give_up, in_turns

LONG_S = 20.0


def no_start(*_: Any) -> None:
    pass


def test_one_request_runs_at_a_time() -> None:
    first_runs, first_may_end, second_runs = Event(), Event(), Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["name"] == "first":
            first_runs.set()
            assert first_may_end.wait(LONG_S)
        else:
            second_runs.set()
        return [b""]

    door = in_turns(app, LONG_S)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(door, {"name": "first"}, no_start)
        assert first_runs.wait(LONG_S)
        second = pool.submit(door, {"name": "second"}, no_start)
        assert not second_runs.wait(0.05)
        first_may_end.set()
        assert second_runs.wait(LONG_S)
        assert (first.result(), second.result()) == ([b""], [b""])


def test_a_request_goes_ahead_when_it_waited_long_enough() -> None:
    first_runs, second_ran = Event(), Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["name"] == "first":
            first_runs.set()
            assert second_ran.wait(LONG_S)
        else:
            second_ran.set()
        return [b""]

    door = in_turns(app, 0.01)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(door, {"name": "first"}, no_start)
        assert first_runs.wait(LONG_S)
        pool.submit(door, {"name": "second"}, no_start).result()
        first.result()
        pool.submit(door, {"name": "third"}, no_start).result()


def test_others_have_their_turn_while_a_body_arrives() -> None:
    waits, other_ran = Event(), Event()

    class Slow(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            waits.set()
            assert other_ran.wait(LONG_S)
            return super().read(size)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if "wsgi.input" not in environ:
            other_ran.set()
            return [b""]
        return [environ["wsgi.input"].read(2), *environ["wsgi.input"], environ["wsgi.input"].readline()]

    door = in_turns(app, LONG_S)
    environ = {"CONTENT_LENGTH": "4", "wsgi.input": Slow(b"body")}
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(door, environ, no_start)
        assert waits.wait(LONG_S)
        pool.submit(door, {}, no_start).result()
        assert slow.result() == [b"bo", b"dy", b""]


def test_an_error_ends_the_turn() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("no")

    door = in_turns(app, LONG_S)
    for _ in range(3):
        try:
            list(door({}, no_start))
        except ValueError:
            continue
        raise AssertionError("the error did not come through")


def test_others_have_their_turn_while_a_database_is_waited_for() -> None:
    waits, other_ran = Event(), Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["name"] == "other":
            other_ran.set()
            return [b""]
        give_up()
        give_up()
        waits.set()
        assert other_ran.wait(LONG_S)
        return [b"done"]

    door = in_turns(app, LONG_S)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(door, {"name": "slow"}, no_start)
        assert waits.wait(LONG_S)
        pool.submit(door, {"name": "other"}, no_start).result()
        assert slow.result() == [b"done"]


def test_outside_of_a_request_there_is_nothing_to_give_up() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(give_up).result()


def test_no_turn_is_lost_and_none_is_given_twice_in_a_rush() -> None:
    inside = ran = most = 0

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        nonlocal inside, ran, most
        inside += 1
        most = max(most, inside)
        sum(range(environ["work"]))
        ran += 1
        inside -= 1
        if environ["work"] % 3 == 0:
            give_up()
            sum(range(environ["work"]))
        return [b""]

    door = in_turns(app, LONG_S)

    def send(thread: int) -> None:
        for index in range(500):
            door({"work": (thread * 7 + index * 13) % 2000}, no_start)

    with ThreadPoolExecutor(8) as pool:
        for sent in [pool.submit(send, thread) for thread in range(8)]:
            sent.result(timeout=60)
    assert (ran, most, inside) == (4000, 1, 0)


def test_who_waits_has_its_turn_in_a_rush() -> None:
    stop = Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return [b""]

    door = in_turns(app, LONG_S)

    def rush() -> None:
        while not stop.is_set():
            door({}, no_start)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            pool.submit(rush)
        try:
            for _ in range(20):
                pool.submit(door, {}, no_start).result(timeout=LONG_S)
        finally:
            stop.set()
