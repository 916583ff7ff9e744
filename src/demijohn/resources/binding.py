"""Lay schemas on models: which definition is which model, which property is which column or relation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any, TypeAlias

from sqlalchemy import JSON, Boolean, Date, DateTime, Float, Integer, String, Table, Time, Uuid, type_coerce
from sqlalchemy.types import NullType, TypeEngine

from demijohn.compile.validators import Validators
from demijohn.contract import Contract, JsonSchema, Place
from demijohn.resources.codecs import Codec, UnfitError
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.facts import Facts, SchemaReader
from demijohn.resources.model import AnyColumn, Expression, Model, Relation
from demijohn.resources.models import Models
from demijohn.resources.owner import Owner
from demijohn.resources.places import Places
from demijohn.resources.spelling import Spelling, spelled
from demijohn.resources.view import Embedded, Field, View

__all__ = ["Binder", "Inclusion", "Report", "hint_for"]

_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "string": String,
    "integer": Integer,
    "number": Float,
    "boolean": Boolean,
    "array": JSON,
    "object": JSON,
}
_ORDER = ("string", "number", "integer", "boolean", "array", "object")
_FORMATS: dict[str, type[TypeEngine[Any]]] = {"date-time": DateTime, "date": Date, "time": Time, "uuid": Uuid}

Report: TypeAlias = Callable[[Place, str, str], None]
"""Takes a finding: where it is, what was found, what is allowed or to be done."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Say which optional relations a client may ask for: those of `paths`; None for all, one level deep."""

    paths: frozenset[str] | None = None

    def offers(self, path: str) -> bool:
        """Tell whether `path`, or something below it, may be asked for."""
        if self.paths is None:
            return "." not in path
        return any(one == path or one.startswith(f"{path}.") for one in self.paths)


@dataclass(frozen=True, slots=True)
class _Target:
    """Hold what a property's name leads to on a model: a column or a computed expression."""

    attribute: str
    expression: Expression
    column: AnyColumn | None


@dataclass(frozen=True, slots=True)
class _Laying:
    """Hold where the laying of one schema has come to.

    `path` is that of the relations, `identities` are the schemas around, `chain` those of them that are there
    whatever is asked for: since the last relation that is optional.
    """

    place: Place
    writing: bool
    include: Inclusion | None
    path: str = ""
    identities: frozenset[str | int] = frozenset()
    chain: frozenset[str | int] = frozenset()


class Binder:
    """Bind the schemas of one contract to models.

    `bound` gives, for the name of a definition, its model: that of its `x-resource`, else the one with its name.
    `owners` says of tables whose rows belong to callers how they do; `ownership.py` finds out.
    `spellings` says of columns in which spelling their texts are stored and looked for.
    `report` and `warn` take what is wrong; a part that is wrong is left out of a view, so that all is told at once.
    """

    def __init__(
        self,
        contract: Contract,
        models: Models,
        dialect: Dialect,
        report: Report,
        warn: Report,
        spellings: Mapping[AnyColumn, Spelling],
    ) -> None:
        self.models = models
        self.reader = SchemaReader(contract.definitions)
        self.places = Places(contract)
        self.bound: dict[str, Model] = {}
        self.owners: dict[Table, Owner] = {}
        self._dialect = dialect
        self._definitions = contract.definitions
        self._spellings = spellings
        self._report = report
        self._warn = warn
        self._fallback = Place(contract.sources[0].name)
        for name, schema in contract.definitions.items():
            model = self._model_named_by(name, schema)
            if model is not None:
                self.bound[name] = model

    def telling(self, report: Report) -> Binder:
        """Return a binder that tells somebody else what is wrong."""
        other = copy(self)
        other._report = report
        return other

    def model_of(self, schema: JsonSchema) -> Model | None:
        """Return the model of a schema: that of its own `x-resource`, or of the nearest bound definition in it."""
        for layer in self.reader.layers(schema):
            if "x-resource" in layer:
                found = self.models.named(str(layer["x-resource"]))
                if found is not None:
                    return found
            name = self.reader.name(layer)
            if name is not None and name in self.bound:
                return self.bound[name]
        return None

    def answer(self, schema: JsonSchema, model: Model, place: Place, include: Inclusion | None = None) -> View:
        """Lay the schema of an answer, which stands at `place`, on a model.

        `include` is what the operation offers to include, None where it has no such parameter: then optional
        relations are always there, unless they would lead round in a circle.
        """
        return self._view(schema, model, _Laying(place, False, include))

    def body(self, schema: JsonSchema, model: Model, place: Place) -> View:
        """Lay the schema of a request body, which stands at `place`, on a model."""
        return self._view(schema, model, _Laying(place, True, None))

    def value(
        self, name: str, schema: JsonSchema, model: Model, attribute: str, place: Place, *, stored: bool = False
    ) -> Field | None:
        """Return how a parameter's value goes with an attribute of a model; None, and a finding, if it does not.

        `stored` tells of a value that is not looked for, but written.
        """
        target = _target(model, attribute)
        assert target is not None
        return self._field(name, schema, model, target, required=False, place=place, stored=stored)

    def flag(self, name: str, schema: JsonSchema, model: Model, attribute: str, place: Place) -> Field | None:
        """Return how a parameter that asks yes or no about an attribute of a model travels."""
        target = _target(model, attribute)
        assert target is not None
        return self._field(name, schema, model, target, required=False, place=place, stored=False, type_=Boolean())

    def attribute(self, name: str, schema: JsonSchema, model: Model) -> str | None:
        """Return the attribute that a property or parameter means: its `x-column`, its name; None if there is none."""
        wanted = self.reader.extension(schema, "x-column")
        target = _target(model, wanted if isinstance(wanted, str) else name)
        return target.attribute if target is not None else None

    def key(self, column: AnyColumn) -> Codec:
        """Return how the key of a caller travels to a column. Raises `UnfitError`."""
        return self._dialect.codec(column.type, {}, frozenset(("integer", "string")), None)

    def _model_named_by(self, name: str, schema: JsonSchema) -> Model | None:
        wanted = schema.get("x-resource") if isinstance(schema, dict) else None
        if wanted is None:
            return self.models.named(name)
        found = self.models.named(wanted) if isinstance(wanted, str) else None
        if found is None:
            place = self.places.definition(name) or self._fallback
            said = f"`x-resource: {wanted}` of the schema `{name}` names no model"
            self._report(_below(place, "x-resource"), said, self.models.hint(str(wanted)))
        return found

    def _view(self, schema: JsonSchema, model: Model, laying: _Laying) -> View:
        required = self.reader.required(schema)
        identity = self.reader.identity(schema)
        laying = replace(laying, identities=laying.identities | {identity}, chain=laying.chain | {identity})
        members: list[Field | Embedded] = []
        for name, one in self.reader.properties(schema).items():
            facts = self.reader.facts(one)
            if facts.read_only if laying.writing else facts.write_only:
                continue
            at = replace(laying, place=self.places.property(schema, laying.place, name))
            member = self._member(name, one, facts, model, name in required, at)
            if member is not None:
                members.append(member)
        return View(model, schema, tuple(members))

    def _member(
        self, name: str, schema: JsonSchema, facts: Facts, model: Model, required: bool, laying: _Laying
    ) -> Field | Embedded | None:
        wanted = self.reader.extension(schema, "x-column")
        sought = wanted if isinstance(wanted, str) else name
        if sought in model.relations:
            relation = model.relations[sought]
            if laying.writing:
                said = f"`{name}` leads to {relation.target.name}, and a body writes to one table only"
                self._report(laying.place, said, "make it `readOnly: true`, or describe a body without it")
                return None
            return self._embedded(name, schema, facts, relation, required, laying)
        target = _target(model, sought)
        if target is None:
            self._unknown(name, sought, facts, schema, model, required, laying)
            return None
        if laying.writing and not _is_writable(target):
            said = f"`{name}` is {model.source}.{target.attribute}, which is computed and cannot be written"
            self._report(laying.place, said, "make it `readOnly: true`")
            return None
        return self._field(name, schema, model, target, required=required, place=laying.place, stored=True)

    def _field(
        self,
        name: str,
        schema: JsonSchema,
        model: Model,
        target: _Target,
        *,
        required: bool,
        place: Place,
        stored: bool,
        type_: TypeEngine[Any] | None = None,
    ) -> Field | None:
        facts = self.reader.facts(schema)
        source = f"{model.source}.{target.attribute}"
        if not facts.kinds:
            self._report(place, f"`{name}` allows no value that {source} could have", "correct its `type`")
            return None
        expression = _typed(target, facts)
        try:
            codec = self._dialect.codec(
                type_ if type_ is not None else expression.type, facts.schema, facts.kinds, facts.form
            )
        except UnfitError as error:
            self._report(place, f"`{name}` does not go with {source}: {error}", "make the two agree")
            return None
        spelling = None if target.column is None or type_ is not None else self._spellings.get(target.column)
        if spelling is not None:
            codec = spelled(codec, spelling, self._validators.build(schema, "response") if stored else None)
        return Field(
            name=name,
            schema=schema,
            expression=expression,
            column=target.column,
            codec=codec,
            required=required,
            nullable=facts.nullable,
            read_only=facts.read_only,
            write_only=facts.write_only,
            source=source,
        )

    @cached_property
    def _validators(self) -> Validators:
        return Validators(self._definitions)

    def _embedded(
        self, name: str, schema: JsonSchema, facts: Facts, relation: Relation, required: bool, laying: _Laying
    ) -> Embedded | None:
        kind = "array" if relation.many else "object"
        if facts.kinds != {kind}:
            said = f"`{name}` leads to {'many rows' if relation.many else 'one row'} of {relation.target.name}"
            self._report(laying.place, said, f"make it `type: {kind}`, or name a column by `x-column`")
            return None
        inner = (self.reader.items(schema) if relation.many else schema) or {}
        model = self.model_of(inner) or self.models.target(relation)
        if model is None or not self.models.leads_to(relation, model):
            said = f"`{name}` leads to {relation.target.name}, " + (
                "whose model was not handed over" if model is None else f"and its schema is of {model.source}"
            )
            self._report(laying.place, said, "hand over the model, or correct the schema")
            return None
        path = f"{laying.path}.{name}" if laying.path else name
        identity = self.reader.identity(inner)
        if required and identity in laying.chain:
            said = f"`{name}` is required and leads back to the schema that it is in, so no answer would ever end"
            self._report(laying.place, said, "make it optional")
            return None
        if not required and not (laying.include.offers(path) if laying.include else identity not in laying.identities):
            return None
        chain: frozenset[str | int] = laying.chain if required else frozenset()
        return Embedded(
            name=name,
            relation=relation,
            view=self._view(inner, model, replace(laying, path=path, chain=chain)),
            path=path,
            on_request=not required and laying.include is not None,
            required=required,
            nullable=facts.nullable,
            owner=self.owners.get(relation.target),
        )

    def _unknown(
        self,
        name: str,
        sought: str,
        facts: Facts,
        schema: JsonSchema,
        model: Model,
        required: bool,
        laying: _Laying,
    ) -> None:
        reason = self.models.unusable.get(f"{model.source}.{sought}")
        if reason is not None:
            said = f"`{name}` is the relation {model.source}.{sought}, which cannot be followed: {reason}"
            allowed = "leave it out"
        elif facts.kinds <= {"array", "object"} and self.model_of(self.reader.items(schema) or schema) is not None:
            said = f"`{name}` is no relation of {model.source}"
            allowed = hint_for(sought, model.relations)
        else:
            said = f"`{sought}` is no column of {model.source}"
            said = said if sought == name else f"`x-column: {sought}` of `{name}`: {said}"
            allowed = hint_for(sought, _attributes(model), by_column=True)
        if required or laying.writing or sought != name:
            self._report(laying.place, said, allowed)
        else:
            self._warn(laying.place, f"{said}, so no answer ever has it", allowed)


def hint_for(name: str, known: Iterable[str], *, by_column: bool = False) -> str:
    """Return what may have been meant by a name: `createdAt` by `created_at`.

    `by_column` tells that `x-column` may say so: names of columns are never guessed.
    """
    names = list(known)
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    if by_column and snake != name and snake in names:
        return f"did you mean `x-column: {snake}`?"
    close = get_close_matches(name, names, 1) or get_close_matches(snake, names, 1)
    if close:
        return f"did you mean `{close[0]}`?" + (" (`x-column` names another column)" if by_column else "")
    return "add the column to the model, name another by `x-column`, or leave it out" if by_column else "leave it out"


def _target(model: Model, name: str) -> _Target | None:
    """Return what a name means on a model: an attribute, or else a column of the table."""
    if name in model.columns:
        return _Target(name, model.columns[name], model.columns[name])
    if name in model.computed:
        return _Target(name, model.computed[name], None)
    for attribute, column in model.columns.items():
        if column.name == name:
            return _Target(attribute, column, column)
    return None


def _typed(target: _Target, facts: Facts) -> Expression:
    """Return an expression with a type: what SQLAlchemy does not know of a function, the schema has to say."""
    if target.column is not None or not isinstance(target.expression.type, NullType):
        return target.expression
    guess = _FORMATS.get(facts.form or "") or _TYPES.get(min(facts.kinds, key=_ORDER.index), NullType)
    return type_coerce(target.expression, guess())


def _attributes(model: Model) -> list[str]:
    return [*model.columns, *model.computed, *(column.name for column in model.columns.values())]


def _is_writable(target: _Target) -> bool:
    column = target.column
    return column is not None and column.computed is None and not (column.identity and column.identity.always)


def _below(place: Place, key: str) -> Place:
    return Place(place.file, f"{place.pointer}/{key}")
