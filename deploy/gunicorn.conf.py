"""Gunicorn for an application of Demijohn's: gunicorn --config deploy/gunicorn.conf.py 'library:create_app()'."""

import os

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
