"""An operation without functions is answered without Flask's contexts, unless somebody would notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Flask, has_app_context, has_request_context
from flask.testing import FlaskClient

import demijohn.app
from demijohn import BadRequest, Demijohn
from demijohn.compile import compile_contract
from demijohn.compile.answers import Answer
from demijohn.compile.plan import Arguments

CONTRACT = """
openapi: 3.1.0
info: {title: Cellar, version: "1"}
paths:
  /bottles/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: One., content: {application/json: {schema: {type: object}}}}}
    put:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: If-Match, in: header, required: true, schema: {type: string}}
      responses: {"204": {description: Done.}}
"""


class Statement:
    """Answer as a statement would, and note whether Flask was there."""

    name = "read Bottle"

    def __init__(self) -> None:
        self.has_hooks = False
        self.contexts: list[bool] = []
        self.failure: Exception | None = None

    def run(self, arguments: Arguments) -> Answer:
        self.contexts.append(has_app_context() or has_request_context())
        if self.failure is not None:
            raise self.failure
        return Answer(200, b'{"id":1}', "application/json", [])


@pytest.fixture
def statement() -> Statement:
    return Statement()


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: Statement) -> Callable[..., Flask]:
    def find_acts(contract: Any, prefix: str, report: Any, operations: Any) -> Any:
        return {operation.place: statement for operation in operations}

    def compile_with(*args: Any, **named: Any) -> Any:
        return compile_contract(*args, **{**named, "find_acts": find_acts})

    monkeypatch.setattr(demijohn.app, "compile_contract", compile_with)
    (tmp_path / "openapi.yaml").write_text(CONTRACT, encoding="utf-8")

    def build(**config: Any) -> Flask:
        app = Flask("cellar", root_path=str(tmp_path))
        app.config.update({"DEMIJOHN_SERVER_TIMING": "never"} | config)
        Demijohn(app).add_contract("openapi.yaml")
        return app

    return build


@pytest.fixture
def app(build: Callable[..., Flask]) -> Flask:
    return build()


def get(app: Flask, **named: Any) -> Any:
    return app.test_client().get("/bottles/1", **named)


def test_no_context_is_made_where_nobody_looks(app: Flask, statement: Statement) -> None:
    answers = [get(app) for _ in range(3)]
    assert statement.contexts == [False, False, False]
    assert {answer.data for answer in answers} == {b'{"id":1}'}


def test_the_answer_has_the_same_headers_either_way(app: Flask) -> None:
    alone = get(app, headers={"X-Request-ID": "one"})
    with receiver(flask.request_started):
        inside = get(app, headers={"X-Request-ID": "one"})
    assert sorted(alone.headers) == sorted(inside.headers)
    assert alone.headers["X-Request-ID"] == "one"
    assert alone.headers["Content-Length"] == "8"


@pytest.mark.parametrize("origins", ["", "https://good.example", "*"])
@pytest.mark.parametrize("origin", [None, "https://good.example", "https://evil.example"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("known", [False, True])
def test_what_a_browser_is_told_is_the_same_either_way(
    build: Callable[..., Flask], statement: Statement, origins: str, origin: str | None, scheme: str, known: bool
) -> None:
    app = build(DEMIJOHN_CORS_ORIGINS=origins)
    sent = {"X-Request-ID": "one"} | ({} if origin is None else {"Origin": origin})
    if known:
        sent["If-None-Match"] = get(app).headers["ETag"]
    statement.contexts.clear()
    alone = get(app, headers=sent, base_url=f"{scheme}://localhost")
    with receiver(flask.request_started):
        inside = get(app, headers=sent, base_url=f"{scheme}://localhost")
    assert statement.contexts == [False, True]
    assert alone.status_code == inside.status_code == (304 if known else 200)
    assert sorted(alone.headers) == sorted(inside.headers)
    is_let_in = origins == "*" or (origins == origin)
    assert ("Access-Control-Allow-Origin" in alone.headers) == is_let_in
    assert ("Strict-Transport-Security" in alone.headers) == (scheme == "https" and not known)
    assert alone.headers.getlist("Vary") == (["Origin"] if origins == "https://good.example" else [])


def test_head_and_not_modified_are_answered_alone_too(app: Flask, statement: Statement) -> None:
    tag = get(app).headers["ETag"]
    assert get(app, headers={"If-None-Match": tag}).status_code == 304
    head = app.test_client().head("/bottles/1")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "8")
    assert statement.contexts == [False, False, False]


def _before(app: Flask) -> None:
    app.before_request(lambda: None)


def _after(app: Flask) -> None:
    app.after_request(lambda response: response)


def _teardown(app: Flask) -> None:
    app.teardown_request(lambda error: None)


def _teardown_app(app: Flask) -> None:
    app.teardown_appcontext(lambda error: None)


def _values(app: Flask) -> None:
    app.url_value_preprocessor(lambda endpoint, values: None)


@pytest.mark.parametrize("register", [_before, _after, _teardown, _teardown_app, _values])
def test_a_function_of_the_application_finds_flask_around_it(
    app: Flask, statement: Statement, register: Callable[[Flask], None]
) -> None:
    register(app)
    assert [get(app).status_code, get(app).status_code] == [200, 200]
    assert statement.contexts == [True, True]


@contextmanager
def receiver(signal: Any) -> Iterator[None]:
    def listen(sender: Any, **_: Any) -> None:
        return None

    with signal.connected_to(listen):
        yield


@pytest.mark.parametrize(
    "name",
    [
        "appcontext_pushed",
        "appcontext_popped",
        "appcontext_tearing_down",
        "request_started",
        "request_finished",
        "request_tearing_down",
    ],
)
def test_a_receiver_of_a_signal_finds_flask_around_it(app: Flask, statement: Statement, name: str) -> None:
    get(app)
    get(app)
    with receiver(getattr(flask, name)):
        get(app)
    get(app)
    assert statement.contexts == [False, False, True, False]


def test_a_hook_of_a_model_finds_flask_around_it(app: Flask, statement: Statement) -> None:
    statement.has_hooks = True
    get(app)
    assert statement.contexts == [True]


def test_a_test_that_keeps_the_context_gets_one(app: Flask, statement: Statement) -> None:
    client: FlaskClient = app.test_client()
    with client:
        client.get("/bottles/1")
        assert flask.request.path == "/bottles/1"
    assert statement.contexts == [True]


def test_a_subclass_of_flask_sees_every_response(tmp_path: Path, app: Flask, statement: Statement) -> None:
    class Counting(Flask):
        count = 0

        def process_response(self, response: flask.Response) -> flask.Response:
            self.count += 1
            return super().process_response(response)

    counting = Counting("counting", root_path=str(tmp_path))
    Demijohn(counting).add_contract("openapi.yaml")
    get(counting)
    assert (counting.count, statement.contexts) == (1, [True])


def test_an_error_goes_the_way_of_flask_and_the_statement_runs_once(app: Flask, statement: Statement) -> None:
    statement.failure = BadRequest("No.")
    answer = get(app)
    assert (answer.status_code, answer.json["detail"]) == (400, "No.")
    assert len(statement.contexts) == 1


def test_an_error_handler_of_the_application_answers_its_errors(app: Flask, statement: Statement) -> None:
    @app.errorhandler(ZeroDivisionError)
    def divided(error: Exception) -> tuple[str, int]:
        return "divided", 418

    statement.failure = ZeroDivisionError()
    answer = get(app)
    assert (answer.status_code, answer.text) == (418, "divided")


def test_a_required_precondition_that_is_missing_is_428(app: Flask) -> None:
    answer: Any = app.test_client().put("/bottles/1")
    assert (answer.status_code, answer.json["code"]) == (428, "precondition-required")
    assert "If-Match" in answer.json["detail"]
    assert app.test_client().put("/bottles/x").status_code == 400
