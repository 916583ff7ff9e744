"""DELETE: a row is gone, and with it what the database itself deletes along with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from demijohn.compile.answers import Answer
from demijohn.compile.plan import Arguments
from demijohn.resources.database import Database, Transaction, ViolationError
from demijohn.resources.hooks import Hooks, run_after, run_before
from demijohn.resources.shape import Shape
from demijohn.resources.view import View
from demijohn.resources.writes import Writes, as_bytes, encoded, once
from demijohn.settings import Settings

__all__ = ["Delete"]


class Delete:
    """Delete an item. What an ORM would delete along with it stays, unless the database says ON DELETE."""

    def __init__(
        self, shape: Shape, database: Database, settings: Settings, hooks: Hooks, *, current: View | None = None
    ) -> None:
        self.name = f"delete {shape.model.name}"
        self._writes = writes = Writes(shape, database, settings, hooks, current)
        self._hooks = hooks
        statement: Any = delete(shape.model.table).where(writes.criteria.condition)
        self._returns = writes.shown is not None and writes.shown.is_returned
        if writes.shown is not None and self._returns:
            statement = statement.returning(writes.shown.expression)
        self._statement = writes.compile(statement)
        self._names = tuple((_name(writes, key.column), key.slot) for key in shape.keys)

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application stand around it at present."""
        return bool(self._hooks.before_delete or self._hooks.after_delete)

    def run(self, arguments: Arguments) -> Answer:
        """Delete the item that the path names."""
        writes, hooks = self._writes, self._hooks
        preferences = writes.preferences(arguments)
        preconditions = writes.preconditions(arguments)
        path = writes.criteria.values(arguments.values)

        def work(transaction: Transaction) -> Answer:
            text = shown = None
            if preconditions is not None or hooks.before_delete or hooks.after_delete:
                text = writes.as_read.lock(transaction, path)
                if text is None:
                    raise writes.missing(transaction, path)
                if preconditions is not None:
                    preconditions.check(text)
                if hooks.before_delete:
                    key = {name: arguments.values[slot] for name, slot in self._names}
                    run_before(hooks.before_delete, key, arguments.caller, transaction.connection)
            if writes.shown is not None and not self._returns:
                shown = writes.shown.lock(transaction, path)
            rows = transaction.run(self._statement, path)
            if not rows and (self._returns or transaction.count == 0):
                raise writes.missing(transaction, path)
            if self._returns:
                shown = as_bytes(rows[0][0])
            if hooks.after_delete and text is not None:
                run_after(hooks.after_delete, encoded(text), arguments.caller, transaction.connection)
            return writes.answer(arguments, preferences, writes.shape.status, shown, is_item=False)

        try:
            alone = (writes.shown is None or self._returns) and preconditions is None and not self.has_hooks
            return once(writes, arguments, work, alone=alone)
        except ViolationError as error:
            raise writes.conflicts.problem(error.violation, path) from error

    def statements(self) -> list[tuple[str, str]]:
        """Return the statement."""
        return [("delete", self._statement.sql)]


def _name(writes: Writes, column: Any) -> str:
    """Return how the application knows a key: by its property, else by its attribute."""
    views = [view for view in (writes.current, writes.shape.view) if view is not None]
    fields = (field for view in views for field in view.fields.values())
    return next((field.name for field in fields if field.column is column), writes.shape.model.attribute(column))
