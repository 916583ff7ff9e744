"""Compare Demijohn with its peers: the same API, rows, load and machine, one worker each.

Each round starts every peer in turn, warms it up and loads it, so that a slow minute of the machine hits
all of them; the median of the rounds counts. Run it as `python benchmarks/run.py --help`.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
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

GRANIAN = "granian --interface wsgi --workers 1 --blocking-threads 1 --no-ws --log-level error --port {port}"
GUNICORN = "gunicorn -w 1 --log-level error -b 127.0.0.1:{port}"
UVICORN = "uvicorn --workers 1 --no-access-log --log-level error --port {port}"


@dataclass(frozen=True, slots=True)
class Peer:
    """One framework on one server: a row of the table."""

    name: str
    framework: str
    server: str
    command: str


PEERS = (
    Peer(
        "demijohn",
        "Demijohn, Python handlers",
        "`demijohn run` (Granian, 4 threads)",
        "demijohn run --workers 1 --port {port} peers.demijohn_app:app",
    ),
    Peer(
        "demijohn-1",
        "Demijohn, Python handlers",
        "`demijohn run --threads 1`",
        "demijohn run --workers 1 --threads 1 --port {port} peers.demijohn_app:app",
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


@dataclass(frozen=True, slots=True)
class Sample:
    """What wrk saw in one go, and what a request cost the server in processor time."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    errors: int


class BenchmarkError(Exception):
    """A peer that does not start, does not stop or does other work than the rest."""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(url: str) -> tuple[int, bytes]:
    """Fetch a URL; return its status and body, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Poll until the server answers 200, or raise with the reason that it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(f"the server ended with code {process.returncode}")
        try:
            status, body = get(url)
        except OSError:
            time.sleep(0.05)
            continue
        if status != 200:
            raise BenchmarkError(f"{url} answered {status}: {body[:500]!r}")
        return
    raise BenchmarkError(f"no answer within {START_TIMEOUT_S} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then end it and its workers: they are one process group, made by `serving`."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cpu_seconds(group: int) -> float:
    """Sum the processor time, user and system, that the processes of a group have used (see proc(5))."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where it answers, and its process group."""

    base: str
    group: int


@contextmanager
def serving(peer: Peer, database: Path) -> Iterator[Server]:
    """Run a peer's server."""
    port = free_port()
    program, *arguments = peer.command.format(port=port).split()
    log = database.with_name(f"{peer.name}.log")
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [BIN / program, *arguments],
            cwd=HERE,
            env=os.environ | {"BENCH_DATABASE": str(database), "PYTHONPATH": str(HERE)},
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}{ENDPOINTS['one person']}")
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    except BenchmarkError as error:
        raise BenchmarkError(f"{peer.name}: {error}\n{log.read_text(errors='replace')[-3000:]}") from error
    finally:
        stop(process)


def answers(base: str) -> dict[str, Any]:
    """Collect the answers that must be equal on every peer, and check those that need not be."""
    found: dict[str, Any] = {}
    for title, path in ENDPOINTS.items():
        status, body = get(base + path)
        found[title] = (status, json.loads(body))
    status, _ = get(base + UNKNOWN)
    if status != 404:
        raise BenchmarkError(f"{UNKNOWN} answered {status}, not 404")
    status, _ = get(base + WRONG)
    if not 400 <= status < 500:
        raise BenchmarkError(f"{WRONG} answered {status}, not 4xx")
    return found


def check_equal(peers: Sequence[Peer], database: Path) -> None:
    """Start each peer once and insist that all of them do the same work."""
    expected: dict[str, Any] | None = None
    for peer in peers:
        with serving(peer, database) as server:
            found = answers(server.base)
        expected = expected or found
        if found != expected:
            raise BenchmarkError(f"{peer.name} answers otherwise than {peers[0].name}: {found} != {expected}")
    if expected is not None and len(expected["list of 20"][1]) != 20:
        raise BenchmarkError("the list does not hold 20 people")


def wrk(server: Server, path: str, seconds: int, connections: int) -> Sample:
    """Load one path with wrk for some seconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "report.lua")]
    used = cpu_seconds(server.group)
    output = subprocess.run([*command, server.base + path], check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(server.group) - used
    seen = json.loads(output.splitlines()[-1])
    return Sample(
        rate=seen["requests"] / seen["duration_us"] * 1e6,
        cpu_us=used / max(seen["requests"], 1) * 1e6,
        p50_ms=seen["p50_us"] / 1e3,
        p99_ms=seen["p99_us"] / 1e3,
        errors=seen["errors"],
    )


def measure(peers: Sequence[Peer], database: Path, rounds: int, load: Load) -> dict[tuple[str, str], Sample]:
    """Run all rounds; return the median per peer and endpoint."""
    samples: dict[tuple[str, str], list[Sample]] = {}
    for number in range(1, rounds + 1):
        for peer in peers:
            with serving(peer, database) as server:
                for title, path in ENDPOINTS.items():
                    wrk(server, path, load.warm_up_s, load.connections)
                    sample = wrk(server, path, load.seconds, load.connections)
                    samples.setdefault((peer.name, title), []).append(sample)
                    figures = f"{sample.rate:,.0f}/s, {sample.cpu_us:,.0f} µs of CPU each"
                    print(f"round {number}: {peer.name}, {title}: {figures}", flush=True)
    return {key: median_sample(value) for key, value in samples.items()}


def median_sample(samples: Sequence[Sample]) -> Sample:
    """Take the median of each figure, and the sum of the errors."""
    return Sample(
        rate=median(sample.rate for sample in samples),
        cpu_us=median(sample.cpu_us for sample in samples),
        p50_ms=median(sample.p50_ms for sample in samples),
        p99_ms=median(sample.p99_ms for sample in samples),
        errors=sum(sample.errors for sample in samples),
    )


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
    wrk_version = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split()[1]
    versions = ", ".join(f"{part} {version(part)}" for part in PARTS)
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
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, wrk {wrk_version}\n"
            f"- {versions}\n"
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
