"""Start servers, ask them and load them: what the comparisons share."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
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
PEOPLE = "/api/people"

GRANIAN = "granian --interface wsgi --workers {workers} --blocking-threads 1 --no-ws --log-level error --port {port}"
GUNICORN = "gunicorn -w {workers} --log-level error -b 127.0.0.1:{port}"
UVICORN = "uvicorn --workers {workers} --no-access-log --log-level error --port {port}"


@dataclass(frozen=True, slots=True)
class Peer:
    """One framework on one server: a row of the table. `{port}` and `{workers}` stand in the command."""

    name: str
    framework: str
    server: str
    command: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What wrk saw in one go, and what a request cost the server in processor time."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    errors: int
    requests: int


class BenchmarkError(Exception):
    """A peer that does not start, does not stop or does other work than the rest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where it answers, its process (the leader of its group), and what it wrote."""

    peer: Peer
    base: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def group(self) -> int:
        """Return the process group of the server and its workers."""
        return self.process.pid


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(url: str, method: str = "GET", body: Any = None, token: str | None = None) -> Answer:
    """Send a request, `body` as JSON, `token` as a bearer token; return the answer, whatever its status."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())


def wait_until_ready(server: Server, path: str) -> None:
    """Poll until the server answers 200, or raise with the reason that it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    reason = f"no answer within {START_TIMEOUT_S} s"
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            reason = f"the server ended with code {server.process.returncode}"
            break
        try:
            answer = ask(server.base + path)
        except OSError:
            time.sleep(0.05)
            continue
        if answer.status == 200:
            return
        reason = f"{path} answered {answer.status}: {answer.body[:500]!r}"
        break
    raise BenchmarkError(f"{server.peer.name}: {reason}\n{server.log.read_text(errors='replace')[-3000:]}")


def start(peer: Peer, workers: int, environment: Mapping[str, str], log: Path) -> Server:
    """Start a peer's server, with its workers in a process group of their own."""
    port = free_port()
    program, *arguments = peer.command.format(port=port, workers=workers).split()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [BIN / program, *arguments],
            cwd=HERE,
            # Demijohn tells stage times in development; nobody reads them here.
            env=os.environ | {"PYTHONPATH": _path(), "DEMIJOHN_SERVER_TIMING": "never"} | dict(environment),
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    return Server(peer, f"http://127.0.0.1:{port}", process, log)


def _path() -> str:
    """Return where modules are looked for: the peers here, and where this process was told to look."""
    return os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))


def stop(servers: Sequence[Server]) -> None:
    """Ask the servers to end, then end those that do not, and their workers."""
    for server in servers:
        server.process.terminate()
    for server in servers:
        try:
            server.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(server.group, signal.SIGKILL)
            server.process.wait()


@contextmanager
def serving(
    environments: Mapping[Peer, Mapping[str, str]], folder: Path, ready: str, workers: int = 1
) -> Iterator[list[Server]]:
    """Run the servers of some peers, each with its environment, from when all answer 200 at the path `ready`."""
    servers: list[Server] = []
    try:
        for peer, environment in environments.items():
            servers.append(start(peer, workers, environment, folder / f"{peer.name}.log"))
        for server in servers:
            wait_until_ready(server, ready)
        yield servers
    finally:
        stop(servers)


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


def wrk(server: Server, path: str, seconds: int, connections: int, script: str = "report.lua", *given: str) -> Sample:
    """Load a server with wrk for some seconds: one path, or what the script makes of what it is given."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, server.base + path, "--", *given]
    used = cpu_seconds(server.group)
    output = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(server.group) - used
    seen = json.loads(output.splitlines()[-1])
    return Sample(
        rate=seen["requests"] / seen["duration_us"] * 1e6,
        cpu_us=used / max(seen["requests"], 1) * 1e6,
        p50_ms=seen["p50_us"] / 1e3,
        p99_ms=seen["p99_us"] / 1e3,
        errors=seen["errors"],
        requests=seen["requests"],
    )


def wrk_people(server: Server, operation: str, count: int, seconds: int, connections: int) -> Sample:
    """Load `create`, `patch` or `read` of people, another one each time, of those with the ids 1 to `count`."""
    return wrk(server, PEOPLE, seconds, connections, "people.lua", operation, secrets.token_hex(4), str(count))


def median_sample(samples: Sequence[Sample]) -> Sample:
    """Take the median of each figure, and the sum of the errors and requests."""
    return Sample(
        rate=median(sample.rate for sample in samples),
        cpu_us=median(sample.cpu_us for sample in samples),
        p50_ms=median(sample.p50_ms for sample in samples),
        p99_ms=median(sample.p99_ms for sample in samples),
        errors=sum(sample.errors for sample in samples),
        requests=sum(sample.requests for sample in samples),
    )


def wrk_version() -> str:
    """Return the version of wrk."""
    return subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split()[1]


def versions(parts: Sequence[str]) -> str:
    """List the versions of installed packages."""
    return ", ".join(f"{part} {version(part)}" for part in parts)
