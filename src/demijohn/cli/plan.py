"""`demijohn plan`: what each operation does, who may call it, and what guards it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from demijohn.app import Api
from demijohn.cli.problems import count
from demijohn.cli.target import ContractFile, Options, find, open_application, state_of
from demijohn.compile import Plan
from demijohn.settings import Unbound

__all__ = ["plan"]

_HEADINGS = ("METHOD", "PATH", "DOES", "WHO MAY", "CHECKED")
_STYLES = ("bold", "bold", "green", "yellow", "")
_GAP = "  "


@click.command(short_help="Show what each operation of TARGET does.")
@click.argument("target")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--mock", is_flag=True, help="Plan mock answers for the operations that no function serves.")
def plan(target: str, style: str, mock: bool) -> None:
    """Show what each operation of TARGET does, who may call it, and what is checked.

    An operation of a contract file that no function serves is shown as 501: Not Implemented.
    """
    found = find(target)
    unbound: Unbound | None = "mock" if mock else "501" if isinstance(found, ContractFile) else None
    apis = state_of(open_application(found, Options(target, unbound=unbound))).apis
    if style == "json":
        click.echo(json.dumps({"apis": [_data(api) for api in apis]}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True, width=_width())
    for api in apis:
        for line in _lines(api, console.width):
            console.print(line)


def _width() -> int:
    """Return the columns there are; a pipe has no end."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _plans(api: Api) -> Iterator[Plan]:
    for resource in api.resources:
        yield from resource.plans.values()


def _data(api: Api) -> dict[str, Any]:
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
                "parameters": [f"{one.location} {one.name}" for one in plan.operation.parameters],
                "body": [media.range for media in plan.operation.body.contents] if plan.operation.body else [],
                "answers": list(plan.operation.responses),
                "answers_validated": plan.answers.validate,
            }
            for plan in _plans(api)
        ],
        "webhooks": list(api.contract.webhooks),
        "callbacks": _callbacks(api),
    }


def _callbacks(api: Api) -> list[str]:
    return [
        f"{name} of {operation.method} {operation.path}"
        for operation in api.contract.operations
        for name in operation.callbacks
    ]


def _lines(api: Api, width: int) -> Iterator[Text]:
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
    who = plan.guard.summary if plan.guard else "anyone"
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
