"""UPDATE statements of one operation: one for each set of columns that change, made when it first comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import select, update

from demijohn.resources.columns import Make, Source, bind_of, on_update_of
from demijohn.resources.database import Transaction
from demijohn.resources.inserts import widened
from demijohn.resources.model import AnyColumn, Expression
from demijohn.resources.statement import Statement
from demijohn.resources.writes import Decode, Writes, as_bytes, decode_all

__all__ = ["Change", "Updates"]

_MOST_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """Be one UPDATE; its statement is None where nothing changes. `moves` tells that the row may get another owner."""

    pairs: tuple[Decode, ...]
    makes: tuple[tuple[str, Make], ...]
    statement: Statement | None
    moves: bool = False

    def values(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the new values, ready for the driver. Raises `BadRequest` with those that columns cannot hold."""
        values = decode_all(self.pairs, data)
        for bind, make in self.makes:
            values[bind] = make(values)
        return values


class Updates:
    """Give the UPDATE for a set of properties; `rest` says what becomes of a column whose property is left out.

    `is_single` tells that changing an item is one statement.
    """

    def __init__(self, writes: Writes, rest: Callable[[AnyColumn], Source | None] | None = None) -> None:
        self._writes = writes
        self._rest = rest
        self._prepared = lru_cache(maxsize=_MOST_KEPT)(self._make)
        shown = writes.shown
        model = writes.shape.model
        self._returns = writes.dialect.returns_updated
        self._returned: list[Expression] = [shown.expression] if shown is not None and shown.is_returned else []
        if shown is not None and not shown.is_returned:
            self._returned += model.key
        # Where UPDATE returns nothing, and may make a row one that the path does not lead to any more.
        self._find_key: Statement | None = None
        if not self._returns and (model.criterion is not None or writes.shape.owner is not None):
            found = select(*model.key).where(writes.criteria.condition).with_for_update()
            self._find_key = writes.compile(found)
        self.is_single = self._find_key is None and (shown is None or (self._returns and shown.is_returned))

    def get(self, data: Mapping[str, Any]) -> Change:
        """Return the UPDATE for the properties of `data`, all of which are known to be storable."""
        return self._prepared(frozenset(data))

    def run(self, transaction: Transaction, change: Change, values: Mapping[str, Any]) -> tuple[bool, bytes | None]:
        """Change the item; tell whether there is one, and how the answer shows it."""
        shown = self._writes.shown
        statement = change.statement
        if statement is None:
            text = (shown or self._writes.as_read).lock(transaction, values)
            return text is not None, None if shown is None else text
        if self._returns and shown is not None:
            rows = transaction.run(statement, values)
            if not rows:
                return False, None
            return True, as_bytes(rows[0][0]) if shown.is_returned else shown.read_new(transaction, rows[0], values)
        model, find_key = self._writes.shape.model, self._find_key
        key = None
        if find_key is not None and (model.criterion is not None or change.moves):
            key = transaction.run(find_key, values)
        transaction.run(statement, values)
        if transaction.count == 0:
            return False, None
        if shown is None:
            return True, None
        return True, shown.read_new(transaction, key[0], values) if key else shown.read(transaction, values)

    def _make(self, names: frozenset[str]) -> Change:
        writes = self._writes
        fixed, owner = writes.fixed, writes.shape.giving
        pairs: list[Decode] = []
        sources: dict[AnyColumn, Source] = {}
        for name in sorted(names):
            column, decode = widened(writes, name)
            if column not in fixed:
                bind = bind_of(column)
                pairs.append((name, bind.key, decode))
                sources[column] = Source(bind)
        if self._rest is not None:
            for field in writes.fields.values():
                left_out = field.column
                stays = left_out in fixed or (owner is not None and left_out is owner.column)
                if left_out is not None and left_out not in sources and not stays:
                    source = self._rest(left_out)
                    if source is not None:
                        sources[left_out] = source
        if not sources:
            return Change((), (), None)
        for column in writes.shape.model.table.columns:
            if column not in sources and column not in fixed:
                source = on_update_of(column, writes.dialect.sql) or writes.stamp(column, is_new=False)
                if source is not None:
                    sources[column] = source
        makes = tuple(source.made for source in sources.values() if source.made is not None)
        table = writes.shape.model.table
        values = {column: source.expression for column, source in sources.items()}
        statement = update(table).where(writes.criteria.condition).values(values)
        if self._returns and self._returned:
            statement = statement.returning(*self._returned)
        moves = owner is not None and owner.column in sources
        return Change(tuple(pairs), makes, writes.compile(statement), moves)
