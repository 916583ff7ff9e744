"""Several processes: whoever writes is read by everybody, at once, wherever the next request goes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
from databases import DATABASES, Kind
from flask import Flask
from flask.testing import FlaskClient
from served import served, wait_for
from small_apis import INTEGER, STRING, contract, crud, obj, whole
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, Settings
from demijohn.resources.database import create_tables


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))


SHORT = STRING | {"maxLength": 20}
APP = """\
from flask import Flask
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))


def create_app():
    app = Flask(__name__)
    api = Demijohn(app)
    api.resource(Base)
    api.add_contract("openapi.json")
    return app
"""


@pytest.fixture(params=DATABASES)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, FlaskClient]]:
    """Return a server with two workers, and the application in this process, on one database."""
    kind: Kind = request.param
    paths = crud("/books", "Book")
    for one in paths.values():
        one["get"]["x-cache"] = 60
    schemas = {"Book": whole(id=INTEGER, title=SHORT), "NewBook": whole(title=SHORT), "BookUpdate": obj(title=SHORT)}
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "openapi.json").write_text(json.dumps(contract(paths, schemas)))
    (folder / "app.py").write_text(APP)
    url = databases.url(kind, tmp_path)
    app = Flask("shelf", root_path=str(folder))
    api = Demijohn(app, settings=Settings(database_url=url))
    api.resource(Base)
    api.add_contract("openapi.json")
    bindings = app.extensions["demijohn"].resources
    try:
        create_tables(bindings.database.engine, bindings.metadatas)
        with served(folder, "--workers", "2", cwd=tmp_path, DATABASE_URL=url) as address:
            wait_for(f"{address}/books")
            yield address, app.test_client()
    finally:
        bindings.database.close()
        databases.empty(kind)


def ask(address: str, method: str = "GET", body: Any = None) -> tuple[str, Any]:
    """Send a request on a connection of its own, to any of the workers; return what the cache did, and the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers.get("Cache-Status", ""), json.loads(response.read())


def test_every_worker_reads_what_any_has_written(places: tuple[str, FlaskClient]) -> None:
    address, here = places
    assert ask(f"{address}/books", "POST", {"title": "0"})[1] == {"id": 1, "title": "0"}
    hits = 0
    for number in range(1, 25):
        expected = {"id": 1, "title": str(number)}
        if number % 2:
            assert ask(f"{address}/books/1", "PATCH", {"title": str(number)})[1] == expected
        else:
            assert here.patch("/books/1", json={"title": str(number)}).get_json() == expected
        assert here.get("/books").get_json() == [expected]
        for turn in range(8):
            status, books = ask(f"{address}/books")
            assert books == [expected], (number, turn)
            hits += "hit" in status
    assert hits > 24 * 3
