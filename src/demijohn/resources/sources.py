"""The tables that the answers of a list or read are made from: whoever writes to one of them may change the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import TableClause
from sqlalchemy.sql import visitors

from demijohn.compile.reuse import Sources
from demijohn.resources.model import Expression, Model
from demijohn.resources.shape import Parent, Shape
from demijohn.resources.view import Embedded, View, fields_of

__all__ = ["sources_of"]


def sources_of(shape: Shape) -> Sources:
    """Return what the answers of an operation depend on, whatever a client asks to be shown."""
    names = {table.name for table in _tables(shape)}
    return Sources(frozenset(names), is_own=bool(shape.callers))


def _tables(shape: Shape) -> Iterator[TableClause]:
    options = shape.options
    yield from _of_model(shape.model)
    yield from _above(shape.parent)
    yield from _of_view(shape.view)
    sorted_by = options.sort.fields.values() if options.sort is not None else ()
    for field in (*fields_of(shape.view), *(one.field for one in options.filters), *options.q_fields, *sorted_by):
        yield from _of_expression(field.expression)


def _of_model(model: Model) -> Iterator[TableClause]:
    yield model.table
    if model.criterion is not None:
        yield from _of_expression(model.criterion)


def _above(parent: Parent | None) -> Iterator[TableClause]:
    if parent is not None:
        yield from _of_model(parent.model)
        yield from _above(parent.parent)


def _of_view(view: View | None) -> Iterator[TableClause]:
    for member in () if view is None else view.members:
        if isinstance(member, Embedded):
            relation = member.relation
            yield relation.target
            if relation.secondary is not None:
                yield relation.secondary
            for expression in relation.order_by:
                yield from _of_expression(expression)
            yield from _of_model(member.view.model)
            yield from _of_view(member.view)


def _of_expression(expression: Expression) -> Iterator[TableClause]:
    for element in visitors.iterate(expression):
        one: Any = getattr(element, "table", element)  # a column has one
        while one is not None and not isinstance(one, TableClause):  # an alias stands for something
            one = getattr(one, "element", None)
        if one is not None:
            yield one
