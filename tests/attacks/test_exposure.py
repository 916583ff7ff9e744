"""Attack cases F11, F14, H1, H2 and H4 on the site: what a fault tells, and where a secret can be seen."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import databases
import pytest
import sqlalchemy as sa
from served_site import NOWHERE, PASSWORD, Kept, Member, Owner, Site
from target import INSIDE, Reply

ROOT = Path(__file__).parents[2]
NOBODY = 65534


# Some of these bring faults about.
HAS_FAULTS = True


def raw(site: Site, method: str, path: str, body: Any = None, token: str = "") -> Reply:
    """Return an answer, whatever it is."""
    kept = Kept(site._connect(), may_reopen=True)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return kept.ask(method, path, body, **headers)
    finally:
        kept.close()


def tells_nothing(reply: Reply, status: int) -> str:
    """Check the answer to a fault; return the id of its request."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    assert not INSIDE.search(reply.body), reply.body
    members = (
        {"type", "title", "status", "code", "id"} if status == 500 else {"type", "title", "status", "code", "detail"}
    )
    assert set(reply.json) == members
    request_id = reply.headers["x-request-id"]
    if status == 500:
        assert reply.json["id"] == request_id
    else:
        assert int(reply.headers["retry-after"]) >= 1
    return request_id


def everything(site: Site, owner: Owner) -> list[tuple[str, str, str | None, str]]:
    """Return requests that need the database, each with its body and its token: accounts among them."""
    name, member = f"late{os.getpid()}", owner.member
    registration = f'{{"username":"{name}","email":"{name}@example.org","password":"{PASSWORD}"}}'
    return [
        ("POST", f"{site.accounts}/login", f'{{"email":"{member.email}","password":"{PASSWORD}"}}', ""),
        ("POST", f"{site.accounts}/login", '{"email":"nobody@example.org","password":"eight lives of a dog"}', ""),
        ("POST", f"{site.accounts}/refresh", f'{{"refresh_token":"{member.refresh}"}}', ""),
        ("POST", f"{site.accounts}/register", registration, ""),
        ("GET", site.app.me, None, member.access),
        ("GET", f"/users/{member.id}", None, member.access),
        *writes(site, owner),
    ]


def writes(site: Site, owner: Owner) -> list[tuple[str, str, str | None, str]]:
    """Return requests that write once, whatever else they do."""
    path, body = site.app.written
    requests = [("POST", f"{site.accounts}/logout", None), ("POST", path, json.dumps(body))]
    requests += [(method, path.format(**owner.ids), body) for method, path, body in site.app.changes]
    return [(*one, owner.member.access) for one in requests]


def public(site: Site) -> list[tuple[str, str, None, str]]:
    return [("GET", path, None, "") for path in (*site.app.public, site.app.item.format(1))]


@contextmanager
def away(site: Site, *tables: str) -> Iterator[None]:
    """Let tables have another name meanwhile, so that every statement on them is wrong."""

    def rename(old: str, new: str) -> None:
        with site.engine.begin() as connection:
            for table in tables:
                connection.execute(sa.text(f"ALTER TABLE {old.format(table)} RENAME TO {new.format(table)}"))

    rename("{}", "{}_away")
    try:
        yield
    finally:
        rename("{}_away", "{}")


# H1


def test_h1_a_fault_in_a_view_is_told_to_the_log_only(site: Site) -> None:
    request_id = tells_nothing(raw(site, "GET", "/faulty"), 500)
    told = [line for line in site.log().splitlines() if request_id in line]
    assert told
    assert f"a fault that names {site.folder}" in site.log()


def test_h1_tables_that_are_missing_are_told_to_the_log_only(site: Site) -> None:
    owner = site.owner()
    asked = [*everything(site, owner), *public(site)]
    before = site.log().count("lacks what the models have")
    with away(site, *site.app.tables, "demijohn_session", "demijohn_refresh_token"):
        for one in asked:
            tells_nothing(raw(site, *one), 503)
    assert site.log().count("lacks what the models have") - before == len(asked)
    is_well_again(site, owner)


def is_well_again(site: Site, owner: Owner) -> None:
    """Check that nothing was written, and nobody thrown out."""
    method, path, _ = site.app.changes[0]
    assert method == "DELETE"
    assert raw(site, "GET", site.app.me, token=owner.member.access).status == 200
    assert raw(site, "GET", path.format(**owner.ids), token=owner.member.access).status == 200


def test_h1_a_database_that_is_away_is_said_to_be_away(running_site: Site) -> None:
    site = running_site
    if site.kind != "postgresql":
        return
    owner = site.owner()
    server = databases.server("postgresql")
    site.engine.dispose()
    server.stop()
    try:
        with at_once([*everything(site, owner), *public(site)], site) as replies:
            for reply in replies:
                tells_nothing(reply, 503)
        assert "database" in site.log()
    finally:
        server.start()
    # A worker that has found the database away asks again after a moment.
    deadline = time.monotonic() + 10
    while site.on_both_workers("GET", site.app.public[0]) != {200}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    is_well_again(site, owner)


def test_h1_a_file_that_is_locked_is_said_to_be_away(site: Site) -> None:
    if site.kind != "sqlite":
        return
    owner = site.owner()
    with site.engine.connect() as connection:
        connection.execute(sa.text("BEGIN IMMEDIATE"))
        with at_once(writes(site, owner), site) as replies:
            for reply in replies:
                tells_nothing(reply, 503)
        # Who reads does not wait.
        assert raw(site, "GET", site.app.public[0]).status == 200
        connection.execute(sa.text("ROLLBACK"))
    is_well_again(site, owner)


@contextmanager
def at_once(requests: list[tuple[str, str, str | None, str]], site: Site) -> Iterator[list[Reply]]:
    """Yield the answers to requests, of each client's own; they wait all at the same time."""
    replies: list[Reply] = []
    clients = [threading.Thread(target=lambda one=one: replies.append(raw(site.elsewhere(), *one))) for one in requests]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    assert len(replies) == len(requests)
    yield replies


# H2


def processes(site: Site) -> list[int]:
    """Return the processes of the server: those that have its port among what they were started with, and theirs."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
    told = f"--port\0{site.port}\0" if site.server == "granian" else f"127.0.0.1:{site.port}\0"
    first = {one for one in found if told in _read(one, "cmdline")}
    first = {one for one in first if found[one] not in first}
    assert len(first) == 1
    family = first
    for _ in range(3):
        family |= {one for one, parent in found.items() if parent in family}
    return sorted(family)


def _read(process: int, name: str) -> str:
    try:
        return Path(f"/proc/{process}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def seen(site: Site) -> Iterator[tuple[str, bytes]]:
    """Yield everything that somebody without credentials gets to see."""
    paths = ["/openapi.json", "/openapi.yaml", "/ui/", "/none", "/faulty", "/users/x", "/.well-known/jwks.json"]
    page = raw(site, "GET", "/ui/").body.decode()
    paths += [f"/ui/{one}" for one in re.findall(r'(?:src|href)="([^":]+)"', page) if not one.startswith(".")]
    paths += [
        "/more/openapi.json",
        "/more/ui/",
        f"{site.accounts}/me",
        "/posts",
        "/users",
        "/instance/",
        "/.env",
        "/app.py",
    ]
    for path in paths:
        reply = raw(site, "GET", path)
        yield path, reply.body + str(reply.headers).encode()
    for method, path, body, _ in everything(site, Owner(Member(1, "x", "", "djr_0"), dict.fromkeys(site.app.owned, 1))):
        reply = raw(site, method, path, body, token="wrong")
        yield f"{method} {path}", reply.body + str(reply.headers).encode()


def test_h2_no_secret_is_in_what_the_server_shows(site: Site) -> None:
    alice = site.member()
    made = site.ask("POST", "/more/keys", token=alice.access).json
    site.told.add(made["key"])
    # The contract has the password of all others for an example.
    own = "seven lives of a crow"
    body = {"current_password": PASSWORD, "new_password": own}
    assert site.ask("POST", "/more/password", body, token=alice.access).status == 204
    secrets = [one.encode() for one in (site.secrets() | {own}) - {PASSWORD}]
    shown = dict(seen(site))
    assert len(shown) > 25
    assert sum(map(len, shown.values())) > 1_000_000  # Swagger UI is among it
    assert [path for path, body in shown.items() for one in secrets if one in body] == []
    # They would be found where they are.
    assert any(one in (site.folder / "keys").glob("*.pem").__next__().read_bytes() for one in secrets)


def test_h2_no_secret_is_in_the_list_of_processes(site: Site) -> None:
    secrets = site.secrets()
    found = processes(site)
    assert len(found) >= 3  # the workers, and who looks after them
    for process in found:
        command = _read(process, "cmdline")
        assert any(one in command for one in ("demijohn", "multiprocessing", "gunicorn"))
        assert [one for one in secrets if one in command + _read(process, "comm")] == []
        environment = Path(f"/proc/{process}/environ")
        assert stat.S_IMODE(environment.stat().st_mode) & 0o077 == 0
        if os.geteuid() == 0:
            asked = subprocess.run(["cat", str(environment)], user=NOBODY, capture_output=True, check=False)
            assert (asked.returncode != 0, asked.stdout) == (True, b"")
    if os.geteuid() == 0 and shutil.which("ps") is not None:
        listed = subprocess.run(["ps", "auxwwe"], user=NOBODY, capture_output=True, check=True).stdout.decode()
        assert str(site.port) in listed
        assert [one for one in secrets if one in listed] == []


def test_h2_others_on_the_machine_cannot_read_keys(site: Site) -> None:
    folder = site.folder / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_h2_no_secret_is_in_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    files = [one for one in listed.split("\0") if one and (ROOT / one).is_file()]
    assert len(files) > 300
    named = re.compile(r"(^|/)(\.env|instance|.*\.(pem|key|sqlite3?|db|p12|log))(/|$)")
    assert [one for one in files if named.search(one)] == []
    # Tests make theirs as they run, and name some that are nobody's.
    held = re.compile(
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"
        rb"|\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{16}"
        rb"|\bdj[rk]_[0-9a-f]{40}|://[^\s/:@]+:(?=[^\s/:@]*[0-9])[^\s/:@]{8,}@|AKIA[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30}"
    )
    assert [one for one in files if held.search((ROOT / one).read_bytes())] == []


# H4


def test_h4_the_environ_of_a_request_holds_nothing_of_the_process(site: Site) -> None:
    alice = site.member()
    dump = raw(site, "GET", "/environ", token=alice.access).body.decode()
    assert f"'HTTP_AUTHORIZATION': 'Bearer {alice.access}'" in dump
    assert [one for one in site.secrets() - {alice.access, alice.access.rpartition(".")[2]} if one in dump] == []
    assert [name for name in (*site.variables, "PATH", "HOME") if f"'{name}'" in dump] == []


# F11, F14


def test_f14_every_answer_has_the_security_headers(site: Site) -> None:
    large = "x" * (site.app.max_body_bytes + 1)
    listed = site.app.public[0].partition("?")[0]
    login, refresh, nothing = f"{site.accounts}/login", f"{site.accounts}/refresh", site.app.item.format(NOWHERE)
    asked: list[tuple[str, str, str | None, int]] = [
        ("GET", listed, None, 200), ("GET", site.app.me, None, 401), ("GET", "/none", None, 404),
        ("PUT", site.app.me, None, 405), ("POST", login, large, 413), ("GET", "/faulty", None, 500),
        ("GET", f"{listed}?page=x", None, 400), ("GET", nothing, None, 404), ("HEAD", listed, None, 200),
        ("POST", login, "[]", 400), ("POST", refresh, '{"refresh_token":"x"}', 401),
        ("GET", "/ui/", None, 200), ("GET", "/ui", None, 308), ("GET", "/openapi.json", None, 200),
        ("GET", "/.well-known/jwks.json", None, 200), ("OPTIONS", listed, None, 204), ("GET", "/worker", None, 200),
        ("OPTIONS", "/worker", None, 200), *(("GET", path, None, 401) for path in site.app.views),
    ]  # fmt: skip
    for method, path, body, status in asked:
        reply = site._exchange(method, path, body.encode() if body else None, {"Content-Type": "application/json"})
        assert reply.status == status, path
        assert reply.headers["x-content-type-options"] == "nosniff", path
        policy = reply.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy, path
        assert "base-uri 'none'" in policy, path
        assert "object-src 'none'" in policy or "default-src 'none'" in policy, path
        assert "referrer-policy" in reply.headers, path
        assert "strict-transport-security" not in reply.headers, path
        assert not re.search(r"\d", reply.headers.get("server", "")), path


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "https://blog.example.evil.com"]
)
def test_f11_no_page_of_another_origin_reads_anything(site: Site, origin: str) -> None:
    alice = site.member()
    sent = {"Origin": origin, "Access-Control-Request-Method": "DELETE", "Cookie": "session=x"}
    for method in ("GET", "OPTIONS"):
        for path in (site.app.me, *site.app.public, "/openapi.json", "/none", "/ui/", *site.app.views):
            reply = site._exchange(method, path, None, sent | {"Authorization": f"Bearer {alice.access}"})
            assert [name for name in reply.headers if name.startswith("access-control-")] == [], (method, path)
