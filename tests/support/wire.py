"""Requests that no client would send, line by line, and answers as they come."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Raw", "Wire"]


@dataclass(frozen=True)
class Raw:
    """Hold an answer as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Wire:
    """Be a running server as it is on the wire, and the file of its log."""

    port: int
    log: Path

    def send(self, line: str, *headers: str, host: str | None = "127.0.0.1", body: str = "") -> Raw:
        """Send a request line and headers as they are; `host` None sends no Host."""
        named = [f"Host: {host}"] if host is not None else []
        head = "\r\n".join([line, *named, *headers, "Connection: close", "", body])
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(head.encode("latin-1"))
            received = b"".join(iter(lambda: _received(connection), b""))
        top, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        pairs = [(name.lower(), value.strip()) for name, _, value in (one.partition(":") for one in lines)]
        if ("transfer-encoding", "chunked") in pairs:
            rest = b"".join(re.findall(rb"[0-9a-fA-F]+\r\n(.*?)\r\n", rest, re.DOTALL))
        return Raw(int(first.split()[1]), pairs, rest)

    def get(self, path: str, *headers: str, host: str | None = "127.0.0.1") -> Raw:
        return self.send(f"GET {path} HTTP/1.1", *headers, host=host)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
