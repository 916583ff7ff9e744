"""INSERT statements of one operation: one for each set of properties that clients send, made when it first comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Enum, String, bindparam, cast, literal

from demijohn.errors import Forbidden
from demijohn.resources.columns import Make, Source, bind_of, default_of, fixed_values
from demijohn.resources.database import Transaction
from demijohn.resources.model import AnyColumn, Expression
from demijohn.resources.statement import Statement
from demijohn.resources.writes import Decode, Writes, as_bytes, decode_all

__all__ = ["Insertion", "Inserts", "Stored", "bound_decode", "widened"]

_MOST_KEPT: Final = 200
_BATCHES: Final = (100, 10, 1)
"""How many rows one statement may make; few sizes, so that few statements are prepared."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Be a row that was stored: how it is shown (None: not at all), and what its address is made from."""

    text: bytes | None
    row: Sequence[Any]
    key: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Insertion:
    """Be what is known of rows with one set of properties: `of_rows` gives the statement for a number of rows.

    `owner` is the parameter that holds the key of the caller, where the row gets it.
    """

    pairs: tuple[Decode, ...]
    makes: tuple[tuple[str, Make], ...]
    statement: Statement
    of_rows: Callable[[int], Statement]
    owner: str | None = None

    def values(self, data: Mapping[str, Any], place: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return the values of a row, ready for the driver.

        Raises `BadRequest` with the properties that their columns cannot hold.
        """
        values = decode_all(self.pairs, data, place)
        for bind, make in self.makes:
            values[bind] = make(values)
        return values


class Inserts:
    """Give the INSERT for a set of properties.

    `given` are the columns whose values the path gives; with `from_parent` those that lead to the item above are
    looked up by the statement, which makes no row where there is no such item. `is_single` tells that storing a row is
    one statement.
    """

    def __init__(self, writes: Writes, given: Sequence[AnyColumn] = (), *, from_parent: bool = False) -> None:
        self._writes = writes
        self._given = tuple(given)
        self._from_parent = from_parent
        self._prepared = lru_cache(maxsize=_MOST_KEPT)(self._make)
        self.is_single = writes.shown is None or writes.shown.is_returned
        self._columns = tuple(dict.fromkeys([*writes.located, *writes.shape.model.key]))
        first = 1 if writes.shown is not None and writes.shown.is_returned else 0
        place = {column: index for index, column in enumerate(self._columns, first)}
        self._located = tuple(place[column] for column in writes.located)
        self._key = tuple(place[column] for column in writes.shape.model.key)

    def get(self, data: Mapping[str, Any]) -> Insertion:
        """Return the INSERT for the properties of `data`, all of which are known to be storable."""
        return self._prepared(frozenset(data))

    def run(self, transaction: Transaction, insertion: Insertion, values: Mapping[str, Any]) -> Stored | None:
        """Store a row; None where the item above is not there."""
        self._check_caller(insertion, values)
        rows = transaction.run(insertion.statement, values)
        return self._stored(transaction, rows[0], values) if rows else None

    def run_many(
        self, transaction: Transaction, insertions: Sequence[Insertion], values: Sequence[dict[str, Any]]
    ) -> list[Stored]:
        """Store rows, as many as possible with one statement, and return them in their order."""
        stored: list[Stored] = []
        start = 0
        while start < len(values):
            insertion = insertions[start]
            self._check_caller(insertion, values[start])
            end = next((i for i in range(start, len(values)) if insertions[i] is not insertion), len(values))
            size = next(size for size in _BATCHES if size <= end - start)
            if size == 1:
                rows = transaction.run(insertion.statement, values[start])
            else:
                batch = {f"{bind}_{i}": v for i in range(size) for bind, v in values[start + i].items()}
                rows = transaction.run(insertion.of_rows(size), batch)
            stored += [self._stored(transaction, row, values[start]) for row in rows]
            start += size
        return stored

    def _check_caller(self, insertion: Insertion, values: Mapping[str, Any]) -> None:
        """Raise `Forbidden` for a row that would belong to nobody."""
        if insertion.owner is not None and values[insertion.owner] is None:
            raise Forbidden(f"The credentials name nobody that a {self._writes.shape.model.name} could belong to.")

    def _stored(self, transaction: Transaction, row: Sequence[Any], values: Mapping[str, Any]) -> Stored:
        shown = self._writes.shown
        key = [row[index] for index in self._key]
        if shown is None:
            text = None
        else:
            text = as_bytes(row[0]) if shown.is_returned else shown.read_new(transaction, key, values)
        return Stored(text, [row[index] for index in self._located], key)

    def _make(self, names: frozenset[str]) -> Insertion:
        writes = self._writes
        pairs: list[Decode] = []
        sources: dict[AnyColumn, Source] = {column: Source(bind_of(column)) for column in self._given}
        for name in sorted(names):
            column, decode = widened(writes, name)
            if column not in sources:
                bind = bind_of(column)
                pairs.append((name, bind.key, decode))
                sources[column] = Source(bind)
        for column, value in fixed_values(writes.shape.model).items():
            sources[column] = Source(literal(value, column.type))
        looked_up = self._looked_up()
        owner = writes.shape.giving
        if owner is not None and (owner.column in sources or owner.column in looked_up):
            owner = None  # the path says it, or a function of the application
        if owner is not None:
            sources[owner.column] = Source(owner.parameter)
        for column in writes.shape.model.table.columns:
            if column not in sources and column not in looked_up:
                source = default_of(column, writes.dialect.sql) or writes.stamp(column, is_new=True)
                if source is not None:
                    sources[column] = source
        makes = tuple(source.made for source in sources.values() if source.made is not None)
        expressions = {column: source.expression for column, source in sources.items()}
        prepared: dict[int, Statement] = {}

        def of_rows(size: int) -> Statement:
            if size not in prepared:
                prepared[size] = writes.compile(self._several(expressions, size))
            return prepared[size]

        caller = None if owner is None else owner.name
        return Insertion(tuple(pairs), makes, writes.compile(self._one(expressions)), of_rows, caller)

    def _looked_up(self) -> tuple[AnyColumn, ...]:
        parent = self._writes.shape.parent
        return tuple(column for column, _ in parent.on) if self._from_parent and parent is not None else ()

    def _one(self, expressions: Mapping[AnyColumn, Expression]) -> Any:
        writes = self._writes
        insert = writes.dialect.insert(writes.shape.model.table)
        looked_up = self._looked_up()
        if not looked_up:
            return insert.values(expressions).inline().returning(*self._returned())
        assert writes.criteria.parent is not None
        expressions = {column: value for column, value in expressions.items() if column not in looked_up}
        rows = writes.criteria.parent.add_columns(
            *(self._typed(value, column) for column, value in expressions.items())
        )
        columns = [*looked_up, *expressions]
        return insert.from_select(columns, rows, include_defaults=False).returning(*self._returned())

    def _several(self, expressions: Mapping[AnyColumn, Expression], size: int) -> Any:
        writes = self._writes
        insert = writes.dialect.insert(writes.shape.model.table)
        rows = [{column: _numbered(value, i) for column, value in expressions.items()} for i in range(size)]
        return insert.values(rows).inline().returning(*self._returned())

    def _returned(self) -> list[Expression]:
        shown = self._writes.shown
        returned: list[Expression] = [shown.expression] if shown is not None and shown.is_returned else []
        return [*returned, *self._columns]

    def _typed(self, value: Expression, column: AnyColumn) -> Expression:
        """Return a value in a SELECT as PostgreSQL wants it: a parameter there is a text if nobody says otherwise."""
        is_text = isinstance(column.type, String) and not isinstance(column.type, Enum)
        if self._writes.dialect.name != "postgresql" or is_text:
            return value
        return cast(value, column.type)


def widened(writes: Writes, name: str) -> tuple[AnyColumn, Callable[[Any], Any]]:
    """Return the column of a name, and what makes its value ready for the driver.

    Clients can only send properties of the body; a hook, or the application itself, may also set what is only shown,
    and any column by the name of its attribute. Raises `LookupError` for what is neither.
    """
    field = writes.fields.get(name)
    for view in (writes.shape.view, writes.current):
        if field is None and view is not None:
            field = view.fields.get(name)
    if field is not None and field.column is not None:
        return field.column, field.codec.decode
    model = writes.shape.model
    if name not in model.columns:
        raise LookupError(f"{name!r} is no property that is stored, and no column of {model.source}")
    column = model.columns[name]
    return column, bound_decode(writes, column)


def bound_decode(writes: Writes, column: AnyColumn) -> Callable[[Any], Any]:
    """Return what makes a Python value ready for the driver, as SQLAlchemy does."""
    convert = column.type.dialect_impl(writes.dialect.sql).bind_processor(writes.dialect.sql)
    return convert if convert is not None else _same


def _same(value: Any) -> Any:
    return value


def _numbered(value: Expression, row: int) -> Expression:
    name = getattr(value, "key", None)
    if name is not None and getattr(value, "required", False):
        return bindparam(f"{name}_{row}", type_=value.type)
    return value
