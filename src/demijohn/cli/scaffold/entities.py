"""What of a contract may be rows: its collections and items, with the properties that they have.

A first look that is generous: whether operations really are statements on the models that come out of it is decided by
what decides it when an application starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from demijohn.cli.scaffold.names import class_name, singular
from demijohn.contract import Contract, JsonSchema, Operation, Parameter
from demijohn.resources.facts import Facts, SchemaReader
from demijohn.resources.outlines import json_content
from demijohn.resources.paths import steps_of

__all__ = ["Entity", "Occurrence", "Property", "answered", "find_entities", "sent"]

_ITEM = re.compile(r"(/[^/]*\{[^{}]*\}[^/]*)+$")
_MAKING = frozenset(("POST", "PUT"))


@dataclass(frozen=True, slots=True, eq=False)
class Occurrence:
    """Be a property in one schema: `operation` shows it, or takes it where it is `written`."""

    schema: JsonSchema
    facts: Facts
    required: bool
    written: bool
    operation: Operation

    @property
    def is_creating(self) -> bool:
        """Tell whether it is in the body of what makes a row."""
        return self.written and self.operation.method in _MAKING


@dataclass(slots=True, eq=False)
class Property:
    """Be a property of an entity, wherever it occurs."""

    name: str
    occurrences: list[Occurrence] = field(default_factory=list)

    @property
    def shown(self) -> list[Occurrence]:
        """Return where it is in answers."""
        return [one for one in self.occurrences if not one.written]

    @property
    def written(self) -> list[Occurrence]:
        """Return where it is in bodies."""
        return [one for one in self.occurrences if one.written]


@dataclass(slots=True, eq=False)
class Entity:
    """Be what may be one table.

    `definition` is the name of its schema in the contract, "" for one that has none. `collections` are the paths of
    its lists, each with the operations on it, and those on its items.
    """

    name: str
    definition: str
    collections: dict[str, list[Operation]] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)

    @property
    def operations(self) -> Iterator[Operation]:
        """Yield all operations."""
        for operations in self.collections.values():
            yield from operations

    def item_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the path of each item, and the parameter at its end; keys of several parts are left out."""
        for collection, operations in self.collections.items():
            for operation in operations:
                names = steps_of(operation.path)[-1].names
                if operation.path != collection and len(names) == 1:
                    found = [one for one in operation.parameters if one.location == "path" and one.name == names[0]]
                    yield from ((operation.path, one) for one in found)

    @property
    def creates(self) -> list[Operation]:
        """Return the operations that make rows, by their bodies."""
        return [
            one for path, found in self.collections.items() for one in found if (one.method, one.path) == ("POST", path)
        ]


def find_entities(contract: Contract, reader: SchemaReader, operations: Iterable[Operation]) -> list[Entity]:
    """Return what may be tables, in the order of the contract."""
    by_collection: dict[str, list[Operation]] = {}
    for operation in operations:
        by_collection.setdefault(_ITEM.sub("", operation.path), []).append(operation)
    found: dict[str, Entity] = {}
    for collection, own in by_collection.items():
        segment = steps_of(collection)[-1].segment
        schema = _item_schema(collection, own, reader) if segment else None
        if schema is None:
            continue
        definition = _definition(schema, reader)
        name = class_name(_wanted(schema, reader) or definition or singular(segment))
        entity = found.setdefault(name, Entity(name, definition))
        entity.collections[collection] = own
    for entity in found.values():
        _collect(entity, reader)
    return [one for one in found.values() if one.properties]


def item_of(schema: JsonSchema | None, reader: SchemaReader, *, is_item: bool) -> tuple[JsonSchema | None, bool]:
    """Return the schema of a row in an answer, and whether the answer is a list of them."""
    if schema is None:
        return None, False
    kinds = reader.facts(schema).kinds
    if kinds == {"array"}:
        return reader.items(schema), True
    if kinds != {"object"}:
        return None, False
    arrays = [one for one in reader.properties(schema).values() if reader.facts(one).kinds == {"array"}]
    rows = [inner for one in arrays if (inner := reader.items(one)) and reader.facts(inner).kinds == {"object"}]
    if len(rows) == 1 and not is_item and reader.facts(rows[0]).kinds == {"object"}:
        return rows[0], True
    return schema, False


def _item_schema(collection: str, operations: list[Operation], reader: SchemaReader) -> JsonSchema | None:
    """Return the schema of an item of a collection, None where the path is none."""
    shown: list[tuple[int, JsonSchema]] = []
    is_collection = False
    for operation in operations:
        is_item = operation.path != collection
        schema, is_list = item_of(answered(operation), reader, is_item=is_item or operation.method != "GET")
        is_collection = is_collection or is_list or (is_item and operation.method in ("GET", "PUT", "PATCH", "DELETE"))
        if schema is not None and is_item == (not is_list):
            order = ("GET", "PUT", "PATCH", "POST").index(operation.method) if operation.method in _KNOWN else 9
            shown.append((order * 2 + is_list, schema))
        elif schema is not None and operation.method == "POST" and not is_list:
            shown.append((7, schema))
        body = sent(operation)
        if body is not None and not shown and operation.method in _KNOWN:
            shown.append((20, (reader.items(body) or {}) if reader.facts(body).kinds == {"array"} else body))
    rows = [(order, one) for order, one in shown if reader.facts(one).kinds == {"object"} and reader.properties(one)]
    return min(rows, key=lambda one: one[0])[1] if rows and is_collection else None


_KNOWN = frozenset(("GET", "PUT", "PATCH", "POST"))


def _collect(entity: Entity, reader: SchemaReader) -> None:
    """Gather the properties of an entity from every schema that is about it."""
    for operation in entity.operations:
        is_item = _ITEM.search(operation.path) is not None
        schema, is_list = item_of(answered(operation), reader, is_item=is_item or operation.method != "GET")
        if schema is not None and operation.method in _KNOWN and (is_item or is_list or operation.method == "POST"):
            _add(entity, schema, operation, reader, written=False)
        body = sent(operation)
        if body is not None and operation.method in _KNOWN:
            inner = reader.items(body) if reader.facts(body).kinds == {"array"} else body
            _add(entity, inner or {}, operation, reader, written=True)


def _add(entity: Entity, schema: JsonSchema, operation: Operation, reader: SchemaReader, *, written: bool) -> None:
    if reader.facts(schema).kinds != {"object"}:
        return
    required = reader.required(schema)
    for name, one in reader.properties(schema).items():
        facts = reader.facts(one)
        if facts.read_only if written else facts.write_only:
            continue
        if _is_secret(name, facts):
            continue
        known = entity.properties.setdefault(name, Property(name))
        known.occurrences.append(Occurrence(one, facts, name in required, written, operation))


def _is_secret(name: str, facts: Facts) -> bool:
    """Tell whether a property is what nobody should find in a table as it was sent."""
    return facts.form == "password" or re.search(r"passw|passphrase|secret", name, re.IGNORECASE) is not None


def answered(operation: Operation) -> JsonSchema | None:
    """Return the schema of the JSON that an operation answers with when it succeeds."""
    successes = [one for status, one in sorted(operation.responses.items()) if status[:1] == "2" or status == "default"]
    content = json_content(successes[0]) if successes else None
    return None if content is None else content.schema


def sent(operation: Operation) -> JsonSchema | None:
    """Return the schema of the JSON that an operation takes."""
    contents = () if operation.body is None else operation.body.contents
    content = json_content(operation.body) or (contents[0] if contents else None)
    return None if content is None else content.schema


def _definition(schema: JsonSchema, reader: SchemaReader) -> str:
    return next((name for layer in reader.layers(schema) if (name := reader.name(layer)) is not None), "")


def _wanted(schema: JsonSchema, reader: SchemaReader) -> str:
    """Return the model that the contract itself names by `x-resource`."""
    wanted = reader.extension(schema, "x-resource")
    return wanted.rpartition(".")[2] if isinstance(wanted, str) else ""
