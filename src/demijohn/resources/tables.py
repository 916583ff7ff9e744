"""What a table itself says: which columns are unique, and where its foreign keys lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Column, ForeignKeyConstraint, Table, UniqueConstraint

from demijohn.resources.model import AnyColumn, Relation

__all__ = ["foreign_keys", "relations_of", "unique_columns"]


def relations_of(table: Table, tables: Iterable[Table]) -> list[Relation]:
    """Return the relations of a plain table: along its foreign keys, and against those of the other tables."""
    return [*_upward(table), *_downward(table, tables)]


def unique_columns(table: Table) -> Iterator[tuple[AnyColumn, ...]]:
    """Yield the sets of columns of which no two rows have the same values, the primary key first."""
    if len(table.primary_key.columns):
        yield tuple(table.primary_key.columns)
    found = [tuple(one.columns) for one in table.constraints if isinstance(one, UniqueConstraint)]
    for index in table.indexes:
        partial = any(key.endswith("_where") and value is not None for key, value in index.dialect_kwargs.items())
        if index.unique and not partial and all(isinstance(one, Column) for one in index.expressions):
            found.append(tuple(index.columns))
    place = {column: number for number, column in enumerate(table.columns)}
    yield from sorted(dict.fromkeys(found), key=lambda columns: [place[column] for column in columns])


def foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    """Return the foreign keys whose target is known, in the order of their columns."""
    place = {column: number for number, column in enumerate(table.columns)}
    known = [
        one
        for one in table.foreign_key_constraints
        if all(element._resolve_column(raiseerr=False) is not None for element in one.elements)
    ]
    return sorted(known, key=lambda one: [place[column] for column in one.columns])


def _upward(table: Table) -> Iterator[Relation]:
    """Yield a relation for each foreign key, named by its column: `person_id` leads to `person`."""
    for one in foreign_keys(table):
        column = one.elements[0].parent.name
        single = len(one.elements) == 1 and column.endswith("_id") and column != "_id"
        name = column.removesuffix("_id") if single else one.referred_table.name
        yield Relation(name, one.referred_table, False, tuple((key.parent, key.column) for key in one.elements))


def _downward(table: Table, tables: Iterable[Table]) -> Iterator[Relation]:
    """Yield a relation for each foreign key of another table to this one, named by that table."""
    for other in tables:
        for one in foreign_keys(other):
            if one.referred_table is table:
                pairs = tuple((key.column, key.parent) for key in one.elements)
                own = {key.parent for key in one.elements}
                many = not any(own.issuperset(columns) for columns in unique_columns(other))
                order = tuple(other.primary_key.columns) if many else ()
                yield Relation(other.name, other, many, pairs, order_by=order)
