"""Problems and warnings as lines that an editor can jump to: `file:line: found; allowed`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from demijohn.errors import Finding, StartError

__all__ = ["as_data", "as_line", "count", "located", "tell"]


def tell(error: StartError) -> None:
    """Print every problem that keeps an application from starting."""
    for problem in error.problems:
        click.echo(as_line(problem), err=True)
    click.echo(f"{error.heading}: {count(len(error.problems), 'problem')}.", err=True)


def located(problems: Iterable[Finding | str], folders: Sequence[Path]) -> list[Finding | str]:
    """Return problems with their files as seen from here.

    A contract knows its files relative to its own folder; `folders` are those that may be meant.
    """
    return [
        problem
        if isinstance(problem, str)
        else Finding(
            _seen(problem.file, folders),
            problem.line,
            problem.pointer,
            problem.found,
            problem.allowed,
            wrinkle=problem.wrinkle,
        )
        for problem in problems
    ]


def as_line(problem: Finding | str, label: str = "") -> str:
    """Return one problem as one line; `label` goes before what was found."""
    if isinstance(problem, str):
        return label + problem
    allowed = f"; {problem.allowed}" if problem.allowed else ""
    return f"{problem.file}:{problem.line}: {label}{problem.found}{allowed}"


def as_data(problem: Finding | str) -> dict[str, Any]:
    """Return one problem as a JSON object."""
    if isinstance(problem, str):
        return {"file": None, "line": None, "pointer": None, "found": problem, "allowed": ""}
    return {
        "file": problem.file,
        "line": problem.line,
        "pointer": problem.pointer,
        "found": problem.found,
        "allowed": problem.allowed,
    }


def count(number: int, noun: str) -> str:
    """Return `no problems`, `1 problem`, `2 problems`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _seen(file: str, folders: Sequence[Path]) -> str:
    path = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if path is None:
        return file
    seen = os.path.relpath(path)
    return str(path.resolve()) if seen.startswith(os.pardir) else seen
