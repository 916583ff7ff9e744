"""psycopg's connection, with a bound on how long it waits for a server that hangs."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

__all__ = ["BoundedConnection"]

T = TypeVar("T")

# psycopg 3.3 can stop waiting; before that, only the server's own limit and the network's hold.
_CAN_STOP = "timeout" in inspect.signature(psycopg.Connection.wait).parameters


class BoundedConnection(psycopg.Connection[Any]):
    """Be closed by a server that takes longer than `timeout_s` to answer, which it should not when it works."""

    timeout_s: float | None = None

    def __del__(self, _: Any = None, /) -> None:
        """Be closed with what held it, an application at its end for example, without a warning."""

    if _CAN_STOP:

        def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
            """Wait for the server. Raises `OperationalError` where it takes too long."""
            limit_s = self.timeout_s if timeout is None else timeout
            try:
                return super().wait(gen, interval, limit_s)
            except psycopg.OperationalError as error:
                if timeout is None and type(error).__name__ == "_WaitTimeout":
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server did not answer for {limit_s:g} seconds") from None
                raise
