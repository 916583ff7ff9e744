"""Granian's server with sockets that outlive its workers.

On Linux each of Granian's workers opens a socket of its own on the shared port. Connections that wait in it are reset
when the worker ends: at each reload, and when one dies. Here the sockets are the parent's, one for each worker, so that
the kernel still spreads connections evenly, and the next worker finds in its socket what the last one left.

And Granian closes each connection that has no request yet at the moment in which its worker is told to end, those too
whose request is on its way. Here a worker first stops to take connections, and ends a moment later.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from granian import _signals
from granian._granian import WorkerSignal
from granian.net import SocketHolder, SocketSpec  # type: ignore[attr-defined]  # this is where they can be pickled
from granian.server.mp import MPServer, WorkerProcess

from demijohn.operating import Readiness

__all__ = ["Server"]

# A request that is on its way over a connection that was taken is here by then.
DRAIN_S = 0.2

_logger = logging.getLogger("demijohn")

_ENDING = (signal.SIGINT, signal.SIGTERM)


class Server(MPServer):
    """Serve; on SIGHUP replace the workers one by one, once `check` has run in a process of its own and ended well.

    `readiness` is told when the server stops.
    """

    def __init__(
        self, *arguments: Any, check: Callable[[], None] | None, readiness: Readiness | None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._check = check
        self._readiness = readiness
        self._is_checking = threading.Lock()
        self._listeners: list[tuple[SocketHolder, socket.socket]] = []

    def signal_handler_interrupt(self, *arguments: Any, **named: Any) -> None:
        """Stop."""
        if self._readiness is not None:
            self._readiness.is_stopping = True
        super().signal_handler_interrupt(*arguments, **named)  # type: ignore[no-untyped-call]  # Granian's

    def signal_handler_reload(self, *arguments: Any, **named: Any) -> None:
        """Reload, unless that would end what runs: an application that does not start any more is found out before."""
        threading.Thread(target=self._reload_checked, daemon=True).start()

    def _reload_checked(self) -> None:
        if not self._is_checking.acquire(blocking=False):
            return
        try:
            if self._check is None or self._checks_out(self._check):
                _logger.info("Reloading: the workers are replaced one by one.")
                super().signal_handler_reload()  # type: ignore[no-untyped-call]  # Granian's
            else:
                _logger.error("Not reloaded: the application would not start; what runs goes on.")
        finally:
            self._is_checking.release()

    def _checks_out(self, check: Callable[[], None]) -> bool:
        process = multiprocessing.get_context("spawn").Process(target=check)
        process.start()
        process.join()
        return process.exitcode == 0

    def _init_shared_socket(self) -> None:
        if sys.platform != "linux" or self.bind_uds is not None:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]  # Granian's
            return
        for _ in range(self.workers):
            holder = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
            listener = socket.socket(fileno=holder.get_fd())
            listener.listen(self.backlog)  # from now on clients wait for the first worker
            self._listeners.append((holder, listener))

    def _spawn_worker(  # type: ignore[override]  # its own does not have the fourth either
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        if self._listeners:
            self._ssp, (self._shd, self._sso) = None, self._listeners[idx]  # type: ignore[assignment]  # made late
        return super()._spawn_worker(idx, target, callback_loader)

    @staticmethod
    @WorkerProcess.wrap_target  # type: ignore[untyped-decorator]  # Granian's
    def _spawn_wsgi_worker(worker_id: int, callback: Any, sock: Any, *rest: Any) -> None:
        holder = sock[1]
        if holder is not None:
            _signals.set_sync_signals = partial(_drain_first, holder.get_fd())
        MPServer._spawn_wsgi_worker.__wrapped__(worker_id, callback, sock, *rest)

    def _drop_shared_socket(self) -> None:
        """Take no more connections: each worker closes its copy of its socket when it is told to end."""
        super()._drop_shared_socket()  # type: ignore[no-untyped-call]  # Granian's
        for _, listener in self._listeners:
            listener.close()
        self._listeners.clear()


def _drain_first(listener: int) -> WorkerSignal:
    """Return what tells Granian that the worker is to end: some time after the process was told, and took no more.

    The number of the socket becomes that of another one, which nobody connects to: the others keep theirs.
    """
    nobody = socket.socket(socket.AF_UNIX)
    nobody.bind("")  # at an address that the kernel chooses
    nobody.listen()
    nobody.setblocking(False)
    told = WorkerSignal()
    # Of two signals at once, as when Ctrl-C tells the whole group and the parent tells its workers, another thread may
    # take both, and Python's own waiting would go on. What it writes when a signal comes is seen whoever takes it.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def end() -> None:
        while os.read(reader, 1)[0] not in _ENDING:  # the application may have handlers for other signals
            pass
        os.dup2(nobody.fileno(), listener)
        time.sleep(DRAIN_S)
        told.set()

    threading.Thread(target=end, daemon=True).start()
    _signals.set_main_signals(lambda *_: None)  # type: ignore[no-untyped-call]  # Granian's
    return told
