"""How the values of one column travel: JSON in, what the driver takes, JSON out of the database itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy.types import TypeEngine

from demijohn.resources.model import Expression

__all__ = ["Codec", "Kind", "UnfitError"]

Kind: TypeAlias = Literal[
    "text", "integer", "float", "decimal", "boolean", "datetime", "date", "time", "uuid", "binary", "json", "enum"
]


class UnfitError(ValueError):
    """Tell that a column cannot hold, or show, what its schema promises."""


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """Carry the values of one column.

    `decode` takes a JSON value that is valid by its schema and returns what the driver takes; it raises
    `ValueError`, with a sentence for the client, for what the column cannot hold (a text that is too long, a number
    out of range). None stays None. `encode` takes what the driver gives and returns the JSON value.
    `json` writes the SQL of the JSON value of an expression, in the form that the dialect's `object` takes.
    """

    kind: Kind
    type: TypeEngine[Any]
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]
    json: Callable[[Expression], Expression]
