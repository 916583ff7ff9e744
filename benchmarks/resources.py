"""Compare Demijohn with its peers at a resource: read, list, create and change people in a database.

All servers of a database run at the same time, each on a database of its own; one of them is loaded at a time,
for a short while, and the rounds go through all operations and all peers, so that a slow minute of the machine
hits everybody. The median of the rounds counts. Run it as `python benchmarks/resources.py --help`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comparison import arguments, command_line, machine
from driver import (
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
    wrk_people,
)
from peers.people import POOL_SIZE
from same_work import READS, check_equal
from stores import DATABASES, PostgreSQLStores, Stores, open_stores, people

ROWS = 10_000
WORKERS = (1, 2)
ROUNDS = 3
SUBJECTS, LIMIT, CONNEXION = ("demijohn", "demijohn-1"), "limit", "connexion-flask"
LIMITS = (LIMIT, "limit-4")
FASTAPI = ("fastapi", "fastapi-async")
ONLY_POSTGRESQL = "flask-psycopg"
CREATE, PATCH = "create", "patch"
OPERATIONS = (*READS, CREATE, PATCH)
PARTS = [
    "demijohn",
    "advanced-alchemy",
    "aiosqlite",
    "asyncpg",
    "connexion",
    "django",
    "djangorestframework",
    "fastapi",
    "flask",
    "flask-smorest",
    "flask-sqlalchemy",
    "granian",
    "gunicorn",
    "jsonschema-rs",
    "litestar",
    "marshmallow",
    "msgspec",
    "orjson",
    "psycopg",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
]

DEMIJOHN = "demijohn run --workers {workers} --port {port} %s peers.demijohn_people:create_app"
CONNEXION_COMMAND = f"{GUNICORN} -k uvicorn.workers.UvicornWorker peers.connexion_people."
PEERS = (
    Peer(LIMIT, "*the limit*: a bare WSGI function", "Granian, 1 thread", f"{GRANIAN} peers.limit_people:app"),
    Peer(
        LIMITS[1],
        "the same function with threads",
        "Granian, 4 threads",
        f"{GRANIAN} peers.limit_people:app".replace("blocking-threads 1", "blocking-threads 4"),
    ),
    Peer("demijohn", "Demijohn", "`demijohn run` (Granian, 4 threads)", DEMIJOHN % "--threads 4"),
    Peer("demijohn-1", "Demijohn", "`demijohn run --threads 1`", DEMIJOHN % "--threads 1"),
    Peer("connexion-flask", "Connexion FlaskApp", "Gunicorn + Uvicorn worker", CONNEXION_COMMAND + "flask_app:app"),
    Peer("connexion-async", "Connexion AsyncApp", "Gunicorn + Uvicorn worker", CONNEXION_COMMAND + "async_app:app"),
    Peer("fastapi", "FastAPI, sync", "Uvicorn", f"{UVICORN} peers.fastapi_people:app"),
    Peer("fastapi-async", "FastAPI, async", "Uvicorn", f"{UVICORN} peers.fastapi_async_people:app"),
    Peer("litestar", "Litestar, async", "Uvicorn", f"{UVICORN} peers.litestar_people:app"),
    Peer("drf", "Django REST Framework", "Gunicorn, 4 threads", f"{GUNICORN} --threads 4 peers.drf_people.wsgi"),
    Peer(
        "flask-smorest",
        "flask-smorest",
        "Gunicorn, 4 threads",
        f"{GUNICORN} --threads 4 peers.smorest_people:create_app()",
    ),
    Peer(
        ONLY_POSTGRESQL,
        "Flask by hand, psycopg",
        "Gunicorn, 4 threads",
        f"{GUNICORN} --threads 4 peers.flask_psycopg_people:app",
    ),
)

Results = dict[str, Sample]
"""What one peer did, by operation."""


@dataclass(frozen=True, slots=True)
class Load:
    """How long and how hard each operation of each peer is asked in each round."""

    rounds: int
    seconds: int
    connections: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One database and one number of workers: a table."""

    database: str
    workers: int

    def __str__(self) -> str:
        name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[self.database]
        return f"{name}, {self.workers} worker{'s' if self.workers > 1 else ''} each"


Measured = dict[Setting, dict[str, Results]]
"""What all peers did, by name."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a subject should reach at one operation, and what it did."""

    setting: Setting
    subject: str
    operation: str
    text: str
    wanted: float
    found: float

    def __str__(self) -> str:
        verdict = "met" if self.found >= self.wanted else "MISSED"
        return f"{verdict}: {self.setting}, {self.operation}: {self.text} {self.wanted:g}, found {self.found:.2f}"


# Measuring


def load(server: Server, operation: str, seconds: int, connections: int) -> Sample:
    """Load one operation of a server."""
    if operation in READS:
        return wrk(server, READS[operation], seconds, connections)
    return wrk_people(server, operation, ROWS, seconds, connections)


def measure(peers: Sequence[Peer], stores: Stores, folder: Path, setting: Setting, given: Load) -> dict[str, Results]:
    """Run all rounds with one number of workers; return the medians."""
    print(f"\n{setting}: starting {len(peers)} servers", flush=True)
    environments = {peer: {"DATABASE_URL": stores.new(peer.name)} for peer in peers}
    samples: dict[str, dict[str, list[Sample]]] = {
        peer.name: {operation: [] for operation in OPERATIONS} for peer in peers
    }
    with serving(environments, folder, READS["read one"], setting.workers) as servers:
        check_equal(servers, LIMITS)
        for server in servers:
            load(server, "list of 20", 1, given.connections)
            stores.restore(server.peer.name)
        for number in range(1, given.rounds + 1):
            for operation in OPERATIONS:
                for server in servers:
                    sample = load(server, operation, given.seconds, given.connections)
                    samples[server.peer.name][operation].append(sample)
                    if operation == CREATE and stores.written(server.peer.name) < sample.requests - sample.errors:
                        raise BenchmarkError(f"{server.peer.name} lost people that it had acknowledged")
                rates = ", ".join(f"{name} {seen[operation][-1].rate:,.0f}" for name, seen in samples.items())
                print(f"round {number}, {operation}: {rates}", flush=True)
            for server in servers:
                stores.restore(server.peer.name)
    return {name: {one: median_sample(seen) for one, seen in by.items()} for name, by in samples.items()}


def measure_all(peers: Sequence[Peer], options: argparse.Namespace, given: Load) -> tuple[Measured, list[str]]:
    """Measure on each database with each number of workers; tell how the databases were set, too."""
    measured: Measured = {}
    conditions: list[str] = []
    for database in options.databases:
        here = [peer for peer in peers if database == "postgresql" or peer.name != ONLY_POSTGRESQL]
        with (
            tempfile.TemporaryDirectory(prefix="demijohn-bench-") as folder,
            open_stores(database, Path(folder), people(ROWS), options.postgresql) as stores,
        ):
            conditions.append(stores.conditions())
            if isinstance(stores, PostgreSQLStores):
                stores.require_connections(POOL_SIZE * max(options.workers) * len(here))
            for workers in options.workers:
                setting = Setting(database, workers)
                measured[setting] = measure(here, stores, Path(folder), setting, given)
    return measured, conditions


# Judging


def ratio(results: Mapping[str, Results], subject: str, others: Iterable[str], operation: str) -> float | None:
    """Return how many times as fast a subject is as the fastest of the others; None where one was not measured."""
    rates = [results[name][operation].rate for name in others if name in results]
    if not rates or subject not in results:
        return None
    return results[subject][operation].rate / max(max(rates), 1e-9)


def targets(measured: Measured) -> list[Target]:
    """Compare with the targets for one worker, as far as they were measured."""
    found: list[Target] = []
    for setting, results in measured.items():
        if setting.workers != 1:
            continue
        for subject in SUBJECTS:
            others = [name for name in results if name not in (*SUBJECTS, *LIMITS)]
            for operation in OPERATIONS:
                for text, wanted, against in wanted_of(setting.database, operation, others):
                    value = ratio(results, subject, against, operation)
                    if value is not None:
                        found.append(Target(setting, subject, operation, text, wanted, value))
    return found


def wanted_of(database: str, operation: str, others: Sequence[str]) -> list[tuple[str, float, Sequence[str]]]:
    """Return the targets of an operation: what is compared, the least ratio, and the peers that it is a ratio to."""
    if database == "postgresql":
        return [
            ("times the best peer, at least", 1.0, others),
            ("times Connexion FlaskApp, at least", 5.0, [CONNEXION]),
        ]
    if operation in ("read one", "list of 20"):
        return [
            ("of the limit, at least", 0.75, [LIMIT]),
            ("times Connexion FlaskApp, at least", 25.0, [CONNEXION]),
            ("times the faster FastAPI, at least", 15.0, FASTAPI),
        ]
    return [("of the limit, at least", 0.70, [LIMIT])] if operation == CREATE else []


# Telling


def rates_table(peers: Sequence[Peer], results: Mapping[str, Results]) -> str:
    """Write the requests per second of all peers."""
    lines = [f"| framework | server | {' | '.join(OPERATIONS)} |", "|---|---" + "|--:" * len(OPERATIONS) + "|"]
    for peer in peers:
        if peer.name in results:
            rates = [f"{results[peer.name][operation].rate:,.0f}" for operation in OPERATIONS]
            lines.append(f"| {peer.framework} | {peer.server} | {' | '.join(rates)} |")
    return "\n".join(lines)


def ratios_table(peers: Sequence[Peer], results: Mapping[str, Results]) -> str:
    """Write, for each operation, how all peers stand to Connexion FlaskApp, to FastAPI and to the limit."""
    lines = [
        "| operation | framework | server | requests/s | to Connexion FlaskApp | to FastAPI | % of the limit "
        "| CPU µs | p99 ms | errors |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for operation in OPERATIONS:
        here = [peer for peer in peers if peer.name in results]
        for peer in sorted(here, key=lambda peer: -results[peer.name][operation].rate):
            seen = results[peer.name][operation]
            to_connexion = ratio(results, peer.name, [CONNEXION], operation)
            to_fastapi = ratio(results, peer.name, FASTAPI, operation)
            of_limit = ratio(results, peer.name, [LIMIT], operation)
            figures = [
                f"{seen.rate:,.0f}",
                "" if to_connexion is None else f"{to_connexion:.1f}",
                "" if to_fastapi is None else f"{to_fastapi:.1f}",
                "" if of_limit is None else f"{of_limit * 100:.0f}",
                f"{seen.cpu_us:,.0f}",
                f"{seen.p99_ms:.2f}",
                str(seen.errors),
            ]
            lines.append(f"| {operation} | {peer.framework} | {peer.server} | {' | '.join(figures)} |")
    return "\n".join(lines)


def verdicts(reached: Sequence[Target]) -> str:
    """List the targets, for Demijohn as it is served by default and with one thread."""
    parts = []
    for subject, title in zip(SUBJECTS, ("`demijohn run`", "`demijohn run --threads 1`"), strict=True):
        lines = [f"- {target}" for target in reached if target.subject == subject]
        missed = sum(target.found < target.wanted for target in reached if target.subject == subject)
        if lines:
            parts.append(f"{title}: {len(lines) - missed} of {len(lines)} targets met\n\n" + "\n".join(lines))
    return "\n\n".join(parts) or "No target was measured."


def conditions_list(conditions: Sequence[str], given: Load, seconds: float) -> list[str]:
    """Say on what and how it was measured."""
    return [
        machine(),
        *conditions,
        versions(PARTS),
        f"{ROWS:,} people; {given.rounds} round{'s' if given.rounds > 1 else ''} of {given.seconds} s for each "
        f"operation and peer, {given.connections} connections; {seconds / 60:.0f} minutes in all",
    ]


def page(peers: Sequence[Peer], measured: Measured, conditions: Sequence[str]) -> str:
    """Write the whole page of results."""
    parts = [
        "# Results of the resources comparison",
        "Written by `benchmarks/resources.py`; [README.md](README.md) says what is measured, and how. "
        "What stands to FastAPI stands to the faster of its two rows; CPU is the server's "
        "processor time for one request, PostgreSQL's not included. "
        "All figures are medians.",
        "## Targets\n\n" + verdicts(targets(measured)),
    ]
    for setting, results in measured.items():
        parts.append(f"## {setting}\n\nRequests per second:\n\n{rates_table(peers, results)}")
        parts.append(f"Each operation, the fastest first:\n\n{ratios_table(peers, results)}")
    parts.append("## Conditions\n\n" + "\n".join(f"- {line}" for line in conditions))
    return "\n\n".join(parts) + "\n"


def as_json(measured: Measured, conditions: Sequence[str]) -> dict[str, Any]:
    """Put everything into one value for JSON."""
    return {
        "conditions": list(conditions),
        "results": [
            {
                "database": setting.database,
                "workers": setting.workers,
                "peers": {
                    name: {operation: asdict(sample) for operation, sample in by.items()}
                    for name, by in results.items()
                },
            }
            for setting, results in measured.items()
        ],
        "targets": [
            {
                "database": target.setting.database,
                "peer": target.subject,
                "operation": target.operation,
                "target": f"{target.text} {target.wanted:g}",
                "found": target.found,
                "met": target.found >= target.wanted,
            }
            for target in targets(measured)
        ],
    }


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    about = "Compare Demijohn with its peers at a resource in a database."
    parser = command_line(
        about, PEERS, rounds=ROUNDS, each="operation", output="resources-results.md and resources.json"
    )
    parser.add_argument("--workers", nargs="+", type=int, help="numbers of workers (1 2)")
    parser.add_argument("--quick", action="store_true", help="one round and one worker, unless told otherwise")
    options = arguments(parser)
    options.rounds = options.rounds or (1 if options.quick else ROUNDS)
    options.workers = options.workers or ([1] if options.quick else WORKERS)
    return options


def main() -> int:
    """Check, measure, print and write; return 1 if a peer misbehaved."""
    options = parse_arguments()
    peers = [peer for peer in PEERS if peer.name in options.peers]
    given = Load(options.rounds, options.seconds, options.connections)
    begin = time.monotonic()
    try:
        measured, conditions = measure_all(peers, options, given)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    conditions = conditions_list(conditions, given, time.monotonic() - begin)
    text = page(peers, measured, conditions)
    print(f"\n{text}")
    whole = len(peers) == len(PEERS) and set(options.databases) == set(DATABASES) and not options.quick
    if options.output or whole:
        json_file = options.output.with_suffix(".json") if options.output else HERE / "resources.json"
        text_file = options.output.with_suffix(".md") if options.output else HERE / "resources-results.md"
        json_file.write_text(json.dumps(as_json(measured, conditions), indent=1) + "\n", encoding="utf-8")
        text_file.write_text(text, encoding="utf-8")
    samples = [sample for results in measured.values() for by in results.values() for sample in by.values()]
    return 1 if any(sample.errors for sample in samples) else 0


if __name__ == "__main__":
    sys.exit(main())
