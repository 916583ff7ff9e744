"""A running Directory and a running site, on SQLite and on PostgreSQL, that have to be well after every attack."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from attacked_apps import BLOG, LIBRARY, Application
from databases import Kind
from served import create_tables, served, wait_for
from served_site import Server, Site, serve_site
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


# Every case on both databases. Of the library, one of them is behind Gunicorn: what a server does to a request has
# nothing to do with the database.
SITES: dict[str, tuple[Application, Kind, Server]] = {
    "blog-sqlite": (BLOG, "sqlite", "granian"),
    "blog-postgresql": (BLOG, "postgresql", "granian"),
    "library-sqlite": (LIBRARY, "sqlite", "granian"),
    "library-postgresql-gunicorn": (LIBRARY, "postgresql", "gunicorn"),
}


@pytest.fixture(scope="module", params=SITES)
def running_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return an application as it is served on two workers.

    A module's `SETTINGS` are those of Demijohn; where it has `HAS_FAULTS`, there may be traces in the log.
    """
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    has_faults: bool = getattr(request.module, "HAS_FAULTS", False)
    folder = tmp_path_factory.mktemp("site")
    with serve_site(*SITES[request.param], folder, settings, has_faults=has_faults) as running:
        yield running


@pytest.fixture(name="site")
def attacked_site(running_site: Site) -> Iterator[Site]:
    """Return the running application as a client with an address of its own sees it; it answers within a second
    afterwards."""
    yield running_site.elsewhere()
    running_site.is_well()
