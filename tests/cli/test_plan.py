"""`demijohn plan` shows what each operation does, at any width."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from people_app import write_app

from demijohn.cli import main
from demijohn.cli import plan as plan_module

CONTRACT = """\
openapi: 3.1.0
info: {title: Small, version: "1.2"}
servers: [{url: /api}]
paths:
  /hello:
    get:
      operationId: greetings.hello
      parameters: [{name: a, in: query, schema: {type: string}}, {name: b, in: query, schema: {type: string}}]
      responses: {"200": {description: ok}}
  /orders:
    post:
      operationId: nothing.here
      requestBody: {content: {application/json: {}, multipart/form-data: {}}}
      security: [{token: [write, read]}, {key: []}]
      callbacks: {paid: {"{$request.body#/url}": {post: {responses: {"200": {description: ok}}}}}}
      responses: {"201": {description: ok}}
webhooks:
  restocked: {post: {responses: {"200": {description: ok}}}}
components:
  securitySchemes:
    token: {type: oauth2, flows: {clientCredentials: {tokenUrl: /t, scopes: {read: r, write: w}}}}
    key: {type: apiKey, in: header, name: X-Key}
"""
TABLE = """\
Small 1.2: 2 operations below /api

METHOD  PATH         DOES             WHO MAY                    CHECKED
GET     /api/hello   greetings.hello  anyone                     2 parameters, answers
POST    /api/orders  501              token (write read) or key  body application/json or multipart/form-data

Webhooks, described and not served:
  restocked

Callbacks, described and not served:
  paid of POST /orders
"""
BLOCKS = """\
GET /api/hello
  does     greetings.hello
  who may  anyone
  checked  2 parameters, answers
POST /api/orders
  does     501
  who may  token (write read) or key
  checked  body application/json or
           multipart/form-data
"""


@pytest.fixture(autouse=True)
def _files(_folder: None) -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    Path("greetings.py").write_text("def hello(a=None, b=None): ...\n")


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments])


def test_a_table_goes_into_a_pipe_whole() -> None:
    assert plan("openapi.yaml").output == TABLE


def test_a_narrow_terminal_gets_blocks_without_broken_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "_width", lambda: 46)
    assert BLOCKS in plan("openapi.yaml").output


def test_json_says_the_same() -> None:
    (api,) = json.loads(plan("openapi.yaml", "--format", "json", "--mock").output)["apis"]
    assert api["operations"][1] == {
        "method": "POST",
        "path": "/api/orders",
        "operation_id": "nothing.here",
        "does": "mock",
        "who_may": "token (write read) or key",
        "rate_limit": None,
        "cache": None,
        "owners": [],
        "parameters": [],
        "body": ["application/json", "multipart/form-data"],
        "answers": ["201"],
        "answers_validated": False,
        "statements": [],
        "indexes": [],
    }
    assert api["operations"][0]["parameters"] == ["query a", "query b"]
    assert (api["webhooks"], api["callbacks"]) == (["restocked"], ["paid of POST /orders"])


def test_rate_limits_are_shown() -> None:
    Path("openapi.yaml").write_text(
        CONTRACT.replace("  /hello:\n", "  /hello:\n    x-rate-limit: 100/hour; 5/minute\n")
    )
    assert "answers, at most 5 per minute and 100 per hour\n" in plan("openapi.yaml").output
    (api,) = json.loads(plan("openapi.yaml", "--format", "json").output)["apis"]
    assert [one["rate_limit"] for one in api["operations"]] == [
        {"scope": "path /api/hello", "windows": [{"quota": 5, "seconds": 60}, {"quota": 100, "seconds": 3600}]},
        None,
    ]


def test_the_operations_of_an_application_have_to_be_bound() -> None:
    Path("app.py").write_text(
        "from flask import Flask\nfrom demijohn import Demijohn\n"
        "app = Flask(__name__)\nDemijohn(app).add_contract('openapi.yaml')\n"
    )
    result = plan(".")
    assert result.exit_code == 1
    assert "operationId 'nothing.here' has no function" in result.output
    assert result.output.endswith("The contract and the code do not fit: 1 problem.\n")
    assert plan(".", "--mock").exit_code == 0


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert plan_module._width() == 50


def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("greetings.py").unlink()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'people.db'}")
    write_app(tmp_path)


FINDINGS = """
No index serves:
  GET /people
    filter name__contains: a text in the middle of name is looked for in every row
    sort age: all rows are sorted; add an index on person.age
"""
DETAILS = """
GET /people/{person_id}/addresses  list Address
  below Person      index ix_address_person_id
  key id of Person  primary key
  page:
    SELECT json_object('id', address.id, 'city', address.city) AS json"""


def test_what_no_index_serves_is_listed_below_the_operations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models(monkeypatch, tmp_path)
    text = plan(".").stdout
    assert "GET     /people                        list Person" in text
    assert text.endswith(FINDINGS)
    assert "SELECT" not in text
    monkeypatch.setattr(plan_module, "_width", lambda: 60)
    assert (
        "    filter name__contains: a text in the middle of name is\n      looked for in every row\n"
        in plan(".").stdout
    )


def test_the_statements_and_their_indexes_are_shown_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models(monkeypatch, tmp_path)
    text = plan(".", "--sql").stdout
    assert DETAILS in text
    assert "\n  sort age               no index\n" in text
    assert text.endswith(FINDINGS)
    monkeypatch.setattr(plan_module, "_width", lambda: 100)
    lines = plan(".", "--sql").stdout.splitlines()
    assert [line for line in lines if len(line) > 100 and " " in line.strip()] == []


def test_json_has_statements_and_indexes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models(monkeypatch, tmp_path)
    (api,) = json.loads(plan(".", "--format", "json").stdout)["apis"]
    listing = api["operations"][0]
    assert listing["statements"][0]["does"] == "page"
    assert listing["statements"][0]["sql"].startswith("SELECT ")
    assert listing["indexes"] == [
        {
            "part": "filter name__contains",
            "index": None,
            "finding": "a text in the middle of name is looked for in every row",
        },
        {"part": "sort id", "index": "primary key", "finding": None},
        {"part": "sort email", "index": "unique email", "finding": None},
        {"part": "sort age", "index": None, "finding": "all rows are sorted; add an index on person.age"},
    ]


def test_help_reads_well() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert "\n  demijohn check openapi.yaml            is the contract sound?\n" in result.output
    assert CliRunner().invoke(main, ["--version"]).output.startswith("demijohn ")
