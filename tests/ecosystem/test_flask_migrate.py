"""Flask-Migrate as its documentation says, on the models of compiled operations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

APP = """\
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from demijohn import Demijohn

app = Flask(__name__, instance_path=str(Path(__file__).parent))
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///notes.sqlite"
db = SQLAlchemy(app)
migrate = Migrate(app, db)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(40), nullable=False)


api = Demijohn(app)
api.resource(db)
api.add_contract("openapi.yaml")
"""
CONTRACT = """\
openapi: 3.1.0
info: {title: Notes, version: "1"}
paths:
  /notes:
    get:
      responses:
        "200":
          description: Notes.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Note"}}}}
    post:
      requestBody: &note
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}
      responses:
        "201":
          description: The note.
          content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}
components:
  schemas:
    Note:
      type: object
      required: [id, title]
      properties:
        id: {type: integer, readOnly: true}
        title: {type: string, maxLength: 40}
"""
USE = """\
from app import app

client = app.test_client()
print(client.post("/notes", json={"title": "Hello"}).text)
print(client.get("/notes").text)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of an application without migrations."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "openapi.yaml").write_text(CONTRACT)
    (tmp_path / "use.py").write_text(USE)
    return tmp_path


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_migrations_make_and_change_the_tables_that_statements_use(folder: Path) -> None:
    for command in (["init"], ["migrate", "-m", "notes"], ["upgrade"]):
        run(folder, "-m", "flask", "db", *command)
    assert run(folder, "use.py") == '{"id":1,"title":"Hello"}\n[{"id":1,"title":"Hello"}]\n'
    for file, old, new in (
        ("app.py", "nullable=False)\n", "nullable=False)\n    is_done = db.Column(db.Boolean)\n"),
        ("openapi.yaml", "maxLength: 40}\n", "maxLength: 40}\n        is_done: {type: [boolean, 'null']}\n"),
    ):
        (folder / file).write_text((folder / file).read_text().replace(old, new))
    for command in (["migrate", "-m", "whether it is done"], ["upgrade"], ["check"]):
        run(folder, "-m", "flask", "db", *command)
    assert run(folder, "use.py").splitlines()[0] == '{"id":2,"title":"Hello","is_done":null}'
