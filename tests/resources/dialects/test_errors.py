"""Rules that real tables have, and real databases that are away: what is made of the errors of the drivers."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import databases
import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from demijohn.resources.dialects import dialect_for
from demijohn.resources.dialects.dialect import Dialect, Violation

metadata = sa.MetaData()
country = sa.Table("country", metadata, sa.Column("code", sa.String(2), primary_key=True))
person = sa.Table(
    "person",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("email", sa.String(50), unique=True),
    sa.Column("first", sa.String(50)),
    sa.Column("Last Name", sa.String(50)),
    sa.Column("age", sa.Integer),
    sa.Column("code", sa.String(2), sa.ForeignKey("country.code", name="person_country")),
    sa.Column("boss_id", sa.Integer, sa.ForeignKey("person.id", name="person_boss")),
    sa.UniqueConstraint("first", "Last Name", name="full_name"),
    sa.CheckConstraint("age >= 0", name="age_not_negative"),
)


@pytest.fixture
def tables(engine: sa.Engine) -> sa.Engine:
    """Make the tables with a country and a person who is her own boss."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(country.insert().values(code="DE"))
        row = {"id": 1, "name": "Ann", "email": "a@example.org", "first": "Ann", "Last Name": "Lee"}
        connection.execute(person.insert().values(row | {"age": 5, "code": "DE", "boss_id": 1}))
    return engine


def error_of(engine: sa.Engine, statement: Any, *, raw: bool = True) -> Exception:
    """Return the error of a statement: the driver's own, or SQLAlchemy's around it."""
    with pytest.raises(exc.DBAPIError) as caught, engine.begin() as connection:
        connection.execute(sa.text(statement) if isinstance(statement, str) else statement)
    error = caught.value.orig if raw else caught.value
    assert isinstance(error, Exception)
    return error


def insert(**values: Any) -> Any:
    """Return an INSERT of a person."""
    return person.insert().values({"id": 2, "name": "Bob"} | values)


def test_a_primary_key_that_is_there(tables: sa.Engine, dialect: Dialect) -> None:
    found = dialect.violation(error_of(tables, insert(id=1)))
    assert found is not None
    assert found.kind == "unique"
    if dialect.name != "mariadb":  # which calls it PRIMARY
        assert (found.table, found.columns) == ("person", ("id",))


def test_a_unique_column(tables: sa.Engine, dialect: Dialect) -> None:
    for raw in (True, False):
        found = dialect.violation(error_of(tables, insert(email="a@example.org"), raw=raw))
        assert found is not None
        assert (found.kind, found.columns) == ("unique", ("email",))
        assert found.table in ("person", None)


def test_several_columns_that_are_unique_together(tables: sa.Engine, dialect: Dialect) -> None:
    found = dialect.violation(error_of(tables, insert(first="Ann", **{"Last Name": "Lee"})))
    assert found is not None
    assert found.kind == "unique"
    assert found.columns == ("first", "Last Name") or found.constraint == "full_name"


def test_a_unique_index_over_an_expression(tables: sa.Engine, dialect: Dialect) -> None:
    if dialect.name == "mariadb":
        return  # it has none
    with tables.begin() as connection:
        connection.execute(sa.text("CREATE UNIQUE INDEX small_email ON person (lower(email))"))
    found = dialect.violation(error_of(tables, insert(email="A@example.org")))
    assert found is not None
    assert (found.kind, found.columns, found.constraint) == ("unique", (), "small_email")


def test_a_partial_unique_index(tables: sa.Engine, dialect: Dialect) -> None:
    if dialect.name == "mariadb":
        return  # it has none
    with tables.begin() as connection:
        connection.execute(sa.text("CREATE UNIQUE INDEX one_name ON person (name) WHERE age > 1"))
    found = dialect.violation(error_of(tables, insert(name="Ann", age=7)))
    assert found is not None
    assert (found.kind, found.columns) == ("unique", ("name",))


def test_a_value_with_quotes_and_brackets_does_not_confuse(tables: sa.Engine, dialect: Dialect) -> None:
    odd = "x') for key 'y' (a)=(b), `c`.`d`"
    with tables.begin() as connection:
        connection.execute(insert(email=odd))
    found = dialect.violation(error_of(tables, insert(id=3, email=odd)))
    assert found is not None
    assert (found.kind, found.columns) == ("unique", ("email",))


def test_a_check(tables: sa.Engine, dialect: Dialect) -> None:
    found = dialect.violation(error_of(tables, insert(age=-1)))
    assert found is not None
    assert (found.kind, found.constraint) == ("check", "age_not_negative")


@pytest.mark.parametrize("statement", [insert(name=None), "INSERT INTO person (id) VALUES (7)"])
def test_a_column_that_must_have_a_value(statement: Any, tables: sa.Engine, dialect: Dialect) -> None:
    found = dialect.violation(error_of(tables, statement))
    assert found is not None
    assert (found.kind, found.columns) == ("not-null", ("name",))


def test_a_reference_to_what_is_not_there(tables: sa.Engine, dialect: Dialect) -> None:
    for statement in (insert(code="FR"), person.update().values(code="FR")):
        found = dialect.violation(error_of(tables, statement))
        if dialect.name == "sqlite":  # which tells nothing
            assert found == Violation("foreign-key")
        else:
            assert found == Violation("foreign-key", "person", ("code",), "person_country")


def test_a_row_that_others_refer_to(tables: sa.Engine, dialect: Dialect) -> None:
    statements = [country.delete()]
    if dialect.name != "mariadb":  # where the side of the new value is looked at first
        statements.append(country.update().values(code="XX"))  # type: ignore[arg-type]  # a list of both
    for statement in statements:
        found = dialect.violation(error_of(tables, statement))
        if dialect.name == "sqlite":
            assert found == Violation("foreign-key")
        else:
            assert found == Violation("in-use", "person", (), "person_country")


def test_both_sides_of_a_table_that_refers_to_itself(tables: sa.Engine, dialect: Dialect) -> None:
    with tables.begin() as connection:
        connection.execute(insert(boss_id=1))
    missing = dialect.violation(error_of(tables, insert(id=3, boss_id=99)))
    in_use = dialect.violation(error_of(tables, person.delete().where(person.c.id == 1)))
    if dialect.name == "sqlite":
        assert missing == in_use == Violation("foreign-key")
    else:
        assert missing == Violation("foreign-key", "person", ("boss_id",), "person_boss")
        assert in_use == Violation("in-use", "person", (), "person_boss")


@pytest.mark.parametrize("database", ["postgresql"])
def test_a_restricted_row(tables: sa.Engine, dialect: Dialect) -> None:
    with tables.begin() as connection:
        connection.execute(sa.text("CREATE TABLE town (code varchar(2) REFERENCES country (code) ON DELETE RESTRICT)"))
        connection.execute(sa.text("UPDATE person SET code = NULL"))
        connection.execute(sa.text("INSERT INTO town VALUES ('DE')"))
    found = dialect.violation(error_of(tables, country.delete()))
    assert found is not None
    assert (found.kind, found.table) == ("in-use", "town")


def test_the_side_of_a_reference_is_told_in_every_language() -> None:
    from demijohn.resources.dialects.postgresql import _is_in_use

    missing = [
        'insert or update on table "person" violates foreign key constraint "person_country"',
        "Einfügen oder Aktualisieren in Tabelle »person« verletzt Fremdschlüssel-Constraint »person_country«",
        "une instruction insert ou update sur la table « person » viole la contrainte de clé « person_country »",
    ]
    in_use = [
        'update or delete on table "country" violates foreign key constraint "person_country" on table "person"',
        "Aktualisieren oder Löschen in Tabelle »country« verletzt Fremdschlüssel-Constraint »person_country« von"
        " Tabelle »person«",
        "UPDATE ou DELETE sur la table « country » viole la contrainte « person_country » de la table « person »",
    ]
    assert not any(_is_in_use(message, "person", "person_country") for message in missing)
    assert all(_is_in_use(message, "person", "person_country") for message in in_use)


def test_other_errors_are_about_no_rule(tables: sa.Engine, dialect: Dialect) -> None:
    for statement in ("SELECT nothing FROM nowhere", "this is not SQL"):
        error = error_of(tables, statement)
        assert dialect.violation(error) is None
        assert not dialect.is_transient(error)
        assert not dialect.is_unavailable(error)
    for other in (ValueError("UNIQUE constraint failed: a.b"), exc.InvalidRequestError()):
        assert dialect.violation(other) is None
        assert not dialect.is_transient(other)
        assert not dialect.is_unavailable(other)


def test_a_pool_without_a_free_connection_is_unavailable(offline: Dialect) -> None:
    assert offline.is_unavailable(exc.TimeoutError())


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_deadlock_is_transient(tables: sa.Engine, dialect: Dialect) -> None:
    with tables.begin() as connection:
        connection.execute(insert())
    errors: list[Exception] = []
    met = threading.Barrier(2, timeout=20)

    def change(first: int, second: int) -> None:
        try:
            with tables.begin() as connection:
                connection.execute(person.update().where(person.c.id == first).values(age=9))
                met.wait()
                connection.execute(person.update().where(person.c.id == second).values(age=9))
        except exc.DBAPIError as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (error,) = errors
    assert dialect.is_transient(error)
    assert dialect.violation(error) is None


@pytest.mark.parametrize("database", ["postgresql"])
def test_a_failed_serialization_is_transient(tables: sa.Engine, dialect: Dialect) -> None:
    engine = tables.execution_options(isolation_level="SERIALIZABLE")
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            connection.execute(sa.select(sa.func.sum(person.c.age))).all()
        one.execute(person.update().values(age=1))
        one.commit()
        with pytest.raises(exc.DBAPIError) as caught:
            other.execute(person.update().values(age=2))
        other.rollback()
    assert dialect.is_transient(caught.value)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_locked_file_is_transient(tables: sa.Engine, dialect: Dialect) -> None:
    one = tables.raw_connection()
    one.cursor().execute("BEGIN IMMEDIATE")
    other = sqlite3.connect(str(tables.url.database), timeout=0)
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("BEGIN IMMEDIATE")
    other.close()
    one.rollback()
    one.close()
    assert dialect.is_transient(caught.value)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_file_that_cannot_be_used_is_unavailable(tables: sa.Engine, dialect: Dialect, tmp_path: Path) -> None:
    missing = sa.create_engine(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with pytest.raises(exc.OperationalError) as caught:
        missing.connect()
    assert dialect.is_unavailable(caught.value)
    read_only = sqlite3.connect(f"file:{tables.url.database}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as denied:
        read_only.execute("DELETE FROM person")
    read_only.close()
    assert dialect.is_unavailable(denied.value)
    small = sqlite3.connect(tmp_path / "small.db")
    small.execute("CREATE TABLE a (b)")
    small.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as full:
        small.execute("INSERT INTO a VALUES (zeroblob(100000))")
    small.close()
    assert dialect.is_unavailable(full.value)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_statement_that_takes_too_long_is_unavailable(engine: sa.Engine, dialect: Dialect) -> None:
    limit, slow = {
        "postgresql": ("SET statement_timeout = 100", "SELECT pg_sleep(10)"),
        "mariadb": (
            "SET max_statement_time = 0.1",
            f"SELECT count(*) FROM {', '.join(f'information_schema.collations c{i}' for i in range(6))}",
        ),
    }[dialect.name]
    with engine.connect() as connection:
        connection.execute(sa.text(limit))
        with pytest.raises(exc.DBAPIError) as caught:
            connection.execute(sa.text(slow))
    assert dialect.is_unavailable(caught.value)
    assert not dialect.is_transient(caught.value)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_connection_that_is_cut_is_unavailable(engine: sa.Engine, dialect: Dialect) -> None:
    kill, own = {
        "postgresql": ("SELECT pg_terminate_backend({})", "SELECT pg_backend_pid()"),
        "mariadb": ("KILL {}", "SELECT connection_id()"),
    }[dialect.name]
    with engine.connect() as one, engine.connect() as other:
        number = one.execute(sa.text(own)).scalar()
        other.execute(sa.text(kill.format(number)))
        time.sleep(0.2)
        with pytest.raises(exc.DBAPIError) as caught:
            one.execute(sa.text("SELECT 1"))
        with suppress(exc.DBAPIError):
            one.rollback()
    assert dialect.is_unavailable(caught.value)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_server_that_is_stopped_is_unavailable(database: Any) -> None:
    server = databases.new_server(database)
    try:
        engine = sa.create_engine(server.url)
        dialect = dialect_for(engine)
        dialect.set_up(engine)
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
            server.stop()
            with pytest.raises(exc.DBAPIError) as cut:
                connection.execute(sa.text("SELECT 1"))
            with suppress(exc.DBAPIError):
                connection.rollback()
        engine.dispose()
        with pytest.raises(exc.DBAPIError) as refused:
            engine.connect()
        assert dialect.is_unavailable(cut.value)
        assert dialect.is_unavailable(refused.value)
        server.start()
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
        engine.dispose()
    finally:
        server.remove()
