"""Conditions, orders and writes that each database says in its own way, and connections that are made ready."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam, select

from demijohn.errors import StartError
from demijohn.resources.dialects import dialect_for
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.statement import compile_statement

Run = Callable[..., list[tuple[Any, ...]]]

metadata = sa.MetaData()
word = sa.Table(
    "word",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String(50)),
    sa.Column("number", sa.Integer, unique=True),
)
WORDS = (
    "apple",
    "Apple",
    "50%",
    "50 percent",
    "a_b",
    "axb",
    "back\\slash",
    "[x]",
    "a*b",
    "what?",
    "line\nbreak",
    "école",
    None,
)


@pytest.fixture
def words(engine: sa.Engine) -> sa.Engine:
    """Fill a table with words."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(word.insert(), [{"id": i, "text": text} for i, text in enumerate(WORDS, 1)])
    return engine


@pytest.mark.parametrize(
    ("pattern", "ignore_case", "expected"),
    [
        ("%apple%", False, ["apple"]),
        ("%apple%", True, ["apple", "Apple"]),
        ("%APP%", True, ["apple", "Apple"]),
        ("%APP%", False, []),
        ("App%", False, ["Apple"]),
        ("50\\%", False, ["50%"]),
        ("50\\%", True, ["50%"]),
        ("50%", False, ["50%", "50 percent"]),
        ("a\\_b", False, ["a_b"]),
        ("a\\_b", True, ["a_b"]),
        ("a_b", False, ["a_b", "axb", "a*b"]),
        ("%\\\\%", False, ["back\\slash"]),
        ("%\\\\%", True, ["back\\slash"]),
        ("%[x]%", False, ["[x]"]),
        ("%[x]%", True, ["[x]"]),
        ("%*%", False, ["a*b"]),
        ("%?", False, ["what?"]),
        ("line%break", False, ["line\nbreak"]),
        ("%é%", False, ["école"]),
        ("%", False, [one for one in WORDS if one is not None]),
    ],
)
def test_patterns_mean_the_same_everywhere(
    pattern: str, ignore_case: bool, expected: list[str], words: sa.Engine, dialect: Dialect, run: Run
) -> None:
    condition = dialect.like(word.c.text, bindparam("p", type_=sa.String()), ignore_case=ignore_case)
    found = [text for (text,) in run(select(word.c.text).where(condition).order_by(word.c.id), {"p": pattern})]
    assert found == expected


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_letters_beyond_ascii_have_cases_too(words: sa.Engine, dialect: Dialect, run: Run) -> None:
    condition = dialect.like(word.c.text, bindparam("p", type_=sa.String()), ignore_case=True)
    assert run(select(word.c.text).where(condition), {"p": "ÉCOLE"}) == [("école",)]


@pytest.mark.parametrize("database", ["sqlite"])
def test_like_of_the_application_itself_is_left_as_it_is(words: sa.Engine) -> None:
    with words.connect() as connection:
        assert connection.execute(select(word.c.text).where(word.c.text.like("APPLE"))).scalars().all() == [
            "apple",
            "Apple",
        ]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls", ["first", "last"])
def test_nulls_stand_where_they_are_wanted(
    descending: bool, nulls: Any, engine: sa.Engine, dialect: Dialect, run: Run
) -> None:
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(word.insert(), [{"id": i, "number": n} for i, n in enumerate([2, None, 1, 3], 1)])
    terms = dialect.ordered(word.c.number, descending=descending, nulls=nulls)
    found = [number for (number,) in run(select(word.c.number).order_by(*terms))]
    numbers: list[int | None] = [3, 2, 1] if descending else [1, 2, 3]
    assert found == ([None, *numbers] if nulls == "first" else [*numbers, None])


def test_without_nulls_an_order_is_plain(offline: Dialect) -> None:
    for descending in (False, True):
        terms = offline.ordered(word.c.number, descending=descending, nulls=None)
        assert " ".join(map(str, terms)) == f"word.number {'DESC' if descending else 'ASC'}"


def test_texts_are_sorted_by_code_point(words: sa.Engine, dialect: Dialect, run: Run) -> None:
    texts = sorted(one for one in WORDS if one is not None)
    terms = dialect.ordered(word.c.text, descending=False, nulls=None)
    statement = select(word.c.text).where(word.c.text.is_not(None)).order_by(*terms)
    assert [text for (text,) in run(statement)] == texts


def test_a_row_that_is_there_is_left_alone_or_changed(engine: sa.Engine, dialect: Dialect, run: Run) -> None:
    metadata.create_all(engine)
    binds = {"id": bindparam("i"), "text": bindparam("t", type_=sa.String()), "number": bindparam("n")}
    insert: Any = dialect.insert(word).values(binds).inline()
    keep = dialect.upsert(insert, [word.c.id], [])
    change = dialect.upsert(insert, [word.c.id], [word.c.text])
    run(keep, {"i": 1, "t": "one", "n": 1})
    run(keep, {"i": 1, "t": "two", "n": 2})
    everything = select(word.c.id, word.c.text, word.c.number)
    assert run(everything) == [(1, "one", 1)]
    run(change, {"i": 1, "t": "three", "n": 3})
    run(change, {"i": 2, "t": "four", "n": 4})
    assert run(everything.order_by(word.c.id)) == [(1, "three", 1), (2, "four", 4)]


def test_everything_is_compiled_before_the_database_is_reached(offline: Dialect) -> None:
    codec = offline.codec(sa.Uuid(), {"type": "string"}, frozenset(("string",)), "uuid")
    made = sa.Table("made", sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True), sa.Column("text", sa.Text))
    key = bindparam("key", type_=codec.type)
    for statement in (
        select(offline.text(offline.object([]))).where(made.c.id == key),
        offline.insert(made).values(id=key).inline().returning(codec.json(made.c.id)),
        sa.delete(made).where(made.c.id == key).returning(made.c.id),
    ):
        compiled = compile_statement(statement, offline.sql)
        assert compiled.order == ("key",)
        assert compiled.sql.count("?" if offline.name == "sqlite" else "%s") == 1


def test_an_address_may_say_mysql() -> None:
    dialect = dialect_for(sa.create_engine("mysql+pymysql://"))
    assert dialect.name == "mariadb"
    assert compile_statement(sa.delete(word).returning(word.c.id), dialect.sql).sql.endswith("RETURNING word.id")


def test_a_database_that_nobody_knows_is_refused() -> None:
    engine = sa.create_engine("sqlite://")
    engine.dialect.name = "oracle"
    with pytest.raises(StartError, match="oracle"):
        dialect_for(engine)


def test_times_of_the_database_are_utc(engine: sa.Engine, dialect: Dialect) -> None:
    now = {"sqlite": "datetime('now')", "postgresql": "localtimestamp", "mariadb": "now()"}[dialect.name]
    for _ in range(2):  # in a transaction that is rolled back, and after it
        with engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {now}").scalar()
        moment = dt.datetime.fromisoformat(found) if isinstance(found, str) else found
        assert isinstance(moment, dt.datetime)
        assert abs(moment.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


@pytest.mark.parametrize("database", ["sqlite"])
def test_sqlite_is_made_ready(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        pragmas = ("busy_timeout", "journal_mode", "synchronous", "foreign_keys", "temp_store")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert found == [5000, "wal", 2, 1, 2]


@pytest.mark.parametrize("database", ["mariadb"])
def test_mariadb_is_made_ready(database_url: str) -> None:
    latin = sa.create_engine(database_url, connect_args={"charset": "latin1", "sql_mode": "ANSI_QUOTES"})
    dialect = dialect_for(latin)
    dialect.set_up(latin)
    with latin.connect() as connection:
        query = "SELECT @@character_set_client, @@character_set_results, @@sql_mode, @@group_concat_max_len"
        client, results, mode, longest = connection.exec_driver_sql(query).one()
        assert connection.exec_driver_sql("SELECT 'naïve 😀'").scalar() == "naïve 😀"
    latin.dispose()
    assert (client, results) == ("utf8mb4", "utf8mb4")
    assert {"ANSI_QUOTES", "STRICT_ALL_TABLES"} <= set(mode.split(","))
    assert longest >= 2**30
