"""The models of an application, for the commands that are about its database."""

from __future__ import annotations

import click
from flask import Flask

from demijohn.cli.target import Found, Options, open_application, state_of
from demijohn.errors import MismatchError
from demijohn.resources import Bindings

__all__ = ["open_resources", "verify"]


def open_resources(found: Found, target: str) -> tuple[Flask, Bindings]:
    """Return the application and its models; raise `click.ClickException` where it has none.

    Operations that no function and no model serves do not matter here.
    """
    app = open_application(found, Options(target, unbound="501"))
    resources = state_of(app).resources
    if resources is None or not resources.metadatas:
        raise click.ClickException(
            f"{target} has no models: TARGET is the application that hands them over with Demijohn.resource(...)."
        )
    return app, resources


def verify(app: Flask) -> None:
    """Compare the models with the live database; create that of SQLite where it is missing."""
    resources = state_of(app).resources
    if resources is not None and (resources.shapes or resources.own_metadatas):
        difference = resources.verify()
        if difference.problems:
            raise MismatchError(difference.problems)
        for warning in difference.warnings:
            click.echo(f"Warning: {warning}", err=True)
