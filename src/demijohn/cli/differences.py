"""What the models would change about a database, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from alembic.operations.ops import UpgradeOps

__all__ = ["differences"]


def differences(changes: UpgradeOps, but: Collection[str] = ()) -> list[str]:
    """Return every difference between database and models as a sentence; those about the tables `but` are left out."""
    return [line for change in changes.as_diffs() for table, line in _told(change) if table not in but]


def _told(change: Any) -> Iterator[tuple[str | None, str]]:
    """Yield the tables that a change of Alembic's is about, and the change in words. Of one column it is a list."""
    if isinstance(change, list):
        for one in change:
            yield from _told(one)
        return
    kind, *rest = change
    tell = _WORDS.get(kind)
    yield tell(*rest) if tell is not None else (None, f"{kind.replace('_', ' ')}: {' '.join(map(str, rest))}")


def _table(table: Any) -> str:
    name: str = table.fullname
    return name


def _column(table: str, schema: str | None, column: str) -> str:
    return ".".join(filter(None, (schema, table, column)))


def _columns(thing: Any) -> str:
    return ", ".join(str(getattr(one, "name", one)) for one in thing.columns)


def _constraint(thing: Any) -> str:
    kind = type(thing).__name__.removesuffix("Constraint").lower()
    return f"{'foreign key' if kind == 'foreignkey' else kind} constraint {_named(thing)}"


def _named(thing: Any) -> str:
    return f"{thing.name} ({_columns(thing)})" if thing.name else f"({_columns(thing)})"


def _referring(thing: Any) -> str:
    targets = ", ".join(element.target_fullname for element in thing.elements)
    return f"foreign key {_named(thing)} to {targets}"


_WORDS: dict[str, Callable[..., tuple[str | None, str]]] = {
    "add_table": lambda table: (_table(table), f"{_table(table)}: the database has no such table"),
    "remove_table": lambda table: (_table(table), f"{_table(table)}: no model describes this table"),
    "add_column": lambda schema, table, column: (
        table,
        f"{_column(table, schema, column.name)}: the database has no such column",
    ),
    "remove_column": lambda schema, table, column: (
        table,
        f"{_column(table, schema, column.name)}: no model describes this column",
    ),
    "modify_type": lambda schema, table, column, _, found, wanted: (
        table,
        f"{_column(table, schema, column)}: is {found!s} in the database, {wanted!s} in the model",
    ),
    "modify_nullable": lambda schema, table, column, _, found, wanted: (
        table,
        f"{_column(table, schema, column)}: {_may(found)} be NULL in the database, {_may(wanted)} in the model",
    ),
    "modify_default": lambda schema, table, column, _, found, wanted: (
        table,
        f"{_column(table, schema, column)}: the default is {_default(found)} in the database, {_default(wanted)} here",
    ),
    "modify_comment": lambda schema, table, column, _, found, wanted: (
        table,
        f"{_column(table, schema, column)}: the comment is {found!r} in the database, {wanted!r} in the model",
    ),
    "add_table_comment": lambda table, found: (
        _table(table),
        f"{_table(table)}: the comment is {found!r} in the database",
    ),
    "remove_table_comment": lambda table: (_table(table), f"{_table(table)}: no model has the comment of this table"),
    "add_index": lambda index: (
        _table(index.table),
        f"{_table(index.table)}: the database has no index {_named(index)}",
    ),
    "remove_index": lambda index: (
        _table(index.table),
        f"{_table(index.table)}: no model describes the index {_named(index)}",
    ),
    "add_constraint": lambda one: (_table(one.table), f"{_table(one.table)}: the database has no {_constraint(one)}"),
    "remove_constraint": lambda one: (
        _table(one.table),
        f"{_table(one.table)}: no model describes the {_constraint(one)}",
    ),
    "add_fk": lambda one: (_table(one.parent), f"{_table(one.parent)}: the database has no {_referring(one)}"),
    "remove_fk": lambda one: (_table(one.parent), f"{_table(one.parent)}: no model describes the {_referring(one)}"),
}


def _may(nullable: bool) -> str:
    return "may" if nullable else "may not"


def _default(default: Any) -> str:
    return "none" if default is None else str(getattr(default, "arg", default))
