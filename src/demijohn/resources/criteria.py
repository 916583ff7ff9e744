"""The WHERE of an operation's path: the keys of the item, the items it lies below, the rows that are of the model.

A statement is written with `condition`, and given its values by `Criteria.values`:

    criteria = Criteria(shape)
    statement = compile_statement(select(...).where(criteria.condition), dialect.sql)
    rows = database.read(statement, criteria.values(arguments.values))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, select, true, tuple_

from demijohn.errors import NotFound
from demijohn.resources.aliases import adapted
from demijohn.resources.model import Expression, Model
from demijohn.resources.shape import Key, Parent, Shape, Slot

__all__ = ["Criteria", "missing"]


class Criteria:
    """Hold the conditions that the path of an operation sets, and find their values in a request.

    `condition` holds for the rows of the item, or of the list, that the path names: its parameters are `key_0`,
    `key_1` and so on for the keys of the item, `parent_0_0` for the first key of the item above, `parent_1_0` for the
    one above that. Where rows belong to callers it holds for those of the caller, whose key is `caller_0` and so on:
    `callers` gives these from `Arguments.values`, as `values` and `parent_values` do.

    `parent` selects the columns of the item above that rows below it refer to, in the order of `shape.parent.on`, and
    gives no row where there is no such item, or the caller may put nothing below it; None where the path has nothing
    above. Its values are `parent_values`.
    """

    __slots__ = ("_model", "_parent_model", "callers", "condition", "parent", "parent_values", "values")

    values: Callable[[Sequence[Any]], dict[str, Any]]
    """Return the values of `condition`, ready for the driver, from `Arguments.values`.

    Raises `NotFound` for a value that the column cannot hold: there is no such row then.
    """

    parent_values: Callable[[Sequence[Any]], dict[str, Any]]
    """Return the values of `parent`; raises `NotFound` as `values` does."""

    callers: Callable[[Sequence[Any]], dict[str, Any]]
    """Return the key of the caller, by the names of the owners that ask for it."""

    def __init__(self, shape: Shape) -> None:
        self._model = shape.model
        self._parent_model = shape.parent.model if shape.parent is not None else None
        callers = tuple((owner.name, shape.caller, owner.key_of) for owner in shape.callers)
        bindings = (*_parent_bindings(shape.parent), *callers)
        self.callers = _reader(callers, self.missing)
        self.parent_values = _reader(bindings, self.missing_parent)
        self.values = _reader((*_bindings(shape.keys, _key_name), *bindings), self.missing)
        keys = [key.column == _bind(name, key) for name, key in _named(shape.keys, _key_name)]
        own = [] if shape.owner is None else [shape.owner.owns(shape.model.table)]
        above = _above_conditions(shape.model, shape.parent)
        self.condition: ColumnElement[bool] = _joined([*keys, *own, *above])
        self.parent: Select[Any] | None = None
        if shape.parent is not None:
            parent = shape.parent
            item = parent.model.table.alias("parent_0")
            columns = [item.c[column.key] for _, column in parent.on]
            self.parent = select(*columns).where(*_item_conditions(parent, item, 0), *_giving_conditions(shape, item))

    def missing(self) -> NotFound:
        """Return the problem of an item that is not there."""
        return missing(self._model)

    def missing_parent(self) -> NotFound:
        """Return the problem of an item above that is not there."""
        return missing(self._parent_model or self._model)


def missing(model: Model) -> NotFound:
    """Return the problem of a row that is not there: the same words, whatever the reason is."""
    return NotFound(f"There is no such {model.name}.")


_Binding = tuple[str, Slot, Callable[[Any], Any]]


def _reader(
    bindings: tuple[_Binding, ...], missing: Callable[[], NotFound]
) -> Callable[[Sequence[Any]], dict[str, Any]]:
    def read(values: Sequence[Any]) -> dict[str, Any]:
        try:
            return {name: decode(values[slot]) for name, slot, decode in bindings}
        except ValueError:
            raise missing() from None

    if len(bindings) != 1:
        return read
    ((name, slot, decode),) = bindings

    def read_one(values: Sequence[Any]) -> dict[str, Any]:
        try:
            return {name: decode(values[slot])}
        except ValueError:
            raise missing() from None

    return read_one


def _joined(conditions: Sequence[Expression]) -> ColumnElement[bool]:
    return and_(*conditions) if conditions else true()


def _above_conditions(model: Model, parent: Parent | None) -> Iterator[Expression]:
    if parent is not None:
        yield _is_below(model.table, parent, 0)
    if model.criterion is not None:
        yield model.criterion


def _is_below(table: FromClause, parent: Parent, level: int) -> Expression:
    """Return the condition that the rows of `table` are below the item that the path names.

    Where that item is named by the very columns that rows refer to, and nothing else is to be known of it, no
    second table is needed: `address.person_id = :parent_0_0`.
    """
    keys = {key.column: (index, key) for index, key in enumerate(parent.keys)}
    plain = parent.parent is None and parent.model.criterion is None and parent.owner is None
    if plain and len(keys) == len(parent.on) and all(column in keys for _, column in parent.on):
        pairs = [(table.c[column.key], *keys[referred]) for column, referred in parent.on]
        return and_(*(column == _bind(_parent_name(level, index), key) for column, index, key in pairs))
    above = parent.model.table.alias(f"parent_{level}")
    columns = [table.c[column.key] for column, _ in parent.on]
    wanted = select(*(above.c[column.key] for _, column in parent.on)).where(*_item_conditions(parent, above, level))
    wanted = wanted.correlate(None)
    if len(columns) > 1:
        return tuple_(*columns).in_(wanted)
    if any(set(unique) <= keys.keys() for unique in parent.model.unique):
        return columns[0] == wanted.scalar_subquery()
    return columns[0].in_(wanted)


def _item_conditions(parent: Parent, table: FromClause, level: int) -> Iterator[Expression]:
    """Yield the conditions of an item of the path, whose table is known as `table`."""
    for index, key in enumerate(parent.keys):
        yield table.c[key.column.key] == _bind(_parent_name(level, index), key)
    if parent.parent is not None:
        yield _is_below(table, parent.parent, level + 1)
    if parent.model.criterion is not None:
        yield adapted(parent.model.criterion, parent.model, table)
    if parent.owner is not None:
        yield parent.owner.owns(table)


def _giving_conditions(shape: Shape, item: FromClause) -> Iterator[Expression]:
    """Yield that the item above a new row is the caller, where the row belongs to it: `/users/{user_id}/posts`."""
    if shape.owner is not None and shape.parent is not None and shape.act in ("create", "replace"):
        for column, referred in shape.parent.on:
            if column is shape.owner.column:
                yield shape.owner.is_caller(item.c[referred.key])


def _parent_bindings(parent: Parent | None, level: int = 0) -> Iterator[_Binding]:
    if parent is not None:
        yield from _bindings(parent.keys, lambda index: _parent_name(level, index))
        yield from _parent_bindings(parent.parent, level + 1)


def _bindings(keys: tuple[Key, ...], name: Callable[[int], str]) -> Iterator[_Binding]:
    for one, key in _named(keys, name):
        yield one, key.slot, key.field.codec.decode


def _named(keys: tuple[Key, ...], name: Callable[[int], str]) -> list[tuple[str, Key]]:
    return [(name(index), key) for index, key in enumerate(keys)]


def _key_name(index: int) -> str:
    return f"key_{index}"


def _parent_name(level: int, index: int) -> str:
    return f"parent_{level}_{index}"


def _bind(name: str, key: Key) -> Expression:
    return bindparam(name, type_=key.field.codec.type)
