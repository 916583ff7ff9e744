from __future__ import annotations

import gc
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from demijohn.errors import SettingError
from demijohn.resources import sqlite_database
from demijohn.resources.database import (
    Database,
    Transaction,
    ViolationError,
    create_missing,
    create_tables,
    engine_url,
    open_database,
    transaction,
)
from demijohn.resources.engines import database_file
from demijohn.resources.outdated import OutdatedError
from demijohn.resources.statement import Statement, compile_statement
from demijohn.settings import Settings

metadata = MetaData()
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False, unique=True),
    Column("parent", ForeignKey("people.id")),
)

Make = Callable[..., Database]


@pytest.fixture
def open_() -> Iterator[Make]:
    """Return what opens a database, with its tables, and closes it after the test."""
    opened: list[Database] = []

    def make(target: str | Engine, **settings: Any) -> Database:
        database = open_database(target, Settings(**settings))
        opened.append(database)
        create_tables(database.engine, [metadata])
        return database

    yield make
    for database in opened:
        database.close()
    gc.collect()


@pytest.fixture
def ours(open_: Make, database_url: str) -> Database:
    """Return a database with an engine that Demijohn made."""
    return open_(database_url)


@pytest.fixture(params=["ours", "given"])
def either(request: pytest.FixtureRequest, open_: Make, database_url: str) -> Iterator[Database]:
    """Return a database with an engine of Demijohn's, and one with an engine of the application's."""
    if request.param == "ours":
        yield open_(database_url)
        return
    engine = create_engine(database_url, pool_size=2, max_overflow=0, pool_timeout=2)
    yield open_(engine)
    engine.dispose()


def add(database: Database) -> Statement:
    return compile_statement(insert(people).values(name=bindparam("name")), database.dialect.sql)


def names(database: Database) -> list[Any]:
    statement = compile_statement(select(people.c.name).order_by(people.c.name), database.dialect.sql)
    return [row[0] for row in database.read(statement, {})]


def write(database: Database, *some: str) -> None:
    def work(open_transaction: Transaction) -> None:
        for name in some:
            open_transaction.run(add(database), {"name": name})

    database.write(work)


class TestAddresses:
    @pytest.mark.parametrize(
        ("given", "drivername"),
        [
            ("sqlite://", "sqlite"),
            ("postgres://a@b/c", "postgresql+psycopg"),
            ("postgresql://a@b/c", "postgresql+psycopg"),
            ("postgresql+psycopg://a@b/c", "postgresql+psycopg"),
            ("mariadb://a@b/c", "mariadb+pymysql"),
            ("mysql://a@b/c", "mysql+pymysql"),
        ],
    )
    def test_a_name_stands_for_the_driver_that_is_used(self, given: str, drivername: str) -> None:
        assert engine_url(given).drivername == drivername

    def test_the_path_of_a_file_is_made_absolute(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        assert engine_url("sqlite:///data/people.db").database == str(tmp_path / "data/people.db")
        assert engine_url("sqlite:////var/people.db").database == "/var/people.db"
        assert engine_url("sqlite:///:memory:").database == ":memory:"

    @pytest.mark.parametrize("given", ["", "people.db", "oracle://a@b/c", "postgresql+psycopg2://a@b/c"])
    def test_another_address_is_refused(self, given: str) -> None:
        with pytest.raises(SettingError, match=r"database_url: found .* allowed is sqlite"):
            engine_url(given)

    def test_a_refusal_shows_no_password(self) -> None:
        with pytest.raises(SettingError) as refused:
            engine_url("oracle://scott:tiger@host/x")
        assert "tiger" not in str(refused.value)

    @pytest.mark.parametrize(
        ("given", "file"),
        [
            ("sqlite://", None),
            ("sqlite:///:memory:", None),
            ("sqlite:///file:x?mode=memory&uri=true", None),
            ("sqlite:///file::memory:?cache=shared&mode=memory&uri=true", None),
            ("sqlite:////var/people.db", "/var/people.db"),
            ("sqlite:///file:/var/our%20people.db?uri=true", "/var/our people.db"),
            ("sqlite:////var/people.db?timeout=3", "/var/people.db"),
        ],
    )
    def test_the_file_is_known_however_it_is_written(self, given: str, file: str | None) -> None:
        assert database_file(make_url(given)) == (None if file is None else Path(file))

    def test_a_driver_that_is_not_there_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pymysql", None)
        with pytest.raises(SettingError, match=r"pip install demijohn\[mariadb\]"):
            open_database("mariadb://a@b/c", Settings())

    def test_an_engine_with_another_driver_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = create_engine("sqlite://")
        monkeypatch.setattr(engine.dialect, "driver", "other")
        with pytest.raises(SettingError, match="the engine's driver: found other"):
            open_database(engine, Settings())

    def test_an_engine_whose_threads_have_a_memory_each_is_refused(self) -> None:
        with pytest.raises(SettingError, match="StaticPool"):
            open_database(create_engine("sqlite://"), Settings())

    @pytest.mark.parametrize("url", ["postgresql+psycopg://a@b/c", "mariadb+pymysql://a@b/c", "sqlite:///a.db"])
    def test_an_engine_whose_changes_cannot_be_undone_is_refused(self, url: str) -> None:
        engine = create_engine(url)
        given: list[Engine] = [engine.execution_options(isolation_level="AUTOCOMMIT")]
        if engine.dialect.name != "sqlite":
            given += [create_engine(url, isolation_level="AUTOCOMMIT")]
        for one in given:
            with pytest.raises(SettingError, match="found AUTOCOMMIT, with which nothing can be undone; hand over"):
                open_database(one, Settings())
        with pytest.raises(SettingError, match=r"say it to create_engine: create_engine\(url, isolation_level='SERIAL"):
            open_database(engine.execution_options(isolation_level="SERIALIZABLE"), Settings())

    @pytest.mark.parametrize("url", ["postgresql+psycopg://a@127.0.0.1:1/c", "mariadb+pymysql://a@127.0.0.1:1/c"])
    def test_a_driver_that_commits_by_itself_is_refused(self, url: str) -> None:
        database = open_database(create_engine(url, connect_args={"autocommit": True}), Settings())
        with pytest.raises(SettingError, match="found autocommit, with which nothing can be undone"):
            write(database, "Ada")


class TestReadAndWrite:
    def test_what_is_written_can_be_read(self, either: Database) -> None:
        write(either, "Ada", "Grace")
        assert names(either) == ["Ada", "Grace"]

    def test_what_work_returns_is_returned(self, either: Database) -> None:
        assert either.write(lambda open_transaction: 42) == 42

    def test_nothing_is_written_when_work_raises(self, either: Database) -> None:
        def work(open_transaction: Transaction) -> None:
            open_transaction.run(add(either), {"name": "Ada"})
            raise KeyError

        with pytest.raises(KeyError):
            either.write(work)
        assert names(either) == []
        write(either, "Grace")
        assert names(either) == ["Grace"]

    @pytest.mark.parametrize("database", ["sqlite"])
    def test_on_sqlite_autocommit_changes_nothing(self, open_: Make, database_url: str) -> None:
        database = open_(create_engine(database_url, isolation_level="AUTOCOMMIT"))

        def work(open_transaction: Transaction) -> None:
            open_transaction.connection.execute(insert(people).values(name="Ada"))
            open_transaction.run(add(database), {"name": "Ada"})

        with pytest.raises(ViolationError):
            database.write(work)
        assert names(database) == []
        write(database, "Grace")
        assert names(database) == ["Grace"]

    @pytest.mark.parametrize("database", ["postgresql", "mariadb"])
    def test_an_isolation_level_of_the_engine_holds(self, open_: Make, database_url: str) -> None:
        database = open_(create_engine(database_url, isolation_level="SERIALIZABLE"))

        def work(open_transaction: Transaction) -> None:
            open_transaction.connection.execute(insert(people).values(name="Ada"))
            assert open_transaction.connection.get_isolation_level() == "SERIALIZABLE"
            open_transaction.run(add(database), {"name": "Ada"})

        with pytest.raises(ViolationError):
            database.write(work)
        assert names(database) == []

    def test_nothing_is_written_when_the_process_is_told_to_stop(self, either: Database) -> None:
        def work(open_transaction: Transaction) -> None:
            open_transaction.run(add(either), {"name": "Ada"})
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            either.write(work)
        write(either, "Grace")
        assert names(either) == ["Grace"]

    def test_a_transaction_counts_the_rows_of_a_statement(self, either: Database) -> None:
        write(either, "Ada", "Grace", "Mary")
        change = compile_statement(
            update(people).where(people.c.name < bindparam("before")).values(parent=None), either.dialect.sql
        )
        none = compile_statement(update(people).where(people.c.id < 0).values(name="x"), either.dialect.sql)

        def work(open_transaction: Transaction) -> list[int]:
            counts = []
            for statement in (change, none):
                assert open_transaction.run(statement, {"before": "H"}) == []
                counts.append(open_transaction.count)
            return counts

        # MariaDB would count only rows that are changed, but SQLAlchemy asks its driver for those that are found.
        assert either.write(work) == [2, 0]

    @pytest.mark.parametrize("database", ["sqlite", "postgresql"])
    def test_a_statement_with_returning_gives_rows_and_their_count(self, either: Database) -> None:
        write(either, "Ada", "Grace")
        change = compile_statement(update(people).values(parent=None).returning(people.c.name), either.dialect.sql)

        def work(open_transaction: Transaction) -> tuple[list[Any], int]:
            return sorted(open_transaction.run(change, {})), open_transaction.count

        assert either.write(work) == ([("Ada",), ("Grace",)], 2)

    def test_a_broken_rule_is_told(self, either: Database) -> None:
        write(either, "Ada")
        with pytest.raises(ViolationError) as broken:
            write(either, "Grace", "Ada")
        assert broken.value.violation.kind == "unique"
        assert names(either) == ["Ada"]

    def test_a_statement_that_is_wrong_stays_the_drivers_error(self, either: Database) -> None:
        wrong = Statement("SELECT max(name, FROM people", (), {})
        with pytest.raises(either.engine.dialect.loaded_dbapi.Error):
            either.read(wrong, {})
        with pytest.raises(either.engine.dialect.loaded_dbapi.Error):
            either.write(lambda open_transaction: open_transaction.run(wrong, {}))
        assert names(either) == []

    @pytest.mark.parametrize(("column", "table"), [("name", "nowhere"), ("nickname", people.name)])
    def test_what_is_not_there_is_told_with_the_remedy(
        self, either: Database, column: str, table: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        needed = Statement(f"SELECT {column} FROM {table}", (), {})
        with pytest.raises(OutdatedError):
            either.read(needed, {})
        with pytest.raises(OutdatedError):
            either.write(lambda open_transaction: open_transaction.run(needed, {}))
        assert caplog.text.count("`demijohn db create` makes it") == 2
        assert names(either) == []

    def test_the_applications_own_sql_stays_its_own(self, either: Database) -> None:
        def work(open_transaction: Transaction) -> None:
            open_transaction.connection.execute(text("SELECT name FROM nowhere"))

        with pytest.raises(DBAPIError):
            either.write(work)

    def test_a_read_does_not_see_what_is_not_committed(self, either: Database) -> None:
        def work(open_transaction: Transaction) -> list[Any]:
            open_transaction.run(add(either), {"name": "Ada"})
            return names(either)

        assert either.write(work) == []
        assert names(either) == ["Ada"]

    def test_a_read_sees_what_another_connection_has_just_committed(self, either: Database) -> None:
        assert names(either) == []
        other = create_engine(either.engine.url)
        with other.begin() as connection:
            connection.execute(insert(people).values(name="Ada"))
        other.dispose()
        assert names(either) == ["Ada"]

    def test_callbacks_are_called_after_the_commit_and_only_then(self, either: Database) -> None:
        seen: list[list[Any]] = []

        def work(open_transaction: Transaction, name: str = "Ada") -> None:
            open_transaction.after_commit(lambda: seen.append(names(either)))
            open_transaction.run(add(either), {"name": name})

        either.write(work)
        with pytest.raises(ViolationError):
            either.write(work)
        assert seen == [["Ada"]]

    def test_many_threads_read_and_write(self, either: Database) -> None:
        failed: list[BaseException] = []

        def run(number: int) -> None:
            try:
                for count in range(10):
                    write(either, f"{number}-{count}")
                    assert f"{number}-{count}" in names(either)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=run, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(names(either)) == 60


class TestHooks:
    """Hooks are given SQLAlchemy's connection to the transaction."""

    def run(self, database: Database, hook: Callable[[Connection], Any]) -> Any:
        def work(open_transaction: Transaction) -> Any:
            open_transaction.run(add(database), {"name": "Ada"})
            result = hook(open_transaction.connection)
            open_transaction.run(add(database), {"name": "Grace"})
            return result

        return database.write(work)

    def test_a_hook_sees_and_changes_what_the_transaction_does(self, either: Database) -> None:
        def hook(connection: Connection) -> Any:
            connection.execute(insert(people).values(name="Mary"))
            return connection.scalar(select(func.count()).select_from(people))

        assert self.run(either, hook) == 2
        assert names(either) == ["Ada", "Grace", "Mary"]

    def test_what_a_hook_does_is_undone_with_the_write(self, either: Database) -> None:
        def hook(connection: Connection) -> Any:
            connection.execute(insert(people).values(name="Mary"))
            raise KeyError

        with pytest.raises(KeyError):
            self.run(either, hook)
        assert names(either) == []

    def test_a_rule_that_a_hook_breaks_is_told(self, either: Database) -> None:
        with pytest.raises(ViolationError):
            self.run(either, lambda connection: connection.execute(insert(people).values(name="Ada")))
        assert names(either) == []

    def test_the_connection_is_the_same_one_all_the_time(self, either: Database) -> None:
        assert either.write(lambda open_transaction: open_transaction.connection is open_transaction.connection)

    def test_a_hook_cannot_commit(self, either: Database) -> None:
        with pytest.raises(InvalidRequestError, match="is Demijohn's"):
            self.run(either, lambda connection: connection.commit())
        assert names(either) == []

    def test_a_hook_cannot_commit_by_its_transaction(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            root = connection.get_transaction()
            assert root is not None
            root.commit()

        with pytest.raises(InvalidRequestError, match="is Demijohn's"):
            self.run(either, hook)
        assert names(either) == []

    def test_a_hook_cannot_begin(self, either: Database) -> None:
        with pytest.raises(InvalidRequestError):
            self.run(either, lambda connection: connection.begin())
        assert names(either) == []

    def test_a_rollback_in_a_hook_makes_the_write_fail(self, either: Database) -> None:
        with pytest.raises(InvalidRequestError, match="rolled back"):
            self.run(either, lambda connection: connection.rollback())
        assert names(either) == []

    def test_closing_the_connection_ends_nothing(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            with connection:
                connection.execute(insert(people).values(name="Mary"))
            connection.close()

        self.run(either, hook)
        assert names(either) == ["Ada", "Grace", "Mary"]

    def test_a_savepoint_in_a_hook_can_be_rolled_back(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            with connection.begin_nested() as savepoint:
                connection.execute(insert(people).values(name="Mary"))
                savepoint.rollback()
            with connection.begin_nested():
                connection.execute(insert(people).values(name="Margaret"))

        self.run(either, hook)
        assert names(either) == ["Ada", "Grace", "Margaret"]

    def test_a_savepoint_protects_from_a_broken_rule(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            with pytest.raises(IntegrityError), connection.begin_nested():
                connection.execute(insert(people).values(name="Ada"))

        self.run(either, hook)
        assert names(either) == ["Ada", "Grace"]

    @pytest.mark.parametrize("mode", ["create_savepoint", "conditional_savepoint", "rollback_only"])
    def test_a_session_joins_the_transaction(self, either: Database, mode: Any) -> None:
        def hook(connection: Connection) -> None:
            with Session(bind=connection, join_transaction_mode=mode) as session:
                session.execute(insert(people).values(name="Mary"))
                session.commit()

        self.run(either, hook)
        assert names(either) == ["Ada", "Grace", "Mary"]

    def test_a_session_that_wants_to_control_the_transaction_cannot(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            with Session(bind=connection, join_transaction_mode="control_fully") as session:
                session.execute(insert(people).values(name="Mary"))
                session.commit()

        with pytest.raises(InvalidRequestError, match="is Demijohn's"):
            self.run(either, hook)
        assert names(either) == []

    def test_a_session_that_is_rolled_back_makes_the_write_fail(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            with Session(bind=connection) as session:
                session.execute(insert(people).values(name="Mary"))
                session.rollback()

        with pytest.raises(InvalidRequestError, match="rolled back"):
            self.run(either, hook)
        assert names(either) == []

    def test_a_session_with_a_savepoint_rolls_back_only_its_own(self, either: Database) -> None:
        def hook(connection: Connection) -> None:
            with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
                session.execute(insert(people).values(name="Mary"))
                session.rollback()

        self.run(either, hook)
        assert names(either) == ["Ada", "Grace"]

    def test_listeners_of_the_application_see_what_hooks_execute(self, either: Database) -> None:
        seen: list[str] = []

        @event.listens_for(either.engine, "before_cursor_execute")
        def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
            seen.append(statement)

        self.run(either, lambda connection: connection.execute(text("SELECT 1")))
        assert seen == ["SELECT 1"]

    @pytest.mark.parametrize("database", ["sqlite"])
    def test_an_application_that_says_begin_itself_does_not_disturb(self, database_url: str, open_: Make) -> None:
        # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes
        engine = create_engine(database_url)

        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: Any) -> None:
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        database = open_(engine)
        self.run(database, lambda connection: connection.execute(insert(people).values(name="Mary")))
        assert names(database) == ["Ada", "Grace", "Mary"]
        engine.dispose()


class TestConnectionsOfTheApplication:
    """`transaction(connection)` is for who has a connection of SQLAlchemy's and will commit it."""

    @pytest.mark.parametrize("has_begun", [True, False])
    def test_statements_are_part_of_the_transaction_that_is_open(self, either: Database, has_begun: bool) -> None:
        with either.engine.connect() as connection:
            if has_begun:
                connection.execute(insert(people).values(name="Ada"))
            joined = transaction(connection)
            joined.run(add(either), {"name": "Grace"})
            assert joined.connection is connection
            connection.rollback()
        assert names(either) == []
        with either.engine.begin() as connection:
            transaction(connection).run(add(either), {"name": "Grace"})
        assert names(either) == ["Grace"]

    def test_callbacks_are_called_at_once(self, ours: Database) -> None:
        called = []
        with ours.engine.begin() as connection:
            transaction(connection).after_commit(lambda: called.append(1))
        assert called == [1]

    def test_transactions_of_the_application_are_transactions(self, either: Database) -> None:
        names(either)
        with either.engine.connect() as connection:
            connection.execute(insert(people).values(name="Ada"))
            connection.rollback()
        with Session(either.engine) as session:
            session.execute(insert(people).values(name="Grace"))
            session.rollback()
        assert names(either) == []
        with Session(either.engine) as session:
            session.execute(insert(people).values(name="Grace"))
            session.commit()
        assert names(either) == ["Grace"]

    @pytest.mark.parametrize("database", ["postgresql", "mariadb"])
    def test_no_transaction_stays_open_on_a_connection_in_the_pool(self, either: Database) -> None:
        write(either, "Ada")
        names(either)
        with pytest.raises(ViolationError):
            write(either, "Ada")
        pooled = either.engine.raw_connection()
        connection: Any = pooled.driver_connection
        if either.dialect.name == "postgresql":
            assert connection.info.transaction_status.name == "IDLE"
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT @@in_transaction")
                assert cursor.fetchone() == (0,)
        pooled.close()


class TestSQLite:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "people.db"

    @pytest.fixture
    def file(self, open_: Make, path: Path) -> Database:
        return open_(f"sqlite:///{path}")

    def test_a_write_within_a_write_is_an_error(self, file: Database) -> None:
        with pytest.raises(RuntimeError, match="a write within a write"):
            file.write(lambda open_transaction: write(file, "Ada"))
        write(file, "Grace")
        assert names(file) == ["Grace"]

    def test_connections_end_with_their_threads(self, file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        closed = []
        monkeypatch.setattr(sqlite_database._Kept, "__del__", lambda kept: closed.append(kept.connection.close()))
        thread = threading.Thread(target=lambda: names(file))
        thread.start()
        thread.join()
        gc.collect()
        assert closed == [None]

    @pytest.mark.parametrize(("synchronous", "number"), [("FULL", 2), ("NORMAL", 1)])
    def test_synchronous_is_what_the_settings_say(self, path: Path, open_: Make, synchronous: str, number: int) -> None:
        database = open_(f"sqlite:///{path}", sqlite_synchronous=synchronous)
        pragma = Statement("PRAGMA synchronous", (), {})
        assert database.write(lambda open_transaction: open_transaction.run(pragma, {})) == [(number,)]

    def test_two_databases_on_one_file_take_turns(self, file: Database, path: Path, open_: Make) -> None:
        other = open_(f"sqlite:///{path}")

        def work(open_transaction: Transaction) -> None:
            with pytest.raises(RuntimeError):
                write(other, "Ada")

        file.write(work)

    def test_an_engine_is_opened_once(self, path: Path, open_: Make) -> None:
        engine = create_engine(f"sqlite:///{path}")
        assert open_(engine) is open_(engine)
        engine.dispose()

    def test_another_program_that_writes_is_waited_for(self, file: Database, path: Path) -> None:
        other = create_engine(f"sqlite:///{path}")
        with other.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            waits: list[float] = []

            def run() -> None:
                started = time.monotonic()
                write(file, "Ada")
                waits.append(time.monotonic() - started)

            thread = threading.Thread(target=run)
            thread.start()
            time.sleep(0.3)
            connection.rollback()
            thread.join()
        other.dispose()
        assert 0.2 < waits[0] < 3

    def test_an_old_version_is_warned_of_once(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sqlite_database, "_is_warned", False)
        monkeypatch.setattr(sqlite_database, "_FIXED", (99, 0, 0))
        with caplog.at_level(logging.WARNING, logger="demijohn"):
            for _ in range(2):
                open_database(f"sqlite:///{path}", Settings()).close()
        assert [record.message.split(" can damage")[0] for record in caplog.records] == [
            f"SQLite {sqlite3.sqlite_version}"
        ]

    def test_a_forked_process_has_connections_of_its_own(self, path: Path) -> None:
        code = """
import os, sys
from sqlalchemy import text
from demijohn.resources.database import open_database
from demijohn.resources.statement import Statement
from demijohn.settings import Settings
database = open_database(sys.argv[1], Settings())
def run(sql):
    return database.write(lambda transaction: transaction.run(Statement(sql, (), {}), {}))
count = Statement("SELECT count(*) FROM t", (), {})
run("CREATE TABLE t (a integer)")
run("INSERT INTO t VALUES (1)")
before = database.read(count, {})
child = os.fork()
if child == 0:
    run("INSERT INTO t VALUES (2)")
    os._exit(database.read(count, {})[0][0])
_, status = os.waitpid(child, 0)
run("INSERT INTO t VALUES (3)")
check = Statement("PRAGMA integrity_check", (), {})
print(before, os.waitstatus_to_exitcode(status), database.read(count, {}), database.read(check, {}))
"""
        done = subprocess.run(
            [sys.executable, "-c", code, f"sqlite:///{path}"], capture_output=True, text=True, timeout=30
        )
        assert done.stdout == "[(1,)] 2 [(3,)] [('ok',)]\n", done.stderr

    def test_a_database_in_memory_is_one_for_all_threads(self, open_: Make) -> None:
        database = open_("sqlite://")
        thread = threading.Thread(target=lambda: write(database, "Ada"))
        thread.start()
        thread.join()
        assert names(database) == ["Ada"]
        with pytest.raises(ViolationError):
            write(database, "Grace", "Ada")
        with pytest.raises(RuntimeError, match="a write within a write"):
            database.write(lambda open_transaction: write(database, "Grace"))
        assert names(database) == ["Ada"]

    def test_a_database_in_memory_may_be_the_applications(self, open_: Make) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        database = open_(engine)
        with Session(engine) as session:
            session.execute(insert(people).values(name="Ada"))
            session.commit()
        write(database, "Grace")
        with Session(engine) as session:
            assert session.scalars(select(people.c.name)).all() == ["Ada", "Grace"]

    def test_hooks_work_in_memory(self, open_: Make) -> None:
        database = open_("sqlite://")
        database.write(lambda open_transaction: open_transaction.connection.execute(insert(people).values(name="Ada")))
        assert names(database) == ["Ada"]


class TestTables:
    def test_a_missing_file_is_created_with_its_folder_and_tables(self, tmp_path: Path) -> None:
        database = open_database(f"sqlite:///{tmp_path}/new/people.db", Settings())
        assert create_missing(database, [metadata]) == ["people"]
        write(database, "Ada")
        assert create_missing(database, [metadata]) == []
        assert names(database) == ["Ada"]
        database.close()

    def test_a_database_with_any_table_is_left_alone(self, tmp_path: Path) -> None:
        database = open_database(f"sqlite:///{tmp_path}/people.db", Settings())
        database.write(lambda open_transaction: open_transaction.run(Statement("CREATE TABLE other (a)", (), {}), {}))
        assert create_missing(database, [metadata]) == []
        assert inspect(database.engine).get_table_names() == ["other"]
        database.close()

    @pytest.mark.parametrize("database", ["postgresql"])
    def test_nothing_is_created_unasked_on_a_server(self, database_url: str) -> None:
        database = open_database(database_url, Settings())
        assert create_missing(database, [metadata]) == []
        assert inspect(database.engine).get_table_names() == []
        database.close()

    def test_processes_that_start_together_create_it_once(self, tmp_path: Path) -> None:
        code = """
import sys
from demijohn.resources.database import create_missing, open_database
from demijohn.settings import Settings
sys.path.insert(0, sys.argv[2])
from writers import metadata
print(create_missing(open_database(sys.argv[1], Settings()), [metadata]))
"""
        support = str(Path(__file__).parents[1] / "support")
        command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/new/people.db", support]
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
        ]
        printed = sorted(process.communicate(timeout=60)[0] for process in started)
        assert printed == ["['written']\n", "[]\n", "[]\n", "[]\n"]

    def test_tables_that_are_missing_are_created_and_others_left(self, engine: Engine) -> None:
        more = MetaData()
        Table("more", more, Column("id", Integer, primary_key=True))
        assert create_tables(engine, [metadata]) == ["people"]
        assert create_tables(engine, [metadata, more]) == ["more"]
        assert create_tables(engine, [metadata, more]) == []

    @pytest.mark.parametrize("database", ["mariadb"])
    def test_mariadb_compares_by_code_points_unless_told_otherwise(self, engine: Engine) -> None:
        some = MetaData()
        Table("plain", some, Column("name", String(50), unique=True))
        Table("own", some, Column("name", String(50)), mariadb_collate="utf8mb4_general_ci")
        with engine.begin() as connection:
            connection.execute(text("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci"))
        create_tables(engine, [some])
        query = "SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = database()"
        with engine.connect() as connection:
            found = {row[0]: row[1] for row in connection.execute(text(query))}
        assert found == {"plain": "utf8mb4_nopad_bin", "own": "utf8mb4_general_ci"}
