"""`demijohn check`: every problem and warning of a contract, or of an application."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import click
from flask import Flask

from demijohn.cli.problems import as_data, as_line, count, located
from demijohn.cli.target import ContractFile, Found, Options, find, open_application, state_of
from demijohn.compile.extensions import check_extensions
from demijohn.contract import Contract, Place, load
from demijohn.errors import BindingError, Finding, StartError
from demijohn.resources.ownership import check_owners
from demijohn.settings import Settings

__all__ = ["check"]


@dataclass(frozen=True, slots=True)
class _Report:
    """Hold what was found out."""

    operations: int = 0
    errors: Sequence[Finding | str] = ()
    warnings: Sequence[Finding | str] = ()


@click.command()
@click.argument("target")
@click.option("--strict", is_flag=True, help="Treat warnings as problems.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(target: str, strict: bool, style: str) -> None:
    """Report every problem of TARGET.

    Of a contract file the document is checked, with x-cors, x-rate-limit, x-cache and x-owner. Of an application
    (module:factory or a folder) the functions and models behind its operations and security schemes are checked, too.

    The exit status is 0 without problems and 1 with one. Warnings are problems only under --strict.
    """
    found = find(target)
    report = _check(found, Options(target, strict=strict))
    if style == "json":
        data = {
            "ok": not report.errors,
            "errors": [as_data(problem) for problem in report.errors],
            "warnings": [as_data(warning) for warning in report.warnings],
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        for problem in report.errors:
            click.echo(as_line(problem))
        for warning in report.warnings:
            click.echo(as_line(warning, "warning: "))
        click.echo(_summary(report))
    if report.errors:
        raise SystemExit(1)


def _check(found: Found, options: Options) -> _Report:
    wrinkles: tuple[Finding, ...] = ()
    try:
        if isinstance(found, ContractFile):
            loaded = load(found.path, Settings.load(options.settings(), os.environ))
            operations, wrinkles = len(loaded.contract.operations), loaded.wrinkles
            _check_extensions(loaded.contract)
        else:
            apis = state_of(_quietly(found, options)).apis
            operations = sum(len(api.contract.operations) for api in apis)
            wrinkles = tuple(wrinkle for api in apis for wrinkle in api.wrinkles)
    except StartError as error:
        return _Report(errors=located(error.problems, found.folders))
    return _Report(operations, (), located(wrinkles, found.folders))


def _check_extensions(contract: Contract) -> None:
    """Check the keys that are Demijohn's own. Raises `BindingError`, as the start would."""
    found: dict[tuple[Place, str], Finding] = {}

    def report(place: Place, what: str, allowed: str) -> None:
        found[place, what] = Finding(place.file, contract.line(place), place.pointer, what, allowed)

    check_extensions(contract, report)
    check_owners(contract, report)
    if found:
        raise BindingError(tuple(found.values()))


def _quietly(found: Found, options: Options) -> Flask:
    """Open an application without its log, which would tell that there are warnings."""
    logging.disable(logging.WARNING)
    try:
        return open_application(found, options)
    finally:
        logging.disable(logging.NOTSET)


def _summary(report: _Report) -> str:
    if report.errors:
        return f"{count(len(report.errors), 'problem')}"
    parts = [count(report.operations, "operation"), "no problems", count(len(report.warnings), "warning")]
    return ", ".join(parts)
