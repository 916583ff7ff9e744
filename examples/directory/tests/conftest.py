"""Let the tests import the application from its folder, installed or not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def create_app() -> Callable[..., Flask]:
    """Give the application's factory."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    factory: Callable[..., Flask] = importlib.import_module("directory").create_app
    return factory


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Give the file of an empty database."""
    return tmp_path / "directory.sqlite"


@pytest.fixture
def client(create_app: Callable[..., Flask], database: Path) -> FlaskClient:
    """Give a client of an application without anybody in it."""
    return create_app(f"sqlite:///{database}").test_client()
