"""Compare a list of who is calling, with an access token, with the same list without: Demijohn and its peers.

All servers of a database run at the same time, each on a database of its own. Each round asks each of them for both
lists, one right after the other, so that a slow minute of the machine hits both; the median of the rounds counts.
Run it as `python benchmarks/accounts.py --help`.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from argon2 import PasswordHasher
from comparison import arguments, command_line, machine
from driver import (
    BIN,
    GUNICORN,
    HERE,
    UVICORN,
    BenchmarkError,
    Peer,
    Sample,
    Server,
    median_sample,
    serving,
    versions,
    wrk,
)
from peers.people import POOL_SIZE
from resources import DEMIJOHN, Setting
from same_work import BOARD, NOTES, check_accounts, check_revoked
from stores import DATABASES, Data, PostgreSQLStores, Stores, notes, open_stores

ROWS, ACCOUNTS, CALLERS = 10_000, 100, 10
ROUNDS = 7
TARGET = 0.60
SUBJECTS = ("demijohn", "demijohn-1")
APPLICATION = "peers.demijohn_notes:create_app"
RESULTS = HERE / "accounts-results.md"
PARTS = (
    "demijohn",
    "connexion",
    "fastapi",
    "flask",
    "granian",
    "gunicorn",
    "psycopg",
    "pydantic",
    "pyjwt",
    "sqlalchemy",
    "uvicorn",
)
COMMAND = DEMIJOHN.replace("peers.demijohn_people:create_app", APPLICATION)
PEERS = (
    Peer("demijohn", "Demijohn", "`demijohn run` (Granian, 4 threads)", COMMAND % "--threads 4"),
    Peer("demijohn-1", "Demijohn", "`demijohn run --threads 1`", COMMAND % "--threads 1"),
    Peer("fastapi", "FastAPI, sync, PyJWT", "Uvicorn", f"{UVICORN} peers.fastapi_notes:app"),
    Peer(
        "connexion-flask",
        "Connexion FlaskApp, PyJWT",
        "Gunicorn + Uvicorn worker",
        f"{GUNICORN} -k uvicorn.workers.UvicornWorker peers.connexion_notes.flask_app:app",
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one peer did: the list of all, the list of who is calling, and the rate of this to the rate of that."""

    board: Sample
    notes: Sample
    ratio: float


Measured = dict[Setting, dict[str, Result]]


def load(server: Server, path: str, tokens: Sequence[str], seconds: int, connections: int) -> Sample:
    """Load one list of a server; each request has another one of the tokens, if there are any."""
    return wrk(server, path, seconds, connections, "accounts.lua", *tokens)


def measure(
    peers: Sequence[Peer], stores: Stores, folder: Path, setting: Setting, password: str, options: argparse.Namespace
) -> dict[str, Result]:
    """Run all rounds with one number of workers; return the medians."""
    print(f"\n{setting}: starting {len(peers)} servers", flush=True)
    secret = secrets.token_urlsafe(32)
    environments = {peer: {"DATABASE_URL": stores.new(peer.name), "SECRET_KEY": secret} for peer in peers}
    for peer, environment in environments.items():
        if peer.name in SUBJECTS:  # its sessions have tables
            command = [BIN / "demijohn", "db", "create", APPLICATION]
            subprocess.run(command, cwd=HERE, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)
    names = [f"account{number + 1}" for number in range(CALLERS)]
    samples: dict[str, list[tuple[Sample, Sample]]] = {peer.name: [] for peer in peers}
    with serving(environments, folder, BOARD, setting.workers) as servers:
        tokens = check_accounts(servers, stores, names, password)
        for server in servers:
            if server.peer.name in SUBJECTS:  # the tokens of the others belong to no session
                check_revoked(server, stores, names[0], password)
        for number in range(options.rounds + 1):
            for server in servers:
                mine = tokens[server.peer.name]
                pair = (
                    load(server, BOARD, (), options.seconds, options.connections),
                    load(server, NOTES, mine, options.seconds, options.connections),
                )
                if number:  # the first round warms up
                    samples[server.peer.name].append(pair)
            rates = (
                f"{name} {seen[-1][0].rate:,.0f}/{seen[-1][1].rate:,.0f}" for name, seen in samples.items() if seen
            )
            print(f"round {number}: {', '.join(rates) or 'warmed up'}", flush=True)
    return {
        name: Result(
            median_sample([board for board, _ in seen]),
            median_sample([own for _, own in seen]),
            median(own.rate / board.rate for board, own in seen),
        )
        for name, seen in samples.items()
    }


def measure_all(
    peers: Sequence[Peer], data: Data, password: str, options: argparse.Namespace
) -> tuple[Measured, list[str]]:
    """Measure on each database with each number of workers; tell how the databases were set, too."""
    measured: Measured = {}
    conditions: list[str] = []
    for database in options.databases:
        with (
            tempfile.TemporaryDirectory(prefix="demijohn-bench-") as folder,
            open_stores(database, Path(folder), data, options.postgresql) as stores,
        ):
            conditions.append(stores.conditions())
            if isinstance(stores, PostgreSQLStores):
                stores.require_connections(POOL_SIZE * max(options.workers) * len(peers))
            for workers in options.workers:
                setting = Setting(database, workers)
                measured[setting] = measure(peers, stores, Path(folder), setting, password, options)
    return measured, conditions


def table(peers: Sequence[Peer], results: dict[str, Result]) -> str:
    """Write what all peers did."""
    lines = [
        "| framework | server | open list, requests/s | own list with a token, requests/s | of the open list "
        "| open, CPU µs | own, CPU µs | own, p99 ms | errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for peer in peers:
        seen = results[peer.name]
        figures = [
            f"{seen.board.rate:,.0f}",
            f"{seen.notes.rate:,.0f}",
            f"{seen.ratio * 100:.0f} %",
            f"{seen.board.cpu_us:,.0f}",
            f"{seen.notes.cpu_us:,.0f}",
            f"{seen.notes.p99_ms:.2f}",
            str(seen.board.errors + seen.notes.errors),
        ]
        lines.append(f"| {peer.framework} | {peer.server} | {' | '.join(figures)} |")
    return "\n".join(lines)


def page(peers: Sequence[Peer], measured: Measured, conditions: Sequence[str]) -> str:
    """Write the whole page of results."""
    targets = [
        f"- {'met' if results[name].ratio >= TARGET else 'MISSED'}: {setting}, {name}: the own list at {TARGET:.0%} of"
        f" the open list or more, found {results[name].ratio:.0%}"
        for setting, results in measured.items()
        for name in SUBJECTS
        if name in results
    ]
    return "\n\n".join(
        [
            "# Results of the accounts comparison",
            "Written by `benchmarks/accounts.py`; [README.md](README.md#the-accounts-comparison) says what is measured,"
            " and how. CPU is the server's processor time for one request, PostgreSQL's not included. All figures are"
            " medians; the share is that of each round, in which one list was loaded right after the other.",
            "## Targets\n\n" + "\n".join(targets),
            *(f"## {setting}\n\n{table(peers, results)}" for setting, results in measured.items()),
            "## Conditions\n\n" + "\n".join(f"- {line}" for line in conditions),
        ]
    )


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    about = "Compare a list behind a login with the same list in the open."
    parser = command_line(about, PEERS, rounds=ROUNDS, each="list", output="accounts-results.md")
    parser.add_argument("--workers", nargs="+", type=int, default=[1], help="numbers of workers (1)")
    options = arguments(parser)
    options.rounds = options.rounds or ROUNDS
    return options


def main() -> int:
    """Check, measure, print and write; return 1 if the target is missed or a peer misbehaved."""
    options = parse_arguments()
    peers = [peer for peer in PEERS if peer.name in options.peers]
    password = secrets.token_urlsafe(16)
    # What Demijohn makes hashes with; the verifying peers read it from the hash.
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    begin = time.monotonic()
    try:
        measured, conditions = measure_all(peers, notes(ROWS, ACCOUNTS, hasher.hash(password)), password, options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    conditions = [
        machine(),
        *conditions,
        versions(PARTS),
        f"{ROWS:,} notes of {ACCOUNTS} accounts, {CALLERS} of which ask in turn; {options.rounds} rounds of "
        f"{options.seconds} s for each list and peer, {options.connections} connections; "
        f"{(time.monotonic() - begin) / 60:.0f} minutes in all",
    ]
    text = page(peers, measured, conditions) + "\n"
    print(f"\n{text}")
    is_whole = len(peers) == len(PEERS) and set(options.databases) == set(DATABASES)
    if options.output or is_whole:
        (options.output or RESULTS).write_text(text, encoding="utf-8")
    results = [(name, one) for by_name in measured.values() for name, one in by_name.items()]
    is_good = all(one.ratio >= TARGET for name, one in results if name in SUBJECTS)
    return 0 if is_good and not any(one.board.errors + one.notes.errors for _, one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
