"""How a path leads to rows: which of its parameters are keys of the model, and which of the items above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from demijohn.contract import Operation, Parameter
from demijohn.resources.facts import SchemaReader
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.models import Models
from demijohn.resources.shape import Slot
from demijohn.resources.tables import foreign_keys

__all__ = ["Above", "Named", "Route", "Step", "names_model", "route_of", "steps_of"]

_PARAMETER = re.compile(r"\{([^{}]+)\}")
_Pairs: TypeAlias = tuple[tuple[AnyColumn, AnyColumn], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Hold a part of a path template: its last fixed segment, and the parameters that follow it."""

    segment: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Say that a path parameter names a row by a column."""

    column: AnyColumn
    slot: Slot


@dataclass(frozen=True, slots=True)
class Above:
    """Be an item that the path lies below; see `shape.Parent`."""

    model: Model
    keys: tuple[Named, ...]
    on: _Pairs
    above: Above | None


@dataclass(frozen=True, slots=True)
class Route:
    """Be the way to the rows of a model; without `keys` it leads to all of those below `above`."""

    keys: tuple[Named, ...]
    above: Above | None


_Given: TypeAlias = "tuple[tuple[Slot, Parameter], ...]"


def steps_of(path: str) -> list[Step]:
    """Return the steps of a path template: `/people/{id}/addresses` has two, the second without a parameter."""
    steps: list[Step] = []
    segment, names = "", list[str]()
    for piece in path.strip("/").split("/"):
        found = _PARAMETER.findall(piece)
        if not found and names:
            steps.append(Step(segment, tuple(names)))
            names = []
        segment = segment if found else piece
        names += found
    return [*steps, Step(segment, tuple(names))]


def names_model(word: str, model: Model) -> bool:
    """Tell whether a word of a path or of a parameter is a model's name, in singular or plural, however written."""
    forms = _forms(word)
    return not forms.isdisjoint(_forms(model.name) | _forms(model.table.name))


def route_of(operation: Operation, model: Model, models: Models, reader: SchemaReader) -> Route | str:
    """Return how the path of an operation leads to the rows of `model`, or else why it does not."""
    slots = {one.name: (slot, one) for slot, one in enumerate(operation.parameters) if one.location == "path"}
    steps = [(one.segment, tuple(slots[name] for name in one.names)) for one in steps_of(operation.path)]
    return _Walk(models, reader).route(model, steps)


class _Walk:
    def __init__(self, models: Models, reader: SchemaReader) -> None:
        self._models = models
        self._reader = reader

    def route(self, model: Model, steps: list[tuple[str, _Given]]) -> Route | str:
        """Take the keys of `model` from the last step, and what is left for the items above."""
        *before, (segment, given) = steps
        refused = ""
        for split in range(len(given) + 1):
            if given and split == len(given):
                break
            keys = self._keys(model, given[split:]) if given else ()
            if isinstance(keys, str):
                refused = refused or keys
                continue
            rest = [*before, (segment, given[:split])] if split else before
            above = self._above(model, segment, rest)
            if isinstance(above, str):
                refused = above
                continue
            several = _several(model, keys, above, given[split:])
            if not several:
                return Route(keys, above)
            refused = refused or several
        return refused

    def _above(self, below: Model, segment: str, steps: list[tuple[str, _Given]]) -> Above | str | None:
        """Return the item above rows of `below` that the rest of the path names; None where it names none."""
        while steps and not steps[-1][1]:
            steps = steps[:-1]
        if not steps:
            return None
        (name, given), best, refused = steps[-1], [], ""
        for on, model in self._ways_up(below):
            keys = self._keys_above(model, on, given)
            if isinstance(keys, str):
                refused = refused or keys
                continue
            best.append((_likeness(name, segment, given, on, model), on, model, keys))
        if not best:
            told = ", ".join(f"`{{{one.name}}}`" for _, one in given)
            return f"{told} names no row that {below.source} refers to" + (f" ({refused})" if refused else "")
        top = max(one[0] for one in best)
        chosen = [one for one in best if one[0] == top]
        if len(chosen) > 1:
            return f"several foreign keys of {below.source} may be meant by `{{{given[0][1].name}}}`"
        _, on, model, keys = chosen[0]
        above = self._above(model, name, steps[:-1])
        if isinstance(above, str):
            return above
        return _several(model, keys, above, given) or Above(model, keys, on, above)

    def _ways_up(self, below: Model) -> Iterator[tuple[_Pairs, Model]]:
        """Yield the models that rows of `below` refer to, by foreign keys and by relations to one row."""
        seen: set[tuple[frozenset[tuple[AnyColumn, AnyColumn]], int]] = set()
        ways: list[tuple[_Pairs, tuple[Model, ...]]] = []
        for relation in below.relations.values():
            target = self._models.target(relation)
            if not relation.many and relation.secondary is None and target is not None:
                ways.append((relation.on, (target,)))
        for key in foreign_keys(below.table):
            pairs = tuple((one.parent, one.column) for one in key.elements)
            ways.append((pairs, self._models.of_table(key.referred_table)[:1]))
        for on, targets in ways:
            for model in targets:
                mark = (frozenset(on), id(model.table))
                if mark not in seen and any(column in below.columns.values() for column, _ in on):
                    seen.add(mark)
                    yield on, model

    def _keys_above(self, model: Model, on: _Pairs, given: _Given) -> tuple[Named, ...] | str:
        """Return the keys of an item above; its parameter may also be called as the column that refers to it."""
        if len(given) == 1 and _attribute(model, given[0][1].name) is None:
            slot, parameter = given[0]
            for column, referred in on:
                if parameter.name == column.name:
                    return (Named(referred, slot),)
        return self._keys(model, given)

    def _keys(self, model: Model, given: _Given) -> tuple[Named, ...] | str:
        """Return the columns that path parameters name a row of `model` by, or why they do not."""
        keys: list[Named] = []
        for slot, parameter in given:
            column = self._column(model, parameter)
            if column is None and len(given) == 1 and len(model.key) == 1 and _is_id(parameter.name, model):
                column = model.key[0]
            if column is None:
                return f"`{{{parameter.name}}}` is no column of {model.source}"
            keys.append(Named(column, slot))
        return tuple(keys)

    def _column(self, model: Model, parameter: Parameter) -> AnyColumn | None:
        wanted = self._reader.extension(parameter.schema, "x-column")
        if isinstance(wanted, str):
            return _attribute(model, wanted)
        own = _attribute(model, parameter.name)
        # `{city_number}` is the number of a city.
        words = parameter.name.split("_")
        splits = (("_".join(words[:at]), "_".join(words[at:])) for at in range(1, len(words)))
        named = (_attribute(model, rest) for prefix, rest in splits if names_model(prefix, model))
        return own if own is not None else next((one for one in named if one is not None), None)


def _several(model: Model, keys: Sequence[Named], above: Above | None, given: _Given) -> str:
    """Return why keys may name several rows, with what the item above gives; "" where they name one."""
    if not keys:
        return ""
    columns = {one.column for one in keys}
    known = columns | ({column for column, _ in above.on} if above is not None else set())
    if len(columns) == len(keys) and any(known.issuperset(one) for one in model.unique):
        return ""
    told = ", ".join(f"`{{{one.name}}}`" for _, one in given)
    return f"{told} may name several rows of {model.source}: no key or unique constraint says otherwise"


def _attribute(model: Model, name: str) -> AnyColumn | None:
    if name in model.columns:
        return model.columns[name]
    return next((column for column in model.columns.values() if column.name == name), None)


def _is_id(name: str, model: Model) -> bool:
    """Tell whether a name stands for the primary key: `id`, `person_id`, `personId`, `person`."""
    plain = re.sub(r"[\W_]", "", name).lower()
    return plain in ("id", "pk") or names_model(plain, model) or (plain[-2:] == "id" and names_model(plain[:-2], model))


def _likeness(name: str, segment: str, given: _Given, on: _Pairs, model: Model) -> tuple[bool, bool, bool]:
    """Rank one of several foreign keys: by the parameter's name, the relation's, the model's."""
    by_column = len(given) == len(on) == 1 and given[0][1].name == on[0][0].name
    relation = model.relations.get(segment)
    by_relation = relation is not None and {(other, one) for one, other in relation.on} == set(on)
    return by_column, by_relation, names_model(name, model)


def _forms(word: str) -> frozenset[str]:
    """Return a word without signs, and what may be its singular: `order-lines`, `OrderLine`; `categories`."""
    plain = re.sub(r"[\W_]", "", word).lower()
    forms = {plain}
    if plain.endswith("ies"):
        forms.add(plain[:-3] + "y")
    if plain.endswith("es"):
        forms.add(plain[:-2])
    if plain.endswith("s"):
        forms.add(plain[:-1])
    return frozenset(forms - {""})
