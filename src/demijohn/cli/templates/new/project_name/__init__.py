"""Project Title: a REST API from one contract."""

from __future__ import annotations

from demijohn import Demijohn, RelativeResolver
from flask import Flask

from . import models

__all__ = ["create_app", "tasks"]

api = Demijohn()
api.resource(models.Base)
tasks = api.resource(models.Task)
# >>> accounts
api.accounts(models.User)
# <<< accounts
api.add_contract("openapi.yaml", resolver=RelativeResolver("project_name.handlers"))


def create_app(database_url: str | None = None) -> Flask:
    """Build the application on the database at `database_url`.

    Without one, the environment variable `DATABASE_URL` names it; without that, it is an SQLite file in Flask's
    instance folder.
    """
    app = Flask(__name__)
    if database_url is not None:
        app.config["DEMIJOHN_DATABASE_URL"] = database_url
    api.init_app(app)
    return app
