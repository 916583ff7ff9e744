"""`x-rate-limit`: how it is written, which one counts, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from demijohn import BindingError, Demijohn, SettingError, Settings
from demijohn.app import State
from demijohn.compile.rates import RatePolicy, windows_of_setting

CONTRACT = """\
{version}
info: {{title: Small, version: "1"}}
x-rate-limit: 100/minute
paths:
  /a:
    x-rate-limit: 10 per 2 minutes
    get: {{operationId: f, responses: {{"200": {{description: ok}}}}}}
    put: {{operationId: f, responses: {{"200": {{description: ok}}}}}}
    post:
      operationId: f
      x-rate-limit: [1/second, "5/hour; 20/day"]
      responses: {{"200": {{description: ok}}}}
    delete: {{operationId: f, x-rate-limit: false, responses: {{"200": {{description: ok}}}}}}
  /b:
    get: {{operationId: f, responses: {{"200": {{description: ok}}}}}}
    put: {{operationId: f, x-rate-limit: "", responses: {{"200": {{description: ok}}}}}}
"""


def policies(folder: Path, text: str, **settings: Any) -> dict[str, RatePolicy | None]:
    """Return the policy of each operation, by method and path."""
    (folder / "openapi.yaml").write_text(text, encoding="utf-8")
    app = Flask("small", root_path=str(folder))
    # One function under several operationIds of the same name is served by a resolver that looks at no name.
    api = Demijohn(app, settings=Settings(**settings))
    api.add_contract("openapi.yaml", base_path="/api", resolver=lambda _: lambda: None)
    state: State = app.extensions["demijohn"]
    plans = [plan for resource in state.apis[0].resources for plan in resource.plans.values()]
    return {
        f"{one.operation.method} {one.operation.path}": None if one.limit is None else one.limit.policy for one in plans
    }


def numbered(text: str) -> str:
    """Give each operation an operationId of its own."""
    parts = text.split("operationId: f")
    return parts[0] + "".join(f"operationId: f{number}{part}" for number, part in enumerate(parts[1:]))


@pytest.mark.parametrize("version", ['swagger: "2.0"', "openapi: 3.0.3", "openapi: 3.1.0", "openapi: 3.2.0"])
def test_the_nearest_limit_counts_and_its_scope_is_what_declares_it(tmp_path: Path, version: str) -> None:
    found = policies(tmp_path, numbered(CONTRACT.format(version=version)), rate_limit_default="7/minute")
    told = {name: None if one is None else (one.scope, one.text) for name, one in found.items()}
    assert told == {
        "GET /a": ("path /api/a", "10 per 2 minutes"),
        "PUT /a": ("path /api/a", "10 per 2 minutes"),
        "POST /a": ("operation POST /api/a", "1 per second and 5 per hour and 20 per day"),
        "DELETE /a": None,
        "GET /b": ("document /api Small", "100 per minute"),
        "PUT /b": None,
    }
    assert found["POST /a"] is not None
    assert [(one.name, one.quota, one.window_s) for one in found["POST /a"].windows] == [
        ("second", 1, 1),
        ("hour", 5, 3600),
        ("day", 20, 86400),
    ]
    assert found["GET /a"] is not None
    assert [one.name for one in found["GET /a"].windows] == ["default"]


def test_the_default_is_for_operations_of_which_the_contract_says_nothing(tmp_path: Path) -> None:
    text = numbered(CONTRACT.format(version="openapi: 3.1.0").replace("x-rate-limit: 100/minute\n", ""))
    found = policies(tmp_path, text, rate_limit_default="7/minute")
    assert found["GET /b"] == RatePolicy(
        "application", windows_of_setting(Settings(rate_limit_default="7/minute"), "rate_limit_default")
    )
    assert found["PUT /b"] is None
    assert policies(tmp_path, text)["GET /b"] is None


WRONG = """\
openapi: 3.1.0
info: {title: Small, version: "1"}
x-rate-limit: often
paths:
  /a:
    x-rate-limit: 0/minute
    get: {operationId: f0, responses: {"200": {description: ok}}}
  /b:
    get: {operationId: f1, responses: {"200": {description: ok}}}
    put:
      operationId: f2
      x-rate-limit: [5/minute, 60 per 60 seconds]
      responses: {"200": {description: ok}}
    post:
      operationId: f3
      responses: {"200": {description: ok}}
      x-rate-limit: 5
"""


def test_every_wrong_limit_is_told_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BindingError) as caught:
        policies(tmp_path, WRONG)
    allowed = "write `5 per 10 minutes`, several in a list or with `;` between them, or `false` for none"
    assert {str(one) for one in caught.value.problems} == {
        f"openapi.yaml:3: `x-rate-limit`: found 'often'; {allowed}",
        f"openapi.yaml:6: `x-rate-limit`: found '0/minute', with a number that is too small or too large; {allowed}",
        "openapi.yaml:12: `x-rate-limit`: found '5 per minute' and '60 per 60 seconds', two limits of the same time; "
        + allowed,
        f"openapi.yaml:17: `x-rate-limit`: found 5; {allowed}",
    }


@pytest.mark.parametrize(
    "text", ["5 per 0 minutes", f"{10**12}/minute", f"5 per {10**9} days", "5", "/minute", "5/eon"]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BindingError):
        policies(tmp_path, WRONG.replace("often", text).replace("0/minute", "1/minute"))


def test_every_wrong_setting_is_told_and_no_password() -> None:
    wrong = {"default": "often", "failures": "x", "login": "0/day", "login_account": "?", "login_address": "5"}
    settings = {f"rate_limit_{name}": value for name, value in wrong.items()}
    settings["rate_limit_storage"] = "rediss+//user:secret@host"
    with pytest.raises(SettingError) as caught:
        Demijohn(Flask("small"), settings=Settings(**settings))  # type: ignore[arg-type]  # texts, all of them
    told = str(caught.value)
    assert all(f"DEMIJOHN_{name.upper()}: found " in told for name in settings)
    assert len(caught.value.problems) == len(settings)
    assert "secret" not in told


@pytest.mark.parametrize("address", ["redis://user:secret@host:x/0", "redis://:1secret/2@host/0", "secret"])
def test_an_address_that_cannot_be_read_is_told_without_the_password(address: str) -> None:
    with pytest.raises(SettingError) as caught:
        Demijohn(Flask("small"), settings=Settings(rate_limit_storage=address))
    assert ("secret" in str(caught.value)) == (address == "secret")
