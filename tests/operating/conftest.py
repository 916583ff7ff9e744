"""A small application that is watched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from flask.logging import default_handler
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from demijohn import Demijohn, Problem, Settings

CONTRACT = """\
openapi: 3.1.0
info: {title: Watched, version: "1"}
paths:
  /things/{id}:
    get:
      operationId: read
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: &fine {"200": {description: fine, content: {application/json: {}}}}
    delete:
      operationId: fail
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: *fine
  /mine:
    get:
      operationId: mine
      security: [{token: []}]
      responses: *fine
  /stream:
    get:
      operationId: stream
      responses: {"200": {description: fine, content: {text/plain: {}}}}
components:
  securitySchemes:
    token: {type: http, scheme: bearer, x-bearerInfoFunc: watched_hooks.check}
"""
TOKEN = "a token for Prometheus"


def read(id: int) -> dict[str, int]:
    if id == 404:
        raise Problem("There is no such thing.", status=404)
    return {"id": id}


def fail(id: int) -> dict[str, int]:
    raise RuntimeError("connection to postgresql://ann:hunter2@db/x failed")


def mine(user: str) -> dict[str, str]:
    logging.getLogger("mine").warning("in the middle of it")
    return {"user": user}


def stream() -> Response:
    return Response((text for text in ("one", "two")), mimetype="text/plain")


class _Client(FlaskClient):
    """Take each answer to its end, as servers do."""

    def open(self, *arguments: Any, buffered: bool = True, **named: Any) -> TestResponse:
        return super().open(*arguments, buffered=buffered, **named)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Let logging be as it was when the test is over."""
    root = logging.getLogger()
    handlers, level, filters = root.handlers[:], root.level, default_handler.filters[:]
    formatters = [(handler, handler.formatter) for handler in handlers]
    yield
    root.handlers[:], default_handler.filters[:] = handlers, filters
    root.setLevel(level)
    for handler, formatter in formatters:
        handler.setFormatter(formatter)
    logging.captureWarnings(False)


@pytest.fixture
def watched(tmp_path: Path, module: Callable[..., None], logging_as_before: None) -> Callable[..., FlaskClient]:
    """Return what makes a client of the application with settings; `before(app)` may change it first."""
    module("watched_hooks", check=lambda token: {"sub": token})

    def make(
        before: Callable[[Flask], Any] = lambda app: None,
        contract: str = CONTRACT,
        models: Sequence[type] = (),
        **settings: Any,
    ) -> FlaskClient:
        (tmp_path / "openapi.yaml").write_text(contract, encoding="utf-8")
        app = Flask("watched", root_path=str(tmp_path))
        before(app)
        functions: dict[str, Callable[..., Any]] = {"read": read, "fail": fail, "mine": mine, "stream": stream}
        api = Demijohn(app, settings=Settings(**settings))
        for model in models:
            api.resource(model)
        api.add_contract("openapi.yaml", resolver=functions.get)
        app.test_client_class = _Client
        return app.test_client()

    return make
