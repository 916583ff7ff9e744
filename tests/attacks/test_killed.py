"""Attack case G8, its end: what was answered under a key is known to a server that was killed and started again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
from databases import Kind
from running import Running
from served import create_tables, wait_for
from target import Target


class Killable:
    """Run an example so that it can be killed and started again; `path` of it is there for everybody."""

    def __init__(self, folder: Path, name: str, path: str, database_url: str) -> None:
        self.folder, self.name, self.path, self.url = folder, name, path, database_url

    def start(self) -> Target:
        command = ["demijohn", "run", str(self.folder / self.name), "--port", "0"]
        self.running = Running(self.folder, command, DATABASE_URL=self.url)
        port = self.running.wait_for(r"Serving .* at http://127\.0\.0\.1:(\d+)")[1]
        target = Target(f"http://127.0.0.1:{port}")
        wait_for(target.address + self.path)
        return target

    def kill(self) -> None:
        self.running.kill()


@pytest.fixture(params=["sqlite", "postgresql"])
def killable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str, str], Killable]]:
    """Return what makes an example killable, by its name and a path."""
    kind: Kind = request.param
    made: list[Killable] = []

    def make(name: str, path: str) -> Killable:
        folder = Path(__file__).parents[2] / "examples" / name
        shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("instance"))
        made.append(Killable(tmp_path, name, path, databases.url(kind, tmp_path)))
        create_tables(tmp_path / name, made[0].url)
        return made[0]

    yield make
    for one in made:
        one.kill()
    databases.empty(kind)


def test_g8_the_answer_survives_a_server_that_is_killed(killable: Callable[[str, str], Killable]) -> None:
    directory = killable("directory", "/api/people")
    target = directory.start()
    body: Any = {"name": "killed", "email": "killed@example.org"}
    first = target.ask("POST", "/api/people", body, Idempotency_Key="g8-killed")
    assert first.status == 201
    directory.kill()
    target = directory.start()
    again = target.ask("POST", "/api/people", body, Idempotency_Key="g8-killed")
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, first.headers["location"])
    assert len(target.ask("GET", "/api/people").json) == 1
    other = target.ask("POST", "/api/people", body | {"name": "other"}, Idempotency_Key="g8-killed")
    assert other.status in (409, 422)


def test_g8_an_order_is_made_once_though_the_server_was_killed(killable: Callable[[str, str], Killable]) -> None:
    library = killable("library", "/books")
    target = library.start()
    reader = {"email": "reader@example.org", "password": "nine lives of a cat"}
    assert target.ask("POST", "/users/register", reader | {"username": "reader"}).status == 201
    token = target.ask("POST", "/users/login", reader).json["access_token"]
    named = {"Authorization": f"Bearer {token}", "Idempotency_Key": "g8-killed"}
    line = {"title": "Theogony", "authors": ["Hesiod"], "quantity": 1, "unit_price": "9.99"}
    first = target.ask("POST", "/orders", {"kind": "buy", "lines": [line]}, **named)
    assert first.status == 201
    library.kill()
    target = library.start()
    again = target.ask("POST", "/orders", {"kind": "buy", "lines": [line]}, **named)
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, first.headers["location"])
    assert target.ask("GET", "/orders", Authorization=named["Authorization"]).json["total"] == 1
    other = target.ask("POST", "/orders", {"kind": "sell", "lines": [line]}, **named)
    assert other.status in (409, 422)
