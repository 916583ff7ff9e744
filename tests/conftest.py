"""What tests share: small applications from a contract and functions, and the contracts that others wrote."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from outside import skip_or_fail

from demijohn import Demijohn, Settings
from demijohn.resources import versions

SHARED = Path(__file__).parents[2] / "shared"

# The servers that tests start, hundreds of them, would compile every module anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture
def shared() -> Path:
    """Return the folder of real contracts and data beside the project; skip without it."""
    if not SHARED.is_dir():
        skip_or_fail("the folder `shared` with real contracts is not beside the project")
    return SHARED


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., None]:
    """Return what writes files, by their path below the contract's folder."""

    def write(**texts: str) -> None:
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes a module with the given attributes importable for one test."""

    def make(name: str, **attributes: Any) -> None:
        made = ModuleType(name)
        for key, value in attributes.items():
            setattr(made, key, value)
        monkeypatch.setitem(sys.modules, name, made)

    return make


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FlaskClient]:
    """Return what builds a client of a small application.

    `build(contract, read=function, ...)` serves a contract (a dict, or YAML text) with functions by
    operationId; `settings`, `base_path` and `app` may be given; `resolve=False` looks operationIds up as usual.
    """
    monkeypatch.setattr(sys, "path", [*sys.path])

    def make(
        contract: dict[str, Any] | str,
        *,
        settings: Settings | None = None,
        base_path: str | None = None,
        app: Flask | None = None,
        resolve: bool = True,
        **functions: Callable[..., Any],
    ) -> FlaskClient:
        name, text = ("openapi.yaml", contract) if isinstance(contract, str) else ("openapi.json", json.dumps(contract))
        (tmp_path / name).write_text(text, encoding="utf-8")
        app = app or Flask("small", root_path=str(tmp_path))
        api = Demijohn(app, settings=settings or Settings())
        api.add_contract(tmp_path / name, base_path=base_path, resolver=functions.get if resolve else None)
        return app.test_client()

    return make


@pytest.fixture(scope="module")  # only one may run in a process
def browser() -> Iterator[Any]:
    """Return a real Chromium that talks to nobody by itself."""
    chromium = shutil.which("chromium")
    if chromium is None:
        skip_or_fail("chromium is not installed")
    from playwright.sync_api import sync_playwright

    quiet = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
    more = ("disable-component-update", "disable-sync")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=[f"--{flag}" for flag in (*quiet, *more)])
        yield browser
        browser.close()


SLOW = (
    "test_blog_schemathesis",
    "test_directory_schemathesis",
    "test_library_schemathesis",
    "test_schemathesis",
    "test_killed",
    "test_server_killed",
    "test_faults",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes: each of two processes gets one half, in order, and helps the other."""
    slow = [item for item in items if item.path.stem in SLOW]
    rest = [item for item in items if item.path.stem not in SLOW]
    middle = len(rest) // 2
    items[:] = [*slow[::2], *rest[:middle], *slow[1::2], *rest[middle:]]


@pytest.fixture(autouse=True)
def nobody_watches_yet() -> None:
    """Forget what tests before have watched: their databases had the same addresses, and other tables."""
    versions._by_place.clear()
