"""One row of a file to the values of columns: converted, checked and decoded as a request body would be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demijohn.compile.faults import Fault
from demijohn.compile.kinds import ABSENT, Schemas
from demijohn.compile.readers import Branch, Branches
from demijohn.compile.styles import UnreadableError
from demijohn.compile.validators import Validator, Validators
from demijohn.resources.mapping import Mapping as ColumnMapping
from demijohn.resources.mapping import RefusedRowError
from demijohn.resources.model import AnyColumn
from demijohn.resources.rows import BadRow, Row
from demijohn.resources.subject import Subject
from demijohn.resources.view import Field

__all__ = ["Intake", "Ready"]


@dataclass(frozen=True, slots=True)
class Ready:
    """Hold a row that is fine as far as the contract goes; `columns` maps keys of columns to what the driver takes."""

    row: Row
    columns: dict[str, Any]


class Intake:
    """Take in the rows of a file for one subject.

    What a create takes is checked as its body; what only an item shows (`id`, `created_at`) may be there too, checked
    by its own schema, so that what was exported can be imported again. `is_text` tells that all values are texts.
    """

    def __init__(self, subject: Subject, mapping: ColumnMapping, *, is_text: bool) -> None:
        self.subject = subject
        self._mapping = mapping
        self._derived = subject.derived
        made = subject.made.fields if subject.made is not None else {}
        self._body = {name: one for name, one in made.items() if one.column is not None and not one.read_only}
        self._others = {name: one for name, one in subject.stored.items() if name not in self._body}
        self.fields = {**self._others, **self._body}
        self._decimals = frozenset(name for name, one in self.fields.items() if one.codec.kind == "decimal")
        self._known = self.fields.keys() | self._derived
        validators = Validators(subject.contract.definitions, formats=subject.contract.formats)
        self._check = None if subject.made is None else validators.build(subject.made.schema, "request")
        self._checks = {name: validators.build(one.schema, "response") for name, one in self._others.items()}
        schemas = Schemas(subject.contract.definitions)
        branches = Branches(schemas, validators, "request")
        self._cells = {name: self._cell(one, branches) for name, one in self.fields.items()} if is_text else {}
        self.key = self._columns(mapping.key)
        self.create_only = frozenset(self._columns(mapping.create_only))

    def _columns(self, names: Iterable[str]) -> tuple[AnyColumn, ...]:
        fields = (self.fields[name] for name in names if name in self.fields)
        return tuple(one.column for one in fields if one.column is not None)

    def wrong_mapping(self) -> list[str]:
        """Return what the mapping says about properties that the subject does not bear out, in sentences."""
        key, create_only = self._mapping.key, sorted(self._mapping.create_only)
        known = ", ".join(self.fields)
        wrong = [
            f"`{name}` in `{part}` is no property; there are {known}"
            for part, names in (("key", key), ("create_only", create_only))
            for name in names
            if name not in self.fields
        ]
        if key and not wrong and set(self.key) not in map(set, self.subject.model.unique):
            wrong.append(f"`key`: nothing in the database says that {' and '.join(key)} is unique")
        return wrong

    def wrong_header(self, columns: Iterable[str]) -> list[str]:
        """Return what is wrong with the columns of a file, in sentences."""
        columns, lacking = self._mapping.columns(list(columns), self._known)
        wrong = [f"the mapping names the column `{name}`, and the file has none" for name in lacking]
        if self._mapping.function is not None:
            return wrong
        unknown = [name for name in columns if name not in self._known]
        known = ", ".join(self.fields)
        wrong += [f"the column `{name}` is no property; there are {known}" for name in unknown]
        wrong += [f"two columns are `{name}`" for name in sorted({one for one in columns if columns.count(one) > 1})]
        required = [name for name, one in self._body.items() if one.required and name not in columns]
        return wrong + [f"there is no column `{name}`, and the contract requires it" for name in required]

    def read(self, row: Row) -> Ready | BadRow | None:
        """Return the row ready for the database, or what is wrong with it; None where the mapping leaves it out."""
        try:
            values = self._mapping.apply(row.values, self._known)
        except RefusedRowError as error:
            return BadRow(row.line, (error.fault,), row.values)
        if values is None:
            return None
        faults: list[Fault] = []
        sent = values
        if self._cells:
            values = self._read_cells(values, faults)
        body: dict[str, Any] = {}
        for name, value in values.items():
            if name in self._body:
                body[name] = value
            elif name in self._others:
                if not (value is None and self._others[name].nullable):
                    faults += _under(name, self._checks[name], value)
            elif name not in self._derived:
                faults.append(Fault((name,), "is not a property that can be imported"))
        if self._check is not None and not self._check.is_valid(body):
            unread = {fault.path[:1] for fault in faults}
            faults += [fault for fault in self._check.faults(body) if fault.path[:1] not in unread]
        if not faults:
            lacking = [name for name in self._mapping.key if values.get(name) is None]
            faults += [Fault((name,), "must be given: by it a row is known") for name in lacking]
        if faults:
            return BadRow(row.line, tuple(self._as_told(faults)), row.values)
        if any(type(values.get(name)) is float for name in self._decimals):
            values = self._exact(values, sent, row.raw)
        return self._decode(row, values)

    def _as_told(self, faults: list[Fault]) -> list[Fault]:
        """Return faults as they are told; of a file that is all text it says nothing that a text was found."""
        return (
            [Fault(one.path, one.detail.replace(", found a string", "")) for one in faults] if self._cells else faults
        )

    def _exact(self, values: dict[str, Any], sent: dict[str, Any], raw: bytes) -> dict[str, Any]:
        """Return values with all digits of the decimal ones, which were checked as floats."""
        if raw:
            sent = self._mapping.renamed(json.loads(raw, parse_float=Decimal))
        exact: dict[str, Any] = {}
        for name in self._decimals:
            value, text = values.get(name), sent.get(name)
            if type(value) is float and isinstance(text, str | Decimal) and float(text) == value:
                exact[name] = Decimal(text)
        return values | exact

    def _decode(self, row: Row, values: dict[str, Any]) -> Ready | BadRow:
        columns: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, one in self.fields.items():
            if name in values:
                value = values[name]
                assert one.column is not None
                try:
                    columns[one.column.key] = None if value is None else one.codec.decode(value)
                except ValueError as error:
                    faults.append(Fault((name,), str(error)))
        return BadRow(row.line, tuple(faults), row.values) if faults else Ready(row, columns)

    def _read_cells(self, values: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
        """Return the values that the texts of a row stand for; what is no text any more was made by the mapping."""
        read: dict[str, Any] = {}
        for name, value in values.items():
            cell = self._cells.get(name)
            if cell is not None and isinstance(value, str | list):
                try:
                    value = cell(value)
                except UnreadableError as error:
                    faults.append(Fault((name, *error.path), error.detail))
                    continue
                if value is ABSENT:
                    continue
            read[name] = value
        return read

    def _cell(self, one: Field, branches: Branches) -> Callable[[Any], Any]:
        """Return the reading of a cell.

        An empty one is null where there may be null; else the empty text where the property must be there and may be
        it; else nothing was given. The word `null` is a text.
        """
        branch = branches.make(one.schema)
        has_text = "string" in branch.kinds
        if one.nullable:
            empty: Any = None
        elif has_text and one.name in self._body and one.required and branches.is_valid(one.schema)(""):
            empty = ""
        else:
            empty = ABSENT
        text = _plain if branch.kinds <= {"string", "null"} else branch.text

        def read(value: Any) -> Any:
            if value == "":
                return empty
            if type(value) is list:
                return _items(branch, value)
            return value if has_text and value == "null" else text(value)

        return read


def _plain(text: str) -> str:
    return text


def _items(branch: Branch, values: list[Any]) -> list[Any]:
    """Return what the pieces of a list stand for, where they are texts."""
    return branch.array(values) if branch.items and all(isinstance(one, str) for one in values) else values


def _under(name: str, check: Validator, value: Any) -> list[Fault]:
    return [] if check.is_valid(value) else [Fault((name, *one.path), one.detail) for one in check.faults(value)]
