"""A public library: books, loans, holds and orders, from one OpenAPI 3.1 contract and a few short functions."""

from __future__ import annotations

import os

from dotenv import find_dotenv, load_dotenv
from flask import Flask

from demijohn import SettingError

from . import commands, lending, ordering  # noqa: F401  # their hooks come before the contract
from .config import CONFIGURATIONS
from .pages import pages
from .resources import api

__all__ = ["create_app"]


def create_app(configuration: str | None = None) -> Flask:
    """Build the application as the configuration `development`, `testing` or `production` says.

    Without a name, the environment variable `DEMIJOHN_ENVIRONMENT` gives it, which may be in a file `.env` in the
    working directory or above it; without that, it is `development`. Raises `SettingError` for another name.
    """
    if configuration != "testing":
        load_dotenv(find_dotenv(usecwd=True))
    name = configuration or os.environ.get("DEMIJOHN_ENVIRONMENT") or "development"
    if name not in CONFIGURATIONS:
        raise SettingError([f"the configuration: found {name!r}, allowed is {', '.join(CONFIGURATIONS)}"])
    app = Flask(__name__)
    app.config.from_object(CONFIGURATIONS[name]())
    api.init_app(app)
    app.register_blueprint(pages)
    app.cli.add_command(commands.holds)
    app.cli.add_command(commands.samples)
    return app
