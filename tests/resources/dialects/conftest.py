"""A database of each kind as Demijohn sees it: its dialect, and what runs a statement as a request does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pytest
from databases import Kind
from sqlalchemy import Engine, Executable, create_engine

from demijohn.resources.dialects import dialect_for
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.statement import compile_statement

Run: TypeAlias = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine whose connections the dialect has made ready."""
    made = create_engine(database_url)
    dialect_for(made).set_up(made)
    yield made
    made.dispose()


@pytest.fixture
def dialect(engine: Engine) -> Dialect:
    """Return the dialect, made before anything is connected."""
    return dialect_for(engine)


_ADDRESSES = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://", "mariadb": "mariadb+pymysql://"}


@pytest.fixture
def offline(database: Kind) -> Dialect:
    """Return the dialect of a database that nobody has reached, as it is when an application starts."""
    return dialect_for(create_engine(_ADDRESSES[database]))


@pytest.fixture
def run(engine: Engine, dialect: Dialect) -> Run:
    """Return what compiles a statement once and runs it on the driver's own cursor, in a transaction of its own."""

    def make(statement: Executable, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        compiled = compile_statement(statement, dialect.sql)
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(compiled.sql, compiled.bind(values or {}))
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            cursor.close()
            connection.commit()
            return rows
        finally:
            connection.close()

    return make
