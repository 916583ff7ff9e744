"""Rules of the database that a write broke, to problems that a client can act on: no SQL, no names of constraints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, and_, literal, select
from sqlalchemy.sql.schema import Constraint

from demijohn.compile.faults import Fault
from demijohn.errors import BadRequest, Conflict, NotFound, Problem
from demijohn.resources.columns import bind_of
from demijohn.resources.database import Database
from demijohn.resources.dialects.dialect import Violation
from demijohn.resources.model import AnyColumn
from demijohn.resources.shape import Shape
from demijohn.resources.statement import compile_statement
from demijohn.resources.view import View

__all__ = ["Conflicts", "bad_request", "conflict", "conflict_of", "dangling", "refused"]

_IN_USE: Final = "The item is still referred to by other items."
_TAKEN: Final = "There is such an item already."
_DANGLING: Final = "The item refers to one that does not exist."


class Conflicts:
    """Find the properties at fault when the writes of one operation break a rule."""

    def __init__(self, shape: Shape, body: View | None, database: Database) -> None:
        self._table = shape.model.table
        self._database = database
        self._shape = shape
        fields = {} if body is None else body.fields
        self._names = {field.column: name for name, field in fields.items() if field.column is not None}
        parent = shape.parent
        self._parent_columns = frozenset() if parent is None else frozenset(column for column, _ in parent.on)

    def problem(self, violation: Violation, values: Mapping[str, Any], place: tuple[int, ...] = ()) -> Problem:
        """Return the problem of a violation.

        `values` are those of the statement, ready for the driver; `place` leads to the item in a body of several.
        """
        if violation.table not in (None, self._table.name):
            # What is written elsewhere at the same time: by a trigger, a hook, an ON DELETE.
            return Conflict(_IN_USE if violation.kind in ("in-use", "foreign-key") else _GENERAL)
        match violation.kind:
            case "in-use":
                return Conflict(_IN_USE)
            case "foreign-key":
                return self._reference(violation, values, place)
            case "unique":
                return self._taken(self.columns(violation), place)
            case "not-null":
                return self._at(self.columns(violation), "must have a value", place)
            case _:
                return self._at(self.columns(violation), "breaks a rule for what is stored", place)

    def columns(self, violation: Violation) -> list[AnyColumn]:
        """Return the columns that a rule is about, as far as the database or the model tell."""
        by_name = {column.name: column for column in self._table.columns}
        told = [by_name[name] for name in violation.columns if name in by_name]
        name = violation.constraint
        if name is None:
            return told
        if violation.kind == "check":
            return told or self._checked(name)
        if name in ("PRIMARY", f"{self._table.name}_pkey"):
            return list(self._table.primary_key.columns)
        named: list[Any] = [one for one in self._table.indexes if one.name == name]
        rules = [one for one in self._table.constraints if isinstance(one, UniqueConstraint | ForeignKeyConstraint)]
        named += [one for one in rules if self._name_of(one) == name]
        named += [one for one in rules if self._name_of(one) is None and self._is_own_name(name, one)]
        # The model knows better than the database, which may tell one column of several.
        return list(named[0].columns) if named else told

    def _is_own_name(self, name: str, rule: UniqueConstraint | ForeignKeyConstraint) -> bool:
        """Tell whether a database gives this name to a rule that has none itself.

        `email`, `email_2` on MariaDB; `member_email_key`, `address_member_id_fkey` on PostgreSQL.
        """
        columns = [re.escape(column.name) for column in rule.columns]
        end = "key" if isinstance(rule, UniqueConstraint) else "fkey"
        names = [rf"{re.escape(self._table.name)}_{'_'.join(columns)}_{end}\d*"]
        if isinstance(rule, UniqueConstraint):
            names.append(rf"{columns[0]}(_\d+)?")
        return any(re.fullmatch(one, name) for one in names)

    def _checked(self, name: str) -> list[AnyColumn]:
        """Return the columns in the rule of a check; SQLite tells the rule itself where it has no name."""
        rules = [one for one in self._table.constraints if isinstance(one, CheckConstraint)]
        named = next((str(one.sqltext) for one in rules if self._name_of(one) == name), None)
        if named is None:
            # PostgreSQL's own name for a rule without one.
            unnamed = re.fullmatch(rf"{re.escape(self._table.name)}_(.+)_check\d*", name)
            named = unnamed[1] if unnamed else name
        words = set(re.findall(r"\w+", named.lower()))
        return [column for column in self._table.columns if column.name.lower() in words]

    def _name_of(self, constraint: Constraint) -> str | None:
        if not isinstance(constraint.name, str):
            return None
        # A name that is too long for the database is cut, and a convention may have made it.
        name = self._database.dialect.sql.identifier_preparer.format_constraint(constraint)
        return name.strip('"`') if name else None

    def _taken(self, columns: Sequence[AnyColumn], place: tuple[int, ...]) -> Problem:
        names = [self._names[column] for column in columns if column in self._names]
        if not names:
            return Conflict(_TAKEN)
        faults = []
        for name in names:
            others = " and ".join(repr(other) for other in names if other != name)
            together = f", together with {others}" if others else ""
            faults.append(Fault((*place, name), f"is already taken{together}"))
        return conflict(faults)

    def _at(self, columns: Sequence[AnyColumn], detail: str, place: tuple[int, ...]) -> Problem:
        names = [self._names[column] for column in columns if column in self._names]
        return conflict([Fault((*place, name), detail) for name in names]) if names else Conflict(_GENERAL)

    def _reference(self, violation: Violation, values: Mapping[str, Any], place: tuple[int, ...]) -> Problem:
        columns = self.columns(violation) or self._dangling(values)
        if self._shape.act == "delete" or not columns:
            return Conflict(_IN_USE if self._shape.act != "create" else _GENERAL)
        if self._parent_columns and self._parent_columns >= set(columns):
            assert self._shape.parent is not None
            return NotFound(f"There is no such {self._shape.parent.model.name}.")
        names = [self._names[column] for column in columns if column in self._names]
        if not names:
            return Conflict(_DANGLING)
        return conflict([dangling(name, place) for name in names])

    def _dangling(self, values: Mapping[str, Any]) -> list[AnyColumn]:
        """Look for the reference that leads nowhere, where the database does not say which one it is."""
        for rule in self._table.foreign_key_constraints:
            pairs = [(bind_of(element.parent), element.column) for element in rule.elements]
            if not all(values.get(bind.key) is not None for bind, _ in pairs):
                continue
            wanted = and_(*(column == bind for bind, column in pairs))
            statement = compile_statement(select(literal(1)).where(wanted).limit(1), self._database.dialect.sql)
            if not self._database.read(statement, values):
                return list(rule.columns)
        return []


def conflict_of(violation: Violation) -> Conflict:
    """Return the problem of a rule that a function of the application broke, which knows no properties."""
    return Conflict({"in-use": _IN_USE, "foreign-key": _DANGLING, "unique": _TAKEN}.get(violation.kind, _GENERAL))


_GENERAL: Final = "The item does not go with what is stored."


def conflict(faults: Sequence[Fault]) -> Conflict:
    """Return the problem of properties that do not go with what is stored."""
    errors = _errors(faults)
    return Conflict(_summary(errors), errors=errors)


def dangling(name: str, place: tuple[int, ...] = ()) -> Fault:
    """Return the fault of a property that refers to what is not there."""
    return Fault((*place, name), f"refers to {_target(name)} that does not exist")


def bad_request(faults: Sequence[Fault]) -> BadRequest:
    """Return the problem of properties that break the contract, or do not fit their columns."""
    return refused(_errors(faults))


def refused(errors: Sequence[Mapping[str, str]]) -> BadRequest:
    """Return the problem of a body with these errors, each with its detail and its pointer."""
    return BadRequest(_summary(errors), errors=errors)


def _errors(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"detail": fault.detail, "pointer": fault.pointer} for fault in faults]


def _summary(errors: Sequence[Mapping[str, str]]) -> str:
    more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
    return f"body {errors[0]['pointer']} {errors[0]['detail'].rstrip('?.')}{more}."


def _target(name: str) -> str:
    """Return what a reference is about in words: `a person` of `person_id`, `an author` of `authorId`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").lower().split()
    if len(words) > 1 and words[-1] in ("id", "key", "uuid", "code"):
        del words[-1]
    text = " ".join(words)
    return f"{'an' if text[:1] in 'aeio' else 'a'} {text}"
