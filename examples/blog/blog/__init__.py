"""A blog with accounts: one OpenAPI 3.1 contract, models of Flask-SQLAlchemy, and a blueprint beside them."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import find_dotenv, load_dotenv
from flask import Flask
from flask_migrate import Migrate

from demijohn import Demijohn, SettingError

from .config import CONFIGURATIONS
from .models import Product, User, db
from .reports import reports
from .samples import samples

__all__ = ["create_app"]

MIGRATIONS = Path(__file__).with_name("migrations")


def create_app(config_name: str | None = None) -> Flask:
    """Build the application as the configuration `development`, `testing` or `production` says.

    Without a name, the environment variable `DEMIJOHN_ENVIRONMENT` gives it, which may be in a file `.env` in the
    working directory or above it; without that, it is `development`. Raises `SettingError` for another name.
    """
    if config_name != "testing":
        load_dotenv(find_dotenv(usecwd=True))
    name = config_name or os.environ.get("DEMIJOHN_ENVIRONMENT") or "development"
    if name not in CONFIGURATIONS:
        raise SettingError([f"the configuration: found {name!r}, allowed is {', '.join(CONFIGURATIONS)}"])
    app = Flask(__name__)
    app.config.from_object(CONFIGURATIONS[name]())
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS))
    api = Demijohn(app)
    api.resource(db)
    api.accounts(
        User,
        login=("email", "username"),
        password="password_hash",  # noqa: S106  # the name of a column
        roles="role",
        disabled="is_disabled",
        default_role="member",
    )
    api.add_contract("openapi.yaml")
    app.extensions["blog"] = api.resource(Product)  # what the samples ask whether there is something already
    app.register_blueprint(reports)
    app.register_blueprint(samples)
    return app
