"""A small application on a database of each kind, from a contract and models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from resource_support import Serve
from sqlalchemy import Engine, MetaData, create_engine, insert, text

from demijohn import Demijohn, Settings
from demijohn.resources.database import create_tables


@pytest.fixture
def plain(database_url: str) -> Iterator[Engine]:
    """Return an engine that knows nothing of Demijohn, for what a test puts into the database or looks up there."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


# Rows that bring their own key do not advance the sequence behind it.
SEQUENCES = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT table_name AS t, column_name AS c FROM information_schema.columns
    WHERE table_schema = 'public' AND column_default LIKE 'nextval%'
  LOOP
    EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 0) + 1, false) FROM %I',
      quote_ident(one.t), one.c, one.c, one.t);
  END LOOP;
END $$"""


@pytest.fixture
def serve(database_url: str, plain: Engine, tmp_path: Path) -> Iterator[Serve]:
    """Return what serves a small contract on models; its connections are closed afterwards."""
    made: list[Flask] = []

    def make(
        contract: dict[str, Any] | str,
        base: Any,
        *,
        rows: Sequence[tuple[Any, list[dict[str, Any]]]] = (),
        resources: Sequence[Any] | None = None,
        app: Flask | None = None,
        prepare: Callable[[Demijohn], object] | None = None,
        **settings: Any,
    ) -> FlaskClient:
        name, content = (
            ("openapi.yaml", contract) if isinstance(contract, str) else ("openapi.json", json.dumps(contract))
        )
        (tmp_path / name).write_text(content, encoding="utf-8")
        app = app or Flask("small", root_path=str(tmp_path))
        made.append(app)
        api = Demijohn(app, settings=Settings(database_url=database_url, **settings))
        if prepare is not None:
            prepare(api)
        else:
            for resource in [base] if resources is None else resources:
                api.resource(resource)
        api.add_contract(tmp_path / name)
        metadata: MetaData = base if isinstance(base, MetaData) else base.metadata
        create_tables(plain, dict.fromkeys([metadata, *app.extensions["demijohn"].resources.metadatas]))
        with plain.begin() as connection:
            for table, values in rows:
                connection.execute(insert(table), values)
            if plain.dialect.name == "postgresql":
                connection.execute(text(SEQUENCES))
        return app.test_client()

    yield make
    for app in made:
        if "demijohn" in app.extensions:
            app.extensions["demijohn"].resources.database.close()
