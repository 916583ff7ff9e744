"""POST on a list: one item is made, or several at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demijohn.compile.answers import Answer
from demijohn.compile.faults import MOST_FAULTS
from demijohn.compile.plan import Arguments
from demijohn.errors import BadRequest
from demijohn.resources.columns import bind_of
from demijohn.resources.conflicts import refused
from demijohn.resources.database import Database, Transaction, ViolationError
from demijohn.resources.hooks import Hooks, run_after, run_before
from demijohn.resources.inserts import Insertion, Inserts, Stored
from demijohn.resources.shape import Shape
from demijohn.resources.view import View
from demijohn.resources.writes import Writes, encoded, once
from demijohn.settings import Settings

__all__ = ["Create"]


class Create:
    """Make items of a model. The answer to an array of them is all of them in the order in which they were sent."""

    def __init__(
        self, shape: Shape, database: Database, settings: Settings, hooks: Hooks, *, current: View | None = None
    ) -> None:
        self.name = f"create {shape.model.name}"
        self._writes = Writes(shape, database, settings, hooks, current)
        self._inserts = Inserts(self._writes, from_parent=shape.parent is not None)
        self._hooks = hooks
        if shape.bulk:
            above = () if shape.parent is None else tuple(column for column, _ in shape.parent.on)
            # The item above is looked up once, for all rows.
            self._inserts = Inserts(self._writes, above)
            self._binds_above = tuple(bind_of(column).key for column in above)
            parent = self._writes.criteria.parent
            self._above = None if parent is None else self._writes.compile(parent.with_for_update(read=True))

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application stand around it at present."""
        return bool(self._hooks.before_create or self._hooks.after_create)

    def run(self, arguments: Arguments) -> Answer:
        """Make what the body holds."""
        return self._many(arguments) if self._writes.shape.bulk else self._one(arguments)

    def statements(self) -> list[tuple[str, str]]:
        """Return the statements, under what they are for, as they are where every property is sent."""
        insertion = self._inserts.get(dict.fromkeys(self._writes.fields))
        shown = self._writes.shown
        told = [] if not self._writes.shape.bulk or self._above is None else [("item above", self._above.sql)]
        told.append(("create", insertion.statement.sql))
        return [*told, ("read", shown.by_key.sql)] if shown is not None and not shown.is_returned else told

    def _one(self, arguments: Arguments) -> Answer:
        writes, hooks = self._writes, self._hooks
        preferences = writes.preferences(arguments)
        data = writes.settable(writes.body(arguments))
        path = writes.criteria.parent_values(arguments.values)
        if writes.shape.parent is not None:
            writes.refuse_other_keys(data, path)
        values: dict[str, Any] = {}
        insertion: Insertion | None = None
        if not hooks.before_create:
            insertion = self._inserts.get(data)
            values = insertion.values(data) | path

        def work(transaction: Transaction) -> Answer:
            nonlocal values
            ready = insertion
            if ready is None:
                changed = run_before(hooks.before_create, dict(data), arguments.caller, transaction.connection)
                ready = self._inserts.get(changed)
                values = ready.values(changed) | path
            writes.check_references(transaction, data, values)
            stored = self._inserts.run(transaction, ready, values)
            if stored is None:
                raise writes.missing_parent(transaction, path)
            if hooks.after_create:
                item = encoded(writes.text_of(transaction, stored.text, stored.key, path))
                run_after(hooks.after_create, item, arguments.caller, transaction.connection)
            headers = writes.location(arguments.request, arguments.values, stored.row)
            return writes.answer(arguments, preferences, writes.shape.status, stored.text, headers)

        try:
            return once(writes, arguments, work)
        except ViolationError as error:
            raise writes.conflicts.problem(error.violation, values) from error

    def _many(self, arguments: Arguments) -> Answer:
        writes, hooks = self._writes, self._hooks
        preferences = writes.preferences(arguments)
        items = [writes.settable(item, (index,)) for index, item in enumerate(writes.bodies(arguments))]
        path = writes.criteria.parent_values(arguments.values)
        if writes.shape.parent is not None:
            for index, item in enumerate(items):
                writes.refuse_other_keys(item, path, (index,))
        ready = None if hooks.before_create else self._ready(items)
        index, values = 0, dict[str, Any]()

        def one_by_one(transaction: Transaction) -> Answer:
            """Store row by row, for hooks, and to find the row that breaks a rule."""
            nonlocal index, values
            stored = []
            above = self._values_above(transaction, path)
            for index, item in enumerate(items):  # it is told when this fails
                data = run_before(hooks.before_create, dict(item), arguments.caller, transaction.connection)
                insertion = self._inserts.get(data)
                values = insertion.values(data, (index,)) | above
                writes.check_references(transaction, item, values, (index,))
                row = self._inserts.run(transaction, insertion, values)
                assert row is not None
                stored.append(row)
                if hooks.after_create:
                    text = writes.text_of(transaction, row.text, row.key, path)
                    run_after(hooks.after_create, encoded(text), arguments.caller, transaction.connection)
            return answer(stored)

        def at_once(transaction: Transaction) -> Answer:
            assert ready is not None
            insertions, rows = ready
            above = self._values_above(transaction, path)
            complete = [row | above for row in rows]
            for number, (item, one) in enumerate(zip(items, complete, strict=True)):
                writes.check_references(transaction, item, one, (number,))
            return answer(self._inserts.run_many(transaction, insertions, complete))

        def answer(stored: list[Stored]) -> Answer:
            text = None if writes.shown is None else b"[" + b",".join(row.text or b"" for row in stored) + b"]"
            return writes.answer(arguments, preferences, writes.shape.status, text, is_item=False)

        try:
            if ready is not None and not hooks.after_create:
                try:
                    return once(writes, arguments, at_once)
                except ViolationError:
                    # A statement that makes several rows does not tell which one it was.
                    pass
            return once(writes, arguments, one_by_one)
        except ViolationError as error:
            raise writes.conflicts.problem(error.violation, values, (index,)) from error

    def _ready(self, items: list[dict[str, Any]]) -> tuple[list[Insertion], list[dict[str, Any]]]:
        """Return the rows, ready for the driver. Raises `BadRequest` with whatever columns cannot hold in any item."""
        insertions = [self._inserts.get(item) for item in items]
        rows: list[dict[str, Any]] = []
        faults: list[Mapping[str, Any]] = []
        for index, (insertion, item) in enumerate(zip(insertions, items, strict=True)):
            try:
                rows.append(insertion.values(item, (index,)))
            except BadRequest as wrong:
                faults += wrong.errors
        if faults:
            raise refused(faults[:MOST_FAULTS])
        return insertions, rows

    def _values_above(self, transaction: Transaction, path: dict[str, Any]) -> dict[str, Any]:
        """Return what the rows refer to the item above by, and who is calling; lock that item against removal."""
        if self._above is None:
            return path
        rows = transaction.run(self._above, path)
        if not rows:
            raise self._writes.missing_parent(transaction, path)
        return {**path, **dict(zip(self._binds_above, rows[0], strict=True))}
