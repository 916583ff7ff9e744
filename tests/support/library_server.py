"""The Library as it is run, by Granian or Gunicorn, for tests that take something away from it or kill it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from attacked_apps import LIBRARY
from databases import Kind
from running import Running
from served import create_tables, wait_for
from served_site import Server, Site

from demijohn.operating.counts import read_workers

__all__ = ["BACK_S", "GRACE_S", "METRICS_TOKEN", "LibraryServer", "wait_until"]

ROOT = Path(__file__).parents[2]
BACK_S = 5.0
"""How long after a fault all is as it was, in seconds."""
GRACE_S = 20
"""How long requests may take to end when the server stops, in seconds; Gunicorn's is in its configuration."""
METRICS_TOKEN = "a token for Prometheus"
SECRET = "h2 Vh7Qw0mJ4sT9xK2pL6rN8bC3dF5gZ1yA"


def wait_until(is_so: Callable[[], bool], what: str, within_s: float = 60) -> float:
    """Wait for something; return how long it took, in seconds. Fails with `what` where it takes longer."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within_s, what
        time.sleep(0.02)
    return time.monotonic() - began


class LibraryServer:
    """Run the Library on a database; it may be killed and started again, on another port.

    Its log and its counts are in `folder`. `variables` are those of the environment that are to be different.
    """

    def __init__(
        self,
        folder: Path,
        kind: Kind,
        database_url: str,
        *,
        server: Server = "granian",
        workers: int = 2,
        **variables: str,
    ) -> None:
        self.folder, self.kind, self.server, self._workers = folder, kind, server, workers
        self.counts = folder / "counts"
        self.variables = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "DEMIJOHN_ENVIRONMENT": "development",
            "DEMIJOHN_PASSWORD_MEMORY_KIB": "8",
            "DEMIJOHN_PASSWORD_TIME_COST": "1",
            "DEMIJOHN_METRICS_FOLDER": str(self.counts),
            "DEMIJOHN_METRICS_TOKEN": METRICS_TOKEN,
            **variables,
        }
        self.engine = sa.create_engine(database_url, poolclass=sa.NullPool)
        self.port = 0
        if kind != "sqlite":
            create_tables(ROOT / "examples" / "library", database_url)

    def start(self) -> Site:
        """Start, and return once it answers."""
        if self.server == "granian":
            command = ["demijohn", "run", "library:create_app", "--port", "0", "--grace", str(GRACE_S)]
            command += ["--workers", str(self._workers)]
        else:
            command = ["gunicorn", "--config", str(ROOT / "deploy" / "gunicorn.conf.py"), "library:create_app()"]
        paths = os.pathsep.join([str(ROOT / "examples" / "library"), *filter(None, [os.environ.get("PYTHONPATH")])])
        variables = {"BIND": "127.0.0.1:0", "WORKERS": str(self._workers), "PYTHONPATH": paths, **self.variables}
        self.running = Running(self.folder, command, **variables)
        self.port = int(self.running.wait_for(r"(?:Serving .* at|Listening at:) http://127\.0\.0\.1:(\d+)")[1])
        address = f"http://127.0.0.1:{self.port}"
        wait_for(f"{address}/books")
        return Site(address, LIBRARY, self.kind, self.server, self.folder, self.engine, self.variables, set())

    def workers(self) -> list[int]:
        """Return the process ids of the workers that are there."""
        return [worker.pid for worker in read_workers(self.counts) if worker.pid is not None]

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Return what is in the database, behind the back of the API."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(query), values).all())

    def close(self) -> None:
        """Kill what still runs."""
        with suppress(AttributeError):  # it was never started
            self.running.kill()
        self.engine.dispose()
