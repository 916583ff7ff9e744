"""The blog as `demijohn run` serves it to attackers: on two workers, with every line of its log kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import databases
import sqlalchemy as sa
from databases import Kind
from served import served, wait_for
from target import Reply, Target

__all__ = ["NOWHERE", "PASSWORD", "WORKERS", "Blog", "Member", "Posted", "serve_blog"]

BLOG = Path(__file__).parents[2] / "examples" / "blog" / "blog"
PASSWORD = "nine lives of a cat"
NOWHERE = 2_000_000_000
"""The number that no row has."""
WORKERS = 2
SECRET = "h2 Vh7Qw0mJ4sT9xK2pL6rN8bC3dF5gZ1yA"
# A connection goes to any of the workers: so many do not all go to the same one, but once in thirty thousand times.
BOTH_WORKERS = 16

# Beside the blog's own contract: what it does not offer of accounts.
CONTRACT = """\
openapi: 3.1.0
info: {title: More of accounts, version: "1"}
servers: [{url: /more}]
security: [{session: []}]
paths:
  /password:
    post:
      operationId: demijohn.auth.change_password
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [current_password, new_password]
              properties: {current_password: {type: string}, new_password: {type: string}}
      responses: &done {"204": {description: done}}
  /sessions:
    get:
      operationId: demijohn.auth.sessions
      responses:
        "200":
          description: those of the caller
          content:
            application/json:
              schema:
                type: array
                items:
                  type: object
                  required: [id, current]
                  properties: {id: {type: string}, current: {type: boolean}}
  /sessions/{session_id}:
    delete:
      operationId: demijohn.auth.revoke_session
      parameters: [{name: session_id, in: path, required: true, schema: {type: string}}]
      responses: *done
  /keys:
    post:
      operationId: demijohn.auth.create_api_key
      responses:
        "201":
          description: made
          content:
            application/json:
              schema:
                type: object
                required: [id, key]
                properties: {id: {type: string}, key: {type: string}}
  /keys/{key_id}:
    delete:
      operationId: demijohn.auth.revoke_api_key
      parameters: [{name: key_id, in: path, required: true, schema: {type: string}}]
      responses: *done
  /me:
    get:
      operationId: demijohn.auth.me
      security: [{key: []}]
      responses:
        "200":
          description: the caller
          content:
            application/json:
              schema: {type: object, required: [id], properties: {id: {type: integer}}}
components:
  securitySchemes:
    session: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: X-API-Key}
"""
APP = """\
import logging
from pathlib import Path

import argon2
import blog
import demijohn

logging.basicConfig(level=logging.DEBUG, format="%(process)d %(levelname)s %(name)s %(message)s")
# An application that logs its statements logs what is in them.
logging.getLogger("sqlalchemy").setLevel(logging.WARNING)


def counted(name):
    original = getattr(argon2.PasswordHasher, name)

    def call(*values):
        logging.getLogger("hashes").info("argon2 %s", name)
        return original(*values)

    setattr(argon2.PasswordHasher, name, call)


class More(demijohn.Demijohn):
    def add_contract(self, path, **options):
        super().add_contract(path, **options)
        super().add_contract(Path(__file__).with_name("more.yaml"), **options)


counted("hash")
counted("verify")
blog.Demijohn = More
create_app = blog.create_app
"""
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


@dataclass(frozen=True)
class Posted:
    """Be a user with a post, and a product beside them."""

    member: Member
    post: int
    product: int


@dataclass
class Blog(Target):
    """Be the running blog; every answer is looked through for what may never be in one."""

    kind: Kind
    folder: Path
    engine: sa.Engine
    told: set[str]
    """Every secret that somebody was told: tokens and keys."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    source: str = "127.0.0.1"

    def elsewhere(self) -> Blog:
        """Return the same blog as a client with another address sees it."""
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
        assert self.ask("GET", "/products?limit=1").status == 200
        assert time.monotonic() - began < 1

    def on_both_workers(self, method: str, path: str, token: str) -> set[int]:
        """Ask so often that both workers have answered; return the statuses."""
        return {self.ask(method, path, token=token).status for _ in range(BOTH_WORKERS)}

    # Users

    def member(self, role: str = "member") -> Member:
        """Register somebody, give the role behind the back of the API, and log in; all from an address of its own."""
        there = self.elsewhere()
        name = f"member{next(self.numbers)}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        made = there.ask("POST", "/auth/register", body)
        assert made.status == 201, made.body
        if role != "member":
            self.set(made.json["id"], role=role)
        return there.log_in(made.json["id"], name)

    def log_in(self, id_: int, name: str) -> Member:
        """Log a user in."""
        reply = self.ask("POST", "/auth/login", {"email": f"{name}@example.org", "password": PASSWORD})
        assert reply.status == 200, reply.body
        return self.known(Member(id_, name, reply.json["access_token"], reply.json["refresh_token"]))

    def again(self, member: Member, refresh: str) -> Reply:
        """Present a refresh token, whoever's it is."""
        reply = self.ask("POST", "/auth/refresh", token=refresh)
        if reply.status == 200:
            self.known(Member(member.id, member.name, reply.json["access_token"], reply.json["refresh_token"]))
        return reply

    def known(self, member: Member) -> Member:
        self.told |= {member.access, member.refresh}
        return member

    def posted(self) -> Posted:
        """Return somebody with a post; there is a product as well."""
        member = self.member()
        post = self.ask("POST", "/posts", {"title": "Hello", "body": "This is the first one."}, token=member.access)
        assert post.status == 201
        add = sa.text("INSERT INTO products (name, price, stock) VALUES (:name, 12.5, 3) RETURNING id")
        with self.engine.begin() as connection:
            product: int = connection.execute(add, {"name": f"mug {next(self.numbers)}"}).scalar_one()
        return Posted(member, post.json["id"], product)

    # Behind the back of the API

    def set(self, user: int, **values: Any) -> None:
        """Change a user as an administrator of the database does."""
        users = sa.table("users", sa.column("id"), *map(sa.column, values))
        with self.engine.begin() as connection:
            assert connection.execute(sa.update(users).where(users.c.id == user).values(values)).rowcount == 1

    def rows(self, *tables: str) -> list[Sequence[sa.Row[Any]]]:
        """Return all that is in some tables."""
        with self.engine.connect() as connection:
            return [connection.execute(sa.text(f"SELECT * FROM {name} ORDER BY id")).all() for name in tables]

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def hashes(self) -> int:
        """Return how many passwords have been hashed or verified."""
        return self.log().count(" hashes argon2 ")

    def leaked_nothing(self) -> None:
        """Check that the log holds no trace of a fault, and no secret."""
        log = self.log()
        assert "Traceback" not in log, log[log.index("Traceback") :][:4000]
        keys = [line for file in self.folder.glob("keys/*.pem") for line in file.read_text().splitlines()[1:-1]]
        assert keys
        assert self.told
        secrets = {SECRET, PASSWORD, *self.told, *keys, *(one.rpartition(".")[2] for one in self.told)}
        assert [one for one in secrets if one in log] == []
        assert not NEVER.search(log.encode())


@contextmanager
def serve_blog(kind: Kind, folder: Path, **settings: str) -> Iterator[Blog]:
    """Serve the blog on a database, with settings of Demijohn by their names in the environment."""
    shutil.copytree(BLOG, folder / "blog", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "app.py").write_text(APP, encoding="utf-8")
    (folder / "more.yaml").write_text(CONTRACT, encoding="utf-8")
    url = databases.url(kind, folder)
    variables = {
        "SECRET_KEY": SECRET,
        "DATABASE_URL": url,
        "DEMIJOHN_ENVIRONMENT": "development",
        "DEMIJOHN_RATE_LIMIT_STORAGE": "database",
        "DEMIJOHN_TOKEN_ALGORITHM": "RS256" if kind == "sqlite" else "ES256",
        "DEMIJOHN_TOKEN_KEYS": str(folder / "keys"),
        "DEMIJOHN_PASSWORD_MEMORY_KIB": "8",
        "DEMIJOHN_PASSWORD_TIME_COST": "1",
        **settings,
    }
    engine = sa.create_engine(url)
    try:
        if kind != "sqlite":
            _make_tables(folder, variables)
        with served(Path("app:create_app"), "--workers", str(WORKERS), cwd=folder, **variables) as address:
            wait_for(f"{address}/products")
            blog = Blog(address, kind, folder, engine, set())
            yield blog
            blog.leaked_nothing()
    finally:
        engine.dispose()
        databases.empty(kind)


def _make_tables(folder: Path, variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "demijohn", "db", "create", "app:create_app"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
