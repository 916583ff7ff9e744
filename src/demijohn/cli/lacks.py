"""What a database lacks that its models have: what the first migration leaves to the second."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alembic.operations.ops import CreateIndexOp, CreateTableOp, MigrationScript, OpContainer, UpgradeOps
from sqlalchemy import CheckConstraint, Column

__all__ = ["Lacks"]


@dataclass(frozen=True, slots=True)
class Lacks:
    """Hold what is missing, as (table, kind, name or columns); it is false where nothing is."""

    things: frozenset[tuple[str, str, Any]]

    @classmethod
    def of(cls, changes: UpgradeOps) -> Lacks | None:
        """Return what `changes` would add to a database; None where they would do something else, too."""
        found = set()
        for change in changes.as_diffs():
            if not isinstance(change, tuple) or change[0] not in _THINGS:
                return None
            found.add(_THINGS[change[0]](*change[1:]))
        return cls(frozenset(found))

    def __bool__(self) -> bool:
        return bool(self.things)

    def take_out(self, script: MigrationScript) -> None:
        """Take these things out of a migration that makes all tables."""
        changes = script.upgrade_ops
        assert changes is not None
        if self:
            self._take_out(changes)
            script.downgrade_ops = changes.reverse()

    def _take_out(self, changes: OpContainer) -> None:
        changes.ops[:] = [one for one in changes.ops if not self._has(one)]
        for one in changes.ops:
            if isinstance(one, OpContainer):
                self._take_out(one)
            elif isinstance(one, CreateTableOp):
                one.columns = list(self._present(one))
        changes.ops[:] = [one for one in changes.ops if not isinstance(one, OpContainer) or one.ops]

    def _has(self, change: Any) -> bool:
        table = _full(getattr(change, "schema", None), getattr(change, "table_name", ""))
        name = change.index_name if isinstance(change, CreateIndexOp) else None
        return (table, "table", None) in self.things or (name is not None and (table, "index", name) in self.things)

    def _present(self, made: CreateTableOp) -> Iterator[Any]:
        """Yield the columns and constraints of a table that are there."""
        table = _full(made.schema, made.table_name)
        missing = {name for other, kind, name in self.things if (other, kind) == (table, "column")}
        for one in made.columns:
            if isinstance(one, Column):
                is_missing = one.name in missing
            elif isinstance(one, CheckConstraint):
                is_missing = any(re.search(rf"\b{re.escape(name)}\b", str(one.sqltext)) for name in missing)
            else:
                is_missing = bool(missing & {*_columns(one)}) or (table, *_constraint(one)) in self.things
            if not is_missing:
                yield one


def _full(schema: str | None, table: str) -> str:
    return f"{schema}.{table}" if schema else table


def _columns(constraint: Any) -> tuple[str, ...]:
    return tuple(column.name for column in constraint.columns)


def _constraint(one: Any) -> tuple[str, Any]:
    return type(one).__name__, _columns(one)


_THINGS: dict[str, Any] = {
    "add_table": lambda table: (table.fullname, "table", None),
    "add_column": lambda schema, table, column: (_full(schema, table), "column", column.name),
    "add_index": lambda index: (index.table.fullname, "index", index.name),
    "add_constraint": lambda one: (one.table.fullname, *_constraint(one)),
    "add_fk": lambda one: (one.parent.fullname, *_constraint(one)),
}
