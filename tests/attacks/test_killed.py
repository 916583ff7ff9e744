"""Attack case G8, its end: what was answered under a key is known to a server that was killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import databases
import pytest
from databases import Kind
from served import create_tables, wait_for
from target import Target


class Killable:
    """Run the Directory so that it can be killed and started again."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.url = folder, database_url

    def start(self) -> Target:
        command = [sys.executable, "-m", "demijohn", "run", str(self.folder / "directory"), "--port", "0"]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"DATABASE_URL": self.url, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if line.startswith("Serving"))
        target = Target("http://127.0.0.1:" + line.partition("127.0.0.1:")[2].partition("/")[0])
        wait_for(f"{target.address}/api/people")
        return target

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def killable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Killable]:
    kind: Kind = request.param
    folder = Path(__file__).parents[2] / "examples" / "directory"
    shutil.copytree(folder, tmp_path / "directory", ignore=shutil.ignore_patterns("instance"))
    made = Killable(tmp_path, databases.url(kind, tmp_path))
    create_tables(tmp_path / "directory", made.url)
    yield made
    made.kill()
    databases.empty(kind)


def test_g8_the_answer_survives_a_server_that_is_killed(killable: Killable) -> None:
    target = killable.start()
    body: Any = {"name": "killed", "email": "killed@example.org"}
    first = target.ask("POST", "/api/people", body, Idempotency_Key="g8-killed")
    assert first.status == 201
    killable.kill()
    target = killable.start()
    again = target.ask("POST", "/api/people", body, Idempotency_Key="g8-killed")
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, first.headers["location"])
    assert len(target.ask("GET", "/api/people").json) == 1
    other = target.ask("POST", "/api/people", body | {"name": "other"}, Idempotency_Key="g8-killed")
    assert other.status in (409, 422)
