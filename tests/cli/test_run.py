"""`demijohn run` checks first, serves, survives its workers, and stops in time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from demijohn.cli import main
from demijohn.cli import run as run_module
from demijohn.cli.server import claim
from demijohn.cli.serving import application
from demijohn.cli.target import Options, find, open_application

CONTRACT = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
paths:
  /environ:
    get:
      operationId: small.environ
      responses: {"200": {description: ok, content: {application/json: {}}}}
  /body:
    post:
      operationId: small.body
      requestBody: {content: {application/octet-stream: {}}}
      responses: {"200": {description: ok, content: {application/json: {}}}}
"""
FUNCTIONS = """\
import os
from flask import request

def environ():
    names = sorted(name for name in request.environ if isinstance(request.environ[name], str))
    return {"names": names, "pid": os.getpid(), "database": os.environ.get("DATABASE_URL"), "version": 1}

def body(body):
    return len(body)
"""
START_S = 60


class Server:
    """Run `demijohn run` in a process of its own, on a port of its own."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demijohn", "run", "openapi.yaml", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        assert self.line.startswith("Serving"), self.line + self.process.stdout.read()
        self.port = int(self.line.partition("127.0.0.1:")[2].partition("/")[0])

    def get(self, path: str) -> dict[str, Any]:
        """Answer a GET as soon as the server does."""
        deadline = time.monotonic() + START_S
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request("GET", path)
                found: dict[str, Any] = json.loads(connection.getresponse().read())
                return found
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                connection.close()

    def stop(self, number: int = signal.SIGTERM, *, group: bool = False) -> int:
        """Send a signal and return the exit status."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def serve(_folder: None) -> Iterator[Callable[..., Server]]:
    Path("openapi.yaml").write_text(CONTRACT)
    Path("small.py").write_text(FUNCTIONS)
    servers: list[Server] = []

    def start(*arguments: str, **variables: str) -> Server:
        servers.append(Server(*arguments, **variables))
        return servers[-1]

    yield start
    for server in servers:
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
        assert server.process.stdout is not None
        server.process.stdout.close()


def test_it_serves_and_stops_on_sigterm(serve: Callable[..., Server]) -> None:
    server = serve("--base-path", "/v1", DATABASE_URL="sqlite://", HTTP_PROXY="http://x", SECRET="s")
    assert server.line == (
        f"Serving Small at http://127.0.0.1:{server.port}/v1, docs at http://127.0.0.1:{server.port}/v1/ui/, "
        "Ctrl-C to stop\n"
    )
    found = server.get("/v1/environ")
    assert found["database"] == "sqlite://"
    assert not {"DATABASE_URL", "SECRET", "PATH", "HTTP_PROXY"} & set(found["names"])
    assert {"REQUEST_METHOD", "PATH_INFO", "HTTP_HOST", "SERVER_SOFTWARE"} <= set(found["names"])
    assert server.stop() == 0


def test_ctrl_c_stops_it_quietly_and_at_once(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "4", "--grace", "60")
    # All have to be there: one that is still importing would be interrupted before it can say how it stops.
    deadline, seen = time.monotonic() + 20, set[int]()
    while len(seen) < 4:
        assert time.monotonic() < deadline
        seen.add(server.get("/environ")["pid"])
    started = time.monotonic()
    assert server.stop(signal.SIGINT, group=True) == 0
    assert time.monotonic() - started < 20  # and not after the grace that requests have
    assert server.process.stdout is not None
    assert "Traceback" not in server.process.stdout.read()


def test_a_client_that_never_finishes_its_body_does_not_keep_it_alive(serve: Callable[..., Server]) -> None:
    server = serve("--grace", "1")
    server.get("/environ")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n")
        client.sendall(b"Content-Type: application/octet-stream\r\n\r\nhalf")
        time.sleep(0.3)
        started = time.monotonic()
        assert server.stop() == 0
    assert time.monotonic() - started < 8


def test_a_worker_that_dies_is_replaced(serve: Callable[..., Server]) -> None:
    server = serve()
    first = server.get("/environ")["pid"]
    os.kill(first, signal.SIGKILL)
    assert server.get("/environ")["pid"] != first
    assert server.stop() == 0


def test_a_change_of_the_code_starts_the_workers_anew(serve: Callable[..., Server]) -> None:
    server = serve("--reload")
    assert server.get("/environ")["version"] == 1
    time.sleep(0.5)
    Path("small.py").write_text(FUNCTIONS.replace('"version": 1', '"version": 2, "more": True'))
    deadline = time.monotonic() + START_S
    while server.get("/environ")["version"] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert server.stop() == 0


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["run", *arguments])
    return result.exit_code, result.output


def test_a_problem_keeps_everything_from_starting() -> None:
    Path("api").mkdir()
    Path("api/openapi.yaml").write_text(CONTRACT)
    status, output = run("api/openapi.yaml", "--port", "0")
    assert status == 1
    assert output.startswith("api/openapi.yaml:5: ")
    assert output.count("has no function") == 2
    assert output.endswith("The contract and the code do not fit: 2 problems.\n")


def test_a_port_that_is_taken_is_an_error() -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output = run("openapi.yaml", "--mock", "--port", str(port))
    told = f"Cannot listen on 127.0.0.1 port {port}: Address already in use. Choose another port; 0 takes one"
    assert (status, output) == (1, f"Error: {told} that is free.\n")


def test_a_host_that_does_not_exist_is_an_error() -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    status, output = run("openapi.yaml", "--mock", "--host", "no-such-host.invalid")
    assert status == 1
    assert output.startswith("Error: Cannot listen on no-such-host.invalid port 5000: ")


def test_a_base_path_for_an_application_is_a_usage_error() -> None:
    assert run("small:app", "--base-path", "/v1")[0] == 2


class Recorded:
    """Stand for Granian's server and remember how it was called."""

    made: dict[str, Any]
    served: dict[str, Any]

    def __init__(self, *_: Any, **options: Any) -> None:
        Recorded.made = options

    def on_startup(self, hook: Callable[[], Any]) -> None:
        hook()

    def serve(self, **options: Any) -> None:
        Recorded.served = options


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    monkeypatch.setattr("demijohn.cli.workers.Server", Recorded)
    monkeypatch.setattr("multiprocessing.set_start_method", lambda *_, **__: None)
    return Recorded


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_granian_is_set_up_to_survive(recorded: type[Recorded], host: str) -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    status, output = run("openapi.yaml", "--mock", "--strict", "--host", host, "--port", "0", "--workers", "2")
    port = recorded.made["port"]
    assert (status, output.partition(",")[0]) == (0, f"Serving Small at http://127.0.0.1:{port}/")
    assert recorded.made["address"] == host
    assert recorded.made["workers"] == 2
    assert recorded.made["respawn_failed_workers"]
    assert recorded.made["workers_kill_timeout"] == 10
    assert recorded.made["http"] == "1"
    assert not recorded.made["reload"]
    loader = recorded.served["target_loader"]
    assert (loader.func, loader.args) == (application, (Options("openapi.yaml", None, "mock", True), 4))


def test_an_ipv6_address_stands_in_brackets() -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    app = open_application(find("openapi.yaml"), Options("openapi.yaml", unbound="mock"))
    assert run_module._line(app, "::", 80).startswith("Serving Small at http://[::1]:80/")


def test_the_docs_are_named_only_where_they_are_served(
    recorded: type[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMIJOHN_DOCS_UI", "no")
    Path("openapi.yaml").write_text(CONTRACT)
    assert "docs" not in run("openapi.yaml", "--mock", "--port", "0")[1]


def test_reload_watches_code_and_contracts_only(recorded: type[Recorded], tmp_path: Path) -> None:
    Path("sub").mkdir()
    Path("sub/openapi.yaml").write_text(CONTRACT)
    run("sub/openapi.yaml", "--mock", "--port", "0", "--reload")
    assert recorded.made["reload_paths"] == (tmp_path, tmp_path / "sub")
    sees = recorded.made["reload_filter"]()
    assert sees(1, "/a/small.py")
    assert sees(1, "/a/openapi.yaml")
    assert not sees(1, "/a/data.sqlite")
    assert not sees(1, "/a/__pycache__/small.py")


def test_a_free_port_is_found() -> None:
    address, port = claim("localhost", 0)
    assert port > 0
    assert address in ("127.0.0.1", "::1")
