"""Why there is no such item for a caller: 404, or 403 where another operation shows it to this caller anyway.

Reads, lists and writes ask the same question here, so that no two operations of a contract tell different things of
one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from sqlalchemy import literal, select

from demijohn.errors import Problem
from demijohn.resources.criteria import Criteria
from demijohn.resources.database import Database
from demijohn.resources.owner import not_own
from demijohn.resources.ownership import visible, visible_above
from demijohn.resources.shape import Shape
from demijohn.resources.statement import Statement, compile_statement

__all__ = ["Absence", "Run"]

Run: TypeAlias = Callable[[Statement, Mapping[str, Any]], list[Any]]
"""Runs a statement with its values and returns the rows: `Database.read`, or `Transaction.run` within a write."""


class Absence:
    """Tell the problem of what an operation did not find; `criteria` are those of its shape.

    Nothing more is asked of the database where whoever may see a row may also do this with it.
    """

    def __init__(self, shape: Shape, criteria: Criteria, database: Database) -> None:
        self._shape = shape
        self._criteria = criteria
        self._database = database

    def item(self, run: Run, values: Mapping[str, Any]) -> Problem:
        """Return the problem of an item that was not found; `values` are those of `Criteria.condition`."""
        if self._seen is not None and run(self._seen, values):
            return not_own(self._shape.model)
        return self._criteria.missing()

    def above(self, run: Run, values: Mapping[str, Any]) -> Problem:
        """Return the problem of an item above that was not found, or that nothing may be put below."""
        parent = self._shape.parent
        if parent is not None and self._seen_above is not None and run(self._seen_above, values):
            return not_own(parent.model)
        return self._criteria.missing_parent()

    def taken(self) -> Problem:
        """Return the problem of a key that a PUT cannot make an item under, since somebody else has one there."""
        if self._shape.owner in self._shape.public:
            return not_own(self._shape.model)
        return self._criteria.missing()

    @cached_property
    def _seen(self) -> Statement | None:
        """Return what finds the item if the caller may see it; None where that is no other one."""
        seen = visible(self._shape)
        if seen is None:
            return None
        found = select(literal(1)).select_from(self._shape.model.table).where(Criteria(seen).condition)
        return compile_statement(found, self._database.dialect.sql)

    @cached_property
    def _seen_above(self) -> Statement | None:
        seen = visible_above(self._shape)
        found = None if seen is None else Criteria(seen).parent
        return None if found is None else compile_statement(found, self._database.dialect.sql)
