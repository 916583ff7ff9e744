"""What is done from the command line: `flask --app library holds` and `flask --app library samples`."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from .lending import pass_on
from .resources import api
from .samples import load_samples

__all__ = ["holds", "samples"]


@click.command()
@with_appcontext
def holds() -> None:
    """Pass on the copies that nobody fetched in time; for the night, beside what every action does by itself."""
    click.echo(f"Copies of {api.transact(pass_on)} books were kept for too long.")


@click.command()
@with_appcontext
def samples() -> None:
    """Fill the library with books, members, loans and holds."""
    made = load_samples()
    told = f"Made {made} rows; `demijohn user password` gives a member a password."
    click.echo(told if made else "The samples are there already.")
