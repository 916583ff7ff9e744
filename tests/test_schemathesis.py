"""Schemathesis against running servers: every check is on, and none fails.

The contracts are served with mock answers. A mock knows neither callers nor what was deleted, so they have no
security and no DELETE; everything else of them is as contracts are.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = 200
SEED = 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(target: Path, *options: str, cwd: Path) -> Iterator[str]:
    """Serve a target as a user would; end the server by its process id."""
    port = free_port()
    command = [sys.executable, "-m", "demijohn", "run", str(target), "--port", str(port), *options]
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{cwd}/data.sqlite"}
    server = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=20)
    assert server.returncode == 0, log.decode()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)


def run_schemathesis(address: str, base_path: str, cwd: Path, examples: int) -> None:
    """Run every phase and every check; fail with the whole report."""
    schema = f"{address}{base_path}/openapi.json"
    wait_for(schema)
    command = [str(Path(sys.executable).parent / "st"), "run", schema, "--url", f"{address}{base_path}"]
    options = ["--checks", "all", "--max-examples", str(examples), "--seed", str(SEED), "--no-color"]
    done = subprocess.run([*command, *options], cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


@pytest.mark.parametrize(
    ("name", "base_path"), [("shop.yaml", "/shop"), ("survey.yaml", "/v1"), ("legacy.yaml", "/old")]
)
def test_a_mocked_contract_has_no_fault(tmp_path: Path, name: str, base_path: str) -> None:
    with served(HERE / "mocked" / name, "--mock", cwd=tmp_path) as address:
        run_schemathesis(address, base_path, tmp_path, EXAMPLES)


def test_a_real_contract_has_no_fault(shared: Path, tmp_path: Path) -> None:
    contract = shared / "contracts" / "apis-guru__axesso.de.json"
    with served(contract, "--mock", cwd=tmp_path) as address:
        run_schemathesis(address, "", tmp_path, EXAMPLES)


def test_the_people_example_has_no_fault(tmp_path: Path) -> None:
    people = shutil.copytree(
        HERE.parent / "examples" / "people", tmp_path / "people", ignore=shutil.ignore_patterns("instance")
    )
    with served(people, cwd=tmp_path) as address:
        run_schemathesis(address, "/api", tmp_path, EXAMPLES)
