"""What runs in each worker: the application, behind a door that keeps the process environment out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from flask import Flask

from demijohn.cli.arrivals import leaving_a_thread
from demijohn.cli.problems import tell
from demijohn.cli.target import Options, find, open_application, state_of
from demijohn.errors import StartError
from demijohn.turns import Wsgi, in_turns

__all__ = ["application", "for_threads", "in_a_worker", "without_environment"]

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


def application(options: Options, threads: int, folder: Path | None = None) -> Wsgi:
    """Return the application of a worker, which keeps its counts in `folder`.

    The worker ends where there is no application, with the reasons told.
    """

    def load() -> Flask:
        app = for_threads(open_application(find(options.target), options), threads)
        state_of(app).observer.open(folder)
        return app

    return in_a_worker(load, threads)


def for_threads(app: Flask, threads: int) -> Flask:
    """Return an application, told how many threads answer its requests: logins leave one of them to the others."""
    accounts = state_of(app).accounts
    if accounts is not None:
        accounts.passwords.keep_free(threads)
    return app


def in_a_worker(load: Callable[[], Wsgi], threads: int) -> Wsgi:
    """Return what `load` gives, as a worker serves it; end the worker where it raises, with the reasons told."""
    _hide_environment()
    try:
        app = without_environment(load(), os.environ)
        return leaving_a_thread(in_turns(app), threads) if threads > 1 else app
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
