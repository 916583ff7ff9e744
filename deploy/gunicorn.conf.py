"""Gunicorn for an application of Demijohn's: gunicorn --config deploy/gunicorn.conf.py 'library:create_app()'."""

import os
import signal
import socket

from demijohn.operating import logging_config

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WORKERS", "2"))
threads = 4
# As `demijohn run`: requests in flight have so long to end, and a client so long to send the next one.
graceful_timeout = 20
keepalive = 5
# A worker that hangs is replaced.
timeout = 30
# Its own lines are JSON, too. The lines of requests are Demijohn's: DEMIJOHN_ACCESS_LOG.
logconfig_dict = logging_config() if os.environ.get("DEMIJOHN_LOG_FORMAT") == "json" else {}
control_socket_disable = True


def post_worker_init(worker):
    """Refuse whoever comes once the worker is told to end.

    Gunicorn would let them wait until the requests in flight are done, and then close without an answer. The number of
    the listening socket becomes that of another one, which nobody connects to: other workers keep theirs.
    """
    end = signal.getsignal(signal.SIGTERM)
    nobody = socket.create_server(("127.0.0.1", 0))
    nobody.setblocking(False)

    def refuse():
        worker.set_accept_enabled(False)
        for listener in worker.sockets:
            os.dup2(nobody.fileno(), listener.fileno())

    def end_and_refuse(*told):
        end(*told)
        worker.method_queue.defer(refuse)

    signal.signal(signal.SIGTERM, end_and_refuse)
