"""Compare Demijohn with its peers: the same API, rows, load and machine, one worker each.

Each round starts every peer in turn, warms it up and loads it, so that a slow minute of the machine hits
all of them; the median of the rounds counts. Run it as `python benchmarks/run.py --help`.
"""

import argparse
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driver import (
    GRANIAN,
    GUNICORN,
    HERE,
    UVICORN,
    BenchmarkError,
    Peer,
    Sample,
    Server,
    ask,
    median_sample,
    serving,
    versions,
    wrk,
    wrk_version,
)

SUBJECT, BASELINE, TARGET = "demijohn", "connexion-flask", 3.0
PARTS = [
    "demijohn",
    "connexion",
    "fastapi",
    "flask",
    "granian",
    "gunicorn",
    "jsonschema-rs",
    "orjson",
    "pydantic",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "werkzeug",
]

PEERS = (
    Peer(
        "demijohn",
        "Demijohn, Python handlers",
        "`demijohn run` (Granian, 4 threads)",
        "demijohn run --workers {workers} --port {port} peers.demijohn_app:app",
    ),
    Peer(
        "demijohn-1",
        "Demijohn, Python handlers",
        "`demijohn run --threads 1`",
        "demijohn run --workers {workers} --threads 1 --port {port} peers.demijohn_app:app",
    ),
    Peer(
        "connexion-flask",
        "Connexion FlaskApp",
        "Gunicorn + Uvicorn worker",
        f"{GUNICORN} -k uvicorn.workers.UvicornWorker peers.connexion_flask:app",
    ),
    Peer(
        "connexion-async",
        "Connexion AsyncApp",
        "Gunicorn + Uvicorn worker",
        f"{GUNICORN} -k uvicorn.workers.UvicornWorker peers.connexion_async:app",
    ),
    Peer(
        "flask-gunicorn",
        "Flask, checks by hand",
        "Gunicorn, 4 threads",
        f"{GUNICORN} --threads 4 peers.flask_plain:app",
    ),
    Peer("flask-granian", "Flask, checks by hand", "Granian, 1 thread", f"{GRANIAN} peers.flask_plain:app"),
    Peer("fastapi", "FastAPI", "Uvicorn", f"{UVICORN} peers.fastapi_app:app"),
)
ENDPOINTS = {
    "list of 20": "/api/people?limit=20&offset=0",
    "one person": "/api/people/Fennel0555",
}
UNKNOWN = "/api/people/Nobody"
WRONG = "/api/people?limit=abc"


@dataclass(frozen=True, slots=True)
class Load:
    """How hard, and for how long, one peer's one endpoint is asked."""

    seconds: int
    warm_up_s: int
    connections: int


def served(peer: Peer, database: Path) -> AbstractContextManager[list[Server]]:
    """Run one peer's server on the database."""
    return serving({peer: {"BENCH_DATABASE": str(database)}}, database.parent, ENDPOINTS["one person"])


def answers(server: Server) -> dict[str, Any]:
    """Collect the answers that must be equal on every peer, and check those that need not be."""
    found: dict[str, Any] = {}
    for title, path in ENDPOINTS.items():
        answer = ask(server.base + path)
        found[title] = (answer.status, answer.json())
    status = ask(server.base + UNKNOWN).status
    if status != 404:
        raise BenchmarkError(f"{server.peer.name}: {UNKNOWN} answered {status}, not 404")
    status = ask(server.base + WRONG).status
    if not 400 <= status < 500:
        raise BenchmarkError(f"{server.peer.name}: {WRONG} answered {status}, not 4xx")
    return found


def check_equal(peers: Sequence[Peer], database: Path) -> None:
    """Start each peer once and insist that all of them do the same work."""
    expected: dict[str, Any] | None = None
    for peer in peers:
        with served(peer, database) as (server,):
            found = answers(server)
        expected = expected or found
        if found != expected:
            raise BenchmarkError(f"{peer.name} answers otherwise than {peers[0].name}: {found} != {expected}")
    if expected is not None and len(expected["list of 20"][1]) != 20:
        raise BenchmarkError("the list does not hold 20 people")


def measure(peers: Sequence[Peer], database: Path, rounds: int, load: Load) -> dict[tuple[str, str], Sample]:
    """Run all rounds; return the median per peer and endpoint."""
    samples: dict[tuple[str, str], list[Sample]] = {}
    for number in range(1, rounds + 1):
        for peer in peers:
            with served(peer, database) as (server,):
                for title, path in ENDPOINTS.items():
                    wrk(server, path, load.warm_up_s, load.connections)
                    sample = wrk(server, path, load.seconds, load.connections)
                    samples.setdefault((peer.name, title), []).append(sample)
                    figures = f"{sample.rate:,.0f}/s, {sample.cpu_us:,.0f} µs of CPU each"
                    print(f"round {number}: {peer.name}, {title}: {figures}", flush=True)
    return {key: median_sample(value) for key, value in samples.items()}


def table(peers: Sequence[Peer], results: dict[tuple[str, str], Sample], endpoint: str) -> str:
    """Write one endpoint's results as a Markdown table, the fastest first."""
    baseline = results.get((BASELINE, endpoint))
    lines = [
        "| framework | server | requests/s | ratio | CPU µs | p50 ms | p99 ms | errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for peer in sorted(peers, key=lambda peer: -results[peer.name, endpoint].rate):
        seen = results[peer.name, endpoint]
        ratio = f"{seen.rate / baseline.rate:.1f}" if baseline else ""
        lines.append(
            f"| {peer.framework} | {peer.server} | {seen.rate:,.0f} | {ratio} "
            f"| {seen.cpu_us:,.0f} | {seen.p50_ms:.2f} | {seen.p99_ms:.2f} | {seen.errors} |"
        )
    return "\n".join(lines)


def report(peers: Sequence[Peer], results: dict[tuple[str, str], Sample], rounds: int, load: Load) -> str:
    """Write the whole page of results."""
    sections = [f"## {endpoint.capitalize()}\n\n`GET {ENDPOINTS[endpoint]}`\n\n" for endpoint in ENDPOINTS]
    bodies = [head + table(peers, results, endpoint) for head, endpoint in zip(sections, ENDPOINTS, strict=True)]
    return "\n\n".join(
        [
            "# Results",
            "Written by `make bench`; [README.md](README.md) says what is measured, and how. "
            "The ratio is to Connexion FlaskApp; CPU is the server's processor time for one request. "
            "All figures are medians.",
            *bodies,
            "## Conditions",
            f"- {os.cpu_count()} cores ({platform.machine()}), shared by the server and wrk; "
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, wrk {wrk_version()}\n"
            f"- {versions(PARTS)}\n"
            f"- one worker each; {rounds} rounds of {load.seconds} s after {load.warm_up_s} s of warm-up, "
            f"{load.connections} connections",
        ]
    )


def verdict(results: dict[tuple[str, str], Sample]) -> str:
    """Tell whether Demijohn, as it is served by default, is as many times as fast as it should be."""
    if not {(SUBJECT, title) for title in ENDPOINTS} | {(BASELINE, title) for title in ENDPOINTS} <= set(results):
        return "not measured"
    ratios = [results[SUBJECT, title].rate / results[BASELINE, title].rate for title in ENDPOINTS]
    return "met" if min(ratios) >= TARGET else "missed"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(description="Compare Demijohn with its peers.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all peers (3)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of load per endpoint and round (4)")
    parser.add_argument("--warm-up", type=int, default=1, help="seconds of load before that (1)")
    parser.add_argument("--connections", type=int, default=16, help="connections held open by wrk (16)")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PEER", help=str(names))
    parser.add_argument("--output", type=Path, help="file to write (results.md, if all peers ran)")
    return parser.parse_args()


def main() -> int:
    """Check, measure, print and write; return 1 if a peer misbehaved."""
    options = parse_arguments()
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 1
    peers = [peer for peer in PEERS if peer.name in options.only]
    load = Load(options.seconds, options.warm_up, options.connections)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "people.sqlite")
        subprocess.run(
            [sys.executable, HERE / "data.py"], env=os.environ | {"BENCH_DATABASE": str(database)}, check=True
        )
        try:
            check_equal(peers, database)
            results = measure(peers, database, options.rounds, load)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
    page = report(peers, results, options.rounds, load)
    print(f"\n{page}\n\ntarget: {TARGET:.0f} times Connexion FlaskApp on both: {verdict(results)}")
    output = options.output or (HERE / "results.md" if len(peers) == len(PEERS) else None)
    if output:
        output.write_text(page + "\n", encoding="utf-8")
    return 1 if any(sample.errors for sample in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
