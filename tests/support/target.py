"""A running server as an attacker sees it: requests, and what no answer may ever hold."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Reply", "Target"]

# What would tell of the inside: traces, statements, drivers, paths.
INSIDE = re.compile(
    rb"Traceback|File \"|line \d+, in|SELECT |INSERT |UPDATE \w+ SET|DELETE FROM|sqlalchemy|psycopg|sqlite3|pymysql"
    rb"|site-packages|/tmp/|/home/|/usr/|postgres|DATABASE_URL|IntegrityError|ProgrammingError",
)


@dataclass(frozen=True)
class Reply:
    """Hold one answer."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_sound(self, echoed: str = "") -> None:
        """Check what holds for every answer, to whatever request; `echoed` is a text of the request's own in it."""
        assert self.status < 500, (self.status, self.body)
        body = self.body.replace(json.dumps(echoed, ensure_ascii=False)[1:-1].encode(), b"") if echoed else self.body
        assert not INSIDE.search(body), self.body
        if self.status >= 400:
            assert self.headers["content-type"] == "application/problem+json", self.headers
            assert self.json["status"] == self.status


@dataclass
class Target:
    """Be a running server."""

    address: str

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    def ask(self, method: str, path: str, body: Any = None, *, echoed: str = "", **headers: str) -> Reply:
        """Send a request; a body that is no bytes is sent as JSON. Names of headers have `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = self._exchange(method, path, body, named)
        reply.is_sound(echoed)
        return reply

    def _connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=20)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        for _ in range(5):
            # With what was not read of a body, the answer may be lost.
            with suppress(ConnectionResetError):
                return self._exchange_once(method, path, body, headers)
        raise AssertionError("the answer was lost five times")

    def _exchange_once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        connection = self._connect()
        try:
            with suppress(BrokenPipeError):  # it may answer and close before all is sent
                connection.request(method, path, body, headers)
            response = connection.getresponse()
            got = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, got, response.read())
        finally:
            connection.close()

    def send(self, data: bytes, *, timeout_s: float = 10) -> tuple[Reply, bool]:
        """Send bytes as they are; return the answer, and whether the server closed the connection after it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            with suppress(OSError):  # it may answer and close before all is sent
                connection.sendall(data)
            received = b""
            closed = False
            while not _is_whole(received):
                try:
                    chunk = connection.recv(65536)
                except ConnectionResetError:
                    chunk = b""
                if not chunk:
                    closed = True
                    break
                received += chunk
            if not closed:
                connection.settimeout(1)
                try:
                    closed = connection.recv(1) == b""
                except (TimeoutError, ConnectionResetError) as error:
                    closed = isinstance(error, ConnectionResetError)
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        reply = Reply(int(lines[0].split()[1]), headers, body)
        reply.is_sound()
        return reply, closed

    def is_well(self) -> None:
        """Check that it answers within a second."""
        began = time.monotonic()
        assert self.ask("GET", "/api/people?limit=1").status == 200
        assert time.monotonic() - began < 1


def _is_whole(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    return bool(found) and length is not None and len(body) >= int(length[1])
