"""A running Directory and a running blog, on SQLite and on PostgreSQL, that have to be well after every attack."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from databases import Kind
from served import create_tables, served, wait_for
from served_blog import Blog, serve_blog
from target import Target

DIRECTORY = Path(__file__).parents[2] / "examples" / "directory"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Return the Directory as `demijohn run` serves it, with two people and an address in it."""
    kind: Kind = request.param
    folder = tmp_path_factory.mktemp("attacked")
    directory = shutil.copytree(DIRECTORY, folder / "directory", ignore=shutil.ignore_patterns("instance"))
    url = databases.url(kind, folder)
    try:
        create_tables(directory, url)
        with served(directory, cwd=folder, DATABASE_URL=url) as address:
            wait_for(f"{address}/api/people")
            target = Target(address)
            for name in ("ann", "bob"):
                assert target.ask("POST", "/api/people", {"name": name, "email": f"{name}@example.org"}).status == 201
            elm = {"street": "12 Elm Street", "city": "Springfield", "postcode": "62701", "country": "US"}
            assert target.ask("POST", "/api/people/1/addresses", elm).status == 201
            yield target
    finally:
        databases.empty(kind)


@pytest.fixture
def target(running: Target) -> Iterator[Target]:
    """Return the running Directory; it answers within a second afterwards."""
    yield running
    running.is_well()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running_blog(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blog]:
    """Return the blog as `demijohn run --workers 2` serves it; a module's `SETTINGS` are those of Demijohn."""
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    with serve_blog(request.param, tmp_path_factory.mktemp("blog"), **settings) as running:
        yield running


@pytest.fixture(name="blog")
def attacked_blog(running_blog: Blog) -> Iterator[Blog]:
    """Return the running blog as a client with an address of its own sees it; it answers within a second afterwards."""
    yield running_blog.elsewhere()
    running_blog.is_well()
