"""Keep people by their last name: an API from one Swagger 2.0 contract, and a page that uses it."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response, make_response, render_template

from demijohn import Demijohn

from .storage import Storage

__all__ = ["create_app"]

PAGE_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"


def create_app(database_url: str | None = None) -> Flask:
    """Build the application on the database at `database_url`.

    Without one, the environment variable `DATABASE_URL` names it; without that, it is the file
    `people.sqlite` in Flask's instance folder.
    """
    app = Flask(__name__)
    app.config["DEMIJOHN_MAX_BODY_BYTES"] = 16 * 1024  # two names, however they are escaped, are under 2 KiB
    app.extensions["people"] = Storage.open(database_url or os.environ.get("DATABASE_URL") or _instance_url(app))
    Demijohn(app).add_contract("swagger.yaml")
    app.add_url_rule("/", view_func=home)
    return app


def home() -> Response:
    """Answer the single page that shows the API at work."""
    page = make_response(render_template("home.html"))
    page.headers["Content-Security-Policy"] = PAGE_POLICY
    page.headers["X-Content-Type-Options"] = "nosniff"
    page.headers["Referrer-Policy"] = "no-referrer"
    return page


def _instance_url(app: Flask) -> str:
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'people.sqlite'}"
