"""What runs in each worker: the application, behind a door that keeps the process environment out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from types import SimpleNamespace
from typing import Any, TypeAlias

import click

from demijohn.cli.problems import tell
from demijohn.cli.target import Options, find, open_application
from demijohn.errors import StartError

__all__ = ["application", "in_turns", "without_environment"]

Wsgi: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Longer than the queue of a busy worker's short requests, shorter than a person notices.
LONGEST_WAIT_S = 0.05

# Set by the server in each environ, whatever the environment of the process says (PEP 3333).
_ALWAYS_SET = frozenset(
    (
        "GATEWAY_INTERFACE",
        "PATH_INFO",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    )
)
_SOMETIMES_SET = ("CONTENT_LENGTH", "CONTENT_TYPE")


def application(options: Options) -> Wsgi:
    """Return the application of a worker; end the worker where there is none, with the reasons told."""
    _hide_environment()
    try:
        return in_turns(without_environment(open_application(find(options.target), options), os.environ))
    except StartError as error:
        tell(error)
    except click.ClickException as error:
        error.show()
    sys.exit(1)


def _hide_environment() -> None:
    """Let Granian find an empty environment to copy into each request.

    It saves the copying, and taking out again, of every variable. `without_environment` stands behind it, in case
    Granian looks elsewhere one day.
    """
    import granian.wsgi

    vars(granian.wsgi)["os"] = SimpleNamespace(environ={})  # all that it uses of `os`


def in_turns(app: Wsgi, longest_wait_s: float = LONGEST_WAIT_S) -> Wsgi:
    """Return `app` behind a turnstile: one request at a time, but none waits long.

    Threads that compete for the interpreter lock cost more than they bring: at 16 of them a short request takes
    more than twice the processor time that it takes alone. Threads are there for requests that wait, for a
    database or a slow client. So a request takes its turn, gives it up while its body arrives, and goes ahead
    without one after `longest_wait_s`.
    """
    turnstile = Lock()

    def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        turn = _Turn(turnstile, longest_wait_s)
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            environ["wsgi.input"] = _Body(environ["wsgi.input"], turn)
        turn.take()
        try:
            return app(environ, start_response)
        finally:
            turn.give_up()

    return door


class _Turn:
    """Be one request's turn, or the right to go ahead without one."""

    __slots__ = ("_held", "_longest_wait_s", "_turnstile")

    def __init__(self, turnstile: Lock, longest_wait_s: float) -> None:
        self._turnstile = turnstile
        self._longest_wait_s = longest_wait_s
        self._held = False

    def take(self) -> None:
        self._held = self._turnstile.acquire(timeout=self._longest_wait_s)

    def give_up(self) -> None:
        if self._held:
            self._held = False
            self._turnstile.release()


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


def without_environment(app: Wsgi, variables: Mapping[str, str]) -> Wsgi:
    """Return `app` without the environment of the process in its WSGI environ.

    Granian copies it there, secrets included, and a variable such as `HTTP_PROXY` would pass for a header.
    `variables` are those that the server copies.
    """
    own = tuple(name for name in variables if not _is_of_requests(name))
    # A variable named like a header is kept out only while it has the variable's value: otherwise it is a header.
    doubtful = tuple(
        (name, value)
        for name, value in variables.items()
        if _is_of_requests(name) and name not in _ALWAYS_SET and not name.startswith("wsgi.")
    )

    copies: bool | None = None

    def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        nonlocal copies
        if copies is None:  # the first request tells: a server copies all variables, or none
            copies = any(name in environ for name in own)
        if copies:
            for name in own:
                environ.pop(name, None)
            for name, value in doubtful:
                if environ.get(name) == value:
                    del environ[name]
        return app(environ, start_response)

    return door


def _is_of_requests(name: str) -> bool:
    return name in _ALWAYS_SET or name in _SOMETIMES_SET or name.startswith(("HTTP_", "wsgi."))
