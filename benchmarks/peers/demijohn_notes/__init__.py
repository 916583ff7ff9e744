"""Demijohn, without a handler: a contract, two models and accounts. The database is at `DATABASE_URL`."""

import os

from flask import Flask

from demijohn import Demijohn

from .models import Account, Base


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    api = Demijohn(app)
    api.resource(Base)
    api.accounts(Account, login=("name",), password="password_hash", disabled="is_disabled")
    api.add_contract("openapi.yaml")
    return app
