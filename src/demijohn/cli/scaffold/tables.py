"""Entities to tables: keys, references, what may be NULL, what has a default, what is unique."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from demijohn.cli.scaffold.code import quoted
from demijohn.cli.scaffold.entities import Entity, Occurrence, Property
from demijohn.cli.scaffold.names import forms, free, singular, snake
from demijohn.cli.scaffold.types import ColumnType, type_of
from demijohn.contract import Parameter
from demijohn.resources.facts import SchemaReader
from demijohn.resources.paths import steps_of

__all__ = ["Column", "Relationship", "Table", "make_tables", "needed"]

_CREATED = re.compile(r"^(created|inserted|added|registered)(_at|_on|_date|_time)?$|^(creation)_(date|time)$")
_CHANGED = re.compile(r"^(updated|modified|changed)(_at|_on|_date|_time)?$|^last_(updated|modified|changed)(_at)?$")
# What people log in by or are found by, where the contract says that a create may be a conflict.
_UNIQUE = frozenset(("email", "username", "user_name", "login", "handle", "slug", "sku", "isbn", "code", "iban", "vin"))
_MOST_BYTES = 63
_RESERVED = frozenset(("metadata", "registry"))


@dataclass(slots=True, eq=False)
class Column:
    """Be a column; `prop` is its property in the contract, "" for one that only the server knows.

    `default` and `on_update` are code. `target` is the table whose key it refers to.
    """

    attribute: str
    prop: str
    type: ColumnType
    nullable: bool
    primary: bool = False
    unique: bool = False
    index: bool = False
    default: str = ""
    on_update: str = ""
    given: bool = False
    target: Table | None = None


@dataclass(slots=True, eq=False)
class Relationship:
    """Be what is embedded in the items: one row of another table, or many."""

    attribute: str
    target: Table
    many: bool


@dataclass(slots=True, eq=False)
class Table:
    """Be a table, and the class that stands for it."""

    entity: Entity
    name: str
    cls: str
    columns: list[Column] = field(default_factory=list)
    relationships: list[Relationship] = field(default_factory=list)

    @property
    def key(self) -> Column:
        """Return the primary key."""
        return next(one for one in self.columns if one.primary)

    def occurrences(self, column: Column) -> list[Occurrence]:
        """Return where the property of a column occurs."""
        return self.entity.properties[column.prop].occurrences

    def column(self, prop: str) -> Column | None:
        """Return the column of a property."""
        return next((one for one in self.columns if one.prop == prop), None)


def make_tables(entities: Sequence[Entity], reader: SchemaReader) -> list[Table]:
    """Return the tables of entities, those that others refer to first."""
    tables: list[Table] = []
    for entity in entities:
        segment = steps_of(next(iter(entity.collections)))[-1].segment
        name = free(snake(segment), {one.name for one in tables})
        table = Table(entity, name, entity.name)
        if _add_columns(table):
            tables.append(table)
    references = _References(tables)
    for table in tables:
        references.by_names(table)
        references.by_paths(table)
    for table in tables:
        _add_relationships(table, tables, reader)
        for column in table.columns:
            column.index = (
                not column.unique
                and not column.primary
                and column.type.can_be_key
                and (
                    column.target is not None
                    or (column.prop in _filters(table.entity) and column.type.python != "bool")
                )
            )
    return references.sorted()


def needed(tables: Sequence[Table], names: frozenset[str]) -> list[Table]:
    """Return the tables of the classes `names`, and those that they refer to, in the same order."""
    wanted = {one.cls for one in tables if one.cls in names}
    for table in reversed(tables):
        if table.cls in wanted:
            wanted |= {one.target.cls for one in table.columns if one.target is not None}
            wanted |= {one.target.cls for one in table.relationships}
    for table in reversed(tables):
        if table.cls in wanted:
            wanted |= {one.target.cls for one in table.columns if one.target is not None}
    return [one for one in tables if one.cls in wanted]


def _add_columns(table: Table) -> bool:
    """Add the columns of the properties; return False where nothing can be the key."""
    entity = table.entity
    key, other = _keys(entity)
    taken = set(_RESERVED)
    names: set[str] = set()
    for prop in entity.properties.values():
        # No database tells `ID` from `id`, and PostgreSQL takes no longer name.
        if not prop.name or prop.name.lower() in names or len(prop.name.encode()) > _MOST_BYTES:
            continue
        names.add(prop.name.lower())
        # An attribute that is called as another property would be taken for it.
        attribute = free(snake(prop.name), taken | (entity.properties.keys() - {prop.name}))
        taken.add(attribute)
        column = _column(prop, attribute, entity, is_key=prop is key, is_found_by=prop is key or prop in other)
        if prop in other and column.type.can_be_key:
            column.unique = True
        table.columns.append(column)
    if key is None:
        hidden = _hidden_key(entity, free("id", taken | entity.properties.keys()))
        if hidden is None:
            return False
        table.columns.insert(0, hidden)
    elif not any(one.primary for one in table.columns) or not table.key.type.can_be_key:
        return False
    table.columns.sort(key=lambda one: not one.primary)
    return True


def _keys(entity: Entity) -> tuple[Property | None, list[Property]]:
    """Return the property that is the primary key, and others that paths name an item by."""
    named: list[Property] = []
    for _, parameter in entity.item_parameters():
        found = _named_by(parameter, entity)
        if found is not None and found not in named:
            named.append(found)
    plain = next((entity.properties[name] for name in ("id", "_id", "ID", "Id") if name in entity.properties), None)
    key = plain if plain is not None else named[0] if named else None
    return key, [one for one in named if one is not key]


def _named_by(parameter: Parameter, entity: Entity) -> Property | None:
    """Return the property that a path parameter is: `{email}`, `{petId}` of `id`, `{city_number}` of `number`."""
    wanted = snake(parameter.name).rstrip("_")
    if parameter.name in entity.properties:
        return entity.properties[parameter.name]
    by_name = {snake(name).rstrip("_"): one for name, one in reversed(entity.properties.items())}
    if wanted in by_name:
        return by_name[wanted]
    first, _, rest = wanted.rpartition("_")
    own = forms(entity.name)
    if rest in by_name and (rest == "id" or not own.isdisjoint(forms(first))):
        return by_name[rest]
    return by_name.get("id") if wanted == "id" or not own.isdisjoint(forms(wanted)) else None


def _hidden_key(entity: Entity, attribute: str) -> Column | None:
    """Return a key that no schema shows, None where clients would have to name what they cannot know."""
    kinds = {kind for _, one in entity.item_parameters() for kind in _kinds(one)}
    forms_ = {one.schema.get("format") for _, one in entity.item_parameters() if isinstance(one.schema, dict)}
    if kinds and kinds != {"integer"} and not (kinds == {"string"} and forms_ == {"uuid"}):
        return None
    type_ = type_of([])
    if kinds == {"string"}:
        type_ = ColumnType("", "uuid.UUID", type_.real)
        return Column(attribute, "", type_, nullable=False, primary=True, default="uuid.uuid4")
    return Column(attribute, "", ColumnType("", "int", type_.real), nullable=False, primary=True)


def _kinds(parameter: Parameter) -> list[str]:
    kind = parameter.schema.get("type") if isinstance(parameter.schema, dict) else None
    return [kind] if isinstance(kind, str) else list(kind or ["string"])


def _column(prop: Property, attribute: str, entity: Entity, *, is_key: bool, is_found_by: bool) -> Column:
    facts = [one.facts for one in prop.occurrences]
    wants_index = is_found_by or _is_unique(prop, attribute, entity)
    type_ = type_of(facts, is_key=wants_index)
    creating = [one for one in prop.occurrences if one.is_creating]
    made = {one.operation.method + one.operation.path for one in creating if one.required}
    is_given = bool(entity.creates) and all(one.method + one.path in made for one in entity.creates)
    promised = any(one.required and not one.facts.nullable for one in prop.shown)
    column = Column(attribute, prop.name, type_, nullable=False, primary=is_key, given=is_given)
    if is_key:
        column.default = _new_key(type_, facts) if entity.creates and not is_given else ""
        return column
    column.default, column.on_update = _defaults(attribute, type_, prop, is_given)
    takes_null = any(one.facts.nullable for one in prop.occurrences)
    column.nullable = takes_null or not (promised or is_given or column.default != "")
    column.unique = wants_index and type_.can_be_key
    return column


def _new_key(type_: ColumnType, facts: Sequence[Any]) -> str:
    """Return what makes a key that no client gives; the database numbers rows itself."""
    if type_.python == "uuid.UUID":
        return "uuid.uuid4"
    is_free = all("pattern" not in one.schema and "enum" not in one.schema for one in facts)
    return "new_key" if type_.python == "str" and is_free and (type_.length or 0) >= 32 else ""


def _defaults(attribute: str, type_: ColumnType, prop: Property, is_given: bool) -> tuple[str, str]:
    """Return what a new row and a changed one get where nobody says it."""
    if type_.python == "dt.datetime" and not prop.written:
        if _CHANGED.match(attribute):
            return "now", "now"
        if _CREATED.match(attribute) or any(one.required and not one.facts.nullable for one in prop.shown):
            return "now", ""
    declared = [one.facts.schema["default"] for one in prop.occurrences if "default" in one.facts.schema]
    if not declared or is_given:
        return "", ""
    value = declared[0]
    if type_.python == "bool" and isinstance(value, bool):
        return repr(value), ""
    if type_.python in ("int", "float") and type(value) in (int, float) and math.isfinite(value):
        return (repr(value), "") if type_.python == "float" or type(value) is int else ("", "")
    if type_.python == "str" and isinstance(value, str) and len(value) <= (type_.length or len(value)):
        return quoted(value), ""
    return "", ""


def _is_unique(prop: Property, attribute: str, entity: Entity) -> bool:
    """Tell whether no two rows may have the same: a create may be a conflict, and this is what people are found by."""
    if not any("409" in one.responses for one in entity.creates) or not any(one.is_creating for one in prop.written):
        return False
    is_text = all(one.facts.kinds == {"string"} for one in prop.occurrences)
    return is_text and (attribute in _UNIQUE or any(one.facts.form == "email" for one in prop.occurrences))


def _filters(entity: Entity) -> frozenset[str]:
    """Return the properties that lists are filtered by."""
    return frozenset(
        parameter.name.partition("__")[0]
        for path, operations in entity.collections.items()
        for operation in operations
        if operation.method == "GET" and operation.path == path
        for parameter in operation.parameters
        if parameter.location == "query"
    )


class _References:
    """Find which tables refer to which; a circle would leave no table to begin with, so none is closed."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._items = {path: table for table in tables for path, _ in table.entity.item_parameters()}

    def _is_below(self, collection: str, target: Table) -> bool:
        return self._items.get(collection.rpartition("/")[0]) is target

    def by_names(self, table: Table) -> None:
        """Let `person_id` and `personId` refer to people."""
        for column in table.columns:
            name = snake(column.prop)
            if column.primary or not name.endswith("_id") or column.prop == "":
                continue
            wanted = forms(name.removesuffix("_id"))
            found = [one for one in self._tables if not wanted.isdisjoint(forms(one.cls) | forms(one.name))]
            if len(found) == 1:
                self._refer(column, table, found[0])

    def by_paths(self, table: Table) -> None:
        """Let what lies below an item refer to it, by a column that no schema shows where none does."""
        for collection in table.entity.collections:
            parent = self._items.get(collection.rpartition("/")[0])
            if parent is None or parent is table or any(one.target is parent for one in table.columns):
                continue
            taken = {one.attribute for one in table.columns} | table.entity.properties.keys()
            attribute = free(f"{singular(snake(parent.cls)).rstrip('_')}_{parent.key.attribute}", taken)
            outside = [
                path
                for path in table.entity.collections
                if path != collection and any(one.method == "POST" and one.path == path for one in table.entity.creates)
            ]
            column = Column(attribute, "", parent.key.type, nullable=bool(outside))
            if self._refer(column, table, parent):
                table.columns.append(column)

    def sorted(self) -> list[Table]:
        """Return the tables in an order in which each refers to those before it."""
        ordered: list[Table] = []
        waiting = list(self._tables)
        while waiting:
            ready = [
                one
                for one in waiting
                if all(c.target is None or c.target is one or c.target in ordered for c in one.columns)
            ]
            ordered += ready
            waiting = [one for one in waiting if one not in ready]
        return ordered

    def _refer(self, column: Column, table: Table, target: Table) -> bool:
        if target.key.type.python != column.type.python or table in self._above(target):
            return False
        column.target, column.type = target, target.key.type
        if column.prop and column.nullable and not any(one.facts.nullable for one in table.occurrences(column)):
            said = {one.operation.place for one in table.occurrences(column) if one.is_creating and one.required}
            creates = table.entity.creates
            column.nullable = not creates or not all(
                one.place in said or self._is_below(one.path, target) for one in creates
            )
        return True

    def _above(self, table: Table) -> Iterator[Table]:
        for column in table.columns:
            if column.target is not None and column.target is not table:
                yield column.target
                yield from self._above(column.target)


def _add_relationships(table: Table, tables: Sequence[Table], reader: SchemaReader) -> None:
    """Turn properties that show rows of other tables, and that no body takes, into relationships."""
    for prop in table.entity.properties.values():
        column = table.column(prop.name)
        if prop.written or column is None or column.primary or not prop.shown:
            continue
        schema, kinds = prop.shown[0].schema, prop.shown[0].facts.kinds
        inner = reader.items(schema) if kinds == {"array"} else schema if kinds == {"object"} else None
        names = set() if inner is None else {reader.name(layer) for layer in reader.layers(inner)}
        target = next((one for one in tables if one.entity.definition and one.entity.definition in names), None)
        if target is None or target is table:
            continue
        many = kinds == {"array"}
        here, there = (target, table) if many else (table, target)
        between = [one for pair in (table, target) for one in pair.columns if one.target in (table, target)]
        if len(between) == 1 and any(one.target is there for one in here.columns):
            table.columns.remove(column)
            table.relationships.append(Relationship(column.attribute, target, many))
