"""PUT: an item becomes what the body says, and nothing else of it stays."""

from __future__ import annotations

from typing import Any

from demijohn.compile.answers import Answer
from demijohn.compile.plan import Arguments
from demijohn.resources.columns import bind_of, fallback_of
from demijohn.resources.database import Database, Transaction, ViolationError
from demijohn.resources.dialects.dialect import Violation
from demijohn.resources.hooks import Hooks, run_after, run_before
from demijohn.resources.inserts import Inserts
from demijohn.resources.shape import Shape
from demijohn.resources.updates import Updates
from demijohn.resources.view import View
from demijohn.resources.writes import Writes, encoded, once
from demijohn.settings import Settings

__all__ = ["Replace"]


class Replace:
    """Replace an item; make it, under the key in the path, where the contract says that this is what a PUT does."""

    def __init__(
        self, shape: Shape, database: Database, settings: Settings, hooks: Hooks, *, current: View | None = None
    ) -> None:
        self.name = f"replace {shape.model.name}"
        self._writes = Writes(shape, database, settings, hooks, current)
        self._updates = Updates(self._writes, lambda column: fallback_of(column, database.dialect.sql))
        self._hooks = hooks
        self._inserts: Inserts | None = None
        if shape.created_status is not None:
            columns = tuple(key.column for key in shape.keys)
            self._inserts = Inserts(self._writes, columns, from_parent=shape.parent is not None)
        self._binds = tuple((f"key_{index}", bind_of(key.column).key) for index, key in enumerate(shape.keys))

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application stand around it at present."""
        return bool(self._hooks.before_replace or self._hooks.after_replace)

    def run(self, arguments: Arguments) -> Answer:
        """Replace the item with what the body holds."""
        writes, hooks, inserts = self._writes, self._hooks, self._inserts
        preferences = writes.preferences(arguments)
        preconditions = writes.preconditions(arguments)
        path = writes.criteria.values(arguments.values)
        data = writes.settable(writes.body(arguments))
        writes.refuse_other_keys(data, path)
        values = path
        if not hooks.before_replace:
            values = self._updates.get(data).values(data) | path
        is_inserting = False

        def work(transaction: Transaction) -> Answer:
            nonlocal values, is_inserting
            is_inserting = False
            ready, change = data, None
            if preconditions is not None or hooks.before_replace:
                text = writes.as_read.lock(transaction, path)
                if text is None and inserts is None:
                    raise writes.missing(transaction, path)
                if preconditions is not None:
                    preconditions.check(text)
                if hooks.before_replace:
                    ready = run_before(hooks.before_replace, dict(data), arguments.caller, transaction.connection)
                    values = self._updates.get(ready).values(ready) | path
            writes.check_references(transaction, data, values)
            change = self._updates.get(ready)
            found, text = self._updates.run(transaction, change, values)
            status, headers = writes.shape.status, []
            if not found:
                if inserts is None or writes.shape.created_status is None:
                    raise writes.missing(transaction, path)
                is_inserting = True
                insertion = inserts.get(ready)
                values = insertion.values(ready) | path | {bind: path[key] for key, bind in self._binds}
                stored = inserts.run(transaction, insertion, values)
                if stored is None:
                    raise writes.missing_parent(transaction, path)
                text, status = stored.text, writes.shape.created_status
                # It is where the client has put it.
                headers = [("Location", arguments.request.base + arguments.request.path)]
            if hooks.after_replace:
                seen = text or writes.as_read.read(transaction, path)
                if seen is not None:
                    run_after(hooks.after_replace, encoded(seen), arguments.caller, transaction.connection)
            return writes.answer(arguments, preferences, status, text, headers)

        try:
            try:
                alone = self._updates.is_single and inserts is None and preconditions is None and not self.has_hooks
                return once(writes, arguments, work, alone=alone)
            except ViolationError as error:
                if not is_inserting or error.violation.kind != "unique":
                    raise
                # Somebody else has made it since it was looked for: now it can be replaced.
                return once(writes, arguments, work)
        except ViolationError as error:
            if is_inserting and writes.shape.owner is not None and self._is_there(error.violation):
                raise writes.absence.taken() from error
            raise writes.conflicts.problem(error.violation, values) from error

    def _is_there(self, violation: Violation) -> bool:
        """Tell whether there is a row under the key in the path, which the caller could not replace."""
        return violation.kind == "unique" and self._writes.fixed.issuperset(self._writes.conflicts.columns(violation))

    def statements(self) -> list[tuple[str, str]]:
        """Return the statements, under what they are for, as they are where every property is sent."""
        names: dict[str, Any] = dict.fromkeys(self._writes.fields)
        change = self._updates.get(names)
        told = [] if change.statement is None else [("replace", change.statement.sql)]
        if self._inserts is not None:
            told.append(("create", self._inserts.get(names).statement.sql))
        return told
