"""`demijohn check` lists every problem where an editor can jump to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from demijohn.cli import main

SOUND = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
paths:
  /hello:
    get:
      operationId: nothing.here
      responses: {"200": {description: ok}}
"""
BROKEN = SOUND.replace("operationId", "opId").replace(
    "responses:", "parameters: [{name: x, in: nowhere}]\n      responses:"
)
APP = """\
from flask import Flask
from demijohn import Demijohn

def create_app():
    app = Flask(__name__)
    Demijohn(app).add_contract("openapi.yaml")
    return app
"""


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def test_a_sound_contract_passes_though_its_functions_are_missing() -> None:
    Path("openapi.yaml").write_text(SOUND)
    result = check("openapi.yaml")
    assert (result.exit_code, result.output) == (0, "1 operation, no problems, no warnings\n")


def test_problems_are_told_by_file_and_line_as_seen_from_here(tmp_path: Path) -> None:
    Path("api").mkdir()
    Path("api/openapi.yaml").write_text(BROKEN)
    result = check("api/openapi.yaml")
    *problems, summary = result.output.splitlines()
    assert result.exit_code == 1
    assert problems
    assert all(line.startswith("api/openapi.yaml:") for line in problems)
    assert summary == f"{len(problems)} problem{'s' * (len(problems) > 1)}"


def test_problems_outside_of_the_working_directory_have_their_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("openapi.yaml").write_text(BROKEN)
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert check("../openapi.yaml").output.startswith(f"{tmp_path}/openapi.yaml:")


def test_json_holds_the_same() -> None:
    Path("openapi.yaml").write_text(BROKEN)
    result = check("openapi.yaml", "--format", "json")
    data = json.loads(result.output)
    assert result.exit_code == 1
    assert (data["ok"], data["warnings"]) == (False, [])
    assert data["errors"][0].keys() == {"file", "line", "pointer", "found", "allowed"}
    assert data["errors"][0]["file"] == "openapi.yaml"


def test_an_application_is_checked_with_its_functions() -> None:
    Path("app.py").write_text(APP)
    Path("openapi.yaml").write_text(SOUND)
    result = check(".")
    assert result.exit_code == 1
    assert result.output.startswith("openapi.yaml:5: GET /hello: operationId 'nothing.here' has no function")


def test_an_application_that_is_sound_passes_without_a_word_in_the_log() -> None:
    Path("app.py").write_text(APP)
    Path("nothing.py").write_text("def here(): ...\n")
    Path("openapi.yaml").write_text(SOUND)
    result = check("app:create_app")
    assert (result.exit_code, result.output) == (0, "1 operation, no problems, no warnings\n")


def test_a_problem_without_a_place_is_told_too() -> None:
    Path("broken.py").write_text("from demijohn import StartError\ndef app():\n    raise StartError(['no place'])\n")
    assert check("broken:app").output == "no place\n1 problem\n"
    assert json.loads(check("broken:app", "--format", "json").output)["errors"][0]["file"] is None


def test_warnings_are_listed_and_pass_unless_strict(shared: Path) -> None:
    contract = str(shared / "contracts" / "readme-oas-examples__3.1__yaml__parameters-style.yaml")
    result = check(contract)
    *warnings, summary = result.output.splitlines()
    assert result.exit_code == 0
    assert warnings
    assert all(": warning: " in line for line in warnings)
    assert summary.endswith(f"no problems, {len(warnings)} warning{'s' * (len(warnings) > 1)}")
    strict = check(contract, "--strict")
    assert strict.exit_code == 1
    assert strict.output.splitlines()[:-1] == [line.replace("warning: ", "") for line in warnings]


def test_the_real_contracts_pass(shared: Path) -> None:
    for path in sorted((shared / "contracts").iterdir()):
        if path.suffix in (".json", ".yaml"):
            assert check(str(path)).exit_code == 0, path.name


WRONG = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
x-cors: {origins: ["https://a.example.org/path"], credentials: maybe, colour: red}
x-rate-limit: many per hour
paths:
  /hello:
    x-owner: user_id
    get:
      x-rate-limit: 0 per minute
      x-cache: for long
      responses: {"200": {description: ok}}
    post:
      responses: {"200": {description: ok}}
    put:
      responses: {"200": {description: ok}}
components:
  schemas:
    Note:
      x-owner: {columns: user_id}
      type: object
"""


def test_the_keys_of_demijohn_are_checked_in_a_contract_alone() -> None:
    Path("openapi.yaml").write_text(WRONG)
    result = check("openapi.yaml")
    *problems, summary = result.output.splitlines()
    assert (result.exit_code, summary) == (1, f"{len(problems)} problems")
    told = {(line.split(":")[1], line.split("; ")[0].split(": ", 1)[1]) for line in problems}
    assert told == {
        ("3", "x-cors has the origin 'https://a.example.org/path'"),
        ("3", "credentials of x-cors is 'maybe'"),
        ("3", "x-cors has a key 'colour'"),
        ("4", "`x-rate-limit`: found 'many per hour'"),
        ("7", "`x-owner` of an operation is 'user_id'"),
        ("9", "`x-rate-limit`: found '0 per minute', with a number that is too small or too large"),
        ("10", "`x-cache`: found 'for long', and seconds are a whole number from 1 to 31536000"),
        ("19", "`x-owner` of the schema `Note` is {'columns': 'user_id'}"),
    }
    assert len(problems) == len(told)


def test_what_the_start_would_say_is_what_check_says() -> None:
    Path("openapi.yaml").write_text(WRONG)
    found = {line for line in check("openapi.yaml").output.splitlines()[:-1] if "x-owner" not in line}
    started = CliRunner().invoke(main, ["run", "openapi.yaml", "--mock", "--port", "0"])
    assert started.exit_code == 1
    assert set(started.stderr.splitlines()[:-1]) == found


def test_a_target_that_is_nothing_is_an_error_and_no_traceback() -> None:
    result = check("nowhere")
    assert result.exit_code == 1
    assert result.output.startswith("Error: nowhere was not found.")


def test_a_wrong_option_is_a_usage_error() -> None:
    assert check("openapi.yaml", "--format", "xml").exit_code == 2
