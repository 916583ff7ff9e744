"""What an attacked application has beside its own files: more operations of accounts, and a log of what it does."""

from __future__ import annotations

__all__ = ["CONTRACT", "app_with"]

# Beside its own contract: what it does not offer of accounts.
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
_APP = """\
import logging
import os
import sqlite3.dbapi2
import sys
from pathlib import Path

import argon2
import demijohn
import flask
import PACKAGE as application
import psycopg

HERE = Path(__file__).parent
MORE = HERE / "more.yaml"
opened = os.open(HERE / "opened.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
statements = os.open(HERE / "statements.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)


def note_opened(event, values):
    if event == "open":
        os.write(opened, ascii(values[0]).encode() + b"\\n")


sys.addaudithook(note_opened)


def noted(method):
    def call(cursor, query, *values, **options):
        os.write(statements, ascii(query).encode() + b"\\n")
        return method(cursor, query, *values, **options)

    return call


def note_statements(kind, base):
    for name in ("execute", "executemany"):
        setattr(kind, name, noted(getattr(base, name)))


class Cursor(sqlite3.Cursor):
    pass


class Connection(sqlite3.Connection):
    def cursor(self, factory=Cursor):
        return super().cursor(factory)


connect = sqlite3.dbapi2.connect
sqlite3.dbapi2.connect = lambda *values, **options: connect(*values, factory=Connection, **options)
note_statements(Cursor, sqlite3.Cursor)
note_statements(Connection, sqlite3.Connection)
note_statements(psycopg.Cursor, psycopg.Cursor)

logging.basicConfig(level=logging.DEBUG, format="%(process)d %(levelname)s %(name)s %(message)s")
# An application that logs its statements logs what is in them.
logging.getLogger("sqlalchemy").setLevel(logging.WARNING)


def counted(name):
    original = getattr(argon2.PasswordHasher, name)

    def call(*values):
        logging.getLogger("hashes").info("argon2 %s", name)
        return original(*values)

    setattr(argon2.PasswordHasher, name, call)


WITH_MORE
counted("hash")
counted("verify")


def create_app():
    app = application.create_app()
    app.add_url_rule("/worker", "worker", lambda: str(os.getpid()))
    app.add_url_rule("/environ", "environ", lambda: repr(flask.request.environ))
    app.add_url_rule("/faulty", "faulty", fail)
    return app


def fail():
    raise RuntimeError("a fault that names " + str(HERE))
"""


def app_with(package: str, with_more: str) -> str:
    """Return the module of an application that notes, whose package gets more operations by `with_more`."""
    return _APP.replace("PACKAGE", package).replace("WITH_MORE", with_more)
