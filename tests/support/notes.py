"""A small application on Flask-SQLAlchemy, in which other extensions stand beside compiled operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from small_apis import INTEGER, Json, contract, crud, obj, whole

from demijohn import Demijohn

__all__ = ["TITLE", "Notes", "notes_app"]

TITLE: Json = {"type": "string", "minLength": 1, "maxLength": 40}
_ID: Json = {**INTEGER, "readOnly": True}
_SCHEMAS = {"Note": whole(id=_ID, title=TITLE), "NewNote": whole(title=TITLE), "NoteUpdate": obj(title=TITLE)}


@dataclass(frozen=True, slots=True)
class Notes:
    """Hold the application, its `db`, its only model, and the folder that it is in."""

    app: Flask
    db: SQLAlchemy
    model: Any
    folder: Path

    def serve(
        self, paths: Mapping[str, Json] | None = None, more: Json | None = None, **functions: Callable[..., Any]
    ) -> FlaskClient:
        """Serve notes as statements, with `paths` whose operationIds are `functions`; `more` is for the document."""
        document = contract({**crud("/notes", "Note"), **(paths or {})}, _SCHEMAS)
        document["components"] |= (more or {}).get("components", {})
        file = self.folder / "openapi.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        api = Demijohn(self.app)
        api.resource(self.db)
        api.add_contract(file, resolver=functions.get)
        return self.app.test_client()


def notes_app(folder: Path, **config: Any) -> Notes:
    """Make the application and its table."""
    app = Flask("notes", root_path=str(folder), instance_path=str(folder))
    app.config.from_mapping(SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/notes.sqlite", **config)
    db = SQLAlchemy(app)

    class Note(db.Model):  # type: ignore[name-defined,misc]  # made at run time
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(40), nullable=False)

    with app.app_context():
        db.create_all()
    return Notes(app, db, Note, folder)
