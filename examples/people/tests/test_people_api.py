"""The People API over HTTP, each test on a database file of its own."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

CreateApp: TypeAlias = Callable[..., Flask]

LONG_AGO = "2018-05-10 18:12:42"
NAMES = [
    "O'Brien",
    "van der Berg",
    "Ørsted",
    "李",
    "😀",
    "Jr.",
    "50% off",
    "who?#1",
    "a\\b",
    "a;b=c",
    "x" * 64,
]
NO_NAMES = ["", " a", "a ", "a/b", ".", "..", ".a", "a\n", "\ta", "a\x00b", "\x7f", "\u2003a", "x" * 65, 7]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@pytest.fixture
def app(create_app: CreateApp, database: Path) -> Flask:
    return create_app(f"sqlite:///{database}")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def last_names(client: FlaskClient, query: str = "") -> list[str]:
    return [person["lname"] for person in client.get(f"/api/people{query}").get_json()]


def problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check that the answer is that problem, and return it."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    document: dict[str, Any] = response.get_json()
    assert document["status"] == status
    assert document["code"] == code
    return document


def pointers(document: dict[str, Any]) -> set[str]:
    return {error["pointer"] for error in document["errors"]}


def age(database: Path, lname: str) -> None:
    """Pretend that a person was last updated long ago."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE person SET timestamp = ? WHERE lname = ?", (LONG_AGO + ".000000", lname))


# Reading


def test_the_list_is_sorted_by_last_name(client: FlaskClient) -> None:
    for lname in ("Zorn", "Adams", "adams"):
        client.post("/api/people", json={"fname": "Ann", "lname": lname})
    assert last_names(client) == ["Adams", "Brockman", "Easter", "Farrell", "Zorn", "adams"]


def test_a_person_has_both_names_and_the_time_in_utc(client: FlaskClient) -> None:
    person = client.get("/api/people/Farrell").get_json()
    assert (person["fname"], person["lname"]) == ("Doug", "Farrell")
    written = datetime.strptime(person["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - written).total_seconds()) < 60


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?limit=2", ["Brockman", "Easter"]),
        ("?offset=1", ["Easter", "Farrell"]),
        ("?limit=1&offset=2", ["Farrell"]),
        ("?offset=3", []),
    ],
)
def test_limit_and_offset_select_a_part(client: FlaskClient, query: str, expected: list[str]) -> None:
    assert last_names(client, query) == expected


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("offset=1000001", "offset"),
        ("page=2", "page"),
    ],
)
def test_a_query_outside_the_contract_is_refused(client: FlaskClient, query: str, name: str) -> None:
    document = problem(client.get(f"/api/people?{query}"), 400, "bad-request")
    assert [(error["in"], error["name"]) for error in document["errors"]] == [("query", name)]


def test_reading_nobody_is_not_found(client: FlaskClient) -> None:
    document = problem(client.get("/api/people/Smithers"), 404, "person-not-found")
    assert "Smithers" in document["detail"]
    assert [(error["in"], error["name"]) for error in document["errors"]] == [("path", "lname")]


def test_last_names_are_case_sensitive(client: FlaskClient) -> None:
    problem(client.get("/api/people/farrell"), 404, "person-not-found")
    assert client.post("/api/people", json={"fname": "d", "lname": "farrell"}).status_code == 201


# Creating


def test_a_person_is_created_at_its_location(client: FlaskClient) -> None:
    response = client.post("/api/people", json={"fname": "Lisa", "lname": "Simpson"})
    assert response.status_code == 201
    assert response.headers["Location"] == "/api/people/Simpson"
    assert client.get(response.headers["Location"]).get_json() == response.get_json()


@pytest.mark.parametrize("lname", NAMES)
def test_every_last_name_is_part_of_a_url(client: FlaskClient, lname: str) -> None:
    created = client.post("/api/people", json={"fname": "Ann", "lname": lname})
    assert created.status_code == 201
    location = created.headers["Location"]
    assert client.get(location).get_json()["lname"] == lname
    assert client.put(location, json={"fname": "Bob", "lname": lname}).get_json()["fname"] == "Bob"
    assert client.delete(location).status_code == 204


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("field", ["fname", "lname"])
def test_a_name_outside_the_contract_is_refused(client: FlaskClient, field: str, name: object) -> None:
    body = {"fname": "Ann", "lname": "Adams", field: name}
    document = problem(client.post("/api/people", json=body), 400, "bad-request")
    assert pointers(document) == {f"#/{field}"}
    assert len(last_names(client)) == 3


def test_all_faults_are_told_at_once(client: FlaskClient) -> None:
    document = problem(client.post("/api/people", json={"fname": "", "lname": "a/b"}), 400, "bad-request")
    assert pointers(document) == {"#/fname", "#/lname"}


@pytest.mark.parametrize("body", [{}, {"fname": "Ann"}, {"lname": "Adams"}, [], "Adams", None])
def test_both_names_are_needed(client: FlaskClient, body: object) -> None:
    assert problem(client.post("/api/people", json=body), 400, "bad-request")["errors"]


@pytest.mark.parametrize("more", [{"timestamp": LONG_AGO}, {"age": 7}])
def test_nothing_else_can_be_set(client: FlaskClient, more: dict[str, object]) -> None:
    body = {"fname": "Ann", "lname": "Adams", **more}
    problem(client.post("/api/people", json=body), 400, "bad-request")
    problem(client.put("/api/people/Farrell", json={"fname": "Ann", **more}), 400, "bad-request")


def test_a_taken_last_name_is_a_conflict(client: FlaskClient) -> None:
    response = client.post("/api/people", json={"fname": "Ann", "lname": "Farrell"})
    assert pointers(problem(response, 409, "person-exists")) == {"#/lname"}
    assert client.get("/api/people/Farrell").get_json()["fname"] == "Doug"


def test_a_body_of_another_type_is_refused(client: FlaskClient) -> None:
    response = client.post("/api/people", data={"fname": "Ann", "lname": "Adams"})
    problem(response, 415, "unsupported-media-type")


def test_a_body_that_is_no_json_is_refused(client: FlaskClient) -> None:
    response = client.post("/api/people", data=b'{"fname": ', content_type="application/json")
    problem(response, 400, "bad-request")


def test_a_body_larger_than_any_person_is_refused(client: FlaskClient) -> None:
    response = client.post("/api/people", json={"fname": "Ann", "lname": "x" * 20_000})
    problem(response, 413, "content-too-large")


# Updating


def test_an_update_changes_the_first_name_and_the_time(client: FlaskClient, database: Path) -> None:
    age(database, "Farrell")
    assert client.get("/api/people/Farrell").get_json()["timestamp"] == LONG_AGO
    response = client.put("/api/people/Farrell", json={"fname": "Douglas", "lname": "Farrell"})
    assert response.status_code == 200
    assert response.get_json()["fname"] == "Douglas"
    assert response.get_json()["timestamp"] > LONG_AGO
    assert client.get("/api/people/Farrell").get_json() == response.get_json()


def test_an_update_renews_the_time_even_of_an_equal_name(client: FlaskClient, database: Path) -> None:
    age(database, "Farrell")
    assert client.put("/api/people/Farrell", json={"fname": "Doug"}).get_json()["timestamp"] > LONG_AGO


def test_updating_nobody_is_not_found(client: FlaskClient) -> None:
    problem(client.put("/api/people/Smithers", json={"fname": "Waylon"}), 404, "person-not-found")
    assert len(last_names(client)) == 3


def test_an_update_cannot_change_the_last_name(client: FlaskClient) -> None:
    response = client.put("/api/people/Farrell", json={"fname": "Doug", "lname": "Easter"})
    assert pointers(problem(response, 409, "names-differ")) == {"#/lname"}
    assert last_names(client) == ["Brockman", "Easter", "Farrell"]


def test_an_update_needs_a_first_name(client: FlaskClient) -> None:
    assert problem(client.put("/api/people/Farrell", json={}), 400, "bad-request")["errors"]


# Deleting


def test_a_deleted_person_is_gone_and_the_name_is_free(client: FlaskClient) -> None:
    response = client.delete("/api/people/Easter")
    assert (response.status_code, response.data) == (204, b"")
    problem(client.get("/api/people/Easter"), 404, "person-not-found")
    assert client.post("/api/people", json={"fname": "Ann", "lname": "Easter"}).status_code == 201


def test_deleting_nobody_is_not_found(client: FlaskClient) -> None:
    problem(client.delete("/api/people/Smithers"), 404, "person-not-found")


# Around the operations


@pytest.mark.parametrize(("path", "method"), [("/api/people", "DELETE"), ("/api/people/Farrell", "POST")])
def test_another_method_is_not_allowed(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method, json={"fname": "Ann", "lname": "Adams"})
    assert response.status_code == 405
    assert method not in response.headers["Allow"]
    assert "GET" in response.headers["Allow"]


def test_an_answer_that_is_no_json_is_not_on_offer(client: FlaskClient) -> None:
    response = client.get("/api/people", headers={"Accept": "text/html"})
    problem(response, 406, "not-acceptable")


def test_a_person_is_always_plain_json(client: FlaskClient) -> None:
    for accept in ("*/*", "application/json", "application/problem+json, application/json"):
        response = client.get("/api/people/Farrell", headers={"Accept": accept})
        assert (response.status_code, response.mimetype) == (200, "application/json")


def test_the_contract_and_its_page_are_served(client: FlaskClient) -> None:
    assert client.get("/api/openapi.json").get_json()["swagger"] == "2.0"
    assert client.get("/api/ui/").status_code == 200


def test_the_page_runs_only_what_it_brings(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|https?://", response.text)


def test_the_page_and_locations_follow_a_mount_point(client: FlaskClient) -> None:
    page = client.get("/", environ_overrides={"SCRIPT_NAME": "/people"}).text
    assert 'src="/people/static/js/home.js"' in page
    assert 'href="/people/api/ui/"' in page
    response = client.post(
        "/api/people",
        json={"fname": "Lisa", "lname": "Simpson"},
        environ_overrides={"SCRIPT_NAME": "/people"},
    )
    assert response.headers["Location"] == "/people/api/people/Simpson"


# Storing


def test_people_survive_a_restart(create_app: CreateApp, database: Path) -> None:
    url = f"sqlite:///{database}"
    before = create_app(url).test_client()
    before.post("/api/people", json={"fname": "Lisa", "lname": "Simpson"})
    before.put("/api/people/Farrell", json={"fname": "Douglas"})
    before.delete("/api/people/Easter")
    people = before.get("/api/people").get_json()
    assert create_app(url).test_client().get("/api/people").get_json() == people
    assert [person["fname"] for person in people] == ["Kent", "Douglas", "Lisa"]


def test_the_first_people_do_not_come_back(create_app: CreateApp, database: Path) -> None:
    url = f"sqlite:///{database}"
    before = create_app(url).test_client()
    for lname in last_names(before):
        before.delete(f"/api/people/{lname}")
    assert last_names(create_app(url).test_client()) == []


def test_the_environment_chooses_the_database(
    create_app: CreateApp, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{database}")
    assert last_names(create_app().test_client()) == ["Brockman", "Easter", "Farrell"]
    assert database.is_file()


def test_the_database_is_in_the_instance_folder_otherwise(
    create_app: CreateApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(Flask, "auto_find_instance_path", lambda self: str(tmp_path / "var" / "instance"))
    create_app()
    assert (tmp_path / "var" / "instance" / "people.sqlite").is_file()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(create_app: CreateApp, url: str) -> None:
    with pytest.raises(ValueError, match="allowed is a file"):
        create_app(url)


def test_several_processes_start_at_once(folder: Path, database: Path) -> None:
    program = "import sys; from people import create_app; create_app(sys.argv[1])"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, f"sqlite:///{database}"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, told
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM person").fetchone() == (3,)


def race(app: Flask, ask: Callable[[FlaskClient, int], TestResponse], callers: int = 8) -> Counter[int]:
    """Let several threads ask at the same moment, and count the statuses."""
    start = threading.Barrier(callers)
    statuses: list[int] = []

    def call(caller: int) -> None:
        client = app.test_client()
        start.wait(timeout=30)
        statuses.append(ask(client, caller).status_code)

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return Counter(statuses)


def test_of_many_creators_exactly_one_wins(app: Flask, client: FlaskClient) -> None:
    def create(client: FlaskClient, caller: int) -> TestResponse:
        return client.post("/api/people", json={"fname": f"Ann {caller}", "lname": "Adams"})

    assert race(app, create) == {201: 1, 409: 7}
    assert last_names(client).count("Adams") == 1


def test_of_many_deleters_exactly_one_wins(app: Flask) -> None:
    assert race(app, lambda client, _: client.delete("/api/people/Easter")) == {204: 1, 404: 7}


def test_concurrent_updates_all_succeed(app: Flask, client: FlaskClient) -> None:
    def update(client: FlaskClient, caller: int) -> TestResponse:
        return client.put("/api/people/Easter", json={"fname": f"Bunny {caller}"})

    assert race(app, update) == {200: 8}
    assert re.fullmatch(r"Bunny [0-7]", client.get("/api/people/Easter").get_json()["fname"])


def test_an_update_never_brings_a_deleted_person_back(app: Flask, client: FlaskClient) -> None:
    def change(client: FlaskClient, caller: int) -> TestResponse:
        if caller == 0:
            return client.delete("/api/people/Easter")
        return client.put("/api/people/Easter", json={"fname": "Bunny"})

    statuses = race(app, change)
    assert statuses[204] == 1
    assert statuses[200] + statuses[404] == 7
    assert last_names(client) == ["Brockman", "Farrell"]


def test_concurrent_creators_of_different_people_all_succeed(app: Flask, client: FlaskClient) -> None:
    def create(client: FlaskClient, caller: int) -> TestResponse:
        return client.post("/api/people", json={"fname": "Ann", "lname": f"Adams {caller}"})

    assert race(app, create) == {201: 8}
    assert len(last_names(client)) == 3 + 8


def test_every_write_is_on_disk_before_it_is_answered(app: Flask, database: Path) -> None:
    with app.extensions["people"].reader.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("busy_timeout", "journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"busy_timeout": 5000, "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
