"""Compare the catalogue of the Library example with its peers: a search, a list and one book, from a cache and not.

All servers of a database run at the same time, each on a database of its own; one of them is loaded at a time, for a
short while, and the rounds go through all of them, so that a slow minute of the machine hits everybody. The median of
the rounds counts. Then people borrow books as well (`mixed.py`). Run it as `python benchmarks/books.py --help`.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from argon2 import PasswordHasher
from catalogue import application, library
from comparison import arguments, command_line, machine
from driver import (
    BIN,
    GRANIAN,
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
from mixed import mix
from peers.people import POOL_SIZE
from same_work import BOOK, LIST, SEARCH, check_books
from stores import DATABASES, Data, PostgreSQLStores, Stores, open_stores

ROWS, ROUNDS = 10_000, 5
CACHE_S = 60
TARGET = 0.85
PATHS = {"search": SEARCH, "list": LIST, "book": BOOK}
FRESH, KEPT = "fresh", "kept"
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
OF_THE_SERVER = ("connection", "date", "server")  # it adds them to each answer by itself, as the client asks for
SUBJECTS, LIMIT, HELD, MIXED = ("demijohn", "demijohn-1"), "limit", "held", "demijohn"
APPLICATION = "library:create_app"
RESULTS = HERE / "books-results.md"
PARTS = (
    "demijohn",
    "aiosqlite",
    "asyncpg",
    "django",
    "djangorestframework",
    "fastapi",
    "fastapi-cache2",
    "flask",
    "granian",
    "gunicorn",
    "psycopg",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
)
COMMAND = f"demijohn run --workers {{workers}} --port {{port}} %s {APPLICATION}"
PEERS = (
    Peer("demijohn-1", "Demijohn", "`demijohn run --threads 1`", COMMAND % "--threads 1"),
    Peer("demijohn", "Demijohn", "`demijohn run` (Granian, 4 threads)", COMMAND % "--threads 4"),
    Peer("fastapi", "FastAPI, async; fastapi-cache2", "Uvicorn", f"{UVICORN} peers.fastapi_books:app"),
    Peer(
        "drf",
        "Django REST Framework; `cache_page`",
        "Gunicorn, 4 threads",
        f"{GUNICORN} --threads 4 peers.drf_books.wsgi",
    ),
)
THE_LIMIT = Peer(
    LIMIT, "*the limit*: a bare WSGI function", "Granian, 1 thread", f"{GRANIAN} --http 1 peers.limit_books:app"
)
THE_BYTES = Peer(
    HELD, "*the bytes*, held by a bare WSGI function", "Granian, 1 thread", f"{GRANIAN} --http 1 peers.held_books:app"
)

Rates = dict[tuple[str, str, str], Sample]
"""What was seen, by the name of the peer, fresh or kept, and the page."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen on one database.

    `shares` are Demijohn's kept lists beside the limit and beside the bytes, in the same rounds, by both names.
    """

    rates: Rates
    shares: dict[tuple[str, str], float]
    mixed: dict[str, Sample]


def store_name(peer: Peer, kind: str) -> str:
    """Return what the database of a peer is called."""
    return f"{peer.name}_{kind}".replace("-", "_")


def environment(peer: Peer, kind: str, stores: Stores, applications: Path, secret: str) -> dict[str, str]:
    """Make the database of a peer; return what its server is told."""
    told = {"DATABASE_URL": stores.new(store_name(peer, kind))}
    if peer.name not in SUBJECTS:
        return told | ({"CACHE_S": str(CACHE_S)} if kind == KEPT else {})
    looked_in = os.pathsep.join(filter(None, (str(applications / kind), os.environ.get("PYTHONPATH"))))
    told |= {"SECRET_KEY": secret, "PYTHONPATH": looked_in, "DEMIJOHN_ENVIRONMENT": "production"}
    command = [BIN / "demijohn", "db", "create", APPLICATION]
    subprocess.run(command, cwd=applications, env=os.environ | told, check=True, stdout=subprocess.DEVNULL)
    return told


def hold(server: Server, file: Path) -> None:
    """Write the answers of a server into a file, for the limit; those that come from its cache."""
    found = {}
    for path in PATHS.values():
        for _ in range(2):
            with urllib.request.urlopen(server.base + path, timeout=10) as response:
                headers = [one for one in response.headers.items() if one[0].lower() not in OF_THE_SERVER]
                found[path] = (headers, response.read().decode())
    file.write_text(json.dumps(found), encoding="utf-8")


def measure(
    peers: Sequence[Peer], stores: Stores, folder: Path, password: str, options: argparse.Namespace
) -> Measured:
    """Run all rounds on one kind of database; return the medians."""
    secret = secrets.token_urlsafe(32)
    both = [(peer, kind) for peer in peers for kind in (FRESH, KEPT)] + [(THE_LIMIT, FRESH)]
    environments = {
        replace(peer, name=f"{peer.name} {kind}"): environment(peer, kind, stores, folder, secret)
        for peer, kind in both
    }
    answers = folder / "answers.json"
    seen: dict[tuple[str, str, str], list[Sample]] = {}
    with serving(environments, folder, BOOK) as servers:
        check_books(servers, [f"{LIMIT} {FRESH}"])
        hold(servers[1], answers)
        with serving({THE_BYTES: {"ANSWERS": str(answers)}}, folder, BOOK) as holders:
            asked = [(HELD, KEPT, holders[0])]
            asked += [(peer.name, kind, server) for (peer, kind), server in zip(both, servers, strict=True)]
            for number in range(options.rounds + 1):
                for page, path in PATHS.items():
                    for name, kind, server in asked:
                        sample = wrk(server, path, options.seconds, options.connections)
                        if number:  # the first round warms up
                            seen.setdefault((name, kind, page), []).append(sample)
                    rates = ", ".join(f"{n} {k} {s[-1].rate:,.0f}" for (n, k, p), s in seen.items() if p == page)
                    print(f"round {number}, {page}: {rates or 'warmed up'}", flush=True)
        mixed = {}
        for (peer, kind), server in zip(both, servers, strict=True):
            if kind == KEPT and peer.name == MIXED:
                store = store_name(peer, kind)
                sample = mix(server, stores, store, ROWS, password, options.mixed_seconds, options.connections)
                mixed[peer.name] = sample
                print(f"mixed load, {peer.name}: {sample.rate:,.0f}, p99 {sample.p99_ms:.0f} ms", flush=True)
    shares = {
        (name, other): median(one.rate / most.rate for one, most in zip(samples, seen[other, such, page], strict=True))
        for (name, kind, page), samples in seen.items()
        if name in SUBJECTS and kind == KEPT and page == "list"
        for other, such in ((LIMIT, FRESH), (HELD, KEPT))
    }
    return Measured({key: median_sample(samples) for key, samples in seen.items()}, shares, mixed)


def table(peers: Sequence[Peer], measured: Measured) -> str:
    """Write what all peers did on one database."""
    lines = [
        f"| framework | server | | {' | '.join(f'{page}, requests/s | CPU µs | p99 ms' for page in PATHS)} | errors |",
        f"|---|---|---|{'--:|--:|--:|' * len(PATHS)}--:|",
    ]
    for kind in (KEPT, FRESH):
        for peer in (THE_BYTES, THE_LIMIT, *peers):
            seen = [measured.rates.get((peer.name, kind, page)) for page in PATHS]
            samples = [sample for sample in seen if sample is not None]
            if samples:
                figures = [f"{one.rate:,.0f} | {one.cpu_us:,.0f} | {one.p99_ms:.1f}" for one in samples]
                errors = sum(one.errors for one in samples)
                said = "cached" if kind == KEPT else "not cached"
                lines.append(f"| {peer.framework} | {peer.server} | {said} | {' | '.join(figures)} | {errors} |")
    return "\n".join(lines)


def mixed_table(peers: Sequence[Peer], measured: Measured, seconds: int) -> str:
    """Write what the mixed load was like on one database."""
    lines = [
        f"Mixed load of {seconds} s, four reads to one write:",
        "",
        "| framework | server | requests/s | p50 ms | p99 ms | requests | errors |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for peer in peers:
        if peer.name in measured.mixed:
            one = measured.mixed[peer.name]
            figures = f"{one.rate:,.0f} | {one.p50_ms:.1f} | {one.p99_ms:.1f} | {one.requests:,} | {one.errors}"
            lines.append(f"| {peer.framework} | {peer.server} | {figures} |")
    return "\n".join(lines)


def page_of_results(
    peers: Sequence[Peer], measured: dict[str, Measured], conditions: Sequence[str], seconds: int
) -> str:
    """Write the whole page of results."""
    targets = [
        f"- {'met' if one.shares[name, LIMIT] >= TARGET else 'MISSED'}: {TITLES[database]}, {name}: the cached list at"
        f" {TARGET:.0%} of the limit or more, found {one.shares[name, LIMIT]:.0%}"
        f" (and {one.shares[name, HELD]:.0%} of the bytes)"
        for database, one in measured.items()
        for name in SUBJECTS
        if (name, LIMIT) in one.shares
    ]
    parts = [
        "# Results of the books comparison",
        "Written by `benchmarks/books.py`; [README.md](README.md#the-books-comparison) says what is measured, and how."
        " CPU is the server's processor time for one request, PostgreSQL's not included. All figures but those of the"
        " mixed load are medians; the share of the limit is the median of those of the rounds.",
        "## Targets\n\n" + "\n".join(targets),
    ]
    for database, one in measured.items():
        parts += [f"## {TITLES[database]}", table(peers, one), mixed_table(peers, one, seconds)]
    return "\n\n".join([*parts, "## Conditions\n\n" + "\n".join(f"- {line}" for line in conditions)])


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    about = "Compare the Library's catalogue with its peers, cached and not."
    parser = command_line(about, PEERS, rounds=ROUNDS, each="page", output="books-results.md")
    parser.add_argument("--mixed-seconds", type=int, help="seconds of the mixed load (60)")
    parser.add_argument("--quick", action="store_true", help="one round and a mixed load of 5 s; writes no results")
    options = arguments(parser)
    options.rounds = options.rounds or (1 if options.quick else ROUNDS)
    options.mixed_seconds = options.mixed_seconds or (5 if options.quick else 60)
    return options


def measure_all(
    peers: Sequence[Peer], data: Data, password: str, options: argparse.Namespace
) -> tuple[dict[str, Measured], list[str]]:
    """Measure on each database; tell how the databases were set, too."""
    measured: dict[str, Measured] = {}
    conditions: list[str] = []
    for database in options.databases:
        print(f"\n{TITLES[database]}: starting {2 * len(peers) + 2} servers", flush=True)
        with (
            tempfile.TemporaryDirectory(prefix="demijohn-bench-") as folder,
            open_stores(database, Path(folder), data, options.postgresql) as stores,
        ):
            conditions.append(stores.conditions())
            if isinstance(stores, PostgreSQLStores):
                stores.require_connections(POOL_SIZE * (2 * len(peers) + 1))
            for cache in (True, False):
                application(Path(folder), cache)
            measured[database] = measure(peers, stores, Path(folder), password, options)
    return measured, conditions


def main() -> int:
    """Check, measure, print and write; return 1 if the target is missed or a peer misbehaved."""
    options = parse_arguments()
    peers = [peer for peer in PEERS if peer.name in options.peers]
    password = secrets.token_urlsafe(16)
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # what Demijohn makes hashes with
    begin = time.monotonic()
    try:
        measured, conditions = measure_all(peers, library(ROWS, hasher.hash(password)), password, options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    conditions = [
        machine(),
        *conditions,
        versions(PARTS),
        f"one worker each; {ROWS:,} books; {options.rounds} rounds of {options.seconds} s for each page and peer, "
        f"{options.connections} connections; {(time.monotonic() - begin) / 60:.0f} minutes in all",
    ]
    text = page_of_results(peers, measured, conditions, options.mixed_seconds) + "\n"
    print(f"\n{text}")
    is_whole = len(peers) == len(PEERS) and set(options.databases) == set(DATABASES) and not options.quick
    if options.output or is_whole:
        (options.output or RESULTS).write_text(text, encoding="utf-8")
    samples = [one for seen in measured.values() for one in (*seen.rates.values(), *seen.mixed.values())]
    is_met = all(
        share >= TARGET for seen in measured.values() for (_, other), share in seen.shares.items() if other == LIMIT
    )
    return 0 if is_met and not any(one.errors for one in samples) else 1


if __name__ == "__main__":
    sys.exit(main())
