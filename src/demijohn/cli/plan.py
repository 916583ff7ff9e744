"""`demijohn plan`: what each operation does, who may call it, what guards it, and what it asks of the database."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from demijohn.app import Api, State
from demijohn.cli.problems import count
from demijohn.cli.target import ContractFile, Options, find, open_application, state_of
from demijohn.compile import Plan
from demijohn.compile.plan import Call, Mock, Unimplemented
from demijohn.resources.explain import Use, explain
from demijohn.resources.owned import Owned
from demijohn.settings import Unbound

__all__ = ["plan"]

_HEADINGS = ("METHOD", "PATH", "DOES", "WHO MAY", "CHECKED")
_STYLES = ("bold", "bold", "green", "yellow", "")
_GAP = "  "


@click.command(short_help="Show what each operation of TARGET does.")
@click.argument("target")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--mock", is_flag=True, help="Plan mock answers for the operations that no function serves.")
@click.option("--sql", is_flag=True, help="Show the statements of each operation, and the indexes that serve it.")
def plan(target: str, style: str, mock: bool, sql: bool) -> None:
    """Show what each operation of TARGET does, who may call it, and what is checked.

    An operation of a contract file that no function serves is shown as 501: Not Implemented. What an operation does
    by reading every row of a table, because no index serves it, is listed below.
    """
    found = find(target)
    unbound: Unbound | None = "mock" if mock else "501" if isinstance(found, ContractFile) else None
    state = state_of(open_application(found, Options(target, unbound=unbound)))
    access = _access(state)
    if style == "json":
        click.echo(json.dumps({"apis": [_data(api, access) for api in state.apis]}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True, width=_width())
    for api in state.apis:
        for line in _lines(api, access, sql, console.width):
            console.print(line)


@dataclass(frozen=True, slots=True)
class _Access:
    """Hold what an operation on a model asks of the database: its statements, and the indexes that serve it."""

    statements: tuple[tuple[str, str], ...]
    uses: tuple[Use, ...]


def _access(state: State) -> dict[int, _Access]:
    """Return the operations that are statements, by their identity."""
    resources = state.resources
    if resources is None or not resources.shapes:
        return {}
    shapes = {id(shape.operation): shape for shape in resources.shapes.values()}
    name = resources.database.dialect.name
    return {
        id(plan.operation): _Access(_statements(plan.action), explain(shapes[id(plan.operation)], name))
        for api in state.apis
        for plan in _plans(api)
        if id(plan.operation) in shapes and not isinstance(plan.action, Call | Mock | Unimplemented)
    }


def _statements(action: Any) -> tuple[tuple[str, str], ...]:
    return tuple((label, sql) for label, sql in action.statements())


def _width() -> int:
    """Return the columns there are; a pipe has no end."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _plans(api: Api) -> Iterator[Plan]:
    for resource in api.resources:
        yield from resource.plans.values()


def _data(api: Api, access: Mapping[int, _Access]) -> dict[str, Any]:
    return {
        "title": api.contract.title,
        "version": api.contract.api_version,
        "base_path": api.base_path,
        "operations": [
            {
                "method": plan.operation.method,
                "path": plan.path,
                "operation_id": plan.operation.operation_id,
                "does": plan.action.name,
                "who_may": plan.guard.summary if plan.guard else None,
                "rate_limit": _rate_limit(plan),
                "cache": _cache(plan),
                "owners": _owners(plan),
                "parameters": [f"{one.location} {one.name}" for one in plan.operation.parameters],
                "body": [media.range for media in plan.operation.body.contents] if plan.operation.body else [],
                "answers": list(plan.operation.responses),
                "answers_validated": plan.answers.validate,
                **_access_data(access.get(id(plan.operation), _NO_ACCESS)),
            }
            for plan in _plans(api)
        ],
        "webhooks": list(api.contract.webhooks),
        "callbacks": _callbacks(api),
    }


def _rate_limit(plan: Plan) -> dict[str, Any] | None:
    if plan.limit is None:
        return None
    policy = plan.limit.policy
    return {"scope": policy.scope, "windows": [{"quota": one.quota, "seconds": one.window_s} for one in policy.windows]}


def _cache(plan: Plan) -> dict[str, Any] | None:
    if plan.cache is None:
        return None
    policy = plan.cache.policy
    return {"seconds": policy.seconds, "tables": list(policy.tables), "shared": policy.shared}


_NO_ACCESS = _Access((), ())


def _access_data(access: _Access) -> dict[str, Any]:
    return {
        "statements": [{"does": label, "sql": sql} for label, sql in access.statements],
        "indexes": [
            {"part": use.part, "index": use.index or None, "finding": use.finding or None} for use in access.uses
        ],
    }


def _owners(plan: Plan) -> list[dict[str, Any]]:
    """Return the columns by which rows belong to the caller, and the roles that see and change the rows of all."""
    if not isinstance(plan.action, Owned):
        return []
    return [
        {"column": f"{one.column.table.name}.{one.column.name}", "except": sorted(one.exempt)}
        for one in plan.action.owners
    ]


def _callbacks(api: Api) -> list[str]:
    return [
        f"{name} of {operation.method} {operation.path}"
        for operation in api.contract.operations
        for name in operation.callbacks
    ]


def _lines(api: Api, access: Mapping[int, _Access], sql: bool, width: int) -> Iterator[Text]:
    """Yield the lines of one contract: a table, or a block for each operation where a table is too wide."""
    contract = api.contract
    title = f"{contract.title} {contract.api_version}".strip()
    yield Text(f"{title}: {count(len(contract.operations), 'operation')} below {api.base_path or '/'}")
    yield Text("")
    rows = [_row(plan) for plan in _plans(api)]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        yield _columns(_HEADINGS, widths, ["dim"] * len(widths))
        for row in rows:
            yield _columns(row, widths, _STYLES)
    else:
        for row in rows:
            yield from _block(row, width)
    known = [(plan, access[id(plan.operation)]) for plan in _plans(api) if id(plan.operation) in access]
    if sql:
        for plan, one in known:
            yield Text("")
            yield from _details(plan, one, width)
    yield from _findings(known, width)
    for heading, names in (("Webhooks", contract.webhooks), ("Callbacks", _callbacks(api))):
        if names:
            yield Text("")
            yield Text(f"{heading}, described and not served:")
            yield from (Text(_GAP + name) for name in names)


def _row(plan: Plan) -> tuple[str, ...]:
    operation = plan.operation
    checks = [count(len(operation.parameters), "parameter")] if operation.parameters else []
    if operation.body is not None:
        checks.append("body " + " or ".join(media.range for media in operation.body.contents))
    if plan.answers.validate:
        checks.append("answers")
    if plan.limit is not None:
        checks.append(f"at most {plan.limit.policy.text}")
    if plan.cache is not None:
        checks.append(plan.cache.policy.text)
    who = plan.guard.summary if plan.guard else "anyone"
    for one in _owners(plan):
        who += f"; own rows by {one['column']}" + (f", all for {' or '.join(one['except'])}" if one["except"] else "")
    return operation.method, plan.path, plan.action.name, who, ", ".join(checks) or "nothing"


def _columns(row: Sequence[str], widths: Sequence[int], styles: Sequence[str]) -> Text:
    line = Text()
    for text, width, style in zip(row, widths, styles, strict=True):
        line.append(text.ljust(width) + _GAP, style)
    line.rstrip()
    return line


def _block(row: Sequence[str], width: int) -> Iterator[Text]:
    """Yield an operation as a line and what belongs to it indented below, broken between words only."""
    method, path, *rest = row
    yield Text(f"{method} {path}", "bold")
    for heading, text, style in zip(_HEADINGS[2:], rest, _STYLES[2:], strict=True):
        label = _GAP + heading.lower().ljust(max(map(len, _HEADINGS[2:]))) + _GAP
        for line in wrap(text, max(width - len(label), 1), break_long_words=False, break_on_hyphens=False):
            yield Text.assemble((label, "dim"), (line, style))
            label = " " * len(label)


def _details(plan: Plan, access: _Access, width: int) -> Iterator[Text]:
    """Yield what an operation asks of the database: each part with its index, then each statement."""
    yield Text(f"{plan.operation.method} {plan.path}  {plan.action.name}", "bold")
    longest = max((len(use.part) for use in access.uses), default=0)
    for use in access.uses:
        found = (use.index, "green") if use.index else ("no index", "red")
        yield Text.assemble(_GAP, use.part.ljust(longest), _GAP, found)
    for label, sql in access.statements:
        yield Text(f"{_GAP}{label}:", "dim")
        for line in sql.splitlines():
            yield from _indented(line.strip(), 2 * _GAP, 3 * _GAP, width)


def _findings(known: Sequence[tuple[Plan, _Access]], width: int) -> Iterator[Text]:
    """Yield what no index serves, below its operation."""
    found = [(plan, [use for use in access.uses if use.finding]) for plan, access in known]
    if not any(uses for _, uses in found):
        return
    yield Text("")
    yield Text("No index serves:")
    for plan, uses in found:
        if uses:
            yield Text(f"{_GAP}{plan.operation.method} {plan.path}", "bold")
        for use in uses:
            yield from _indented(f"{use.part}: {use.finding}", 2 * _GAP, 3 * _GAP, width)


def _indented(text: str, first: str, others: str, width: int) -> Iterator[Text]:
    lines = wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
    yield from map(Text, lines)
