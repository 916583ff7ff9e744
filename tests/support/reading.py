"""Reading actions on a real database, without a server: a contract and models in, answers out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import DeclarativeBase

from demijohn import Settings
from demijohn.compile import Resource, compile_contract
from demijohn.compile.answers import Answer
from demijohn.compile.plan import Act
from demijohn.compile.routes import Routes
from demijohn.contract import Contract, Operation, load
from demijohn.contract.model import Place
from demijohn.resources.database import Database, open_database
from demijohn.resources.lists import List
from demijohn.resources.models import read_models
from demijohn.resources.reads import Read
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import shapes_of
from demijohn.serve.operation import run
from demijohn.serve.request import Request

__all__ = ["KEY", "Reading", "Replied", "open_reading"]

KEY = b"k" * 32
"""What the cursors of tests are signed with."""


@dataclass(frozen=True)
class Replied:
    """Be an answer, as a client sees it."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """Return the value of the body."""
        return json.loads(self.text)

    @property
    def links(self) -> dict[str, str]:
        """Return the addresses of the `Link` header by relation."""
        pairs = re.findall(r'<([^>]*)>; rel="(\w+)"(?:, |$)', self.headers.get("Link", ""))
        return {relation: address for address, relation in pairs}


@dataclass(frozen=True)
class Reading:
    """Answer requests for what a contract says of models."""

    database: Database
    routes: Routes
    shapes: Mapping[Place, Shape]
    acts: Mapping[str, Act]

    def get(self, target: str, mount: str = "", **headers: str) -> Replied:
        """Answer a GET; a problem is raised. `prefer="count=exact"` is a header."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": mount,
            "PATH_INFO": path,
            "RAW_URI": mount + target,
            "QUERY_STRING": query,
        }
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        request = Request(environ)
        match = self.routes.match(request.path)
        assert match is not None, f"nothing is served at {path}"
        answer = run(match.resource.plans["GET"], match, request, 1000)
        assert isinstance(answer, Answer)
        replied = {name: str(value) for name, value in answer.headers}
        return Replied(answer.status, answer.body.decode(), replied)

    def follow(self, address: str) -> Replied:
        """Answer a GET to an address that a link gave."""
        return self.get(address)

    def walk(self, target: str, relation: str = "next", most: int = 1000) -> list[Any]:
        """Return the items of a list page by page, as links lead on."""
        pages = []
        answer = self.get(target)
        while True:
            items = answer.json
            pages.append(items if isinstance(items, list) else items["items"])
            assert len(pages) <= most, "the walk does not end"
            if relation not in answer.links:
                return pages
            answer = self.get(answer.links[relation])

    def plan(self, sql: str, values: tuple[Any, ...]) -> str:
        """Return how the database would run a statement."""
        prefix = "EXPLAIN QUERY PLAN " if self.database.dialect.name == "sqlite" else "EXPLAIN "
        with self.database.engine.connect() as connection:
            rows = connection.exec_driver_sql(prefix + sql, values).all()
        return "\n".join(" ".join(map(str, row)) for row in rows)


@contextmanager
def open_reading(
    contract: str,
    base: type[DeclarativeBase],
    url: str,
    folder: Path,
    fill: Callable[[Connection], None] = lambda _: None,
    **settings: Any,
) -> Iterator[Reading]:
    """Make the tables of `base`, fill them with `fill(connection)`, and serve a contract (YAML text) on them."""
    database = open_database(url, Settings(**settings))
    try:
        base.metadata.create_all(database.engine)
        with database.engine.begin() as connection:
            fill(connection)
        yield _reading(contract, base, database, folder, Settings(**settings))
    finally:
        database.close()


def _reading(contract: str, base: type[DeclarativeBase], database: Database, folder: Path, chosen: Settings) -> Reading:
    file = folder / "openapi.yaml"
    file.write_text(contract, encoding="utf-8")
    loaded = load(file, chosen).contract
    told: list[str] = []

    def report(place: Place, found: str, allowed: str) -> None:
        told.append(f"{place.pointer}: {found}; {allowed}")

    found = shapes_of(loaded, read_models([base]), database.dialect, chosen, report, lambda *_: None)
    shapes = {place: shape for place, shape in found.items() if isinstance(shape, Shape)}
    told += [one for one in found.values() if isinstance(one, str)]
    assert not told
    acts: dict[str, Act] = {}

    def find_acts(_: Contract, prefix: str, report: Any, operations: Sequence[Operation]) -> dict[Place, Act]:
        for one in operations:
            shape = shapes[one.place]
            made: Act = List(shape, database, chosen, KEY) if shape.act == "list" else Read(shape, database)
            acts[f"{one.method} {one.path}"] = made
        return {one.place: acts[f"{one.method} {one.path}"] for one in operations}

    resources: tuple[Resource, ...] = compile_contract(loaded, chosen, resolver=lambda _: None, find_acts=find_acts)
    return Reading(database, Routes(resources), shapes, acts)
