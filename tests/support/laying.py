"""Lay a contract on models without a server: what the tests of models, bindings, shapes and proofs start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any

from sqlalchemy import create_engine

from demijohn.contract import Contract, Place, load
from demijohn.resources.dialects.dialect import DatabaseName, Dialect
from demijohn.resources.dialects.mariadb import Mariadb
from demijohn.resources.dialects.postgresql import Postgresql
from demijohn.resources.dialects.sqlite import Sqlite
from demijohn.resources.models import Models, read_models
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import shapes_of
from demijohn.resources.view import Embedded, View
from demijohn.settings import Settings

__all__ = ["Laid", "lay", "tree"]

_DIALECTS: dict[DatabaseName, Callable[[], Dialect]] = {
    "sqlite": lambda: Sqlite(create_engine("sqlite://").dialect),
    "postgresql": lambda: Postgresql(create_engine("postgresql+psycopg://").dialect),
    "mariadb": lambda: Mariadb(create_engine("mariadb+pymysql://").dialect),
}


@dataclass
class Laid:
    """Hold what became of a contract; findings are `line: found; allowed`, operations are `GET /people`."""

    contract: Contract
    models: Models
    dialect: Dialect
    found: Mapping[Place, Shape | str | None]
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def of(self, operation: str) -> Shape | str | None:
        """Return what an operation is."""
        method, path = operation.split()
        (place,) = [one.place for one in self.contract.operations if (one.method, one.path) == (method, path)]
        return self.found[place]

    def shape(self, operation: str) -> Shape:
        """Return the shape of an operation that is one."""
        shape = self.of(operation)
        assert isinstance(shape, Shape), (shape, self.problems)
        return shape

    def reason(self, operation: str) -> str:
        """Return why an operation is nothing on a model."""
        reason = self.of(operation)
        assert isinstance(reason, str), reason
        return reason


def lay(text: str, *things: Any, database: DatabaseName = "sqlite", settings: Settings | None = None) -> Laid:
    """Load a contract (YAML; without `openapi` and `info`) and lay it on models."""
    text = dedent(text)
    if not text.lstrip().startswith(("openapi", "swagger")):
        text = "openapi: 3.1.0\ninfo: {title: Test, version: '1'}\n" + text.lstrip("\n")
    with TemporaryDirectory() as folder:
        path = Path(folder, "openapi.yaml")
        path.write_text(text, encoding="utf-8")
        contract = load(path).contract
    models = read_models(things)
    laid = Laid(contract, models, _DIALECTS[database](), {})

    def taking(into: list[str]) -> Any:
        return lambda place, found, allowed: into.append(f"{contract.line(place)}: {found}; {allowed}")

    report, warn = taking(laid.problems), taking(laid.warnings)
    laid.found = shapes_of(contract, models, laid.dialect, settings or Settings(), report, warn)
    return laid


def tree(view: View | None) -> list[Any]:
    """Return the names in a view; of what is embedded `(name, members)`, with a `?` where it is on request."""
    assert view is not None
    return [
        (f"{one.name}?" if one.on_request else one.name, tree(one.view)) if isinstance(one, Embedded) else one.name
        for one in view.members
    ]
