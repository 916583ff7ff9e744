"""A table as the application declares it: the one form that declarative, imperative and plain tables take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from sqlalchemy import ARRAY, JSON, Column, ColumnElement, Table, TypeDecorator

__all__ = ["AnyColumn", "Expression", "Model", "Relation", "holds_arrays"]

AnyColumn: TypeAlias = "Column[Any]"
Expression: TypeAlias = "ColumnElement[Any]"


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """Lead from a row to one row, or to many, of another table.

    `on` pairs a column of this table with the one it equals: in `target`, or in `secondary` where the two tables
    meet in a third one; `secondary_on` then pairs a column of `secondary` with one of `target`.
    """

    name: str
    target: Table
    many: bool
    on: tuple[tuple[AnyColumn, AnyColumn], ...]
    secondary: Table | None = None
    secondary_on: tuple[tuple[AnyColumn, AnyColumn], ...] = ()
    order_by: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Describe one table by the names that the application uses.

    `name` is the class's, or the table's where there is no class; `source` names it in messages
    (`directory.models.Person`). `columns` are by attribute name; `computed` are SQL expressions over the table's
    columns (`column_property`, hybrids). `unique` are the sets of columns of which no two rows have the same
    values, the primary key first. `criterion` holds for every row of the model, where not all of the table's are.
    """

    name: str
    source: str
    table: Table
    columns: Mapping[str, AnyColumn]
    computed: Mapping[str, Expression] = field(default_factory=lambda: MappingProxyType({}))
    relations: Mapping[str, Relation] = field(default_factory=lambda: MappingProxyType({}))
    unique: tuple[tuple[AnyColumn, ...], ...] = ()
    criterion: Expression | None = None

    @property
    def key(self) -> tuple[AnyColumn, ...]:
        """Return the columns of the primary key."""
        return tuple(self.table.primary_key.columns)

    def attribute(self, column: AnyColumn) -> str:
        """Return the name that the application uses for a column."""
        return next(name for name, one in self.columns.items() if one is column)


def holds_arrays(model: Model, attribute: str) -> bool:
    """Tell whether a column may hold arrays, as JSON or as the database's own."""
    column = model.columns.get(attribute)
    kind = None if column is None else column.type
    while isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    return isinstance(kind, JSON | ARRAY)
