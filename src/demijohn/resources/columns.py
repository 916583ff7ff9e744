"""What is written to a column: the value of its property, or what the model says where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    BooleanClauseList,
    Table,
    bindparam,
    literal,
    literal_column,
    null,
)
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.sql import operators
from sqlalchemy.sql.schema import DefaultClause

from demijohn.resources.model import AnyColumn, Expression, Model
from demijohn.resources.view import Field, View

__all__ = ["Make", "Source", "bind_of", "default_of", "fallback_of", "fixed_values", "on_update_of", "stored_fields"]

Make: TypeAlias = Callable[[dict[str, Any]], Any]
"""Makes a value, ready for the driver, from those of the statement so far."""


@dataclass(frozen=True, slots=True)
class Source:
    """Say what a column is set to. `made` names a parameter in the expression, and makes its value."""

    expression: Expression
    made: tuple[str, Make] | None = None


def stored_fields(view: View) -> dict[str, Field]:
    """Return the properties of a body that are written to columns, by name."""
    return {name: field for name, field in view.fields.items() if field.column is not None and not field.read_only}


def bind_of(column: AnyColumn) -> BindParameter[Any]:
    """Return the parameter that holds the new value of a column.

    It is named by the column's position: SQLAlchemy keeps the names of columns for itself, and a key may be anything.
    """
    return bindparam(f"new_{_position(column)}", type_=column.type)


def default_of(column: AnyColumn, dialect: SqlDialect) -> Source | None:
    """Return where the value for a new row comes from, None where the database itself knows it."""
    return None if column.default is None else _source(column, column.default, dialect)


def on_update_of(column: AnyColumn, dialect: SqlDialect) -> Source | None:
    """Return where the value for a changed row comes from, None where it stays."""
    return None if column.onupdate is None else _source(column, column.onupdate, dialect)


def fallback_of(column: AnyColumn, dialect: SqlDialect) -> Source | None:
    """Return what a PUT sets a column to whose property it leaves out: the default, else NULL.

    None where the default is only known to the database, and for a key: the column stays as it is.
    """
    if column.primary_key:
        return None
    source = default_of(column, dialect)
    if source is not None:
        return source
    server = column.server_default
    if server is None:
        return Source(null())
    if isinstance(server, DefaultClause):
        # `SET column = DEFAULT` would say the same, but SQLite does not know it.
        clause: Any = server.arg
        return Source(_quoted(clause) if isinstance(clause, str) else clause)
    return None


def fixed_values(model: Model) -> Mapping[AnyColumn, Any]:
    """Return the values that every row of a model has: `type = 'manager'` of a class that shares its parent's table."""
    return {} if model.criterion is None else dict(_fixed(model.criterion, model.table))


def _fixed(criterion: Any, table: Table) -> Iterator[tuple[AnyColumn, Any]]:
    if isinstance(criterion, BooleanClauseList) and criterion.operator is operators.and_:
        for one in criterion.clauses:
            yield from _fixed(one, table)
    elif isinstance(criterion, BinaryExpression) and isinstance(criterion.right, BindParameter):
        value: Any = criterion.right.effective_value
        for column in (one for one in table.columns if one is criterion.left):
            if criterion.operator is operators.eq:
                yield column, value
            elif criterion.operator is operators.in_op and isinstance(value, list | tuple) and value:
                yield column, value[0]


def _position(column: AnyColumn) -> int:
    return next(index for index, one in enumerate(column.table.columns) if one is column)


def _quoted(value: str) -> Expression:
    """Return a default as the DDL of SQLAlchemy writes it, as a text without a type: `DEFAULT '0'` of an integer."""
    return literal_column("'{}'".format(value.replace("'", "''")))


def _source(column: AnyColumn, default: Any, dialect: SqlDialect) -> Source | None:
    """Return what a default of the model is in a statement."""
    if default.is_sequence:
        return Source(default.next_value()) if dialect.supports_sequences and not default.optional else None
    if default.is_clause_element:
        return Source(default.arg)
    if default.is_scalar:
        # Its bound value becomes a constant of the statement.
        return Source(literal(default.arg, column.type))
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    function, table = default.arg, column.table

    def make(values: dict[str, Any]) -> Any:
        value = function(_Context(table, values))
        return convert(value) if convert is not None else value

    bind = bind_of(column)
    return Source(bind, (bind.key, make))


@dataclass(frozen=True, slots=True)
class _Context:
    """Be what SQLAlchemy passes to a default that wants to know the other values."""

    table: Any
    values: Mapping[str, Any]

    def get_current_parameters(self, isolate_multiinsert_params: bool = True) -> dict[str, Any]:
        """Return the values of the other columns by key, as the driver takes them."""
        binds = {f"new_{index}": column.key for index, column in enumerate(self.table.columns)}
        return {binds[name]: value for name, value in self.values.items() if name in binds}

    current_parameters = property(get_current_parameters)
