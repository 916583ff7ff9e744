"""Let the tests import the application from its folder, installed or not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def folder() -> Path:
    """Give the folder that `demijohn run` takes."""
    return FOLDER


@pytest.fixture
def create_app() -> Iterator[Callable[..., Flask]]:
    """Give the application's factory; what it made is closed at the end of the test."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    factory: Callable[..., Flask] = importlib.import_module("people").create_app
    apps: list[Flask] = []

    def create(database_url: str | None = None) -> Flask:
        apps.append(factory(database_url))
        return apps[-1]

    yield create
    for app in apps:
        app.extensions["people"].reader.dispose()
