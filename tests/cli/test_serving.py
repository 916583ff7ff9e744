"""The door of a worker keeps the environment of the process out of each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cost
import pytest

from demijohn.cli.serving import application, without_environment
from demijohn.cli.target import Options

VARIABLES = {
    "SECRET": "s",
    "PATH": "/bin",
    "HTTP_PROXY": "http://proxy",
    "CONTENT_TYPE": "text/odd",
    "SERVER_NAME": "odd",
    "wsgi.version": "odd",
}


def seen(request: dict[str, Any]) -> dict[str, Any]:
    """Return what an application sees of a request that the server merged with the variables."""
    found: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found.update(environ)
        return []

    without_environment(app, VARIABLES)({**VARIABLES, **request}, lambda *_: None)
    return found


ALWAYS = {"SERVER_NAME": "127.0.0.1", "wsgi.version": (1, 0), "REQUEST_METHOD": "GET"}


def test_variables_are_taken_out_and_the_request_is_left() -> None:
    request = {**ALWAYS, "HTTP_ACCEPT": "*/*"}
    assert seen(request) == request


def test_a_header_that_is_named_like_a_variable_stays() -> None:
    request = {**ALWAYS, "HTTP_PROXY": "sent", "CONTENT_TYPE": "application/json"}
    assert seen(request) == request


DOOR = "door(dict(variables), print)"


def test_the_door_costs_little() -> None:
    setup = """
from demijohn.cli.serving import without_environment
variables = {f"NAME_{index}": "value" for index in range(40)}
door = without_environment(lambda environ, start_response: [], variables)
"""
    bare, whole = (cost.seconds(work, setup, number=2000, repeat=5) for work in ("dict(variables)", DOOR))
    assert whole - bare < 20e-6


def test_a_worker_without_an_application_says_why_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        application(Options("nowhere.yaml"), 4)
    assert "nowhere.yaml was not found" in capsys.readouterr().err
    Path("openapi.yaml").write_text("openapi: 3.1.0")
    with pytest.raises(SystemExit, match="1"):
        application(Options("openapi.yaml"), 4)
    assert "The contract is wrong" in capsys.readouterr().err
