"""An application as it is served to attackers: by Granian or Gunicorn, on two workers, with all of its log kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeAlias

import databases
import sqlalchemy as sa
from attacked_apps import Application, Owner
from databases import Kind
from served import served, served_by_gunicorn, wait_for
from site_files import CONTRACT, app_with
from target import Reply, Target

__all__ = ["NOWHERE", "PASSWORD", "WORKERS", "Kept", "Member", "Owner", "Server", "Site", "serve_site"]

Server: TypeAlias = Literal["granian", "gunicorn"]


EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "nine lives of a cat"
NOWHERE = 2_000_000_000
"""The number that no row has."""
WORKERS = 2
SECRET = "h2 Vh7Qw0mJ4sT9xK2pL6rN8bC3dF5gZ1yA"
DATABASE_PASSWORD = "h2-9dYq3LwZ8kRt"

# What no answer may hold: hashes, and keys of the signer.
NEVER = re.compile(rb"\$argon2|PRIVATE KEY|scrypt:|pbkdf2:")


@dataclass(frozen=True)
class Member:
    """Be a user who is logged in."""

    id: int
    name: str
    access: str
    refresh: str

    @property
    def email(self) -> str:
        return f"{self.name}@example.org"

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": PASSWORD}


class Kept:
    """Be a connection that is kept, and so is the worker at its other end.

    One that `may_reopen` may be another after an answer: Granian closes it where a body was not read that comes late.
    """

    def __init__(self, connection: HTTPConnection, *, may_reopen: bool = False) -> None:
        self._connection, self._may_reopen = connection, may_reopen

    def ask(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> Reply:
        """Send a request; a body is JSON."""
        named = headers if body is None else {"Content-Type": "application/json", **headers}
        self._connection.request(method, path, body, named)
        response = self._connection.getresponse()
        got = {name.lower(): value for name, value in response.getheaders()}
        reply = Reply(response.status, got, response.read())
        assert not NEVER.search(reply.body), reply.body
        assert self._may_reopen or not response.will_close
        return reply

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


@dataclass
class Site(Target):
    """Be a running application; every answer is looked through for what may never be in one."""

    app: Application
    kind: Kind
    server: Server
    folder: Path
    engine: sa.Engine
    variables: dict[str, str]
    """What the server was configured by, beside the environment of the test."""
    told: set[str]
    """Every secret that somebody was told: tokens and keys."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    kept: dict[str, int] = field(default_factory=dict)
    """The numbers of what is there for all, by its name."""
    workers_at_desk: list[Member] = field(default_factory=list)
    source: str = "127.0.0.1"

    @property
    def accounts(self) -> str:
        return self.app.accounts

    def elsewhere(self) -> Site:
        """Return the same application as a client with another address sees it."""
        number = next(self.numbers)
        return replace(self, source=f"127.1.{number // 250}.{number % 250 + 1}")

    def ask(
        self, method: str, path: str, body: Any = None, *, echoed: str = "", token: str | None = None, **headers: str
    ) -> Reply:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if method == "HEAD":  # an error has no body to be sound
            return self._exchange(method, path, None, {name.replace("_", "-"): one for name, one in headers.items()})
        reply = super().ask(method, path, body, echoed=echoed, **headers)
        assert not NEVER.search(reply.body), reply.body
        return reply

    def _connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.source, 0))

    def is_well(self) -> None:
        began = time.monotonic()
        assert self.ask("GET", self.app.public[0]).status == 200
        assert time.monotonic() - began < 1

    @contextmanager
    def workers(self) -> Iterator[dict[int, Kept]]:
        """Yield a connection to each worker, by its process id: a connection stays with the worker that took it."""
        found: dict[int, Kept] = {}
        try:
            deadline = time.monotonic() + 20  # the second may still be starting
            while len(found) < WORKERS:
                assert time.monotonic() < deadline, "one worker takes every connection"
                kept = Kept(self._connect())
                worker = int(kept.ask("GET", "/worker").body)
                if worker in found:
                    kept.close()
                else:
                    found[worker] = kept
            yield found
        finally:
            for one in found.values():
                one.close()

    def on_both_workers(self, method: str, path: str, token: str = "", **headers: str) -> set[int]:
        """Ask each of the workers; return the statuses."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"Authorization": f"Bearer {token}"} if token else {}
        with self.workers() as workers:
            return {one.ask(method, path, **named).status for one in workers.values()}

    # Users

    def member(self, role: str = "member") -> Member:
        """Register somebody, give the role behind the back of the API, and log in; all from an address of its own."""
        there = self.elsewhere()
        name = f"member{next(self.numbers)}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        made = there.ask("POST", f"{self.accounts}/register", body)
        assert made.status == 201, made.body
        if role != "member":
            self.set(made.json["id"], role=role)
        return there.log_in(made.json["id"], name)

    def log_in(self, id_: int, name: str) -> Member:
        """Log a user in."""
        reply = self.ask("POST", f"{self.accounts}/login", {"email": f"{name}@example.org", "password": PASSWORD})
        assert reply.status == 200, reply.body
        return self.known(Member(id_, name, reply.json["access_token"], reply.json["refresh_token"]))

    def again(self, member: Member, refresh: str) -> Reply:
        """Present a refresh token, whoever's it is."""
        reply = self.ask("POST", f"{self.accounts}/refresh", token=refresh)
        if reply.status == 200:
            self.known(Member(member.id, member.name, reply.json["access_token"], reply.json["refresh_token"]))
        return reply

    def known(self, member: Member) -> Member:
        self.told |= {member.access, member.refresh}
        return member

    def owner(self) -> Owner:
        """Return somebody who has something of each kind."""
        member = self.member()
        return Owner(member, self.app.own(self, member))

    def worker(self) -> Member:
        """Return somebody who may write what everybody reads; it is always the same one."""
        if not self.workers_at_desk:
            self.workers_at_desk.append(self.member(self.app.staff))
        return self.workers_at_desk[0]

    # Behind the back of the API

    def set(self, user: int, **values: Any) -> None:
        """Change a user as an administrator of the database does."""
        self.change("users", user, **values)

    def remove(self, member: Member) -> None:
        """Delete a user who has nothing."""
        with self.engine.begin() as connection:
            gone = connection.execute(sa.text("DELETE FROM users WHERE id = :id"), {"id": member.id})
            assert gone.rowcount == 1

    def change(self, table: str, id_: int, **values: Any) -> None:
        """Change a row of any table."""
        rows = sa.table(table, sa.column("id"), *map(sa.column, values))
        with self.engine.begin() as connection:
            assert connection.execute(sa.update(rows).where(rows.c.id == id_).values(values)).rowcount == 1

    def add(self, table: str, **values: Any) -> int:
        """Add a row and return its number."""
        rows = sa.table(table, sa.column("id"), *map(sa.column, values))
        with self.engine.begin() as connection:
            added: int = connection.execute(sa.insert(rows).values(values).returning(rows.c.id)).scalar_one()
        return added

    def rows(self, *tables: str) -> list[Sequence[sa.Row[Any]]]:
        """Return all that is in some tables, or in all that the application writes to."""
        with self.engine.connect() as connection:
            found = tables or self.app.tables
            return [connection.execute(sa.text(f"SELECT * FROM {name} ORDER BY id")).all() for name in found]

    def log(self) -> str:
        return (self.folder / ("server.log" if self.server == "granian" else "gunicorn.log")).read_text(
            errors="replace"
        )

    def statements(self) -> str:
        """Return all statements that drivers were given, as they were, each on a line."""
        return (self.folder / "statements.txt").read_text()

    def opened(self) -> list[str]:
        """Return the files that Python has opened or tried to, as `ascii` writes their names."""
        return (self.folder / "opened.txt").read_text().splitlines()

    def hashes(self) -> int:
        """Return how many passwords have been hashed or verified."""
        return self.log().count(" hashes argon2 ")

    def secrets(self) -> frozenset[str]:
        """Return every secret that there is: of the configuration, of users, and what was told to somebody."""
        keys = [line for file in self.folder.glob("keys/*.pem") for line in file.read_text().splitlines()[1:-1]]
        assert keys
        assert self.told
        signatures = {one.rpartition(".")[2] for one in self.told}
        return frozenset((SECRET, DATABASE_PASSWORD, PASSWORD, *self.told, *keys, *signatures))

    def leaked_nothing(self, *, has_faults: bool = False) -> None:
        """Check that the log holds no trace of a fault, and no secret."""
        log = self.log()
        assert has_faults or "Traceback" not in log, log[log.index("Traceback") :][:4000]
        for text in (log, self.statements()):
            assert [one for one in self.secrets() if one in text] == []
            assert not NEVER.search(text.encode())


@contextmanager
def serve_site(
    app: Application,
    kind: Kind,
    server: Server,
    folder: Path,
    settings: Mapping[str, str],
    *,
    has_faults: bool = False,
) -> Iterator[Site]:
    """Serve an application on a database, with settings of Demijohn by their names in the environment.

    With `has_faults` there may be traces in the log: somebody brings faults about.
    """
    source = EXAMPLES / app.name / app.name
    shutil.copytree(source, folder / app.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "app.py").write_text(app_with(app.name, app.with_more), encoding="utf-8")
    (folder / "more.yaml").write_text(CONTRACT, encoding="utf-8")
    # The server of these tests asks for no password; what goes through the hands of the application has one.
    url = databases.url(kind, folder).replace("//postgres@", f"//postgres:{DATABASE_PASSWORD}@")
    variables = {
        "SECRET_KEY": SECRET,
        "DATABASE_URL": url,
        "DEMIJOHN_ENVIRONMENT": "development",
        # As in production: how long something took differs from answer to answer.
        "DEMIJOHN_SERVER_TIMING": "never",
        "DEMIJOHN_RATE_LIMIT_STORAGE": "database",
        "DEMIJOHN_TOKEN_ALGORITHM": "RS256" if kind == "sqlite" else "ES256",
        "DEMIJOHN_TOKEN_KEYS": str(folder / "keys"),
        "DEMIJOHN_PASSWORD_MEMORY_KIB": "8",
        "DEMIJOHN_PASSWORD_TIME_COST": "1",
        # Whatever the package is that is installed, it is this copy that is served.
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        **settings,
    }
    engine = sa.create_engine(url)
    try:
        if kind != "sqlite":
            _make_tables(folder, variables)
        if server == "granian":
            serving = served(Path("app:create_app"), "--workers", str(WORKERS), cwd=folder, **variables)
        else:
            serving = served_by_gunicorn("app:create_app()", cwd=folder, WEB_CONCURRENCY=str(WORKERS), **variables)
        with serving as address:
            wait_for(address + app.public[0])
            site = Site(address, app, kind, server, folder, engine, variables, set())
            yield site
            site.leaked_nothing(has_faults=has_faults)
    finally:
        engine.dispose()
        databases.empty(kind)


def _make_tables(folder: Path, variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "demijohn", "db", "create", "app:create_app"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
