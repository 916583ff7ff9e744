"""Demijohn, without a handler: a contract and a model. The database is at `DATABASE_URL`."""

from flask import Flask

from demijohn import Demijohn

from .models import Base


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__)
    api = Demijohn(app)
    api.resource(Base)
    api.add_contract("openapi.yaml")
    return app
