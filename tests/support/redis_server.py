"""A real Redis, that a test starts on a port of its own, and may stop, hang and start again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from outside import skip_or_fail
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

__all__ = ["RedisServer"]


class RedisServer:
    """Be a Redis on this machine (Debian: `redis-server`), with nothing in it, and nothing that outlives it."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            skip_or_fail("Redis is not installed (Debian: redis-server)")
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = Redis(port=self.port)
        self.start()

    def start(self) -> None:
        """Start, and return once it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.client.ping()
                return
            except RedisConnectionError:
                assert self._process.poll() is None, "redis-server ended"
                time.sleep(0.05)
        raise TimeoutError("redis-server does not answer")

    def hang(self) -> None:
        """Take connections and answer nothing, until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop; whatever was in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Stop, and close the test's own connection."""
        self.stop()
        self.client.close()
