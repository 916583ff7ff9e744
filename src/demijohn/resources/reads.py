"""The action that gives one item: one statement, whose only value is the JSON that is sent."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import literal_column, select

from demijohn.compile.answers import Answer
from demijohn.compile.kinds import ABSENT
from demijohn.compile.plan import Arguments
from demijohn.resources.absence import Absence
from demijohn.resources.criteria import Criteria
from demijohn.resources.database import Database
from demijohn.resources.faults import Faults
from demijohn.resources.json_sql import representation
from demijohn.resources.model import Expression
from demijohn.resources.selection import EVERYTHING, Selection, Wanted
from demijohn.resources.shape import Shape
from demijohn.resources.sources import sources_of
from demijohn.resources.statement import Statement, compile_statement

__all__ = ["Read"]

_MOST_STATEMENTS = 200
_JSON = "application/json"


class Read:
    """Answer with the item that the path names; 404, or 403 where the caller sees it by another operation only."""

    has_hooks = False
    varies = ("Prefer",)

    def __init__(self, shape: Shape, database: Database) -> None:
        self.name = f"read {shape.model.name}"
        self.database = database
        self.sources = sources_of(shape)
        self._shape = shape
        self._status = shape.status
        self._read = database.read
        self._criteria = Criteria(shape)
        self._absence = Absence(shape, self._criteria, database)
        self._values = self._criteria.values
        self._selection: Selection | None = None
        if shape.view is not None:
            selection = Selection(shape.view, shape.options)
            self._selection = None if selection.is_empty else selection
        self._wishing = tuple(one for one in (shape.options.fields, shape.options.include) if one is not None)
        self._prepared = lru_cache(maxsize=_MOST_STATEMENTS)(self._compile)
        self._everything = self._compile(EVERYTHING)

    def run(self, arguments: Arguments) -> Answer:
        """Read the item."""
        statement, headers = self._everything, list[tuple[str, Any]]()
        values = arguments.values
        if arguments.prefer or any(values[slot] is not ABSENT for slot in self._wishing):
            statement, headers = self._wished(arguments)
        path = self._values(values)
        rows = self._read(statement, path)
        if not rows:
            raise self._absence.item(self._read, path)
        text = rows[0][0]
        if text is None:
            return Answer(self._status, b"", None, headers)
        return Answer(self._status, text.encode(), arguments.media_type or _JSON, headers)

    def statements(self) -> list[tuple[str, str]]:
        """Return what is run, each statement with a word for when."""
        return [("item", self._everything.sql)]

    def _wished(self, arguments: Arguments) -> tuple[Statement, list[tuple[str, Any]]]:
        """Return the statement for what the client wants to see; raise `BadRequest` with every fault of the wish."""
        faults = Faults(self._shape.operation)
        headers: list[tuple[str, Any]] = [*faults.preferences(arguments.prefer).applied()]
        wanted = self._selection.read(arguments.values, faults) if self._selection is not None else EVERYTHING
        faults.check()
        return self._everything if wanted is EVERYTHING else self._prepared(wanted), headers

    def _compile(self, wanted: Wanted) -> Statement:
        view, dialect = self._shape.view, self.database.dialect
        item: Expression = literal_column("NULL")
        if view is not None:
            item = dialect.text(representation(view, dialect, fields=wanted.fields, include=wanted.include))
        statement = select(item).select_from(self._shape.model.table).where(self._criteria.condition)
        return compile_statement(statement, dialect.sql)
