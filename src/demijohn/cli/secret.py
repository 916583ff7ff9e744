"""`demijohn secret`: a good secret for an application, printed or kept in a file."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import click

from demijohn.secret import VARIABLE

__all__ = ["secret"]

_BYTES = 48
_IS_SET = re.compile(rf"^\s*(export\s+)?{VARIABLE}\s*=", re.MULTILINE)


@click.command()
@click.option(
    "--write",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append it to FILE, such as .env, that only its owner can read.",
)
def secret(file: Path | None) -> None:
    """Print a new secret: what an application signs its tokens and cursors with.

    The application finds it in the environment variable SECRET_KEY. `demijohn` reads the file .env of the working
    directory into the environment, as `flask` does.
    """
    made = secrets.token_urlsafe(_BYTES)
    if file is None:
        click.echo(made)
        return
    try:
        _append(file, made)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {VARIABLE} to {file}. Keep it out of version control.")


def _append(file: Path, made: str) -> None:
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if _IS_SET.search(text):
        raise click.ClickException(f"{file} has a {VARIABLE} already: what it signed would not be valid any more.")
    line = f"{VARIABLE}={made}\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        os.fchmod(descriptor, 0o600)  # before the secret is in it
        output.write(line if not text or text.endswith("\n") else "\n" + line)
