"""`demijohn demo` serves the examples below their names, with sample data that is kept."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from html import unescape
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from served import free_port, wait_for
from werkzeug.serving import make_server
from werkzeug.test import Client, TestResponse

from demijohn.cli import main
from demijohn.cli.demo import Demo
from demijohn.cli.examples import EXAMPLES, Example

ROOT = Path(__file__).parents[2]
FOLDERS = {one.name: ROOT / "examples" / one.name for one in EXAMPLES}
TARGETS = tuple((name, str(folder)) for name, folder in FOLDERS.items() if folder.is_dir())
NAMES = [name for name, _ in TARGETS]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Give the demonstration with its data; tests that change something begin with other names."""
    demo = Demo(tmp_path_factory.mktemp("demo") / "data", TARGETS)
    demo.prepare()
    return demo


@pytest.fixture
def client(data: Demo) -> Client:
    """Give a client of all of it."""
    return Client(data.application())


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["demo", *words], catch_exceptions=False)


def found(client: Client, path: str, **more: Any) -> TestResponse:
    answer = client.get(path, buffered=True, **more)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
    return answer


# The page


def test_every_link_and_every_command_of_the_page_leads_somewhere(client: Client) -> None:
    page = found(client, "/").text
    links = [link for link in re.findall(r'href="([^"]+)"', page) if link.startswith("/")]
    assert {link.split("/")[1] for link in links} == {*NAMES}
    commands = [unescape(one) for one in re.findall(r"<code>(curl [^<]+)</code>", page)]
    paths = [re.sub(r"^curl '?http://localhost([^' ]*)'?$", r"\1", one) for one in commands if "--json" not in one]
    assert len(paths) >= len(NAMES)
    for path in [*links, *paths]:
        found(client, path)


def test_somebody_registers_and_logs_in_as_the_page_tells(client: Client) -> None:
    page = unescape(found(client, "/").text)
    sent = re.findall(r"curl http://localhost(/blog/\S+) --json '(.+)'", page)
    assert [path for path, _ in sent] == ["/blog/auth/register", "/blog/auth/login"]
    answers = [client.post(path, json=json.loads(body)) for path, body in sent]
    assert [one.status_code for one in answers] == [201, 200]
    assert answers[0].headers["Location"].startswith("/blog/users/")
    token = {"Authorization": f"Bearer {json.loads(answers[1].data)['access_token']}"}
    found(client, answers[0].headers["Location"], headers=token)


def test_the_page_may_run_its_own_script_and_nothing_else(client: Client) -> None:
    answer = found(client, "/")
    policy = answer.headers["Content-Security-Policy"]
    for kind in ("style", "script"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", answer.text, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "//" not in re.sub(r"http://localhost|// The|\s//\s", "", re.sub(r"<!DOCTYPE.*?>", "", answer.text))


def test_the_host_of_a_request_cannot_write_into_the_page(client: Client) -> None:
    page = client.get("/", headers={"Host": 'x"><script>alert(1)</script>'})
    assert "alert(1)" not in page.text


def test_what_is_not_installed_is_said(data: Demo) -> None:
    some = replace(data, targets=tuple(one for one in data.targets if one[0] == "directory"))
    client = Client(some.application())
    page = found(client, "/").text
    assert page.count("It is not installed.") == len(EXAMPLES) - 1
    assert "pip install ./examples/people" in page
    assert client.get("/people/").status_code == 404
    found(client, "/directory/api/people")


# Below a path


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_says_where_it_is_served(client: Client, name: str) -> None:
    base = "/api" if name in ("people", "directory") else ""
    contract = yaml.safe_load(found(client, f"/{name}{base}/openapi.yaml").data)
    assert json.loads(found(client, f"/{name}{base}/openapi.json").data) == contract
    said = contract["basePath"] if "swagger" in contract else contract["servers"][0]["url"]
    assert said == f"/{name}{base}"
    assert f'"server":"/{name}{base}' in found(client, f"/{name}{base}/ui/start.js").text
    assert client.get(f"/{name}{base}/ui").headers["Location"] == f"/{name}{base}/ui/"


def test_what_answers_lead_to_is_below_the_path(client: Client) -> None:
    answer = found(client, "/directory/api/people?limit=2")
    assert '</directory/api/people?limit=2&offset=2>; rel="next"' in answer.headers["Link"]
    made = client.post("/directory/api/people", json={"name": "Zoë", "email": "zoe@example.org"})
    assert (made.status_code, made.headers["Location"]) == (201, "/directory/api/people/6")
    found(client, made.headers["Location"])
    made = client.post("/people/api/people", json={"fname": "Zoë", "lname": "Lee"})
    assert (made.status_code, made.headers["Location"]) == (201, "/people/api/people/Lee")


def test_the_people_page_asks_below_its_path(client: Client) -> None:
    page = found(client, "/people/").text
    assert 'data-people-url="/people/api/people"' in page
    for link in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert link.startswith("/people/")
        found(client, link)


def test_other_origins_and_public_keys_are_served_below_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMIJOHN_CORS_ORIGINS", "https://example.org")
    monkeypatch.setenv("DEMIJOHN_TOKEN_ALGORITHM", "ES256")
    demo = Demo(tmp_path / "data", tuple(one for one in TARGETS if one[0] in ("directory", "blog")))
    demo.prepare()
    client = Client(demo.application())
    origin = {"Origin": "https://example.org"}
    preflight = client.options("/directory/api/people", headers={**origin, "Access-Control-Request-Method": "POST"})
    for answer in (preflight, found(client, "/directory/api/openapi.json", headers=origin)):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    (key,) = json.loads(found(client, "/blog/.well-known/jwks.json").data)["keys"]
    assert key["kty"] == "EC"
    assert [path.suffix for path in (tmp_path / "data" / "blog-keys").iterdir()] == [".pem"]
    login = {"email": "member@example.org", "password": password_of(demo, "member@example.org")}
    assert client.post("/blog/auth/login", json=login).status_code == 200


# The data


def password_of(demo: Demo, login: str) -> str:
    return next(line for line in demo.accounts() if login in line).rpartition(" ")[2]


def test_there_are_data_and_accounts_to_begin_with(data: Demo, client: Client) -> None:
    assert len(json.loads(found(client, "/people/api/people").data)) >= 3
    person, *_ = json.loads(found(client, "/directory/api/people?include=addresses").data)
    assert person["addresses"][0]["city"] == "Springfield"
    assert json.loads(found(client, "/blog/products").data)["total"] == 5
    assert json.loads(found(client, "/library/books?q=austen").data)["total"] > 0
    assert [line.partition(",")[0] for line in data.accounts()] == [
        *(f"blog: {name}@example.org" for name in ("admin", "member")),
        *(f"library: {name}@example.org" for name in ("admin", "librarian", "member")),
    ]
    login = {"email": "admin@example.org", "password": password_of(data, "admin")}
    token = json.loads(client.post("/blog/auth/login", json=login).data)["access_token"]
    made = client.post(
        "/blog/products",
        json={"name": "Funnel", "price": "3.50", "stock": 1},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert made.status_code == 201
    client.delete(made.headers["Location"], headers={"Authorization": f"Bearer {token}"})
    assert (data.folder / "accounts.txt").stat().st_mode & 0o077 == 0
    assert (data.folder / "secret").stat().st_mode & 0o077 == 0


def test_data_are_kept_and_filled_in_once(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data", tuple(one for one in TARGETS if one[0] == "directory"))
    demo.prepare()
    client = Client(demo.application())
    assert client.delete("/directory/api/people/1").status_code == 204
    demo.prepare()
    again = Client(demo.application())
    assert [one["id"] for one in json.loads(found(again, "/directory/api/people").data)] == [2, 3, 4, 5]


def test_half_of_the_data_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = Demo(tmp_path / "data", tuple(one for one in TARGETS if one[0] == "directory"))
    demo.prepare()
    monkeypatch.setattr("directory.samples.PEOPLE", {("Ann", "not an address"): []})
    other = Demo(tmp_path / "other", demo.targets)
    with pytest.raises(AssertionError, match="email"):
        other.prepare()
    assert list((tmp_path / "other").glob("directory*")) == []


def test_an_old_database_that_does_not_fit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with sqlite3.connect(tmp_path / "directory.sqlite") as connection:
        connection.execute("CREATE TABLE person (id INTEGER PRIMARY KEY)")
    connection.close()
    result = run("--folder", str(tmp_path), "--port", "0")
    assert (result.exit_code, "person" in result.stderr, f"Delete {tmp_path}" in result.stderr) == (1, True, True)


# The command


def absent(name: str) -> Any:
    raise PackageNotFoundError(name)


def test_without_the_examples_it_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demijohn.cli.demo.distribution", absent)
    result = run()
    assert (result.exit_code, "clone Demijohn's repository" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_an_example_that_lacks_a_package_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factory = "def create_app():\n    return None\n"
    for name, text in (("people", f"import a_package_that_is_not_there\n{factory}"), ("directory", factory)):
        (tmp_path / "examples" / name / name).mkdir(parents=True)
        (tmp_path / "examples" / name / name / "__init__.py").write_text(text)
    for name in [one for one in sys.modules if one.partition(".")[0] in ("people", "directory")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("demijohn.cli.demo.distribution", absent)
    seen: list[Demo] = []
    monkeypatch.setattr(Demo, "prepare", lambda self: seen.append(self))
    monkeypatch.setattr("demijohn.cli.demo.serve", lambda *_, **__: None)
    result = run("--port", "0")
    assert [name for name, _ in seen[0].targets] == ["directory"]
    assert "people is left out: it needs a_package_that_is_not_there; pip install ./examples/people" in result.stderr


def test_an_installed_example_is_found_by_its_distribution(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("demijohn.cli.demo.distribution", lambda name: name)
    seen: list[Demo] = []
    monkeypatch.setattr(Demo, "prepare", lambda self: seen.append(self))
    monkeypatch.setattr("demijohn.cli.demo.serve", lambda *_, **__: None)
    monkeypatch.setattr("demijohn.cli.demo.import_module", lambda name: None)
    assert run("--port", "0").exit_code == 0
    assert dict(seen[0].targets) == {one.name: f"{one.name}:create_app" for one in EXAMPLES}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "file").write_text("mine")
    result = run("--folder", str(tmp_path / "file" / "below"), "--port", "0")
    assert (result.exit_code, "cannot be written" in result.stderr) == (1, True)


def test_commands_can_be_pasted_into_a_shell() -> None:
    one: Example = EXAMPLES[1]
    assert one.requests[0].command("http://x/y") == "curl 'http://x/y/api/people?limit=2&include=addresses'"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve the examples as a user of a clone does."""
    port = free_port()
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "SECRET_KEY": "", "DATABASE_URL": "sqlite:///nowhere/x"}
    command = [sys.executable, "-m", "demijohn", "demo", "--folder", str(tmp_path / "data"), "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{port}", server
    server.kill()
    server.wait()
    assert server.stdout is not None
    server.stdout.close()


def test_it_is_served_and_stops(served: tuple[str, subprocess.Popen[str]]) -> None:
    root, server = served
    wait_for(f"{root}/")
    for path in ("/", "/people/", "/directory/api/people", "/blog/products"):
        with urllib.request.urlopen(root + path) as answer:
            assert answer.status == 200
    server.send_signal(signal.SIGTERM)
    told, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    assert told.splitlines()[:2] == [f"Serving the examples at {root}/", f"  People     {root}/people/"]
    assert "blog: admin@example.org, password " in told
    assert "Ctrl-C to stop" in told


@pytest.mark.parametrize("has_clipboard", [True, False])
def test_a_command_is_copied_with_and_without_the_clipboard(data: Demo, browser: Any, has_clipboard: bool) -> None:
    server = make_server("127.0.0.1", 0, data.application(), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        context = browser.new_context(viewport={"width": 320, "height": 700})
        if has_clipboard:
            context.grant_permissions(["clipboard-read", "clipboard-write"])
        else:
            context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Copy the command: Everybody").press("Enter")
        page.wait_for_function("document.getElementById('status').textContent === 'Copied.'")
        if has_clipboard:
            copied = page.evaluate("navigator.clipboard.readText()")
            assert copied == f"curl http://127.0.0.1:{server.server_port}/people/api/people"
        assert wrong == []
        context.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
