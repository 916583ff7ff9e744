"""JSON in SQL as text that is put together: the way of the databases whose own functions write it with spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, Text, case, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from demijohn.resources.dialects.common import json_literal, order_of
from demijohn.resources.dialects.dialect import Member
from demijohn.resources.model import Expression

__all__ = ["Concat", "array_of", "nested_of", "object_of"]

Concat = Callable[[Sequence[Expression]], Expression]
"""Put texts together."""


def object_of(members: Sequence[Member], concat: Concat, quote: Callable[[str], Expression]) -> Expression:
    """Return a JSON object; each member's value is a text already.

    What may be missing brings its comma along: behind it as long as nothing stands for certain, else before it.
    """
    first = next((index for index, member in enumerate(members) if member.present is None), None)
    parts: list[Expression] = []
    before = "{"
    for index, member in enumerate(members):
        key = f"{json_literal(member.name)}:"
        if member.present is None:
            parts += [quote(before + ("," if first is not None and index > first else "") + key), member.value]
            before = ""
        elif first is not None and index < first:
            if before:
                parts.append(quote(before))
                before = ""
            parts.append(case((member.present, concat([quote(key), member.value, quote(",")])), else_=quote("")))
        else:
            parts.append(case((member.present, concat([quote("," + key), member.value])), else_=quote("")))
    if first is not None:
        return concat([*parts, quote("}")])
    if not parts:
        return quote("{}")
    # All may be missing: the first comma goes.
    return concat([quote("{"), func.substr(concat(parts), 2, type_=Text()), quote("}")])


class _Joined(FunctionElement[str]):
    """Be texts, one of each row, joined by commas: the first argument, in the order of the others."""

    inherit_cache = False
    type = Text()


@compiles(_Joined, "postgresql")
def _string_agg(joined: Any, compiler: Any, **options: Any) -> str:
    item, *order = (compiler.process(one, **options) for one in joined.clauses)
    return f"string_agg({item}, ','" + (f" ORDER BY {', '.join(order)})" if order else ")")


@compiles(_Joined, "mysql", "mariadb")
def _group_concat(joined: Any, compiler: Any, **options: Any) -> str:
    item, *order = (compiler.process(one, **options) for one in joined.clauses)
    return f"group_concat({item}" + (f" ORDER BY {', '.join(order)}" if order else "") + " SEPARATOR ',')"


def array_of(item: Expression, rows: Select[Any], concat: Concat, quote: Callable[[str], Expression]) -> Expression:
    """Return a scalar subquery that gives a JSON array of `item` for each of `rows`."""
    joined = _Joined(item, *order_of(rows))
    whole = concat([quote("["), func.coalesce(joined, quote("")), quote("]")])
    return rows.order_by(None).with_only_columns(whole).scalar_subquery()


def nested_of(item: Expression, rows: Select[Any]) -> Expression:
    """Return a scalar subquery that gives `item` of the one row of `rows`."""
    return rows.with_only_columns(item).scalar_subquery()
