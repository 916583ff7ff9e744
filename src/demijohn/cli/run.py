"""`demijohn run`: serve a contract or an application with Granian."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click
from flask import Flask

from demijohn.app import State
from demijohn.cli.operating import counts_folder, operating
from demijohn.cli.problems import tell
from demijohn.cli.resources import verify
from demijohn.cli.server import THREADS, address_of, claim, listening, serve
from demijohn.cli.serving import application
from demijohn.cli.target import Found, Options, find, open_application, state_of
from demijohn.errors import StartError

__all__ = ["check_again", "run"]


@click.command()
@click.argument("target")
@listening
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that answer requests.")
@click.option("--threads", type=click.IntRange(1), default=THREADS, show_default=True, help="Threads of each worker.")
@click.option("--base-path", metavar="PATH", help="Stands before the paths of a contract file, / for nothing.")
@click.option("--mock", is_flag=True, help="Answer what no function serves from the contract's examples.")
@click.option("--reload", is_flag=True, help="Start the workers anew when code or the contract changes.")
@click.option("--strict", is_flag=True, help="Refuse a contract that has warnings, too.")
@click.option(
    "--grace",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long running requests may take to end when the server stops.",
)
def run(
    target: str,
    host: str,
    port: int,
    workers: int,
    threads: int,
    base_path: str | None,
    mock: bool,
    reload: bool,
    strict: bool,
    grace: int,
) -> None:
    """Serve TARGET.

    Everything is checked first: with a problem, nothing starts and the exit status is 1. SIGTERM and Ctrl-C
    let running requests end. Settings come from the environment (DEMIJOHN_...), as does what the application
    reads itself, such as DATABASE_URL.
    """
    options = Options(target, base_path, "mock" if mock else None, strict)
    found = find(target)
    app = open_application(found, options)
    verify(app)
    address, port = claim(host, port)
    watched = _watched(found) if reload else ()
    state = state_of(app)
    with counts_folder(state) as folder, operating(state, folder) as operated:
        line = _line(app, address, port, operated)
        _serve(options, line, address, port, workers, threads, grace, watched, state, folder)


def check_again(options: Options) -> None:
    """End this process with 1 where the application would not start, with the reasons told."""
    try:
        verify(open_application(find(options.target), options))
        return
    except StartError as error:
        tell(error)
    except click.ClickException as error:
        error.show()
    sys.exit(1)


def _serve(
    options: Options,
    line: str,
    host: str,
    port: int,
    workers: int,
    threads: int,
    grace_s: int,
    watched: tuple[Path, ...],
    state: State,
    folder: Path | None,
) -> None:
    serve(
        partial(application, options, threads, folder=folder),
        line,
        host,
        port,
        workers=workers,
        threads=threads,
        grace_s=grace_s,
        watched=watched,
        check=partial(check_again, options),
        readiness=state.readiness,
        log_format=state.settings.log_format,
    )


def _line(app: Flask, host: str, port: int, operated: str = "") -> str:
    """Return the line that tells where everything is."""
    root = address_of(host, port)
    state = state_of(app)
    api = state.apis[0]
    docs = state.settings.docs_ui and state.settings.docs_contract
    parts = [f"Serving {api.contract.title} at {root}{api.base_path or '/'}"]
    parts += [f"docs at {root}{api.base_path}/ui/"] if docs else []
    parts += [f"operating at {operated}"] if operated else []
    return ", ".join([*parts, "Ctrl-C to stop"])


def _watched(found: Found) -> tuple[Path, ...]:
    return tuple(dict.fromkeys([Path.cwd(), found.folder.resolve()]))
