"""`/live` and `/ready` tell whether the process is well, and nothing of its inside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, SettingError, Settings
from demijohn.operating import Readiness
from demijohn.operating.readiness import KEPT_S

Watched = Callable[..., FlaskClient]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_live_and_ready_answer_small_json(watched: Watched) -> None:
    client = watched()
    for path, status in (("/live", "live"), ("/ready", "ready")):
        answer = client.get(path)
        assert (answer.status_code, answer.json) == (200, {"status": status})
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert client.head(path).data == b""
        refused = client.post(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert client.get("/live/").status_code == 404


def test_no_function_of_the_application_has_a_part_in_them(watched: Watched) -> None:
    def close(app: Flask) -> None:
        app.before_request(lambda: ("closed", 401))

    client = watched(close)
    assert client.get("/live").status_code == 200
    assert client.get("/elsewhere").status_code == 401


def test_who_asks_need_not_know_a_name_of_the_host(watched: Watched) -> None:
    client = watched(trusted_hosts="api.example.org")
    assert client.get("/ready", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/things/1", headers={"Host": "10.0.0.7:8000"}).status_code == 400


def test_settings_move_them_or_take_them_away(watched: Watched) -> None:
    client = watched(live_path="/health/live", ready_path="")
    assert [client.get(path).status_code for path in ("/live", "/health/live", "/ready")] == [404, 200, 404]


def test_with_an_address_of_their_own_the_public_one_does_not_have_them(watched: Watched) -> None:
    client = watched(operating_address="127.0.0.1:0", metrics_token="a long enough token")
    assert {client.get(path).status_code for path in ("/live", "/ready", "/metrics")} == {404}


LIVE = """\
openapi: 3.1.0
info: {title: Own, version: "1"}
paths:
  %s:
    get:
      operationId: read
      parameters: [%s]
      responses: {"200": {description: fine, content: {application/json: {}}}}
"""


def test_a_contract_that_has_the_path_keeps_it(tmp_path: Path) -> None:
    def client(path: str, parameters: str, function: Callable[..., Any]) -> FlaskClient:
        (tmp_path / "openapi.yaml").write_text(LIVE % (path, parameters), encoding="utf-8")
        app = Flask("own", root_path=str(tmp_path))
        Demijohn(app, settings=Settings(trusted_hosts="localhost")).add_contract(
            "openapi.yaml", resolver=lambda _: function
        )
        return app.test_client()

    own = client("/live", "", lambda: {"own": True})
    assert own.get("/live").json == {"own": True}
    assert own.get("/live", headers={"Host": "elsewhere"}).status_code == 400
    wide = client("/{word}", "{name: word, in: path, required: true, schema: {type: string}}", lambda word: {"w": word})
    assert wide.get("/live").json == {"status": "live"}
    assert wide.get("/love").json == {"w": "love"}


def test_a_view_that_has_the_path_keeps_it(watched: Watched) -> None:
    client = watched()
    client.application.add_url_rule("/ready", view_func=lambda: "mine")
    assert client.get("/ready").text == "mine"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"live_path": "live"}, "DEMIJOHN_LIVE_PATH: found 'live'"),
        ({"ready_path": "/ready/{x}"}, "DEMIJOHN_READY_PATH"),
        ({"live_path": "/up", "ready_path": "/up"}, "found the same path twice"),
        ({"metrics_token": "short"}, "DEMIJOHN_METRICS_TOKEN: found one of 5 characters"),
        ({"metrics_token": "\N{SNOWMAN}" * 20}, "DEMIJOHN_METRICS_TOKEN"),
        ({"operating_address": "nowhere"}, "DEMIJOHN_OPERATING_ADDRESS: found 'nowhere'"),
        ({"operating_address": "127.0.0.1:70000"}, "DEMIJOHN_OPERATING_ADDRESS"),
    ],
)
def test_a_wrong_setting_stops_the_start(settings: dict[str, str], told: str) -> None:
    with pytest.raises(SettingError) as caught:
        Demijohn(Flask("wrong"), settings=Settings(**settings))  # type: ignore[arg-type]  # texts, all of them
    assert told in str(caught.value)
    assert settings.get("metrics_token", "-") not in str(caught.value)


# Ready


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)


THINGS = """\
openapi: 3.1.0
info: {title: Things, version: "1"}
paths:
  /things/{id}:
    get:
      x-resource: Thing
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: fine
          content:
            application/json: {schema: {type: object, required: [id], properties: {id: {type: integer}}}}
"""


@pytest.fixture
def postgresql() -> Iterator[databases.Server]:
    server = databases.new_server("postgresql")
    yield server
    server.remove()


def test_ready_is_503_while_the_database_is_away(tmp_path: Path, postgresql: databases.Server) -> None:
    (tmp_path / "openapi.yaml").write_text(THINGS, encoding="utf-8")
    app = Flask("things", root_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url=postgresql.url))
    api.resource(Thing)
    api.add_contract("openapi.yaml")
    client = app.test_client()

    def status_within(expected: int, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while (status := client.get("/ready").status_code) != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        return status

    assert client.get("/ready").status_code == 200
    postgresql.stop()
    assert status_within(503, 10) == 503
    refused = client.get("/ready")
    assert refused.headers["Retry-After"] == "2"
    assert refused.json == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "service-unavailable",
        "detail": "Not ready at the moment.",
    }
    assert client.get("/live").status_code == 200
    postgresql.start()
    assert status_within(200, 10) == 200


def test_a_flood_of_probes_is_one_question() -> None:
    asked, clock = [0], Clock()
    readiness = Readiness(lambda: asked.append(0), clock=clock)
    assert all(readiness.is_ready() for _ in range(100))
    assert len(asked) == 2
    clock.now += KEPT_S + 0.1
    assert readiness.is_ready()
    assert len(asked) == 3


def test_a_database_that_does_not_answer_is_asked_once_and_holds_nobody_up() -> None:
    asked, answer = [0], threading.Event()

    def ask() -> None:
        asked.append(0)
        answer.wait(30)

    readiness = Readiness(ask, patience_s=0.1)
    began = time.monotonic()
    assert not any(readiness.is_ready() for _ in range(50))
    assert time.monotonic() - began < 3
    assert len(asked) == 2
    answer.set()
    deadline = time.monotonic() + 10
    while not readiness.is_ready():
        assert time.monotonic() < deadline


def test_whatever_goes_wrong_is_not_ready() -> None:
    def ask() -> None:
        raise MemoryError("a secret of the inside")

    assert not Readiness(ask).is_ready()


def test_who_stops_is_not_ready() -> None:
    readiness = Readiness(lambda: None)
    assert readiness.is_ready()
    readiness.is_stopping = True
    assert not readiness.is_ready()
