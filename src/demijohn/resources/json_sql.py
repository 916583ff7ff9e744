"""A view as SQL: the expression of the JSON object that the database makes of a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import FromClause, Select, and_, func, literal_column, select
from sqlalchemy.sql.util import ClauseAdapter

from demijohn.resources.aliases import adapted, has_subquery
from demijohn.resources.dialects.dialect import Dialect, Member
from demijohn.resources.model import AnyColumn, Expression, Model, Relation
from demijohn.resources.owner import Owner
from demijohn.resources.view import Embedded, Field, View

__all__ = ["can_be_null", "is_flat", "representation"]


def representation(
    view: View,
    dialect: Dialect,
    *,
    fields: frozenset[str] | None = None,
    include: frozenset[str] = frozenset(),
    table: FromClause | None = None,
) -> Expression:
    """Return the JSON object of a row, its members in the order of the schema.

    `fields` names the properties to show, besides those that must be there (None: all). `include` holds the paths
    of members on request that are there too. `table` is what the row comes from where it is not the table of the
    model itself: an alias of it, or a subquery with its columns. What is written only is never shown.
    """
    return _object(view, dialect, fields, include, (view.model.table if table is None else table,))


def is_flat(view: View, include: frozenset[str] = frozenset()) -> bool:
    """Tell whether a row has in itself all that the view shows of it, so that `RETURNING` can give it."""
    for member in _shown(view, None, include):
        if isinstance(member, Embedded):
            return False
        if member.column is None and has_subquery(member.expression):
            return False
    return True


def can_be_null(field: Field) -> bool:
    """Tell whether the database may give NULL for a field."""
    return field.column is None or bool(field.column.nullable)


# The FROM of the row that is being shown, and of those around it.
_Tables = tuple[FromClause, ...]


def _object(
    view: View, dialect: Dialect, fields: frozenset[str] | None, include: frozenset[str], tables: _Tables
) -> Expression:
    members = [_member(view.model, one, dialect, include, tables) for one in _shown(view, fields, include)]
    return dialect.object(members)


def _shown(view: View, fields: frozenset[str] | None, include: frozenset[str]) -> Iterator[Field | Embedded]:
    """Yield the members that are shown: what was asked for by its path is, even where `fields` does not name it."""
    for member in view.members:
        if isinstance(member, Field):
            if not member.write_only and (fields is None or member.required or member.name in fields):
                yield member
        elif member.path in include or _is_named(member, fields):
            yield member


def _is_named(member: Embedded, fields: frozenset[str] | None) -> bool:
    if fields is None:
        return not member.on_request
    return member.name in fields or (member.required and not member.on_request)


def _member(
    model: Model, member: Field | Embedded, dialect: Dialect, include: frozenset[str], tables: _Tables
) -> Member:
    if isinstance(member, Embedded):
        return _embedded(member, dialect, include, tables)
    expression = adapted(member.expression, model, tables[-1])
    value = member.codec.json(expression)
    if not can_be_null(member):
        return Member(member.name, value)
    if member.nullable:
        return Member(member.name, func.coalesce(value, dialect.null()))
    return Member(member.name, value, None if member.required else expression.is_not(None))


def _embedded(member: Embedded, dialect: Dialect, include: frozenset[str], tables: _Tables) -> Member:
    relation, model = member.relation, member.view.model
    # A table that is there already gets another name; so does one that meets itself.
    taken = any(table is relation.target for table in tables)
    target: FromClause = relation.target.alias() if taken else relation.target
    rows = _related(relation, model, tables, target, member.owner)
    item = _object(member.view, dialect, None, include, (*tables, target))
    if relation.many:
        return Member(member.name, dialect.array(item, rows))
    value = dialect.nested(item, rows)
    if member.nullable:
        return Member(member.name, func.coalesce(value, dialect.null()))
    return Member(member.name, value, None if member.required else rows.exists())


def _related(relation: Relation, model: Model, tables: _Tables, target: FromClause, owner: Owner | None) -> Select[Any]:
    """Return the select, without columns, of the rows that are related to the row of the last of `tables`."""
    here = tables[-1]
    between = relation.secondary
    rows: Select[Any] = select(literal_column("1")).select_from(target)
    order = [adapted(one, model, target) for one in relation.order_by]
    if between is None:
        rows = rows.where(*(_column(here, one) == _column(target, other) for one, other in relation.on))
    else:
        other_name = between.alias()
        joined = and_(*(_column(other_name, one) == _column(target, other) for one, other in relation.secondary_on))
        rows = select(literal_column("1")).select_from(other_name.join(target, joined))
        rows = rows.where(*(_column(here, one) == _column(other_name, other) for one, other in relation.on))
        order = [ClauseAdapter(other_name).traverse(one) for one in order]
    if model.criterion is not None:
        rows = rows.where(adapted(model.criterion, model, target))
    if owner is not None:
        rows = rows.where(owner.owns(target))
    if relation.many:
        rows = rows.order_by(*(order or (_column(target, column) for column in model.key)))
    return rows.correlate(*tables)


def _column(table: FromClause, column: AnyColumn) -> Expression:
    return column if column.table is table else table.c[column.key]
