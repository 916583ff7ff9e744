"""TARGET means a contract, an application or a folder, and says so where it means nothing."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from flask import Flask

from demijohn.cli.target import ContractFile, Factory, Options, find, open_application, state_of
from demijohn.errors import BindingError

CONTRACT = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
paths:
  /hello:
    get:
      operationId: greetings.hello
      responses: {"200": {description: ok, content: {application/json: {schema: {type: string}}}}}
"""
APP = """\
from flask import Flask
from demijohn import Demijohn

def create_app(name="x"):
    app = Flask(__name__)
    Demijohn(app).add_contract("openapi.yaml")
    return app
"""
HELLO = "def hello():\n    return 'hello'\n"


def write(**texts: str) -> None:
    for name, text in texts.items():
        Path(f"{name}.py").write_text(text)


def answer(target: str, options: Options | None = None) -> str:
    found = find(target)
    client = open_application(found, options or Options(target)).test_client()
    return client.get("/hello").get_json() or ""


def message(target: str, options: Options | None = None) -> str:
    with pytest.raises(click.ClickException) as refused:
        open_application(find(target), options or Options(target))
    return refused.value.message


def test_a_contract_file_finds_its_functions_in_its_own_folder(tmp_path: Path) -> None:
    Path("sub").mkdir()
    Path("sub/openapi.yaml").write_text(CONTRACT)
    Path("sub/greetings.py").write_text(HELLO)
    assert find("sub/openapi.yaml") == ContractFile(tmp_path / "sub/openapi.yaml")
    assert answer("sub/openapi.yaml") == "hello"


def test_a_contract_file_takes_a_base_path_and_settings() -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    app = open_application(find("openapi.yaml"), Options("openapi.yaml", base_path="/v1", unbound="mock"))
    assert app.test_client().get("/v1/hello").get_json() == "string"
    with pytest.raises(BindingError):
        open_application(find("openapi.yaml"), Options("openapi.yaml"))


@pytest.mark.parametrize("target", ["small:create_app", "small:shop.app", "small"])
def test_a_module_and_attribute_or_a_package_is_an_application(target: str) -> None:
    Path("small").mkdir()
    Path("small/__init__.py").write_text(APP + "\nclass shop:\n    app = create_app()\n")
    Path("small/openapi.yaml").write_text(CONTRACT)
    write(greetings=HELLO)
    assert answer(target) == "hello"


@pytest.mark.parametrize("place", ["small/__init__.py", "src/small/__init__.py", "app.py", "wsgi.py"])
def test_a_folder_is_its_one_application(place: str) -> None:
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(APP)
    (path.parent / "openapi.yaml").write_text(CONTRACT)
    write(greetings=HELLO)
    assert answer(".") == "hello"


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("def create_app(): ...", "create_app"),
        ("app = 1", "app"),
        ("app: object = 1", "app"),
        ("from .other import make as create_app", "create_app"),
        ("a, app = 1, 2", None),
        ("def app(): ...", None),
        ("app =", None),
    ],
)
def test_a_folder_is_read_and_not_run(text: str, entry: str | None, tmp_path: Path) -> None:
    Path("app.py").write_text(text)
    if entry is None:
        with pytest.raises(click.ClickException, match="holds nothing to serve"):
            find(".")
    else:
        assert find(".") == Factory("app", entry, tmp_path)


def test_a_folder_without_an_application_is_its_one_contract(tmp_path: Path) -> None:
    Path("swagger.yaml").write_text(CONTRACT)
    assert find(str(tmp_path)) == ContractFile(tmp_path / "swagger.yaml")


def test_a_folder_that_holds_several_things_is_ambiguous() -> None:
    Path("openapi.yaml").write_text(CONTRACT)
    Path("swagger.json").write_text("{}")
    assert "openapi.yaml" in message(".")
    assert "swagger.json" in message(".")
    Path("app.py").write_text(APP)
    Path("wsgi.py").write_text(APP)
    assert "app:create_app, wsgi:create_app" in message(".")


def test_an_empty_folder_is_told_what_was_looked_for() -> None:
    text = message(".")
    assert all(word in text for word in ("app.py", "create_app", "openapi.*", "swagger.*"))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nowhere.yaml", "was not found"),
        ("no-module:app", "was not found"),
        ("notes.txt", "is no contract"),
        ("nowhere:app", "There is no module 'nowhere'"),
        ("nowhere.deep:app", "There is no module 'nowhere.deep'"),
        ("broken:app", "Importing broken failed: ZeroDivisionError: division by zero ("),
        ("syntax:app", "SyntaxError"),
        ("lacking:app", "No module named 'nowhere_else'"),
        ("small:nothing", "small has no 'nothing'; it has create_app and app."),
        ("greetings:nothing", "greetings has no 'nothing'."),
        ("small:number", "is a int and no Flask application"),
        ("small:app", "serves no contract"),
        ("small:needs", "cannot be called without arguments: missing a required argument: 'config'"),
        ("small:make_number", "returned a int"),
        ("small:fail", "small:fail() failed: RuntimeError: no database ("),
        ("small:refuse", "own refusal"),
        ("refusing:app", "own refusal"),
    ],
)
def test_what_is_wrong_with_a_target_is_told_in_a_sentence(target: str, text: str) -> None:
    Path("notes.txt").write_text("")
    write(
        broken="1 / 0",
        syntax="def",
        lacking="import nowhere_else",
        greetings=HELLO,
        refusing="import click\nraise click.ClickException('own refusal')",
        small="""\
import click
from flask import Flask
number = 3
app = Flask("bare")
def create_app(): ...
def needs(config): ...
def make_number(): return 3
def fail(): raise RuntimeError("no database")
def refuse(): raise click.ClickException("own refusal")
""",
    )
    assert text in message(target)


def test_an_application_keeps_its_own_base_path() -> None:
    write(small="from flask import Flask\napp = Flask('x')\n")
    assert "--base-path is for a contract file" in message("small:app", Options("small:app", base_path="/v1"))


def test_an_application_gets_its_settings_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMIJOHN_STRICT", "no")
    Path("openapi.yaml").write_text(CONTRACT)
    write(app=APP)
    app = open_application(find("."), Options(".", unbound="mock", strict=True))
    assert state_of(app).settings.unbound == "mock"
    assert state_of(app).settings.strict
    assert os.environ["DEMIJOHN_STRICT"] == "no"
    assert "DEMIJOHN_UNBOUND" not in os.environ


def test_state_of_needs_a_contract() -> None:
    with pytest.raises(click.ClickException, match="serves no contract"):
        state_of(Flask("bare"))
