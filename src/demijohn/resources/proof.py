"""Compare contract and model: what could make an answer, or what a request may hold, untrue stops the start.

A statement's answer is never validated while it is served. What makes that safe stands here: for each operation on a
model, what its schemas promise is held against what the columns can hold and what bodies let into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Column, DateTime, Enum, String
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import coalesce
from sqlalchemy.sql.visitors import iterate

from demijohn.contract import Contract, JsonSchema, MediaType, Place
from demijohn.resources.binding import Report
from demijohn.resources.facts import SchemaReader
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.outlines import json_content
from demijohn.resources.places import Places
from demijohn.resources.shape import Shape
from demijohn.resources.view import Embedded, Field, View

__all__ = ["prove"]

# What a schema can say of an object that no row promises.
_UNPROVEN = ("not", "if", "dependentRequired", "dependentSchemas", "propertyNames")
_FORMS = {"datetime": "date-time", "date": "date", "time": "time", "uuid": "uuid"}
# Names whose columns the server itself fills, where the contract makes them `readOnly` and the model says nothing.
_STAMPS = frozenset(("created_at", "updated_at"))
# Keywords that no column knows, with what tells that one value is as strict as another.
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "minLength": lambda written, shown: written >= shown,
    "minimum": lambda written, shown: written >= shown,
    "exclusiveMinimum": lambda written, shown: written >= shown,
    "maximum": lambda written, shown: written <= shown,
    "exclusiveMaximum": lambda written, shown: written <= shown,
    "pattern": lambda written, shown: written == shown,
    "format": lambda written, shown: written == shown,
    "multipleOf": lambda written, shown: written % shown == 0,
}


_Keeps: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Tells whether what a body's schema says keeps a promise."""


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """Be a property of a body: what an operation lets into a column."""

    shape: Shape
    field: Field
    place: Place


def prove(
    contract: Contract,
    shapes: Iterable[Shape],
    report: Report,
    warn: Report,
    is_filled: Callable[[Model], bool] = lambda model: False,
) -> None:
    """Compare every shape of a contract with its model.

    `report` takes what could make the API lie, `warn` what is merely loose. A finding names the line of the contract
    and the attribute of the model: `directory.models.Person.email`. `is_filled` tells of a model that functions of the
    application stand before its creates: what the body does not hold is theirs to give.
    """
    _Proof(contract, list(shapes), report, warn, is_filled).run()


class _Proof:
    def __init__(
        self,
        contract: Contract,
        shapes: list[Shape],
        report: Report,
        warn: Report,
        is_filled: Callable[[Model], bool],
    ) -> None:
        self._shapes = shapes
        self._report = report
        self._warn = warn
        self._is_filled = is_filled
        self._reader = SchemaReader(contract.definitions)
        self._places = Places(contract)
        self._written: dict[AnyColumn, list[_Written]] = {}
        self._stamped: set[AnyColumn] = set()

    def run(self) -> None:
        """Look at the bodies first: answers are held against what they let in."""
        for shape in self._shapes:
            if shape.body is not None:
                for field, place in self._fields(shape.body, _body_place(shape)):
                    if field.column is not None:
                        self._written.setdefault(field.column, []).append(_Written(shape, field, place))
            for field, _ in self._fields(shape.view, shape.operation.place) if shape.view is not None else ():
                if field.column is not None and field.read_only and field.column.name in _STAMPS:
                    self._stamped.add(field.column)
        for shape in self._shapes:
            self._prove_key(shape)
            if shape.body is not None:
                self._prove_body(shape, shape.body)
            if shape.view is not None:
                self._prove_answer(shape, shape.view)

    def _prove_key(self, shape: Shape) -> None:
        if not shape.model.key:
            said = f"{shape.model.source} has no primary key, so its rows have neither an order nor an address"
            self._report(shape.operation.place, said, "give it one")

    # What is written

    def _prove_body(self, shape: Shape, view: View) -> None:
        place = _body_place(shape)
        fields: dict[AnyColumn, Field] = {}
        for field, at in self._fields(view, place):
            if field.column is None:
                continue
            fields[field.column] = field
            self._prove_size(field, field.column, at)
            self._prove_choice(field, field.column, at)
            if field.required and shape.owner is not None and field.column is shape.owner.column:
                said = f"`{field.name}` is required, and a body cannot say it: the owner is who is calling"
                self._report(at, said, "make it `readOnly: true`, or optional")
            if field.nullable and not field.column.nullable:
                said = f"`{field.name}` may be null, and {field.source} may not"
                self._report(at, said, "make the two agree")
            self._prove_form(field, at)
            if field.codec.kind == "integer" and "number" in self._reader.facts(field.schema).kinds:
                said = f"`{field.name}` may have a fraction, and {field.source} holds integers"
                self._report(at, said, "write `type: integer`")
        if shape.act == "create" or shape.created_status is not None:
            self._prove_complete(shape, fields, place)
        elif shape.act == "replace":
            given = {column for column, _ in shape.parent.on} if shape.parent is not None else set()
            given |= _given_by_caller(shape)
            for column, field in fields.items():
                if column not in given and not (field.required or column.nullable or _has_default(column)):
                    said = f"`{field.name}` is optional, and {field.source} must be there and has no default"
                    self._report(self._places.property(view.schema, place, field.name), said, "require it")

    def _prove_complete(self, shape: Shape, fields: Mapping[AnyColumn, Field], place: Place) -> None:
        """Report columns of a new row that nothing fills."""
        model = shape.model
        if shape.act == "create" and self._is_filled(model):
            return
        filled = {key.column for key in shape.keys}
        filled |= {column for column, _ in shape.parent.on} if shape.parent is not None else set()
        filled |= _given_by_caller(shape)
        if model.criterion is not None:
            filled |= {column for column in model.table.columns if _mentions(model.criterion, column)}
        for column in model.table.columns:
            if column in filled or column.nullable or _has_default(column) or self._is_stamped(column):
                continue
            field = fields.get(column)
            source = field.source if field is not None else _source(model, column)
            if field is None:
                said = f"{source} must be there and has no default, and the body of a {shape.act} does not hold it"
                self._report(place, said, f"add `{column.name}` to the body, or give the column a default")
            elif not field.required:
                at = self._places.property(shape.body.schema, place, field.name) if shape.body else place
                said = f"`{field.name}` is optional, and {source} must be there and has no default"
                self._report(at, said, "require it, or give the column a default")

    def _is_stamped(self, column: AnyColumn) -> bool:
        return column in self._stamped and isinstance(column.type, DateTime)

    def _prove_size(self, field: Field, column: AnyColumn, place: Place) -> None:
        length = _length(column)
        if length is None or field.codec.kind != "text":
            return
        facts = self._reader.facts(field.schema)
        most = _longest(facts.schema)
        if most is None:
            said = f"`{field.name}` has no `maxLength`, and {field.source} takes {length} characters"
            self._warn(place, f"{said}; a longer text is refused", f"write `maxLength: {length}`")
        elif most > length:
            said = f"`{field.name}` may have {most} characters, and {field.source} takes {length}"
            self._report(place, said, f"write `maxLength: {length}`, or make the column longer")

    def _prove_choice(self, field: Field, column: AnyColumn, place: Place) -> None:
        if _choices(column) is not None and "enum" not in self._reader.facts(field.schema).schema:
            self._warn(place, f"`{field.name}` takes any text, and {field.source} is an enum", "write an `enum`")

    def _prove_form(self, field: Field, place: Place) -> None:
        form = _FORMS.get(field.codec.kind)
        if form is None:
            return
        facts = self._reader.facts(field.schema)
        if facts.form is None and facts.kinds == {"string"} and "enum" not in facts.schema:
            self._warn(place, f"`{field.name}` is any text, and {field.source} a {form}", f"write `format: {form}`")

    # What is answered

    def _prove_answer(self, shape: Shape, view: View) -> None:
        content = json_content(shape.operation.responses.get(str(shape.status)))
        content = content or next((c for one in shape.operation.responses.values() if (c := json_content(one))), None)
        place = _schema_place(content) if content is not None else shape.operation.place
        if shape.act == "list" and content is not None and content.schema is not None:
            array, at = content.schema, place
            if shape.envelope is not None:
                name = shape.envelope.items
                array, at = self._reader.properties(content.schema)[name], self._places.property(array, place, name)
            self._prove_array(array, "the list", at)
            place = Place(at.file, f"{at.pointer}/items")
        self._prove_object(view, place)
        for field, at in self._fields(view, place):
            self._prove_shown(field, at)
        for member, schema, at in self._embedded(view, place):
            self._prove_relation(member, schema, at)

    def _prove_array(self, schema: JsonSchema, what: str, place: Place) -> None:
        if self._reader.facts(schema).schema.get("minItems", 0) > 0:
            self._report(place, f"{what} has `minItems`, and there may be no rows", "leave `minItems` out")

    def _prove_object(self, view: View, place: Place) -> None:
        """Report what the schema of an object says that no row can promise."""
        for layer in self._reader.layers(view.schema):
            for keyword in ("oneOf", "anyOf"):
                branches = [one for one in layer.get(keyword, ()) if one != {"type": "null"}]
                if len(branches) > 1:
                    said = f"the answer is one of several (`{keyword}`), and {view.model.source} is always the same"
                    self._report(place, said, "describe one object, or write a function")
            for keyword in _UNPROVEN:
                if keyword in layer:
                    said = f"`{keyword}` is nothing that {view.model.source} can promise"
                    self._report(place, said, "leave it out, or write a function")

    def _prove_shown(self, field: Field, place: Place) -> None:
        facts = self._reader.facts(field.schema)
        column = field.column
        if field.required and not field.nullable:
            if column is not None and column.nullable:
                said = f"`{field.name}` is required and never null, and {field.source} may be NULL"
                self._report(place, said, "let it be null, make it optional, or make the column NOT NULL")
            elif column is None and _may_be_null(field.expression):
                said = (
                    f"`{field.name}` is required and never null, and {field.source} is computed from what may be NULL"
                )
                self._warn(place, said, "let it be null, or use `coalesce`")
        self._prove_form(field, place)
        if column is None:
            return
        self._prove_promise(field, column, facts.schema, place)
        for keyword in _BOUNDS:
            if keyword in facts.schema and not (keyword == "format" and field.codec.kind != "text"):
                self._prove_bound(field, column, keyword, facts.schema[keyword], place)

    def _prove_promise(self, field: Field, column: AnyColumn, schema: Mapping[str, Any], place: Place) -> None:
        """Hold the `maxLength` and `enum` of an answer against the column, and against what bodies let into it."""
        most, length = schema.get("maxLength"), _length(column)
        if most is not None and field.codec.kind == "text" and (length is None or length > most):
            promise = f"has at most {most} characters"
            self._prove_writers(field, column, promise, lambda said: _fits(said, length, most), place)
        offered = schema.get("enum")
        if offered is None:
            return
        known = _choices(column)
        if known is not None:
            missing = min(([one for one in some if one not in offered] for some in known), key=len)
            if missing:
                said = f"{field.source} may be `{missing[0]}`, which `{field.name}` does not list"
                self._report(place, said, "list every value of the column")
        elif field.codec.kind != "boolean":
            promise = "is one of " + ", ".join(f"`{one}`" for one in offered)
            self._prove_writers(field, column, promise, lambda said: _offers(said, offered), place)

    def _prove_writers(self, field: Field, column: AnyColumn, promise: str, keeps: _Keeps, place: Place) -> None:
        """Report every body that lets more into a column than an answer promises of it."""
        written = self._written.get(column, [])
        for one in written:
            if not keeps(self._reader.facts(one.field.schema).schema):
                operation = one.shape.operation
                said = (
                    f"`{field.name}` {promise}, and {operation.method} {operation.path} lets more into {field.source}"
                )
                self._report(place, said, "give both the same limit")
        if not written:
            self._warn(place, f"`{field.name}` {promise}, and nothing keeps {field.source} to it", "limit the column")

    def _prove_bound(self, field: Field, column: AnyColumn, keyword: str, shown: Any, place: Place) -> None:
        """Warn of a bound that the answer promises and a body does not keep."""
        if _is_given_by_server(column):
            return
        for one in self._written.get(column, []):
            said = self._reader.facts(one.field.schema).schema
            if keyword in said and _BOUNDS[keyword](said[keyword], shown):
                continue
            if "enum" in said:
                continue
            operation = one.shape.operation
            found = (
                f"`{field.name}` has `{keyword}: {shown}`, and {operation.method} {operation.path} does not keep to it"
            )
            self._warn(place, f"{found} for {field.source}", "give both the same")

    def _prove_relation(self, member: Embedded, schema: JsonSchema, place: Place) -> None:
        relation = member.relation
        self._prove_object(member.view, _inside(member, place))
        if relation.many:
            self._prove_array(schema, f"`{member.name}`", place)
            return
        target = {other for _, other in (relation.secondary_on or relation.on)}
        if relation.secondary is not None or not any(target.issuperset(one) for one in member.view.model.unique):
            said = f"`{member.name}` holds one row, and the relation may lead to several of {relation.target.name}"
            self._report(place, said, "make the columns that it leads to unique")
        if member.required and not member.nullable and member.owner is not None:
            what = f"a {relation.target.name} of somebody else is not shown"
            said = f"`{member.name}` is required and never null, and {what}"
            self._report(place, said, "let it be null, make it optional, or show the rows of all: `x-owner: false`")
        elif member.required and not member.nullable and not _is_always_there(member):
            said = f"`{member.name}` is required and never null, and there may be no such {relation.target.name}"
            self._report(place, said, "let it be null, or make it optional")

    # Walking

    def _fields(self, view: View, place: Place) -> Iterator[tuple[Field, Place]]:
        """Yield every field of a view, and of those embedded in it, with its place."""
        for member in view.members:
            at = self._places.property(view.schema, place, member.name)
            if isinstance(member, Field):
                yield member, at
            else:
                yield from self._fields(member.view, _inside(member, at))

    def _embedded(self, view: View, place: Place) -> Iterator[tuple[Embedded, JsonSchema, Place]]:
        for member in view.members:
            if isinstance(member, Embedded):
                at = self._places.property(view.schema, place, member.name)
                yield member, self._reader.properties(view.schema)[member.name], at
                yield from self._embedded(member.view, _inside(member, at))


def _inside(member: Embedded, place: Place) -> Place:
    return Place(place.file, f"{place.pointer}/items") if member.relation.many else place


def _body_place(shape: Shape) -> Place:
    content = json_content(shape.operation.body)
    return _schema_place(content) if content is not None else shape.operation.place


def _schema_place(content: MediaType) -> Place:
    return Place(content.place.file, f"{content.place.pointer}/schema")


def _source(model: Model, column: AnyColumn) -> str:
    """Return how messages call a column, one that the mapped class leaves out among them."""
    known = any(one is column for one in model.columns.values())
    return f"{model.source}.{model.attribute(column) if known else column.name}"


def _given_by_caller(shape: Shape) -> set[AnyColumn]:
    return set() if shape.giving is None else {shape.giving.column}


def _has_default(column: AnyColumn) -> bool:
    """Tell whether a new row has a value without being given one."""
    known = (column.default, column.server_default, column.computed, column.identity)
    return any(one is not None for one in known) or column is column.table.autoincrement_column


def _is_given_by_server(column: AnyColumn) -> bool:
    return column is column.table.autoincrement_column


def _length(column: AnyColumn) -> int | None:
    """Return how many characters a column takes, None where it does not say."""
    return column.type.length if isinstance(column.type, String) and not isinstance(column.type, Enum) else None


def _longest(schema: Mapping[str, Any]) -> int | None:
    """Return the length of the longest text that a schema allows, None without a limit."""
    choice = [len(one) for one in schema.get("enum", ()) if isinstance(one, str)]
    limits = [one for one in (schema.get("maxLength"), max(choice, default=None)) if one is not None]
    return min(limits, default=None)


def _fits(written: Mapping[str, Any], length: int | None, most: int) -> bool:
    longest = _longest(written)
    return (longest if longest is not None else length if length is not None else most + 1) <= most


def _offers(written: Mapping[str, Any], offered: list[Any]) -> bool:
    return "enum" in written and all(one in offered for one in written["enum"])


def _choices(column: AnyColumn) -> tuple[list[Any], list[Any]] | None:
    """Return the names and the values of an enum, None where a column is none."""
    if not isinstance(column.type, Enum):
        return None
    cls = column.type.enum_class
    values = [one.value for one in cls] if cls is not None else column.type.enums
    return list(column.type.enums), list(values)


def _may_be_null(expression: ColumnElement[Any]) -> bool:
    parts = list(iterate(expression))
    nullable = any(isinstance(one, Column) and one.nullable for one in parts)
    return nullable and not any(isinstance(one, coalesce) for one in parts)


def _mentions(expression: ColumnElement[Any], column: AnyColumn) -> bool:
    return any(one is column for one in iterate(expression))


def _is_always_there(member: Embedded) -> bool:
    """Tell whether a row always has its one related row: a foreign key that is never NULL sees to it."""
    return member.view.model.criterion is None and all(
        not local.nullable and any(key.column is remote for key in local.foreign_keys)
        for local, remote in member.relation.on
    )
