"""A server that is stopped, told to reload, or loses a worker, while clients ask."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TypeAlias

import pytest
from load import load
from prometheus_client.parser import text_string_to_metric_families
from running import Running
from served import is_refused

ROOT = Path(__file__).parents[2]
CONTRACT = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
paths:
  /quick:
    get:
      operationId: small.quick
      responses: &fine {"200": {description: fine, content: {application/json: {}}}}
  /slow: {get: {operationId: small.slow, responses: *fine}}
  /pid: {get: {operationId: small.pid, responses: *fine}}
"""
FUNCTIONS = """\
import os, time

def quick():
    return {"version": 1}

def slow():
    time.sleep(1.5)
    return {"version": 1}

def pid():
    return os.getpid()
"""
APP = """\
from flask import Flask
from demijohn import Demijohn

def create_app():
    app = Flask("small", root_path=".")
    Demijohn(app).add_contract("openapi.yaml")
    return app
"""


Serve: TypeAlias = Callable[..., tuple[Running, int, str]]
"""Start `demijohn run`; return the server, its port, and where it is operated."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    (tmp_path / "openapi.yaml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "small.py").write_text(FUNCTIONS, encoding="utf-8")
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    servers: list[Running] = []

    def run(*command: str, **variables: str) -> Running:
        servers.append(Running(tmp_path, [*command], **variables))
        return servers[-1]

    yield run
    for server in servers:
        server.kill()


@pytest.fixture
def serve(start: Callable[..., Running]) -> Serve:
    """Return what starts `demijohn run`, and tells its port and where it is operated."""

    def run(*options: str, **variables: str) -> tuple[Running, int, str]:
        variables = {"DEMIJOHN_OPERATING_ADDRESS": "127.0.0.1:0", **variables}
        server = start("demijohn", "run", "openapi.yaml", "--port", "0", *options, **variables)
        found = server.wait_for(r"http://127\.0\.0\.1:(\d+)/.*operating at (http://127\.0\.0\.1:\d+)")
        port = int(found[1])
        ask(f"http://127.0.0.1:{port}/quick")
        return server, port, found[2]

    return run


def ask(url: str) -> tuple[int, str]:
    """Answer a GET as soon as somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def counted(operated: str) -> dict[tuple[str, str], float]:
    """Return how many requests were counted, by operation and status."""
    families = {family.name: family for family in text_string_to_metric_families(ask(f"{operated}/metrics")[1])}
    samples = families["demijohn_requests"].samples
    return {(one.labels["operation"], one.labels["status"]): one.value for one in samples}


def test_the_operating_address_has_what_the_public_one_has_not(serve: Serve) -> None:
    server, port, operated = serve("--workers", "2")
    for path in ("/live", "/ready", "/metrics"):
        assert ask(f"{operated}{path}")[0] == 200
        assert ask(f"http://127.0.0.1:{port}{path}")[0] == 404
    assert ask(f"{operated}/quick")[0] == 404
    assert "demijohn_workers 2.0" in ask(f"{operated}/metrics")[1]
    assert server.stop() == 0


def test_stopping_ends_what_was_begun_refuses_what_is_new_and_exits_with_0(
    serve: Serve,
) -> None:
    server, port, operated = serve()
    begun: list[tuple[int, str]] = []
    slow = threading.Thread(target=lambda: begun.append(ask(f"http://127.0.0.1:{port}/slow")))
    slow.start()
    time.sleep(0.5)  # it has to be in its handler, which nobody can see from here
    server.process.send_signal(signal.SIGTERM)
    refused_by = time.monotonic() + 1
    while not is_refused(port):
        assert time.monotonic() < refused_by, "connections are still taken"
    status, body = ask(f"{operated}/ready")
    assert (status, "Not ready" in body) == (503, True)
    assert ask(f"{operated}/live")[0] == 200
    slow.join()
    assert begun == [(200, '{"version":1}')]
    assert server.process.wait(5) == 0  # and not only when the grace is over


def test_reloading_fails_no_request(serve: Serve, tmp_path: Path) -> None:
    server, port, operated = serve("--workers", "1")
    before = ask(f"http://127.0.0.1:{port}/pid")
    with load(port, "/quick") as clients:
        clients.wait_for_more(100)
        (tmp_path / "small.py").write_text(FUNCTIONS.replace('"version": 1', '"version": 2'), encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while ask(f"http://127.0.0.1:{port}/pid") == before or b'{"version":1}' in clients.bodies:
            if b'{"version":2}' in clients.bodies:
                count = clients.bodies[b'{"version":1}']
                clients.wait_for_more(200)
                if clients.bodies[b'{"version":1}'] == count:
                    break
            assert time.monotonic() < deadline
    assert clients.failures == []
    # What the worker counted that is gone is counted still.
    assert counted(operated)["small.quick", "200"] == clients.answered + 1
    assert server.stop() == 0


def test_an_application_that_would_not_start_is_not_loaded(serve: Serve, tmp_path: Path) -> None:
    server, port, _ = serve(DEMIJOHN_LOG_FORMAT="json")
    before = ask(f"http://127.0.0.1:{port}/pid")
    (tmp_path / "small.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("Not reloaded: the application would not start")
    assert ask(f"http://127.0.0.1:{port}/pid") == before
    assert "nothing_of_this_name" in server.told()
    assert server.stop() == 0


def test_a_worker_that_is_killed_is_replaced_and_fails_only_what_it_had(
    serve: Serve,
) -> None:
    server, port, operated = serve("--workers", "1")
    pid = int(ask(f"http://127.0.0.1:{port}/pid")[1])
    for _ in range(10):
        ask(f"http://127.0.0.1:{port}/quick")
    os.kill(pid, signal.SIGKILL)
    # Nobody listens but the socket itself: this one waits in it for the next worker.
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/pid")
    assert int(connection.getresponse().read()) != pid
    connection.close()
    assert counted(operated)["small.quick", "200"] == 11
    assert server.stop() == 0


def test_every_line_is_json_and_no_secret_is_in_any_line_or_in_the_process_list(
    serve: Serve,
) -> None:
    secrets = {"SECRET_KEY": "kV7wQ0mJ4sT9xK2pL6rN8bC3dF5gZ1yA", "DEMIJOHN_METRICS_TOKEN": "a token for Prometheus"}
    server, port, operated = serve("--workers", "2", DEMIJOHN_LOG_FORMAT="json", DEMIJOHN_ACCESS_LOG="1", **secrets)
    assert ask(f"{operated}/metrics")[0] == 401
    with load(port, "/quick") as clients:
        clients.wait_for_more(300)
    os.kill(int(ask(f"http://127.0.0.1:{port}/pid")[1]), signal.SIGKILL)
    server.wait_for("Unexpected exit")
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.told().splitlines()]
    requests = [line for line in lines if line["logger"] == "demijohn.access" and line["operation"] == "small.quick"]
    # Of the worker that was killed the last moment is missing.
    assert clients.answered * 0.3 < len(requests) <= clients.answered + 1
    assert {line["logger"] for line in lines} >= {"demijohn", "demijohn.access", "_granian"}
    assert not [secret for secret in secrets.values() if secret in server.told() + processes]


def test_a_metrics_folder_of_ones_own_outlives_the_server(serve: Serve, tmp_path: Path) -> None:
    for times in (1, 2):
        server, _, operated = serve(DEMIJOHN_METRICS_FOLDER=str(tmp_path / "counts"))
        assert counted(operated)["small.quick", "200"] == times
        assert server.stop() == 0


def test_an_operating_address_that_is_taken_is_an_error(start: Callable[..., Running]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(
            *("demijohn", "run", "openapi.yaml", "--port", "0"), DEMIJOHN_OPERATING_ADDRESS=f"127.0.0.1:{port}"
        )
        assert server.process.wait(60) == 1
    assert server.told().startswith(f"Error: Cannot listen on 127.0.0.1 port {port}: Address already in use.")


def test_under_gunicorn_stopping_and_reloading_fail_no_request(start: Callable[..., Running], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "counts"
    server = start(
        *("gunicorn", "--config", str(ROOT / "deploy" / "gunicorn.conf.py"), "app:create_app()"),
        BIND=f"127.0.0.1:{port}",
        DEMIJOHN_LOG_FORMAT="json",
        DEMIJOHN_ACCESS_LOG="1",
        DEMIJOHN_METRICS_TOKEN="a token for Prometheus",
        DEMIJOHN_METRICS_FOLDER=str(folder),
    )
    before = int(ask(f"http://127.0.0.1:{port}/pid")[1])
    with load(port, "/quick") as clients:
        clients.wait_for_more(100)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(rf"Worker exiting \(pid: {before}\)")
        clients.wait_for_more(100)
    assert clients.failures == []
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Authorization": "Bearer a token for Prometheus"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    assert f'demijohn_requests_total{{method="GET",operation="small.quick",status="200"}} {clients.answered}.0' in text
    begun: list[tuple[int, str]] = []
    slow = threading.Thread(target=lambda: begun.append(ask(f"http://127.0.0.1:{port}/slow")))
    slow.start()
    time.sleep(0.5)  # it has to be in its handler, which nobody can see from here
    assert server.stop() == 0
    slow.join()
    assert begun == [(200, '{"version":1}')]
    lines = [json.loads(line) for line in server.told().splitlines()]
    loggers = {line["logger"] for line in lines}
    assert {"gunicorn.error", "demijohn.access"} <= loggers
    assert "gunicorn.access" not in loggers
    assert sum(line.get("operation") == "small.quick" for line in lines) == clients.answered
