"""`demijohn keys`: the keys that an application signs access tokens with."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from demijohn.auth.keys import SYMMETRIC, KeyFolder
from demijohn.cli.target import Options, find, open_application, state_of
from demijohn.secret import VARIABLE

__all__ = ["keys"]


@click.group(short_help="List the keys that TARGET signs access tokens with, and make new ones.")
def keys() -> None:
    """List the keys that TARGET signs access tokens with, and make new ones.

    They are files, for the algorithms RS256, ES256 and EdDSA (DEMIJOHN_TOKEN_ALGORITHM).
    """


@keys.command()
@click.argument("target")
@click.option("--revoke", is_flag=True, help="Remove the old keys at once: what they signed is not valid any more.")
def rotate(target: str, revoke: bool) -> None:
    """Make a new key for TARGET, which signs from now on.

    The old ones verify for as long as tokens that they signed may live, and are removed by the next call after that.
    Servers that are running notice within seconds.
    """
    folder, _ = _folder_of(target)
    made = folder.make()
    for kid in folder.remove_old(at_once=revoke):
        click.echo(f"Removed {kid}")
    click.echo(f"Made {made.stem}, which signs from now on")


@keys.command("list")
@click.argument("target")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)
def list_(target: str, form: str) -> None:
    """List the keys of TARGET, the one that signs last."""
    folder, algorithm = _folder_of(target)
    found = folder.read()
    signing = max((key.kid for key in found if key.algorithm == algorithm), default=None)
    rows = [
        {
            "kid": key.kid,
            "algorithm": key.algorithm,
            "since": f"{datetime.fromtimestamp(key.since, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "signs": key.kid == signing,
        }
        for key in found
    ]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        does = "signs" if row["signs"] else "verifies"
        click.echo(f"{row['kid']}  {row['algorithm']}  since {row['since']}  {does}")
    if not rows:
        click.echo(f"No keys in {folder.path}: the first is made when the application signs, or by `keys rotate`.")


def _folder_of(target: str) -> tuple[KeyFolder, str]:
    app = open_application(find(target), Options(target))
    settings = state_of(app).settings
    if settings.token_algorithm == SYMMETRIC:
        raise click.ClickException(
            f"{SYMMETRIC} signs with {VARIABLE}. To change it, move the old one to {VARIABLE}_FALLBACKS; for keys in"
            " files set DEMIJOHN_TOKEN_ALGORITHM to RS256, ES256 or EdDSA."
        )
    return KeyFolder.of(app, settings), settings.token_algorithm
