"""Whose rows are whose: the column that says it, and the key of a caller as a value of that column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, FromClause, Text, and_, bindparam, cast
from sqlalchemy.dialects.mysql import BINARY
from sqlalchemy.types import TypeEngine

from demijohn.errors import Forbidden
from demijohn.resources.codecs import Codec
from demijohn.resources.dialects.dialect import DatabaseName
from demijohn.resources.model import AnyColumn, Expression, Model

__all__ = ["KEY_KINDS", "Owner", "not_own", "read_key"]

KEY_KINDS: Final = frozenset(("integer", "text", "uuid"))
"""The kinds of column that can hold the key of a caller."""

# As a number is written in one way only: `07` and `7` may be two users of whoever issued the tokens.
_is_whole = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """Say that each row of a table belongs to the caller whose key is in `column`.

    `name` is the parameter of statements that holds the key of the caller, and `key_of` makes it, ready for the
    driver, of `Caller.user`: None for nobody, and for a key that the column cannot hold. No row belongs to them.
    `exempt` are the roles whose callers see and change the rows of all. `compares_bytes` tells that the database may
    take two keys for one, `Ann` and `ann`, unless it is told to look closely.
    """

    column: AnyColumn
    name: str
    type: TypeEngine[Any]
    key_of: Callable[[Any], Any]
    exempt: frozenset[str]
    compares_bytes: DatabaseName | None = None

    @property
    def parameter(self) -> BindParameter[Any]:
        """Return the parameter that holds the key of the caller."""
        return bindparam(self.name, type_=self.type)

    def owns(self, table: FromClause) -> Expression:
        """Return the condition that the rows of `table`, the column's own or an alias of it, are the caller's."""
        return self.is_caller(table.c[self.column.key])

    def is_caller(self, column: Expression) -> Expression:
        """Return the condition that a column holds the key of the caller: by an index, and then to the letter."""
        found: Expression = column == self.parameter
        match self.compares_bytes:
            case "mariadb":
                return and_(found, cast(column, BINARY) == self.parameter)
            case "sqlite":
                return and_(found, column.collate("BINARY") == self.parameter)
            case "postgresql":
                return and_(found, cast(column, Text).collate("C") == self.parameter)
        return found


def read_key(codec: Codec) -> Callable[[Any], Any]:
    """Return what makes a value for the driver of a caller's key: `7` and `"7"` are the same to a column of integers.

    It returns None for what the column cannot hold.
    """
    kind, decode = codec.kind, codec.decode

    def read(user: Any) -> Any:
        if type(user) is str:
            if kind == "integer":
                user = int(user) if _is_whole(user) else None
        elif type(user) is int:
            user = str(user) if kind == "text" else user
        else:
            user = str(user) if isinstance(user, UUID) else None
        try:
            return decode(user)
        except ValueError:
            return None

    return read


def not_own(model: Model) -> Forbidden:
    """Return the problem of a row that the caller may see, and not change."""
    return Forbidden(f"This {model.name} belongs to somebody else.")
