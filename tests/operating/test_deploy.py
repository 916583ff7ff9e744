"""The files in `deploy`: right by the tools that read them, and in use, as far as that goes without containers."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import databases
import pytest
import yaml
from load import load
from outside import skip_or_fail
from redis_server import RedisServer
from served import create_tables, served, wait_for
from unlimited import unlimited_library

from demijohn.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {PREFIX + one.name.upper() for one in fields(Settings)} | {"SECRET_KEY", "DATABASE_URL"}
SECRET = "kV7wQ0mJ4sT9xK2pL6rN8bC3dF5gZ1yA"
_VARIABLE = re.compile(rf"\b(?:{PREFIX}[A-Z_]+|SECRET_KEY|DATABASE_URL)\b")


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.name for path in DEPLOY.iterdir() if path.is_file()))
def test_every_setting_that_a_file_names_exists(name: str) -> None:
    assert set(_VARIABLE.findall(read(name))) <= SETTINGS


def test_what_the_service_writes_is_for_nobody_else() -> None:
    assert "UMask=0077" in read("library@.service").splitlines()


def test_the_processes_of_compose_are_those_of_the_balancer_and_the_image() -> None:
    compose = yaml.safe_load(read("compose.yaml"))
    services: dict[str, Any] = compose["services"]
    processes = [name for name in services if name.startswith("library-")]
    servers = re.findall(r"server (library-\d):(\d+) ", read("nginx.conf"))
    dockerfile = read("Dockerfile")
    assert [name for name, _ in servers] == processes
    port = re.search(r'"--port", "(\d+)"', dockerfile)
    assert port is not None
    assert {number for _, number in servers} == {port[1]}
    assert re.search(rf"^EXPOSE {port[1]} 9100$", dockerfile, re.MULTILINE)
    for name in processes:
        service = services[name]
        assert service["environment"].keys() <= SETTINGS
        assert set(service["depends_on"]) == {"database", "cache", "tables"}
        # The container is killed after what the server takes to end its requests, not before.
        grace = re.search(r'"--grace", "(\d+)"', dockerfile)
        assert grace is not None
        assert int(service["stop_grace_period"].removesuffix("s")) > int(grace[1])
    assert services["balancer"]["volumes"] == ["./nginx.conf:/etc/nginx/conf.d/default.conf:ro"]
    assert [name for name, service in services.items() if "ports" in service] == ["balancer"]
    for name in ("database", "cache"):
        assert f"@{name}/" in str(compose) or f"//{name}:" in str(compose)


def test_the_image_is_made_of_the_projects_own_files_and_runs_as_nobody_special() -> None:
    dockerfile = read("Dockerfile")
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists() or source == "examples/library", source
    assert "--require-hashes -r requirements/run.txt" in dockerfile
    assert dockerfile.rindex("USER library") > dockerfile.rindex("FROM ")
    assert ":9100/ready" in dockerfile
    assert re.search(r"OPERATING_ADDRESS=0\.0\.0\.0:9100", dockerfile)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        skip_or_fail("systemd is not installed")
    # Of the program that the unit starts only the name matters here.
    (tmp_path / "library@.service").write_text(
        read("library@.service").replace("/opt/library/bin/demijohn", "/bin/true")
    )
    done = subprocess.run(
        [program, "verify", "--man=no", "library@8001.service"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# nginx

MAIN = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/library.conf;
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path, *upstreams: int) -> Iterator[int]:
    """Run nginx with the configuration as it is, but for addresses; yield its port."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        skip_or_fail("nginx is not installed (Debian: nginx)")
    port = free_port()
    text = (
        read("nginx.conf")
        .replace("listen 80;", f"listen 127.0.0.1:{port};")
        .replace("/dev/stdout", f"{folder}/access.log")
    )
    for number, upstream in enumerate(upstreams, 1):
        text = text.replace(f"server library-{number}:8000", f"server 127.0.0.1:{upstream}")
    # All clients of a test have one address.
    text = text.replace("rate=200r/s", "rate=100000r/s")
    (folder / "library.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    command = [program, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "error.log").read_text()
                time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): one for name, one in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): one for name, one in answer.getheaders()}
    finally:
        connection.close()


def test_a_stopped_process_behind_nginx_fails_no_request(tmp_path: Path) -> None:
    library = unlimited_library(tmp_path)
    url = databases.url("postgresql", tmp_path)
    redis = RedisServer(tmp_path)
    folders = [tmp_path / name for name in ("one", "two", "nginx")]
    for folder in folders:
        folder.mkdir()
    variables = {
        "SECRET_KEY": SECRET,
        "DATABASE_URL": url,
        "DEMIJOHN_RATE_LIMIT_STORAGE": redis.url,
        "DEMIJOHN_CACHE_STORAGE": redis.url,
        "DEMIJOHN_TRUSTED_PROXIES": "127.0.0.1",
        "DEMIJOHN_OPERATING_ADDRESS": "127.0.0.1:0",
        "DEMIJOHN_LOG_FORMAT": "json",
        "DEMIJOHN_ACCESS_LOG": "1",
    }
    create_tables(library, url)

    def process(folder: Path) -> Any:
        return served(library, "--workers", "1", cwd=folder, **variables)

    try:
        with ExitStack() as stack:
            first, second = ExitStack(), ExitStack()
            stack.enter_context(second)
            stack.enter_context(first)
            addresses = [
                each.enter_context(process(folder)) for each, folder in ((first, folders[0]), (second, folders[1]))
            ]
            ports = [int(address.rpartition(":")[2]) for address in addresses]
            for address in addresses:
                wait_for(f"{address}/books")
            port = stack.enter_context(nginx(folders[2], *ports))
            _check_the_balancer(port)
            with load(port, "/books", clients=4) as fresh, load(port, "/books", clients=2, keeps=True) as kept:
                fresh.wait_for_more(100)
                first.close()  # which checks that it exits with 0
                fresh.wait_for_more(200)
                kept.wait_for_more(100)
            assert fresh.failures + kept.failures == []
            # What nginx said of the client was believed, and the limits were counted where both processes see them.
            status, _, _ = ask(
                port,
                "POST",
                "/users/login",
                b'{"email":"a@example.org","password":"wrong password"}',
                Content_Type="application/json",
            )
            assert status == 401
            assert redis.client.keys("demijohn:limit*")
    finally:
        redis.remove()
        databases.empty("postgresql")
    lines = (folders[2] / "access.log").read_text().splitlines()
    assert len(lines) >= fresh.answered + kept.answered
    for folder in folders:
        for log in folder.glob("*.log"):
            assert SECRET not in log.read_text(errors="replace")


def _check_the_balancer(port: int) -> None:
    status, _, headers = ask(port, "GET", "/books", X_Request_ID="forged", X_Forwarded_For="203.0.113.9")
    assert status == 200
    assert len(headers["x-request-id"]) == 32  # nginx's own, in its log and in the application's
    assert {ask(port, "GET", path)[0] for path in ("/metrics", "/live", "/ready")} == {404}
    too_large = socket.create_connection(("127.0.0.1", port), 10)
    with too_large:
        too_large.sendall(b"POST /books HTTP/1.1\r\nHost: x\r\nContent-Length: 11000000\r\n\r\n")
        assert b" 413 " in too_large.recv(1000).partition(b"\r\n")[0]
    _check_that_slow_bodies_wait_at_nginx(port)


def _check_that_slow_bodies_wait_at_nginx(port: int) -> None:
    """More clients trickle their bodies than there are threads: others are answered all the same."""
    slow = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(12)]
    try:
        for client in slow:
            client.sendall(b"POST /users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            client.sendall(b"Content-Length: 100\r\n\r\n{")
        began = time.monotonic()
        assert ask(port, "GET", "/books")[0] == 200
        assert time.monotonic() - began < 2
    finally:
        for client in slow:
            client.close()
