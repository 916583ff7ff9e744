"""What happens to reads and writes when processes are killed, and databases stop, hang or refuse."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import writers
from databases import MariaDB, Server, new_server
from sqlalchemy import create_engine, select

from demijohn.errors import Unavailable
from demijohn.resources import sqlite_database
from demijohn.resources.database import Database, Transaction, ViolationError, create_tables, open_database
from demijohn.resources.statement import Statement
from demijohn.settings import Settings

MOST_S = 5.0
ONE = Statement("SELECT 1", (), {})
ACKNOWLEDGEMENT = re.compile(rb"\d+ \d+\n")


def run(sql: str) -> Callable[[Transaction], list[tuple[Any, ...]]]:
    return lambda transaction: transaction.run(Statement(sql, (), {}), {})


@contextmanager
def refused_within(seconds: float = MOST_S) -> Iterator[None]:
    """Expect a 503 that says when to come again, in time."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as told:
        yield
    assert time.monotonic() - started < seconds
    assert dict(told.value.headers) == {"Retry-After": "1"}


@contextmanager
def opened(url: str, **settings: Any) -> Iterator[Database]:
    database = open_database(url, Settings(**settings))
    yield database
    database.close()


@pytest.fixture(params=["postgresql", "mariadb"], scope="module")
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return a server that a test may stop, and starts again."""
    kind: Literal["postgresql", "mariadb"] = request.param
    server = new_server(kind)
    yield server
    server.remove()


class Writer:
    """Be a process that writes (`writers.py`)."""

    def __init__(self, url: str, name: str, clients: int, seconds: float, *options: str) -> None:
        self.name = name
        words = [url, name, str(clients), str(seconds), *options]
        self.process = subprocess.Popen(
            [sys.executable, writers.__file__, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.lines: list[bytes] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, b""))

    def wait(self) -> dict[str, Any]:
        """Return the summary of a process that came to its end."""
        assert self.process.wait(60) == 0
        self._close()
        summary: dict[str, Any] = json.loads(self.lines[-1])
        return summary

    def kill(self) -> set[tuple[str, int, int]]:
        """Kill the process in the middle of its work, and return the rows that it has acknowledged."""
        while len(self.lines) < 20:
            assert self.process.poll() is None, self.lines
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.05))
        self.process.kill()
        self.process.wait(10)
        self._close()
        rows = [line.split() for line in self.lines if ACKNOWLEDGEMENT.fullmatch(line)]
        return {(self.name, int(client), int(number)) for client, number in rows}

    def _close(self) -> None:
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def rows_in(url: str) -> set[tuple[str, int, int]]:
    engine, columns = create_engine(url), writers.written.c
    with engine.connect() as connection:
        rows = {
            (row[0], row[1], row[2]) for row in connection.execute(select(columns.name, columns.client, columns.number))
        }
    engine.dispose()
    return rows


def create_written(url: str) -> None:
    engine = create_engine(url)
    create_tables(engine, [writers.metadata])
    engine.dispose()


class TestProcesses:
    @pytest.mark.parametrize("database", ["sqlite"])
    def test_processes_that_write_one_file_all_get_their_turn(self, database_url: str, tmp_path: Path) -> None:
        create_written(database_url)
        summaries = [one.wait() for one in [Writer(database_url, f"p{n}", 4, 3) for n in range(4)]]
        assert [summary["errors"] for summary in summaries] == [{}] * 4
        assert all(min(summary["rows_by_client"]) > 0 for summary in summaries)
        assert max(summary["worst_ms"] for summary in summaries) < 2000
        assert len(rows_in(database_url)) == sum(summary["rows"] for summary in summaries)
        with closing(sqlite3.connect(tmp_path / "demijohn.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    @pytest.mark.parametrize("database", ["sqlite", "postgresql"])
    def test_a_killed_process_loses_nothing_that_it_acknowledged(
        self, database: str, database_url: str, tmp_path: Path
    ) -> None:
        create_written(database_url)
        acknowledged: set[tuple[str, int, int]] = set()
        running = [Writer(database_url, f"p{number}", 4, 120, "acknowledge") for number in range(3)]
        for number in range(3, 23):
            acknowledged |= running.pop(0).kill()
            if number < 20:
                running.append(Writer(database_url, f"p{number}", 4, 120, "acknowledge"))
            if not running:
                break
        stored = rows_in(database_url)
        assert len({name for name, _, _ in acknowledged}) == 20
        assert acknowledged <= stored
        # What was committed and could not be acknowledged any more: one row of each client at most.
        assert len(stored - acknowledged) <= 20 * 4
        if database == "sqlite":
            with closing(sqlite3.connect(tmp_path / "demijohn.db")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


class TestSQLite:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Iterator[Database]:
        with opened(f"sqlite:///{tmp_path}/people.db") as database:
            database.write(run("CREATE TABLE t (a)"))
            yield database

    def test_who_waits_too_long_for_other_writers_is_refused(
        self, file: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_database, "_LOCK_WAIT_S", 0.2)
        is_inside, is_over = threading.Event(), threading.Event()

        def work(transaction: Transaction) -> None:
            is_inside.set()
            is_over.wait(10)

        thread = threading.Thread(target=file.write, args=[work])
        thread.start()
        is_inside.wait(10)
        with refused_within(2):
            file.write(run("INSERT INTO t VALUES (1)"))
        assert file.read(Statement("SELECT count(*) FROM t", (), {}), {}) == [(0,)]
        is_over.set()
        thread.join()
        file.write(run("INSERT INTO t VALUES (1)"))

    def test_another_program_that_does_not_stop_writing_is_not_waited_for_forever(
        self, file: Database, tmp_path: Path
    ) -> None:
        with closing(sqlite3.connect(tmp_path / "people.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with refused_within(MOST_S + 1):
                file.write(run("INSERT INTO t VALUES (1)"))
            other.execute("ROLLBACK")
        file.write(run("INSERT INTO t VALUES (1)"))

    def test_a_full_disk_is_a_refusal_and_no_loss(self, file: Database) -> None:
        file.write(run("INSERT INTO t VALUES (1)"))
        file.write(run("PRAGMA max_page_count = 5"))
        with refused_within():
            file.write(run("INSERT INTO t VALUES (zeroblob(100000))"))
        file.write(run("PRAGMA max_page_count = 1000000"))
        file.write(run("INSERT INTO t VALUES (2)"))
        assert file.read(Statement("SELECT a FROM t", (), {}), {}) == [(1,), (2,)]

    def test_a_folder_that_is_missing_is_a_refusal(self, tmp_path: Path) -> None:
        with opened(f"sqlite:///{tmp_path}/missing/people.db") as database, refused_within():
            database.read(ONE, {})


class TestServers:
    def test_a_server_that_is_away_is_a_refusal_until_it_is_back(self, own_server: Server) -> None:
        with opened(own_server.url) as database:
            assert database.read(ONE, {}) == [(1,)]
            own_server.stop()
            for _ in range(3):
                with refused_within():
                    database.read(ONE, {})
                with refused_within():
                    database.write(run("SELECT 1"))
            own_server.start()
            time.sleep(0.6)
            assert database.read(ONE, {}) == [(1,)]
            assert database.write(run("SELECT 1")) == [(1,)]

    def test_a_restart_between_two_requests_is_not_noticed(self, own_server: Server) -> None:
        with opened(own_server.url, database_pool_size=3) as database:
            fill_pool(database, 3)
            own_server.stop()
            own_server.start()
            assert database.write(run("SELECT 1")) == [(1,)]
            fill_pool(database, 3)
            own_server.stop()
            own_server.start()
            assert [database.read(ONE, {}) for _ in range(4)] == [[(1,)]] * 4
            fill_pool(database, 3)
            own_server.stop()
            own_server.start()
            assert [database.write(run("SELECT 1"), alone=True) for _ in range(4)] == [[(1,)]] * 4

    def test_a_server_may_be_away_when_the_application_starts(self, own_server: Server) -> None:
        own_server.stop()
        with opened(own_server.url) as database:
            with refused_within():
                database.read(ONE, {})
            own_server.start()
            time.sleep(0.6)
            assert database.read(ONE, {}) == [(1,)]

    @pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
    def test_a_server_that_never_answers_is_a_refusal_for_all_who_ask(self, scheme: str) -> None:
        with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listener:
            url = f"{scheme}://someone@127.0.0.1:{listener.getsockname()[1]}/people"
            with opened(url, database_pool_size=2) as database:
                took: list[float] = []

                def ask() -> None:
                    started = time.monotonic()
                    with pytest.raises(Unavailable):
                        database.read(ONE, {})
                    took.append(time.monotonic() - started)

                threads = [threading.Thread(target=ask) for _ in range(6)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        assert len(took) == 6
        assert max(took) < MOST_S

    def test_while_attempts_fail_only_one_at_a_time_waits(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listener:
            url = f"postgresql://someone@127.0.0.1:{listener.getsockname()[1]}/people"
            with opened(url, database_connect_timeout_s=2) as database:
                with refused_within():
                    database.read(ONE, {})
                with refused_within(0.5):
                    database.read(ONE, {})
                time.sleep(0.6)

                def fail() -> None:
                    with refused_within():
                        database.read(ONE, {})

                trying = threading.Thread(target=fail)
                trying.start()
                time.sleep(0.2)
                with refused_within(0.5):
                    database.write(run("SELECT 1"))
                trying.join()

    def test_a_wrong_password_is_a_refusal_and_a_line_in_the_log(
        self, caplog: pytest.LogCaptureFixture, database_url: str, database: str
    ) -> None:
        if database == "sqlite":
            return
        wrong = database_url.replace("postgres@", "nobody:secret@").replace("root@", "nobody:secret@")
        with opened(wrong) as away, caplog.at_level(logging.ERROR, logger="demijohn"), refused_within():
            away.read(ONE, {})
        (record,) = [one for one in caplog.records if "takes no connection" in one.message]
        assert "nobody" in record.message
        assert "secret" not in record.message

    def test_a_pool_that_is_exhausted_is_a_refusal(self, database: str, database_url: str) -> None:
        if database == "sqlite":
            return
        with opened(database_url, database_pool_size=1, database_pool_timeout_s=1) as full:

            def work(transaction: Transaction) -> None:
                with refused_within(2):
                    full.read(ONE, {})

            full.write(work)
            assert full.read(ONE, {}) == [(1,)]

    def test_a_statement_that_takes_too_long_is_a_refusal(self, database: str, database_url: str) -> None:
        if database == "sqlite":
            return
        sleep = "SELECT pg_sleep(20)" if database == "postgresql" else "SELECT sleep(20)"
        with opened(database_url, database_statement_timeout_s=1) as slow:
            with refused_within():
                slow.read(Statement(sleep, (), {}), {})
            with refused_within():
                slow.write(run(sleep))
            assert slow.read(ONE, {}) == [(1,)]

    @pytest.mark.parametrize("database", ["postgresql"])
    def test_a_connection_that_hangs_is_given_up_and_the_read_is_tried_once_more(self, database_url: str) -> None:
        with opened(database_url, database_statement_timeout_s=1) as database:
            ((backend,),) = database.read(Statement("SELECT pg_backend_pid()", (), {}), {})
            pause(backend)
            try:
                started = time.monotonic()
                assert database.read(ONE, {}) == [(1,)]
                assert time.monotonic() - started < MOST_S
            finally:
                os.kill(backend, signal.SIGCONT)

    def test_a_server_that_hangs_is_a_refusal(self) -> None:
        server = new_server("mariadb")
        assert isinstance(server, MariaDB)
        assert server._process is not None
        with opened(server.url, database_statement_timeout_s=1, database_connect_timeout_s=2) as database:
            assert database.read(ONE, {}) == [(1,)]
            pause(server._process.pid)
            try:
                with refused_within():
                    database.read(ONE, {})
                with refused_within():
                    database.write(run("SELECT 1"))
            finally:
                server._process.send_signal(signal.SIGCONT)
            time.sleep(0.6)
            assert database.read(ONE, {}) == [(1,)]
        server.remove()


def pause(process: int) -> None:
    """Stop a process, and wait until each of its threads has stopped: one may be about to answer."""
    os.kill(process, signal.SIGSTOP)
    tasks = Path(f"/proc/{process}/task")
    deadline = time.monotonic() + 10
    while any((task / "stat").read_text().rpartition(")")[2].split()[0] != "T" for task in tasks.iterdir()):
        assert time.monotonic() < deadline, "the process does not stop"
        time.sleep(0.01)


def fill_pool(database: Database, size: int) -> None:
    """Have as many connections in the pool as it can hold."""
    barrier = threading.Barrier(size)
    threads = [
        threading.Thread(target=database.write, args=[lambda transaction: barrier.wait(10)]) for _ in range(size)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
class TestTransactions:
    @pytest.fixture
    def accounts(self, database_url: str) -> Iterator[Database]:
        with opened(database_url) as database:
            database.write(run("CREATE TABLE account (id integer PRIMARY KEY, amount integer NOT NULL)"))
            database.write(run("INSERT INTO account VALUES (1, 0), (2, 0)"))
            yield database

    def amounts(self, database: Database) -> list[Any]:
        return [row[0] for row in database.read(Statement("SELECT amount FROM account ORDER BY id", (), {}), {})]

    def test_a_deadlock_is_tried_again(self, accounts: Database) -> None:
        barrier, runs = threading.Barrier(2), list[int]()

        def transfer(first: int, second: int) -> None:
            def work(transaction: Transaction) -> None:
                runs.append(first)
                run(f"UPDATE account SET amount = amount + 1 WHERE id = {first}")(transaction)
                if len(runs) <= 2:
                    barrier.wait(10)
                run(f"UPDATE account SET amount = amount + 1 WHERE id = {second}")(transaction)

            accounts.write(work)

        threads = [threading.Thread(target=transfer, args=order) for order in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.amounts(accounts) == [2, 2]
        assert len(runs) >= 3  # on a busy machine the two can meet once more

    def test_a_transaction_that_cannot_be_put_in_order_is_tried_again(self, accounts: Database, database: str) -> None:
        if database == "mariadb":
            return  # it locks what is read instead
        barrier, runs = threading.Barrier(2), list[int]()

        def move(source: int, target: int) -> None:
            def work(transaction: Transaction) -> None:
                runs.append(source)
                run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")(transaction)
                ((amount,),) = run(f"SELECT amount FROM account WHERE id = {source}")(transaction)
                if len(runs) <= 2:
                    barrier.wait(10)
                run(f"UPDATE account SET amount = {amount + 1} WHERE id = {target}")(transaction)

            accounts.write(work)

        threads = [threading.Thread(target=move, args=order) for order in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(self.amounts(accounts)) == [1, 2]
        assert len(runs) == 3

    def test_trying_again_has_an_end(self, accounts: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        runs = []
        error: Exception = accounts.engine.dialect.loaded_dbapi.OperationalError("try again")
        monkeypatch.setattr(accounts.dialect, "is_transient", lambda one: one is error)

        def work(transaction: Transaction) -> None:
            runs.append(1)
            raise error

        with refused_within(2):
            accounts.write(work)
        assert len(runs) == 7

    def test_a_connection_lost_before_the_commit_is_tried_again_once(self, accounts: Database, database: str) -> None:
        runs = []

        def work(transaction: Transaction, most: int) -> None:
            runs.append(1)
            run("UPDATE account SET amount = amount + 1 WHERE id = 1")(transaction)
            if len(runs) <= most:
                end_connection(accounts, database, transaction)
            run("UPDATE account SET amount = amount + 1 WHERE id = 2")(transaction)

        accounts.write(lambda transaction: work(transaction, 1))
        assert (self.amounts(accounts), len(runs)) == ([1, 1], 2)
        with refused_within():
            accounts.write(lambda transaction: work(transaction, 99))
        assert (self.amounts(accounts), len(runs)) == ([1, 1], 4)

    def test_a_connection_lost_in_a_hook_is_tried_again_too(self, accounts: Database, database: str) -> None:
        runs = []

        def work(transaction: Transaction) -> None:
            runs.append(1)
            transaction.connection.exec_driver_sql("UPDATE account SET amount = amount + 1 WHERE id = 1")
            if len(runs) == 1:
                end_connection(accounts, database, transaction)
            transaction.connection.exec_driver_sql("UPDATE account SET amount = amount + 1 WHERE id = 2")

        accounts.write(work)
        assert (self.amounts(accounts), len(runs)) == ([1, 1], 2)

    def test_a_write_of_one_statement_is_a_transaction_by_itself(self, accounts: Database) -> None:
        seen: list[tuple[list[Any], list[Any]]] = []

        def add(amount: int) -> Callable[[Transaction], object]:
            def work(transaction: Transaction) -> None:
                run(f"UPDATE account SET amount = amount + {amount} WHERE id = 1")(transaction)
                with opened(accounts.engine.url.render_as_string(hide_password=False)) as other:
                    seen.append((self.amounts(other), self.amounts(accounts)))

            return work

        accounts.write(add(1), alone=True)
        accounts.write(add(2))
        assert seen == [([1, 0], [1, 0]), ([1, 0], [1, 0])]
        assert self.amounts(accounts) == [3, 0]
        with pytest.raises(ViolationError):
            accounts.write(run("INSERT INTO account VALUES (1, 9)"), alone=True)
        accounts.write(run("INSERT INTO account VALUES (3, 9)"), alone=True)
        assert self.amounts(accounts) == [3, 0, 9]

    def test_a_write_of_one_statement_whose_outcome_is_unknown_is_not_tried_again(
        self, accounts: Database, database: str
    ) -> None:
        runs = []

        def work(transaction: Transaction) -> None:
            runs.append(1)
            end_connection(accounts, database, transaction)
            run("UPDATE account SET amount = amount + 1 WHERE id = 1")(transaction)

        with pytest.raises(Unavailable, match="may be there, or not"):
            accounts.write(work, alone=True)
        assert len(runs) == 1
        accounts.write(run("UPDATE account SET amount = amount + 1 WHERE id = 2"), alone=True)
        assert self.amounts(accounts) == [0, 1]

    def test_a_commit_whose_outcome_is_unknown_is_not_tried_again(self, accounts: Database, database: str) -> None:
        if database == "mariadb":
            return  # nothing makes its COMMIT wait
        body = "BEGIN PERFORM pg_sleep(20); RETURN NULL; END"
        accounts.write(run(f"CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
        accounts.write(
            run(
                "CREATE CONSTRAINT TRIGGER pause AFTER UPDATE ON account DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION pause()"
            )
        )
        runs = []

        def work(transaction: Transaction) -> None:
            runs.append(1)
            run("UPDATE account SET amount = amount + 1 WHERE id = 1")(transaction)
            ((backend,),) = run("SELECT pg_backend_pid()")(transaction)
            end = Statement(f"SELECT pg_terminate_backend({backend})", (), {})
            threading.Timer(0.3, accounts.read, [end, {}]).start()

        with pytest.raises(Unavailable, match="may be there, or not"):
            accounts.write(work)
        assert len(runs) == 1
        assert accounts.read(ONE, {}) == [(1,)]


def end_connection(database: Database, kind: str, transaction: Transaction) -> None:
    """Have the server end the connection of a transaction, as an administrator would."""
    if kind == "postgresql":
        ((number,),) = run("SELECT pg_backend_pid()")(transaction)
        database.read(Statement(f"SELECT pg_terminate_backend({number})", (), {}), {})
    else:
        ((number,),) = run("SELECT connection_id()")(transaction)
        database.write(run(f"KILL {number}"))
