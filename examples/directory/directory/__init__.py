"""People and their addresses: an API from one OpenAPI 3.0 contract and two models, without a handler."""

from __future__ import annotations

from flask import Flask

from demijohn import Demijohn

from .models import Base

__all__ = ["create_app"]


def create_app(database_url: str | None = None) -> Flask:
    """Build the application on the database at `database_url`.

    Without one, the environment variable `DATABASE_URL` names it; without that, it is an SQLite file in Flask's
    instance folder. An SQLite file gets its tables when it is first used; on a server `demijohn db create` makes them.
    """
    app = Flask(__name__)
    app.config["DEMIJOHN_MAX_BODY_BYTES"] = 64 * 1024  # twenty steps of a patch, however they are escaped, are less
    if database_url is not None:
        app.config["DEMIJOHN_DATABASE_URL"] = database_url
    api = Demijohn(app)
    api.resource(Base)
    api.add_contract("openapi.yaml")
    return app
