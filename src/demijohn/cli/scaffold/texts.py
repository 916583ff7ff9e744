"""The application, its tests and its README, around what was drafted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from demijohn.auth.claims import operation_name
from demijohn.cli.scaffold.code import listed, quoted
from demijohn.cli.scaffold.draft import Draft
from demijohn.cli.scaffold.probing import Probe
from demijohn.contract import Operation

__all__ = ["application_text", "readme_parts", "tests_text"]


def application_text(draft: Draft, title: str) -> str:
    """Return the module that makes the application."""
    imports = ["from . import models"] if draft.tables else []
    imports.append("from .handlers import FUNCTIONS")
    lines = ["    api = Demijohn(app)"]
    if draft.tables:
        lines.append("    api.resource(models.Base)")
    if draft.users is not None:
        users = draft.users
        lines += ["    api.accounts(", f"        models.{users.table.cls},"]
        several = ", ".join(map(quoted, users.logins))
        lines.append(f"        login={several if len(users.logins) == 1 else f'({several})'},")
        lines.append(f"        password={quoted(users.password)},")
        lines += [f"        roles={quoted(users.roles)},"] if users.roles else []
        lines += [f"        disabled={quoted(users.disabled)},"] if users.disabled else []
        lines += [f"        default_role={quoted(users.default_role)},"] if users.default_role else []
        lines.append("    )")
    lines.append(listed("api.add_contract(", [quoted(draft.contract_file), "resolver=FUNCTIONS.get"], ")", "    "))
    return _APPLICATION.format(title=title, imports="\n".join(imports), lines="\n".join(lines))


_APPLICATION = '''"""{title}: a REST API from one contract."""

from __future__ import annotations

from demijohn import Demijohn
from flask import Flask

{imports}

__all__ = ["create_app"]


def create_app(database_url: str | None = None) -> Flask:
    """Build the application on the database at `database_url`.

    Without one, the environment variable `DATABASE_URL` names it; without that, it is an SQLite file in Flask's
    instance folder.
    """
    app = Flask(__name__)
    if database_url is not None:
        app.config["DEMIJOHN_DATABASE_URL"] = database_url
{lines}
    return app
'''


def tests_text(draft: Draft, package: str, probes: Sequence[Probe]) -> str:
    """Return the tests of what works already."""
    base = draft.contract.base_path
    lists = [one.path for one in probes if one.kind == "list"]
    closed = [(one.method, one.path) for one in probes if one.kind == "closed"]
    created = [(one.path, one.body) for one in probes if one.kind == "created"]
    parts = [_TESTS.format(package=package, contract=quoted(f"{base}/openapi.json"), page=quoted(f"{base}/ui/"))]
    if lists:
        parts.append(_LISTS.format(paths="".join(f"        {quoted(one)},\n" for one in lists)))
    if created:
        rows = "".join(listed("(", [quoted(path), _literal(body)], "),", "        ") + "\n" for path, body in created)
        parts.append(_CREATED.format(rows=rows))
    if closed:
        rows = "".join(f"        ({quoted(method)}, {quoted(path)}),\n" for method, path in closed)
        parts.append(_CLOSED.format(rows=rows))
    text = "\n\n".join(parts)
    return text.replace("from typing import Any\n", "") if "Any" not in text.replace("import Any", "") else text


_TESTS = '''"""What works already, as clients see it: on a database of its own for each test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from {package} import create_app


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """Give a client of an application without any data."""
    return create_app(f"sqlite:///{{tmp_path}}/test.sqlite").test_client()


def test_the_contract_and_its_page_are_served(client: FlaskClient) -> None:
    for path in ({contract}, {page}):
        assert client.get(path).status_code == 200
'''
_LISTS = """@pytest.mark.parametrize(
    "path",
    [
{paths}    ],
)
def test_there_is_nothing_to_begin_with(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200
"""
_CREATED = """@pytest.mark.parametrize(
    ("path", "body"),
    [
{rows}    ],
)
def test_what_is_created_can_be_read(client: FlaskClient, path: str, body: Any) -> None:
    created = client.post(path, json=body)
    assert created.status_code in (200, 201, 204), created.text
    if "Location" in created.headers:
        assert client.get(created.headers["Location"]).status_code == 200
"""
_CLOSED = """@pytest.mark.parametrize(
    ("method", "path"),
    [
{rows}    ],
)
def test_nobody_gets_in_without_credentials(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(path, method=method).status_code == 401
"""


def readme_parts(draft: Draft) -> dict[str, str]:
    """Return what stands in the README of this contract alone, by the names that its template has for it."""
    reasons = draft.reasons
    served = [(_request(one.operation), f"{one.act} `{one.model.name}`") for one in draft.served]
    own = [(_request(one), f"`demijohn.auth.{operation_name(one)}`") for one in draft.own]
    left = [
        (f"`{one.name}`", _request(one.operation), _cell(reasons.get(one.operation.place, "")))
        for one in draft.handlers
    ]
    checks = [(f"`{one.name}`", f"`{one.scheme.name}`", one.scheme.kind) for one in draft.checks]
    return {
        "contract_file": draft.contract_file,
        "contract_title": draft.contract.title,
        "base_path": draft.contract.base_path,
        "served": _table(("operation", "does"), [*served, *own]),
        "left": _table(("function", "operation", "why it is no statement"), left),
        "checks": _table(("function", "scheme", "kind"), checks),
    }


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _request(operation: Operation) -> str:
    return f"`{operation.method} {operation.path}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _literal(value: object) -> str:
    """Return a value of JSON as Python, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return quoted(value) if isinstance(value, str) else repr(value)
