"""`demijohn run`: serve a contract or an application with Granian."""

from __future__ import annotations

import multiprocessing
import socket
from functools import partial
from pathlib import Path
from typing import Any

import click
from flask import Flask

from demijohn.cli.serving import application
from demijohn.cli.target import SUFFIXES, Found, Options, find, open_application, state_of
from demijohn.errors import MismatchError

__all__ = ["run"]

# A client that sends its headers slower than this, or more of them, is cut off.
HEADER_TIMEOUT_S = 10
MAX_HEADER_BYTES = 64 * 1024
# A thread waits while a client trickles its body: there have to be more of them than such clients.
THREADS = 4
MAX_WAITING = 1024


@click.command()
@click.argument("target")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that answer requests.")
@click.option("--threads", type=click.IntRange(1), default=THREADS, show_default=True, help="Threads of each worker.")
@click.option("--base-path", metavar="PATH", help="Stands before the paths of a contract file, / for nothing.")
@click.option("--mock", is_flag=True, help="Answer what no function serves from the contract's examples.")
@click.option("--reload", is_flag=True, help="Start the workers anew when code or the contract changes.")
@click.option("--strict", is_flag=True, help="Refuse a contract that has warnings, too.")
@click.option(
    "--grace",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long running requests may take to end when the server stops.",
)
def run(
    target: str,
    host: str,
    port: int,
    workers: int,
    threads: int,
    base_path: str | None,
    mock: bool,
    reload: bool,
    strict: bool,
    grace: int,
) -> None:
    """Serve TARGET.

    Everything is checked first: with a problem, nothing starts and the exit status is 1. SIGTERM and Ctrl-C
    let running requests end. Settings come from the environment (DEMIJOHN_...), as does what the application
    reads itself, such as DATABASE_URL.
    """
    options = Options(target, base_path, "mock" if mock else None, strict)
    found = find(target)
    app = open_application(found, options)
    _verify(app)
    address, port = _claim(host, port)
    watched = _watched(found) if reload else ()
    _serve(options, _line(app, address, port), address, port, workers, threads, grace, watched)


def _verify(app: Flask) -> None:
    """Compare the models with the live database; create that of SQLite where it is missing."""
    resources = state_of(app).resources
    if resources is not None and (resources.shapes or resources.own_metadatas):
        difference = resources.verify()
        if difference.problems:
            raise MismatchError(difference.problems)
        for warning in difference.warnings:
            click.echo(f"Warning: {warning}", err=True)


def _serve(
    options: Options,
    line: str,
    host: str,
    port: int,
    workers: int,
    threads: int,
    grace_s: int,
    watched: tuple[Path, ...],
) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    # Workers start fresh: a fork would inherit the connections and threads that the check opened.
    multiprocessing.set_start_method("spawn", force=True)
    server = Server(
        "demijohn",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        backpressure=max(MAX_WAITING // workers, threads),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_S * 1000, max_buffer_size=MAX_HEADER_BYTES),
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=grace_s,
        reload=bool(watched),
        reload_paths=watched,
        reload_filter=_code_filter() if watched else None,
        reload_ignore_worker_failure=True,
    )
    server.on_startup(partial(click.echo, line))
    server.serve(target_loader=partial(application, options, threads), wrap_loader=False)


def _claim(host: str, port: int) -> tuple[str, int]:
    """Return the address of `host` and the port, or a free one for 0; refuse one that is taken.

    The workers share their port by SO_REUSEPORT, so a second server would start on it, too, and get half of
    the requests.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            host, port, *_ = probe.getsockname()
            return host, port
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"Cannot listen on {host} port {port}: {reason}.") from error


def _line(app: Flask, host: str, port: int) -> str:
    """Return the line that tells where everything is."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not listened on
    root = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    state = state_of(app)
    api = state.apis[0]
    docs = state.settings.docs_ui and state.settings.docs_contract
    parts = [f"Serving {api.contract.title} at {root}{api.base_path or '/'}"]
    parts += [f"docs at {root}{api.base_path}/ui/"] if docs else []
    return ", ".join([*parts, "Ctrl-C to stop"])


def _watched(found: Found) -> tuple[Path, ...]:
    return tuple(dict.fromkeys([Path.cwd(), found.folder.resolve()]))


def _code_filter() -> type[Any]:
    """Return a filter that sees code and contracts, and not the database file beside them."""
    from watchfiles import DefaultFilter

    class CodeFilter(DefaultFilter):
        def __call__(self, change: Any, path: str) -> bool:
            return path.endswith((".py", *SUFFIXES)) and super().__call__(change, path)

    return CodeFilter
