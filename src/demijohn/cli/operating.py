"""The address of their own where the parent of the workers tells how they are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socketserver import ThreadingMixIn
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click

from demijohn.app import State
from demijohn.operating import Probes
from demijohn.operating.counts import read_workers

__all__ = ["counts_folder", "operating"]

_SLOWEST_S = 5


@contextmanager
def counts_folder(state: State) -> Iterator[Path | None]:
    """Return the folder where the workers keep their counts, one that is removed afterwards unless a setting names it.

    None where nothing is counted.
    """
    if not state.observer.does_count:
        yield None
    elif state.settings.metrics_folder:
        yield Path(state.settings.metrics_folder)
    else:
        with TemporaryDirectory(prefix="demijohn-metrics-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)


@contextmanager
def operating(state: State, folder: Path | None) -> Iterator[str]:
    """Answer at the settings' `operating_address` from a thread; return where that is, "" for nowhere."""
    address = state.probes.address
    if address is None:
        yield ""
        return
    metrics = None if folder is None else partial(_metrics, folder)
    probes = Probes(state.settings, state.readiness, metrics)
    host, port = address
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, probes, server_class=kind, handler_class=_Handler)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"Cannot listen on {host} port {port}: {reason}.") from error
    threading.Thread(target=server.serve_forever, name="demijohn-operating", daemon=True).start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _metrics(folder: Path, accept: str) -> tuple[bytes, str]:
    from demijohn.operating.metrics import expose

    return expose(read_workers(folder), accept)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _SLOWEST_S

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: there is a request every few seconds, for ever."""
