"""Granian, set up for any application: the address, the workers, the limits on what a client may do to them."""

from __future__ import annotations

import logging
import multiprocessing
import socket
from collections.abc import Callable
from errno import EADDRINUSE
from functools import partial
from pathlib import Path
from typing import Any

import click

from demijohn.cli.target import SUFFIXES
from demijohn.operating import Readiness, logging_config
from demijohn.settings import LogFormat
from demijohn.turns import Wsgi

__all__ = ["THREADS", "address_of", "claim", "listening", "serve"]

_logger = logging.getLogger("demijohn")

# A client that sends its headers slower than this, or more of them, is cut off.
HEADER_TIMEOUT_S = 10
MAX_HEADER_BYTES = 64 * 1024
# A thread waits while a client trickles its body; one of them never does (`arrivals`).
THREADS = 4
MAX_WAITING = 1024

_host = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
_port = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)


def listening(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where it listens: `host` and `port`."""
    return _host(_port(function))


def serve(
    load: Callable[[], Wsgi],
    line: str,
    host: str,
    port: int,
    *,
    workers: int,
    threads: int,
    grace_s: int,
    watched: tuple[Path, ...] = (),
    check: Callable[[], None] | None = None,
    readiness: Readiness | None = None,
    log_format: LogFormat = "text",
) -> None:
    """Serve what `load` returns in each worker, until somebody stops it; tell `line` once it is there.

    SIGHUP replaces the workers, once `check` has run in a process of its own and ended well. `readiness` learns when
    the server stops.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from demijohn.cli.workers import Server

    is_json = log_format == "json"
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
        log_dictconfig=logging_config() if is_json else None,
        check=check,
        readiness=readiness,
    )
    server.on_startup(partial(_logger.info if is_json else click.echo, line))
    server.serve(target_loader=load, wrap_loader=False)


def claim(host: str, port: int) -> tuple[str, int]:
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
        free = " Choose another port; 0 takes one that is free." if error.errno == EADDRINUSE else ""
        raise click.ClickException(f"Cannot listen on {host} port {port}: {reason}.{free}") from error


def address_of(host: str, port: int) -> str:
    """Return what a browser on this machine is told, without a slash at the end."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not listened on
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _code_filter() -> type[Any]:
    """Return a filter that sees code and contracts, and not the database file beside them."""
    from watchfiles import DefaultFilter

    class CodeFilter(DefaultFilter):
        def __call__(self, change: Any, path: str) -> bool:
            return path.endswith((".py", *SUFFIXES)) and super().__call__(change, path)

    return CodeFilter
