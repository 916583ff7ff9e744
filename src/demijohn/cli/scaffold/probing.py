"""Try what was drafted: what a client gets that has nothing yet and is nobody."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flask import Flask
from flask.testing import FlaskClient

from demijohn.cli.scaffold.draft import Draft
from demijohn.compile.samples import Samples
from demijohn.compile.validators import Validators
from demijohn.resources.outlines import json_content
from demijohn.resources.shape import Shape

__all__ = ["Probe", "probe"]

_MOST = 25  # of each kind: tests that say the same of everything say nothing


@dataclass(frozen=True, slots=True)
class Probe:
    """Hold a request and what came of it: a list, something created, or 401."""

    kind: Literal["list", "created", "closed"]
    method: str
    path: str
    body: Any = None


def probe(draft: Draft, package: str, folder: Path, database: Path) -> list[Probe]:
    """Start the application that stands in `folder`, and return what the requests without a path parameter bring.

    Raises `StartError` where it does not start.
    """
    with _imported(package, folder) as app_of, _quiet():
        app: Flask = app_of(f"sqlite:///{database}")
        found = list(_try_all(draft, app.test_client()))
        resources = app.extensions["demijohn"].resources
        if resources is not None:
            resources.database.engine.dispose()
    return [one for kind in ("list", "created", "closed") for one in [p for p in found if p.kind == kind][:_MOST]]


def _try_all(draft: Draft, client: FlaskClient) -> Iterator[Probe]:
    samples = Samples(draft.contract.definitions, Validators(draft.contract.definitions))
    base = draft.contract.base_path
    for shape in draft.served:
        operation = shape.operation
        path = base + operation.path
        if "{" in path or any(one.required for one in operation.parameters):
            continue
        body = _sample(shape, samples)
        answer = client.open(path, method=operation.method, json=body) if body is not None else None
        if shape.act == "list":
            answer = client.get(path)
        if answer is None:
            continue
        if answer.status_code == 401:
            yield Probe("closed", operation.method, path)
        elif shape.act == "list" and answer.status_code == 200:
            yield Probe("list", "GET", path)
        elif shape.act == "create" and answer.status_code in (200, 201, 204) and _is_there(client, answer.headers):
            yield Probe("created", "POST", path, body)


def _is_there(client: FlaskClient, headers: Any) -> bool:
    return "Location" not in headers or client.get(headers["Location"]).status_code == 200


def _sample(shape: Shape, samples: Samples) -> Any:
    # What refers to others needs them to be there first.
    is_free = shape.act == "create" and not shape.model.table.foreign_keys
    content = json_content(shape.operation.body) if is_free else None
    return None if content is None or content.schema is None else samples.sample(content.schema, "request")


@contextmanager
def _imported(package: str, folder: Path) -> Iterator[Any]:
    """Import a package from a folder that will not stay, and forget it again."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    was_written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield importlib.import_module(package).create_app
    finally:
        sys.dont_write_bytecode = was_written
        sys.path.remove(str(folder))
        for name in [one for one in sys.modules if one == package or one.startswith(f"{package}.")]:
            del sys.modules[name]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the application would log to itself: what is not written yet is told in the README."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
