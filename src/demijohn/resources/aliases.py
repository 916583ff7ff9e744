"""Expressions over the table of a model, made to hold for an alias of it or a subquery with its columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Exists, FromClause, ScalarSelect, Select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.util import ClauseAdapter

from demijohn.resources.model import Expression, Model

__all__ = ["adapted", "has_subquery"]


def adapted(expression: Expression, model: Model, table: FromClause) -> Expression:
    """Return an expression over the table of a model as one over `table`, which stands for it.

    A subquery in it is about the row of that table and nothing else, whatever other tables stand around it.
    """
    if has_subquery(expression):

        def correlate(element: Any, **_: Any) -> Any:
            if isinstance(element, ScalarSelect | Exists) and has_subquery(element):
                return element.correlate(model.table)
            return None

        expression = visitors.replacement_traverse(expression, {}, correlate)
    return expression if table is model.table else ClauseAdapter(table).traverse(expression)


def has_subquery(expression: Any) -> bool:
    """Tell whether an expression looks further than at one row."""
    return any(isinstance(one, Select) for one in visitors.iterate(expression))
