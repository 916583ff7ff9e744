"""What is in the arrays of a column: JSON on every database, and PostgreSQL's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql

from demijohn.resources.dialects.dialect import Dialect

Run = Callable[..., list[tuple[Any, ...]]]

metadata = sa.MetaData()
shelf = sa.Table(
    "shelf",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("items", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
    sa.Column("plain", sa.JSON()),
)
ROWS: list[Any] = [
    ["Ann", "Bob"],
    ["ann lee"],
    ["Ännchen", 'a "quoted" one', "back\\slash", "50%"],
    [],
    [7, 71, True, None, ["Ann"], {"Ann": "Ann"}],
    "Ann",
    {"Ann": "Ann"},
    None,
]


@pytest.fixture
def shelves(engine: sa.Engine) -> sa.Engine:
    """Fill a table with documents, most of which are arrays; one is JSON's null."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(shelf.insert(), [{"id": i, "items": one, "plain": one} for i, one in enumerate(ROWS, 1)])
        connection.execute(shelf.insert().values(id=9, items=sa.null(), plain=sa.null()))
    return engine


@pytest.mark.parametrize("column", ["items", "plain"])
@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("Ann", [1]),
        ("ann", []),
        ("An", []),
        ("ann lee", [2]),
        ("Ännchen", [3]),
        ("ännchen", []),
        ('a "quoted" one', [3]),
        ("back\\slash", [3]),
        ("50_", []),
        (7, [5]),
        (1, []),
        ("7", []),
    ],
)
def test_an_array_has_an_item_or_not(
    column: str, item: Any, expected: list[int], shelves: sa.Engine, dialect: Dialect, run: Run
) -> None:
    kinds = frozenset(("array",))
    codec = dialect.codec(shelf.c[column].type, {"type": "array"}, kinds, None)
    condition = dialect.has_item(shelf.c[column], bindparam("item", type_=codec.type))
    found = run(select(shelf.c.id).where(condition).order_by(shelf.c.id), {"item": codec.decode([item])})
    assert [one for (one,) in found] == expected


@pytest.mark.parametrize("column", ["items", "plain"])
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%ANN%", [1, 2]),
        ("%nnc%", [3]),
        ('%quoted" one', [3]),
        ("%k\\\\s%", [3]),
        ("50\\%", [3]),
        ("50\\_", []),
        ("%,%", []),
        ("%[%", []),
        ("%", [1, 2, 3]),
    ],
)
def test_an_item_is_like_a_pattern_or_not(
    column: str, pattern: str, expected: list[int], shelves: sa.Engine, dialect: Dialect, run: Run
) -> None:
    condition = dialect.like_item(shelf.c[column], bindparam("pattern", type_=sa.String()))
    # An array of other things matches on some databases where everything does.
    wanted = select(shelf.c.id).where(condition, shelf.c.id != 5).order_by(shelf.c.id)
    assert [one for (one,) in run(wanted, {"pattern": pattern})] == expected


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_letters_beyond_ascii_have_cases_in_arrays_too(shelves: sa.Engine, dialect: Dialect, run: Run) -> None:
    condition = dialect.like_item(shelf.c["items"], bindparam("pattern", type_=sa.String()))
    assert run(select(shelf.c.id).where(condition), {"pattern": "ÄNN%"}) == [(3,)]


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("pattern", ["%REAL%", "real%", "%treal", "%éal%", '%"%'])
def test_an_item_is_found_however_its_json_is_written(
    pattern: str, engine: sa.Engine, dialect: Dialect, run: Run
) -> None:
    written = sa.Table("written", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.JSON))
    written.metadata.create_all(engine)
    texts = [r'["\u0072eal"]', r'["Mont\u0072\u0065al"]', r'["r\u00c9al"]', r'["say \"so\""]', '["none"]']
    with engine.begin() as connection:
        for text in texts:
            connection.exec_driver_sql("INSERT INTO written (a) VALUES (?)", (text,))
    expected = {"%REAL%": [1, 2], "real%": [1], "%treal": [2], "%éal%": [3], '%"%': [4]}[pattern]
    condition = dialect.like_item(written.c.a, bindparam("pattern", type_=sa.String()))
    found = run(select(written.c.id).where(condition).order_by(written.c.id), {"pattern": pattern})
    assert [one for (one,) in found] == expected


@pytest.mark.parametrize("database", ["postgresql"])
def test_arrays_of_postgresql_are_looked_into(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    own = sa.Table(
        "own",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("names", postgresql.ARRAY(sa.String(40))),
        sa.Column("numbers", postgresql.ARRAY(sa.Integer)),
    )
    own.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            own.insert(), [{"id": 1, "names": ["Ann", None], "numbers": [1]}, {"id": 2, "names": [], "numbers": None}]
        )
    for column, items, expected in (("names", ["Ann"], [(1,)]), ("names", ["ann"], []), ("numbers", [1], [(1,)])):
        condition = dialect.has_item(own.c[column], bindparam("items", type_=own.c[column].type))
        assert run(select(own.c.id).where(condition), {"items": items}) == expected
    condition = dialect.like_item(own.c.names, bindparam("pattern", type_=sa.String()))
    assert run(select(own.c.id).where(condition), {"pattern": "%NN%"}) == [(1,)]
