"""What the word RESOURCE on the command line means: a model, with how its items are shown and made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from demijohn.contract import Contract, JsonSchema
from demijohn.errors import StartError
from demijohn.resources.model import Model
from demijohn.resources.shape import Act, Shape
from demijohn.resources.view import Embedded, Field, View

__all__ = ["Subject", "SubjectError", "find_subject"]


class SubjectError(StartError):
    """Refuse a word that names no resource."""

    heading = "There is no such resource"


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Be the rows of one model as the contract sees them.

    `shown` is how an item is shown, `made` what a create takes. `owners` are the columns that say below which item
    a row lies, which the API takes from the path. `creating` is a create that takes everything from its body.
    """

    model: Model
    creating: Shape
    shown: View | None
    made: View | None
    owners: tuple[Field, ...]
    contract: Contract

    @property
    def stored(self) -> dict[str, Field]:
        """Return the properties that stand in a column, by name: those of an item first."""
        found: dict[str, Field] = {}
        for view in (self.shown, self.made):
            if view is not None:
                found |= {
                    name: one for name, one in view.fields.items() if one.column is not None and name not in found
                }
        columns = [one.column for one in found.values()]
        return found | {one.name: one for one in self.owners if one.column not in columns and one.name not in found}

    @property
    def derived(self) -> frozenset[str]:
        """Return the properties of an item that stand in no column of its own: computed ones, and related items."""
        members = self.shown.members if self.shown is not None else ()
        return frozenset(one.name for one in members if isinstance(one, Embedded) or one.column is None)


_SHOWING: tuple[Act, ...] = ("read", "list", "create", "replace", "patch")
_MAKING: tuple[Act, ...] = ("create", "replace")


def find_subject(word: str, models: Sequence[Model], shapes: Sequence[Shape], contracts: Sequence[Contract]) -> Subject:
    """Return what a word means: the name of a model, or of a schema of the contract. Raises `SubjectError`."""
    by_name: dict[str, Model] = {}
    for shape in shapes:
        for view in (shape.view, shape.body):
            if view is not None:
                by_name |= dict.fromkeys(_names(view, _contract(shape, contracts).definitions), view.model)
    by_name |= {model.name: model for model in models}
    name = word if word in by_name else next((one for one in by_name if one.lower() == word.lower()), None)
    if name is None:
        close = get_close_matches(word, by_name, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(sorted(by_name)) or 'none'}"
        raise SubjectError([f"`{word}` is no model and no schema of one: {hint}"])
    model = by_name[name]
    # Models are made anew whenever they are asked for: what stays is their names.
    own = [shape for shape in shapes if shape.model.name == model.name]
    if not own:
        raise SubjectError([f"`{name}` has no operation in the contract, which would say what its rows look like"])
    contract = _contract(own[0], contracts)
    definitions = contract.definitions
    return Subject(
        own[0].model,
        replace(own[0], act="create", keys=(), parent=None),
        _first(name, [(one, one.view) for one in own], _SHOWING, definitions),
        _first(name, [(one, one.body) for one in own], _MAKING, definitions),
        tuple(_owners(own)),
        contract,
    )


def _contract(shape: Shape, contracts: Sequence[Contract]) -> Contract:
    return next(one for one in contracts if any(shape.operation is operation for operation in one.operations))


def _names(view: View, definitions: Mapping[str, JsonSchema]) -> Iterator[str]:
    """Yield the names by which the contract knows the schema of a view."""
    schema = view.schema
    if isinstance(schema, dict) and "$ref" in schema:
        yield schema["$ref"].removeprefix("#/$defs/")
    yield from (name for name, one in definitions.items() if one is schema)


def _first(
    word: str, views: list[tuple[Shape, View | None]], acts: Sequence[Act], definitions: Mapping[str, JsonSchema]
) -> View | None:
    """Return the view of the first act that has one; one with the wanted name, or below no other item, goes first."""
    ranked = [
        (word not in _names(view, definitions), acts.index(shape.act), shape.bulk, shape.parent is not None, number)
        for number, (shape, view) in enumerate(views)
        if view is not None and shape.act in acts
    ]
    return views[min(ranked)[-1]][1] if ranked else None


def _owners(shapes: list[Shape]) -> Iterator[Field]:
    """Yield, for the columns that are equal to a key in the path, how their values travel."""
    for shape in shapes:
        if shape.parent is None:
            continue
        for column, above in shape.parent.on:
            for key in shape.parent.keys:
                if key.column is above:
                    yield Field(
                        name=shape.model.attribute(column),
                        schema=key.field.schema,
                        expression=column,
                        column=column,
                        codec=key.field.codec,
                        required=not column.nullable,
                        nullable=bool(column.nullable),
                        read_only=False,
                        write_only=False,
                        source=key.field.source,
                    )
