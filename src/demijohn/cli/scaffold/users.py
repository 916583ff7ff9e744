"""Accounts, where a contract has operations of `demijohn.auth`: which table the users are, and how they log in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import types

from demijohn.auth.claims import operation_name
from demijohn.cli.scaffold.entities import answered, sent
from demijohn.cli.scaffold.names import free
from demijohn.cli.scaffold.tables import Column, Table
from demijohn.cli.scaffold.types import ColumnType
from demijohn.contract import Operation
from demijohn.resources.facts import SchemaReader

__all__ = ["Users", "find_users"]

_SHOWING_USERS = ("register", "me")
_LOGINS = ("email", "username", "login", "name")


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """Say what `Demijohn.accounts` is to be told. `roles` and `disabled` are attributes, "" for none."""

    table: Table
    logins: tuple[str, ...]
    password: str
    roles: str
    disabled: str
    default_role: str


def find_users(operations: Sequence[Operation], tables: Sequence[Table], reader: SchemaReader) -> Users | None:
    """Return who the users are, None where no table can be theirs; it gets the columns that they need."""
    own = {name: one for one in operations if (name := operation_name(one)) is not None}
    names = {
        reader.name(layer)
        for name in _SHOWING_USERS
        if name in own and (schema := answered(own[name])) is not None
        for layer in reader.layers(schema)
    }
    table = next((one for one in tables if one.entity.definition in names - {None, ""}), None)
    if table is None:
        return None
    taken = {prop for name in ("register", "login") if name in own for prop in reader.properties(sent(own[name]) or {})}
    logins = [one for name in _LOGINS for one in table.columns if one.prop == name and name in taken]
    logins = [one for one in logins if one.type.can_be_key]
    if not logins:
        return None
    for login in logins:
        login.unique, login.index = True, False
    password = Column(
        free("password_hash", {one.attribute for one in table.columns} | table.entity.properties.keys()),
        "",
        ColumnType("sa.String(256)", "str", types.String(256), 256),
        nullable=False,
    )
    table.columns.append(password)
    roles = next((one for one in table.columns if one.prop in ("role", "roles")), None)
    disabled = next((one for one in table.columns if one.prop in ("is_disabled", "disabled")), None)
    return Users(
        table,
        tuple(one.attribute for one in logins),
        password.attribute,
        roles.attribute if roles is not None else "",
        disabled.attribute if disabled is not None and disabled.type.python == "bool" else "",
        _default_role(table, roles) if roles is not None else "",
    )


def _default_role(table: Table, roles: Column) -> str:
    """Return the role of somebody who registers: the one that sounds least."""
    choices = [str(value) for one in table.occurrences(roles) for value in one.facts.schema.get("enum", ())]
    return next((one for one in ("member", "user", "reader") if one in choices), choices[-1] if choices else "member")
