"""An application with callers, a page, a fault and a dump of its environ, written to a folder to be attacked."""

from __future__ import annotations

from pathlib import Path

__all__ = ["GOOD_ORIGIN", "SECRETS", "write_guarded_app"]

GOOD_ORIGIN = "https://good.example"
# What the process is started with, and what no answer and no log may show.
SECRETS = {
    "SECRET_KEY": "a-secret-key-that-is-never-shown-4711",
    "DATABASE_URL": "postgresql+psycopg://keeper:a-password-of-the-database@127.0.0.1:1/none",
    "PAYMENT_TOKEN": "a-token-of-another-service",
}

CONTRACT = f"""\
openapi: 3.1.0
info: {{title: Guarded, version: "1"}}
x-cors: {{origins: [{GOOD_ORIGIN}], credentials: true}}
paths:
  /me:
    get:
      operationId: functions.me
      security: [{{token: []}}]
      responses: &fine {{"200": {{description: Fine., content: {{application/json: {{}}}}}}}}
  /maybe:
    get: {{operationId: functions.maybe, security: [{{}}, {{token: []}}], responses: *fine}}
  /environ:
    get: {{operationId: functions.environ, responses: *fine}}
  /broken/{{text}}:
    get:
      operationId: functions.broken
      parameters: [{{name: text, in: path, required: true, schema: {{type: string}}}}]
      responses: *fine
  /rows:
    get: {{operationId: functions.rows, responses: *fine}}
  /note:
    post:
      operationId: functions.note
      requestBody: {{content: {{application/json: {{}}}}}}
      responses: *fine
    delete: {{operationId: functions.erase, responses: *fine}}
components:
  securitySchemes:
    token: {{type: http, scheme: bearer, x-bearerInfoFunc: functions.who}}
"""

FUNCTIONS = """\
import os

from flask import request

DONE = []


def who(token):
    return {"sub": token} if token in ("alice", "bob") else None


def me(user):
    return {"user": user, "done": len(DONE)}


def maybe(user):
    return me(user)


def environ():
    known = ("from", request.remote_addr), ("scheme", request.scheme), ("host", request.host)
    return {"dump": repr(request.environ), **dict(known)}


def broken(text):
    raise RuntimeError("the fault hook")


def rows():
    from sqlalchemy import create_engine, text

    with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
        return connection.execute(text("SELECT nothing FROM nowhere")).all()


def note(body=None):
    return {"method": request.method}


def erase():
    DONE.append(1)
    return {}
"""

APP = """\
from flask import Flask

from demijohn import Demijohn


def create_app():
    app = Flask(__name__)
    app.config["DEMIJOHN_MAX_BODY_BYTES"] = 1000
    api = Demijohn(app)
    api.add_contract("openapi.yaml", base_path="/api")
    app.add_url_rule("/", "home", lambda: "<!DOCTYPE html><p>Home")
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    return app
"""


def write_guarded_app(folder: Path) -> Path:
    """Write the application and return its folder."""
    folder.mkdir()
    (folder / "static").mkdir()
    (folder / "static" / "a.js").write_text("1", encoding="utf-8")
    for name, text in (("openapi.yaml", CONTRACT), ("functions.py", FUNCTIONS), ("app.py", APP)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder
