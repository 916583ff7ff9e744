"""The models are compared with the database as it is, on each of the three."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Enum,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    create_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from demijohn.auth.tables import metadata as accounts
from demijohn.limits.database import metadata as limits
from demijohn.resources import idempotency
from demijohn.resources.live import Difference, check_live
from demijohn.resources.models import read_models

UPGRADE = (
    "`demijohn db migrate TARGET -m ...` writes what changed, and `demijohn db upgrade TARGET` brings the database to"
    " the models"
)
NONE = Difference((), ())
TYPES: list[Any] = [
    *(BigInteger, SmallInteger, Boolean, Date, DateTime, DateTime(timezone=True), Float, LargeBinary),
    *(Numeric(10, 2), String(20), Text, Time, Uuid, JSON, Enum("a", "b", name="letters")),
]


def table(*columns: Any, name: str = "thing") -> Table:
    return Table(name, MetaData(), Column("id", Integer, primary_key=True), *columns)


def compare(engine: Engine, stored: Table | None, *declared: Table) -> Difference:
    """Make one table, and compare the database with others."""
    if stored is not None:
        stored.metadata.create_all(engine)
    return check_live(engine, read_models(declared).all)


def test_what_was_made_from_the_models_does_not_differ(engine: Engine) -> None:
    every = table(
        *(Column(f"c{index}", kind) for index, kind in enumerate(TYPES)),
        Column("code", String(5), unique=True, nullable=False),
        Column("part", Integer, index=True),
        UniqueConstraint("part", "code"),
    )
    assert compare(engine, every, every) == NONE


def test_a_table_that_is_missing_is_a_problem(engine: Engine) -> None:
    assert compare(engine, None, table()).problems == (
        "the database has no table `thing`; `demijohn db create TARGET` makes it, or `demijohn db upgrade TARGET` "
        "where there are migrations",
    )


def test_a_table_of_no_model_is_looked_for_too(engine: Engine) -> None:
    kept = table(name="kept")
    (problem,) = check_live(engine, [], [kept]).problems
    assert problem.startswith("the database has no table `kept`; ")
    kept.create(engine)
    assert check_live(engine, [], [kept]) == NONE


@pytest.mark.parametrize(
    "metadata", [accounts, idempotency.metadata, limits], ids=["accounts", "idempotency", "limits"]
)
def test_our_own_tables_do_not_differ_once_they_are_made(engine: Engine, metadata: MetaData) -> None:
    tables = metadata.sorted_tables
    assert len(check_live(engine, [], tables).problems) == len(tables)
    metadata.create_all(engine)
    assert check_live(engine, [], tables) == NONE
    metadata.drop_all(engine)


def test_a_table_between_two_models_is_looked_for_too(engine: Engine) -> None:
    class Base(DeclarativeBase): ...

    between = Table(
        "between",
        Base.metadata,
        Column("one_id", ForeignKey("one.id"), primary_key=True),
        Column("other_id", ForeignKey("one.id"), primary_key=True),
    )

    class One(Base):
        __tablename__ = "one"
        id: Mapped[int] = mapped_column(primary_key=True)
        others: Mapped[list[One]] = relationship(
            secondary=between,
            primaryjoin=lambda: One.id == between.c.one_id,
            secondaryjoin=lambda: One.id == between.c.other_id,
        )

    One.__table__.create(engine)  # type: ignore[attr-defined]  # it is a Table
    (problem,) = check_live(engine, read_models([Base]).all).problems
    assert problem.startswith("the database has no table `between`")


def test_a_column_that_is_missing_is_a_problem(engine: Engine) -> None:
    found = compare(engine, table(), table(Column("name", String(9), unique=True)))
    assert found == Difference((f"the table `thing` has no column `name`; {UPGRADE}",), ())


@pytest.mark.parametrize(("stored", "declared"), [(Text, Integer), (Integer, DateTime), (Date, LargeBinary)])
def test_a_column_of_another_kind_is_a_problem(engine: Engine, stored: Any, declared: Any) -> None:
    found = compare(engine, table(Column("a", stored)), table(Column("a", declared)))
    (problem,) = found.problems
    assert problem.startswith("`thing.a` is ")
    assert f" in the database and {declared().compile(dialect=engine.dialect)} in the model" in problem


@pytest.mark.parametrize(
    ("stored", "declared"), [(BigInteger, Integer), (Numeric(8, 2), Float), (Text, String(100)), (String(9), Text)]
)
def test_a_type_of_the_same_kind_does_not_differ(engine: Engine, stored: Any, declared: Any) -> None:
    assert compare(engine, table(Column("a", stored)), table(Column("a", declared))) == NONE


def test_shorter_texts_are_a_warning(engine: Engine) -> None:
    found = compare(engine, table(Column("a", String(50))), table(Column("a", String(60))))
    assert found == Difference((), (f"`thing.a` takes 50 characters in the database and 60 in the model; {UPGRADE}",))


def test_null_on_one_side_only_is_a_warning(engine: Engine) -> None:
    stored = table(Column("a", Integer), Column("b", Integer, nullable=False))
    declared = table(Column("a", Integer, nullable=False), Column("b", Integer))
    assert compare(engine, stored, declared) == Difference(
        (),
        (
            f"`thing.a` may be NULL in the database and not in the model; {UPGRADE}",
            f"`thing.b` must not be NULL in the database and may be in the model; {UPGRADE}",
        ),
    )


def test_uniqueness_that_nothing_keeps_is_a_warning(engine: Engine) -> None:
    columns = [("a", Integer), ("b", Integer), ("c", Integer)]
    stored = table(*(Column(*one) for one in columns), UniqueConstraint("c"))
    declared = table(
        *(Column(*one) for one in columns),
        UniqueConstraint("a", "b"),
        UniqueConstraint("c"),
        UniqueConstraint("b", "c"),
    )
    assert compare(engine, stored, declared).warnings == (
        f"nothing in the database keeps `a`, `b` of `thing` unique; {UPGRADE}",
    )


def test_a_column_that_only_the_database_knows_and_demands_is_a_warning(engine: Engine) -> None:
    stored = table(
        Column("a", Integer, nullable=False),
        Column("b", Integer),
        Column("c", Integer, nullable=False, server_default="1"),
    )
    assert compare(engine, stored, table()).warnings == (
        "`thing.a` must be there and has no default, and the models do not know it; "
        "add it to the model, or give it a default",
    )


def test_a_database_that_is_away_is_a_problem_without_its_password(tmp_path: Any) -> None:
    away = create_engine(f"postgresql+psycopg://user:secret@/db?host={tmp_path}")
    (problem,) = compare(away, None, table()).problems
    assert problem.startswith("the database postgresql+psycopg://user:***@/db?host=")
    assert "secret" not in problem
