"""`demijohn db` makes and changes the tables of an application, by itself and beside Flask-Migrate."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from databases import DATABASES, Kind
from people_app import write_app

from demijohn.cli import main

KEYED = """\
  /people:
    post:
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/New"}}}
      responses: {"201": {description: made}}
"""
SMALL = """\
openapi: 3.1.0
info: {title: People, version: "1"}
paths:
  /people/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: fine
          content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}
components:
  schemas:
    Person: {type: object, required: [id], properties: {id: {type: integer}}}
"""
# An operation that keeps its answers.
WITH_KEYS = (
    SMALL.replace("  /people/{id}:", KEYED + "  /people/{id}:")
    + "    New: {x-resource: Person, type: object, required: [name], properties: {name: {type: string}}}\n"
)
PLAIN = """\
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))

class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
"""
LATER = PLAIN.replace(
    "String(20))\n",
    "String(40))\n    nick: Mapped[str | None] = mapped_column(String(10), index=True)\n",
)
# More of everything, and nothing else.
MORE = (
    PLAIN.replace("ForeignKey, String", "CheckConstraint, ForeignKey, String, UniqueConstraint")
    .replace(
        "String(20))\n",
        "String(20))\n    nick: Mapped[str | None] = mapped_column(String(10), index=True)\n"
        "    tag_id: Mapped[int | None] = mapped_column(ForeignKey('tag.id', name='of_tag'))\n",
    )
    .replace(
        '"person"\n',
        '"person"\n    __table_args__ = (CheckConstraint("nick <> \'\'", name="nick_said"),'
        ' UniqueConstraint("tag_id", name="one_of_tag"))\n',
        1,
    )
    + """
class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(20), index=True)
"""
)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def engine(database: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """Return a plain engine on the database that the application has."""
    url = databases.url(database, tmp_path)
    monkeypatch.setenv("DATABASE_URL", url)
    made = sa.create_engine(url)
    yield made
    made.dispose()
    databases.empty(database)


def application(models: str = PLAIN, contract: str = SMALL) -> None:
    """Write the application, of which no other version is in memory."""
    write_app(Path(), models=models, contract=contract)
    for name in ("app", "models"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["db", *arguments], catch_exceptions=False)


def done(*arguments: str) -> list[str]:
    """Return what a command that succeeds prints."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def refused(*arguments: str) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    return [line for line in result.output.splitlines() if "WARNING" not in line]


def tables(engine: sa.Engine) -> list[str]:
    return sorted(sa.inspect(engine).get_table_names())


def revisions() -> list[str]:
    return sorted(path.name for path in Path("migrations/versions").glob("*.py"))


def fill(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO person (id, name) VALUES (1, 'Anna'), (2, 'Bert')"))
        connection.execute(sa.text("INSERT INTO note (id, person_id) VALUES (1, 1), (2, 2), (3, 2)"))


def count(engine: sa.Engine, table: str) -> Any:
    with engine.connect() as connection:
        return connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))


def test_create_makes_the_tables_once(engine: sa.Engine) -> None:
    application()
    assert done("create", ".") == ["Created person, note."]
    assert tables(engine) == ["note", "person"]
    assert done("create", ".") == ["All tables are there already."]
    assert done("check", ".") == ["There are no migrations; it is as the models describe it."]
    assert not Path("migrations").exists()


def test_all_types_of_columns_are_as_the_models_describe_them(engine: sa.Engine) -> None:
    write_app(Path())
    assert done("create", ".") == ["Created person, address, demijohn_idempotency."]
    assert done("check", ".") == ["There are no migrations; it is as the models describe it."]


def test_every_difference_is_told_in_plain_words(engine: sa.Engine, database: Kind) -> None:
    application()
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE person (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(10), age INTEGER)")
        )
        connection.execute(sa.text("CREATE TABLE other (id INTEGER NOT NULL PRIMARY KEY)"))
        connection.execute(sa.text("CREATE INDEX ix_age ON person (age)"))
    *lines, summary = refused("check", ".")
    assert set(lines) == {
        "note: the database has no such table",
        "other: no model describes this table",
        "person: no model describes the index ix_age (age)",
        "person.name: is VARCHAR(10) in the database, VARCHAR(20) in the model",
        "person.name: may be NULL in the database, may not in the model",
        "person.age: no model describes this column",
    }
    assert summary == "There are no migrations; 6 differences."


def test_migrations_take_a_database_forth_and_back(engine: sa.Engine, database: Kind) -> None:
    application()
    first, hint = done("migrate", ".", "-m", "make the tables")
    assert first.startswith("Wrote migrations/versions/")
    assert first.endswith("_make_the_tables.py.")
    assert hint == "Read it, then run `demijohn db upgrade .`."
    assert tables(engine) in ([], ["alembic_version"])
    revision = revisions()[0].partition("_")[0]
    assert done("upgrade", ".") == [f"  + {revision} (make the tables)", f"The database is at {revision}."]
    assert done("check", ".") == [f"The database is at {revision}; it is as the models describe it."]
    fill(engine)

    application(LATER)
    assert refused("check", ".")[-1] == f"The database is at {revision}; 3 differences."
    done("migrate", ".", "-m", "add a nick name")
    (added,) = (name.partition("_")[0] for name in revisions() if "nick" in name)
    lines = refused("check", ".")
    assert lines[0] == f"the migration {added} (add a nick name) has not been run: run `demijohn db upgrade .`"
    assert "person.nick: the database has no such column" in lines
    done("upgrade", ".")
    done("check", ".")
    assert done("migrate", ".", "-m", "nothing") == [
        "The models are as the migrations have them: there is nothing to write."
    ]
    assert (count(engine, "person"), count(engine, "note")) == (2, 3), "no row is lost with the table it refers to"
    assert done("downgrade", ".") == [f"  - {added} (add a nick name)", f"The database is at {revision}."]
    assert (count(engine, "person"), count(engine, "note")) == (2, 3)
    assert done("upgrade", ".", "+1")[0] == f"  + {added} (add a nick name)"
    assert done("downgrade", ".", "-2")[-1] == "The database is at no revision."
    assert tables(engine) == ["alembic_version"]
    assert done("upgrade", ".", revision)[-1] == f"The database is at {revision}."
    assert done("downgrade", ".", "base")[-1] == "The database is at no revision."


def test_create_marks_a_new_database_as_up_to_date(engine: sa.Engine, database: Kind) -> None:
    application()
    done("migrate", ".", "-m", "make the tables", "--directory", "elsewhere")
    (file,) = Path("elsewhere/versions").glob("*.py")
    revision = file.name.partition("_")[0]
    assert done("create", ".", "--directory", "elsewhere") == [
        "Created person, note.",
        f"The database is at {revision}.",
    ]
    assert done("check", ".", "--directory", "elsewhere") == [
        f"The database is at {revision}; it is as the models describe it."
    ]
    assert refused("create", ".", "--directory", "elsewhere") == [
        "Error: The database is not new: it has note, person. Run `demijohn db upgrade .`."
    ]


def test_the_first_migration_takes_over_a_database_that_has_the_tables(engine: sa.Engine) -> None:
    application()
    done("create", ".")
    fill(engine)
    assert done("migrate", ".", "-m", "make the tables")[1] == (
        "The database has these tables already, and is marked as up to date."
    )
    assert "op.create_table" in next(Path("migrations/versions").glob("*.py")).read_text()
    done("check", ".")
    assert count(engine, "note") == 3


def test_a_database_without_migrations_gets_what_the_models_have_more_by_a_second_migration(
    engine: sa.Engine,
) -> None:
    application()
    done("create", ".")
    fill(engine)
    application(MORE)
    lines = done("migrate", ".", "-m", "add tags")
    assert [line.partition("_")[2] for line in lines if line.startswith("Wrote")] == [
        "make_the_tables.py.",
        "add_tags.py.",
    ]
    assert lines[1] == "The database has these tables already, and is marked as up to date."
    assert lines[-1] == "Read it, then run `demijohn db upgrade .`."
    done("upgrade", ".")
    assert done("check", ".")[-1].endswith("it is as the models describe it.")
    assert count(engine, "note") == 3
    done("downgrade", ".")
    assert tables(engine) == ["alembic_version", "note", "person"]
    assert {one["name"] for one in sa.inspect(engine).get_columns("person")} == {"id", "name"}
    done("downgrade", ".", "base")
    assert tables(engine) == ["alembic_version"]
    done("upgrade", ".")
    assert done("check", ".")[-1].endswith("it is as the models describe it.")


def test_the_first_migration_is_not_written_for_other_tables_than_there_are(engine: sa.Engine) -> None:
    application()
    done("create", ".")
    application(LATER)
    lines = refused("migrate", ".", "-m", "make the tables")
    assert lines[0] == (
        "Error: The first migration makes the tables that the database has, and the models have changed since:"
    )
    assert "  person.nick: the database has no such column" in lines
    assert "git stash" in lines[-1]
    assert not Path("migrations").exists()
    application()
    done("migrate", ".", "-m", "make the tables")


@pytest.mark.parametrize("database", ["sqlite"])
def test_what_the_models_have_for_another_database_is_no_difference(engine: sa.Engine) -> None:
    application(
        PLAIN.replace("ForeignKey, String", "ForeignKey, Index, String").replace(
            '    __tablename__ = "person"\n',
            '    __tablename__ = "person"\n'
            '    __table_args__ = (Index("by_name", "name", postgresql_using="gin").ddl_if(dialect="postgresql"),)\n',
        )
    )
    done("create", ".")
    assert done("check", ".") == ["There are no migrations; it is as the models describe it."]
    done("migrate", ".", "-m", "make the tables")
    assert "by_name" not in Path("migrations/versions", *revisions()).read_text()
    assert done("check", ".")[-1].endswith("it is as the models describe it.")


def test_migrations_that_are_behind_have_to_be_run_first(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    assert refused("migrate", ".", "-m", "more") == ["Error: Target database is not up to date."]


def test_a_database_at_a_revision_that_is_not_there_is_told(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    done("upgrade", ".")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'abc'"))
    assert refused("check", ".") == [
        "the database is at the revision abc, which is not in migrations",
        "The database is at abc; 1 difference.",
    ]


@pytest.mark.parametrize("database", ["sqlite"])
def test_without_migrations_there_is_nothing_to_run(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    Path("migrations/versions", *revisions()).unlink()
    assert refused("upgrade", ".") == [
        "Error: There are no migrations in migrations. `demijohn db migrate . -m ...` writes one;"
        " `demijohn db create .` makes the tables without."
    ]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_migration_that_fails_changes_nothing(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    done("upgrade", ".")
    fill(engine)
    application(LATER)
    done("migrate", ".", "-m", "add a nick name")
    (file,) = (path for path in Path("migrations/versions").glob("*.py") if "nick" in path.name)
    file.write_text(
        file.read_text().replace("\n\ndef downgrade", "    op.execute('SELECT nothing FROM nowhere')\n\ndef downgrade")
    )
    before = sa.inspect(engine).get_columns("person")
    assert refused("upgrade", ".")[0].startswith("Error: The database refuses it: ")
    assert [one["name"] for one in sa.inspect(engine).get_columns("person")] == [one["name"] for one in before]
    assert (count(engine, "person"), count(engine, "note")) == (2, 3)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_migration_that_would_leave_references_behind_changes_nothing(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    done("upgrade", ".")
    fill(engine)
    application(LATER)
    done("migrate", ".", "-m", "add a nick name")
    (file,) = (path for path in Path("migrations/versions").glob("*.py") if "nick" in path.name)
    file.write_text(
        file.read_text().replace("\n\ndef downgrade", "    op.execute('DELETE FROM person')\n\ndef downgrade")
    )
    assert refused("upgrade", ".") == [
        "Error: Rows would refer to rows that are not there any more; nothing is changed."
    ]
    assert count(engine, "person") == 2


@pytest.mark.parametrize("database", ["mariadb"])
def test_tables_of_mariadb_tell_all_texts_apart(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {databases.NAME} CHARACTER SET latin1 COLLATE latin1_swedish_ci"))
    application()
    done("migrate", ".", "-m", "make the tables")
    done("upgrade", ".")
    query = f"SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = '{databases.NAME}'"
    with engine.connect() as connection:
        found = {row[0]: row[1] for row in connection.execute(sa.text(query))}
    assert (found["person"], found["note"]) == ("utf8mb4_nopad_bin", "utf8mb4_nopad_bin")


def test_two_who_upgrade_at_once_run_each_migration_once(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    command = [sys.executable, "-m", "demijohn", "db", "upgrade", "."]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [one.communicate(timeout=60) for one in started]
    assert [one.returncode for one in started] == [0, 0], told
    assert tables(engine) == ["alembic_version", "note", "person"]


def test_operations_decide_which_own_tables_there_are(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    done("upgrade", ".")
    application(contract=WITH_KEYS)
    assert refused("check", ".")[0] == "demijohn_idempotency: the database has no such table"
    done("migrate", ".", "-m", "keep answers")
    done("upgrade", ".")
    assert "demijohn_idempotency" in tables(engine)


def test_rate_limits_that_are_kept_in_the_database_have_a_table(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMIJOHN_RATE_LIMIT_STORAGE", "database")
    application()
    assert done("create", ".") == ["Created person, note, demijohn_rate_limit."]
    assert done("check", ".")
    assert done("create", ".") == ["All tables are there already."]


def test_an_application_without_models_has_that_table_as_well(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMIJOHN_RATE_LIMIT_STORAGE", "database")
    Path("openapi.yaml").write_text(SMALL, encoding="utf-8")
    Path("app.py").write_text(
        "from flask import Flask\nfrom demijohn import Demijohn\n"
        "app = Flask(__name__)\nDemijohn(app).add_contract('openapi.yaml')\n",
        encoding="utf-8",
    )
    assert done("create", ".") == ["Created demijohn_rate_limit."]


# Beside Flask-Migrate

SHARED_APP = """\
import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from demijohn import Demijohn

db = SQLAlchemy()


class Person(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))


class Note(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    Migrate(app, db)
    api = Demijohn(app)
    api.resource(db)
    api.add_contract("openapi.yaml")
    return app
"""


def shell(*command: str) -> str:
    """Return what a command in a process of its own prints: Flask-Migrate sets up logging for all of it."""
    result = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def nick() -> None:
    text = Path("app.py").read_text()
    Path("app.py").write_text(
        text.replace("String(20))\n", "String(20))\n    nick: Mapped[str | None] = mapped_column(String(10))\n")
    )


@pytest.fixture
def shared_app(engine: sa.Engine) -> sa.Engine:
    Path("app.py").write_text(SHARED_APP)
    Path("openapi.yaml").write_text(WITH_KEYS)
    return engine


def test_a_folder_of_flask_migrate_is_used_as_it_is(shared_app: sa.Engine) -> None:
    shell("flask", "db", "init")
    shell("flask", "db", "migrate", "-m", "one")
    shell("flask", "db", "upgrade")
    fill(shared_app)
    environment = Path("migrations/env.py").read_text()
    shell("demijohn", "db", "upgrade", ".")
    assert "demijohn_idempotency" in tables(shared_app)
    assert "it is as the models describe it" in shell("demijohn", "db", "check", ".")
    nick()
    assert shell("demijohn", "db", "migrate", ".", "-m", "two").startswith("Wrote migrations/versions/")
    assert "demijohn_idempotency" not in "".join(path.read_text() for path in Path("migrations/versions").glob("*.py"))
    assert "(two)" in shell("demijohn", "db", "upgrade", ".")
    shell("flask", "db", "downgrade")
    shell("flask", "db", "upgrade")
    assert "it is as the models describe it" in shell("demijohn", "db", "check", ".")
    shell("demijohn", "db", "downgrade", ".")
    assert (count(shared_app, "person"), count(shared_app, "note")) == (2, 3)
    assert Path("migrations/env.py").read_text() == environment


def test_flask_migrate_works_on_a_folder_of_ours(shared_app: sa.Engine) -> None:
    shell("demijohn", "db", "migrate", ".", "-m", "one")
    shell("flask", "db", "upgrade")
    assert tables(shared_app) == ["alembic_version", "demijohn_idempotency", "note", "person"]
    fill(shared_app)
    nick()
    shell("flask", "db", "migrate", "-m", "two")
    shell("demijohn", "db", "upgrade", ".")
    assert "it is as the models describe it" in shell("demijohn", "db", "check", ".")
    shell("flask", "db", "downgrade")
    assert (count(shared_app, "person"), count(shared_app, "note")) == (2, 3)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_folder_of_another_tool_needs_that_tool(engine: sa.Engine) -> None:
    application()
    Path("migrations").mkdir()
    Path("migrations/env.py").write_text("")
    lines = refused("upgrade", ".")
    assert len(lines) == 1
    assert "holds migrations of another tool" in lines[0]


@pytest.mark.parametrize("database", ["sqlite"])
def test_alembic_alone_is_told_where_the_application_is(engine: sa.Engine) -> None:
    application()
    done("migrate", ".", "-m", "make the tables")
    command = [sys.executable, "-m", "alembic", "-c", "migrations/alembic.ini", "upgrade", "head"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode != 0
    assert "run `demijohn db ...`, or `flask db ...` with Flask-Migrate" in result.stdout + result.stderr
