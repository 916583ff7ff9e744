"""Pieces of Python as Ruff would lay them out."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["MOST_CHARACTERS", "listed", "quoted"]

MOST_CHARACTERS = 120


def listed(before: str, parts: Iterable[str], after: str, indent: str = "") -> str:
    """Return a call or a list: in one line, else with all of its parts in the next one, else with a line for each."""
    parts = list(parts)
    line = f"{indent}{before}{', '.join(parts)}{after}"
    if len(line) <= MOST_CHARACTERS and "\n" not in line:
        return line
    inner = f"{indent}    {', '.join(parts)}"
    if before.endswith("(") and len(inner) <= MOST_CHARACTERS and "\n" not in inner:
        return f"{indent}{before}\n{inner}\n{indent}{after}"
    return f"{indent}{before}\n" + "".join(f"{indent}    {one},\n" for one in parts) + indent + after


def quoted(text: str) -> str:
    """Return the literal of a text as Ruff would write it."""
    written = repr(text)
    return '"' + written[1:-1] + '"' if written[0] == "'" and '"' not in text and "\\'" not in written[:-1] else written
