"""Servers in processes of their own, as a user would start them, and Schemathesis against them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from outside import skip_or_fail

__all__ = ["create_tables", "is_refused", "run_schemathesis", "served", "served_by_gunicorn", "wait_for"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(target: Path, *options: str, cwd: Path, **variables: str) -> Iterator[str]:
    """Serve a target as a user would; end the server by its process id.

    `variables` are those of the environment that are to be different; `DATABASE_URL` is a file in `cwd` by default.
    """
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{cwd}/data.sqlite"} | variables
    log = cwd / "server.log"
    for _ in range(5):
        port = free_port()
        command = [sys.executable, "-m", "demijohn", "run", str(target), "--port", str(port), *options]
        with log.open("wb") as output:
            server = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=output)
        if _has_begun(server, port, log):
            break
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    assert server.returncode == 0, log.read_text(errors="replace")


def _has_begun(server: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    """Wait until a server listens; return False where somebody else got its port first, a client for example."""
    deadline = time.monotonic() + 30
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        assert time.monotonic() < deadline, "the server does not listen"
        time.sleep(0.05)
    told = log.read_text(errors="replace")
    assert "Cannot listen" in told, told
    return False


@contextmanager
def served_by_gunicorn(application: str, *, cwd: Path, **variables: str) -> Iterator[str]:
    """Serve an application such as `app:create_app()` with Gunicorn; end it by its process id.

    `variables` are those of the environment that are to be different; `WEB_CONCURRENCY` is the number of workers.
    """
    if find_spec("gunicorn") is None:
        skip_or_fail("gunicorn is not installed")
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--threads", "4", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, application]
    log = cwd / "gunicorn.log"
    environment = os.environ | {"WEB_CONCURRENCY": "1"} | variables
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=output)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    assert server.returncode == 0, log.read_text(errors="replace")


def create_tables(target: Path, database_url: str) -> None:
    """Make the tables of an application on a database server, as a user would; SQLite makes its own."""
    command = [sys.executable, "-m", "demijohn", "db", "create", str(target)]
    environment = os.environ | {"DATABASE_URL": database_url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def is_refused(port: int) -> bool:
    """Tell whether nobody listens any more; who came in the very moment of that has no answer, and asks again."""
    with suppress(ConnectionResetError, TimeoutError):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except ConnectionRefusedError:
            return True
    return False


def wait_for(url: str, **headers: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)


def run_schemathesis(
    address: str,
    base_path: str,
    cwd: Path,
    examples: int,
    seed: int = 1,
    config: Path | None = None,
    hooks: Path | None = None,
    phases: str | None = None,
) -> None:
    """Run every phase, or those that are named, and every check; fail with the whole report."""
    schema = f"{address}{base_path}/openapi.json"
    wait_for(schema)
    command = [str(Path(sys.executable).parent / "st")]
    command += [] if config is None else ["--config-file", str(config)]
    command += ["run", schema, "--url", f"{address}{base_path}"]
    options = ["--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    # Hypothesis would keep, and sort, interesting requests for a next run, in a folder that goes with this one.
    options += ["--generation-database", "none"]
    options += [] if phases is None else ["--phases", phases]
    environment = dict(os.environ)
    if hooks is not None:  # they may import what stands beside them
        paths = [str(hooks.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment |= {"SCHEMATHESIS_HOOKS": str(hooks), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [*command, *options], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
