"""Schemas to sample values: the same one each time, as readable as the schema allows.

A sample is built from the schema and, where its rules depend on each other (`oneOf`, `not`, `pattern`, ...),
checked with the validator that requests and answers pass, too; where it fails, the next way to build one is
tried. Every search is bounded, so the result is a best effort: a caller that needs certainty checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice, product
from typing import Any

import orjson

from demijohn.compile.sample_leaves import UnsatisfiableError, number, text_for, texts
from demijohn.compile.sample_rules import Reader, Rules, all_of
from demijohn.compile.validators import Direction, Validator, Validators
from demijohn.contract import JsonSchema

__all__ = ["Samples", "sample"]

# Objects nested deeper than this get their required properties only; so do all after this many values.
_OPTIONAL_DEPTH = 3
_MOST_WITH_OPTIONAL = 300
_HIDDEN: dict[Direction, str] = {"request": "readOnly", "response": "writeOnly"}
# More steps than this, or deeper nesting, and the search ends.
_MOST_STEPS = 4000
_MOST_DEPTH = 60
_MOST_CHOICES = 24
# One of these is wrong for any property that says something about its value.
_ODD: tuple[Any, ...] = (0, "", [])


def sample(
    schema: JsonSchema,
    definitions: Mapping[str, JsonSchema],
    direction: Direction,
    *,
    examples: bool = True,
) -> Any:
    """Return one value that satisfies `schema`, as far as one is found.

    `examples` lets `examples` and `default` of the schema go first where they satisfy it. Use `Samples` for
    more than one schema of a contract.
    """
    return Samples(definitions, Validators(definitions)).sample(schema, direction, examples=examples)


class Samples:
    """Make samples for the schemas of one contract; not safe to share between threads."""

    def __init__(self, definitions: Mapping[str, JsonSchema], validators: Validators) -> None:
        self._validators = validators
        self._reader = Reader(definitions)
        self._built: dict[tuple[int, Direction], tuple[JsonSchema, Validator]] = {}
        self._referred: dict[tuple[str, Direction, bool], Any] = {}

    def sample(self, schema: JsonSchema, direction: Direction, *, examples: bool = True) -> Any:
        """Return one value that satisfies `schema`, as far as one is found; do not write to it.

        What a bare reference leads to is sampled once: most operations of a contract share their schemas.
        """
        if not isinstance(schema, dict) or set(schema) != {"$ref"}:
            return self._make(schema, direction, examples)
        key = (schema["$ref"], direction, examples)
        if key not in self._referred:
            self._referred[key] = self._make(schema, direction, examples)
        return self._referred[key]

    def _make(self, schema: JsonSchema, direction: Direction, examples: bool) -> Any:
        for optional_depth in (_OPTIONAL_DEPTH, 0):
            builder = _Builder(self, self._reader, direction, optional_depth, examples)
            with suppress(UnsatisfiableError):
                value = builder.build(schema)
                if self.is_valid(schema, direction, value):
                    return value
        return _Builder(self, self._reader, direction, 0, examples, lenient=True).build(schema)

    def first_valid(self, schema: JsonSchema, direction: Direction, values: Iterable[Any]) -> Any:
        """Return the first of `values` that satisfies `schema`, if need be without what must not travel.

        Raises `UnsatisfiableError` where none does.
        """
        for value in values:
            for one in (value, self._reader.without(_HIDDEN[direction], value, schema)):
                if self.is_valid(schema, direction, one):
                    return one
        raise UnsatisfiableError

    def is_valid(self, schema: JsonSchema, direction: Direction, value: Any) -> bool:
        """Tell whether a value satisfies `schema` in this direction."""
        known = self._built.get((id(schema), direction))
        if known is None:
            known = schema, self._validators.build(schema, direction)
            self._built[id(schema), direction] = known
        return known[1].is_valid(value)


class _Builder:
    """Build one value. With `lenient` nothing is checked, and what cannot be built becomes null."""

    def __init__(
        self,
        samples: Samples,
        reader: Reader,
        direction: Direction,
        optional_depth: int,
        examples: bool,
        *,
        lenient: bool = False,
    ) -> None:
        self._samples = samples
        self._reader = reader
        self._direction = direction
        self._optional_depth = optional_depth
        self._examples = examples
        self._lenient = lenient
        self._hiding = _HIDDEN[direction]
        self._steps = 0
        self._open: set[int] = set()

    def build(self, schema: JsonSchema, depth: int = 0, variant: int = 0) -> Any:
        """Return a value of `schema`; raise `UnsatisfiableError` where none is found.

        `depth` counts the objects around it. Each `variant` asks for another value. A schema within itself
        is not followed: where a value exists at all, one without that exists too.
        """
        self._steps += 1
        key = id(self._reader.target(schema))
        try:
            if key in self._open or self._steps > _MOST_STEPS or len(self._open) > _MOST_DEPTH:
                raise UnsatisfiableError
            rules = self._reader.rules(schema)
            self._open.add(key)
            try:
                return self._first_valid(schema, rules, depth, variant)
            finally:
                self._open.discard(key)
        except UnsatisfiableError:
            if not self._lenient:
                raise
            return None

    def _first_valid(self, schema: JsonSchema, rules: Rules, depth: int, variant: int) -> Any:
        if self._examples and rules.examples[variant:]:
            with suppress(UnsatisfiableError):
                return self._samples.first_valid(schema, self._direction, rules.examples[variant:])
        for shift in range(3 if "not" in rules.own else 1):
            for attempt in self._attempts(rules, depth, variant + shift):
                with suppress(UnsatisfiableError):
                    value = attempt()
                    if not rules.hard or self._lenient or self._samples.is_valid(schema, self._direction, value):
                        return value
        raise UnsatisfiableError

    def _attempts(self, rules: Rules, depth: int, variant: int) -> Iterator[Callable[[], Any]]:
        """Yield the ways to build a value, the best one first."""
        if "enum" in rules.own:
            options = sorted(rules.own["enum"], key=lambda option: option is None)
            for index in range(len(options)):
                option = options[(index + variant) % len(options)]
                if "type" not in rules.own or _is_of(option, rules.types):
                    yield lambda option=option: option  # type: ignore[misc]  # binds the option of this turn
        elif rules.groups:
            for branches in islice(product(*rules.groups), _MOST_CHOICES):
                with suppress(UnsatisfiableError):
                    yield from self._attempts(self._reader.merged(rules, branches), depth, variant)
            for branches in islice(product(*rules.groups), _MOST_CHOICES):
                with suppress(UnsatisfiableError):
                    yield from self._odd_ones(rules, branches, depth, variant)
        else:
            for kind in rules.types:
                yield from self._attempts_of(kind, rules, depth, variant)

    def _odd_ones(
        self, rules: Rules, branches: Sequence[JsonSchema], depth: int, variant: int
    ) -> Iterator[Callable[[], Any]]:
        """Yield objects of `branches` with a property that spoils them for the other branches.

        For a `oneOf` whose branches take each other's values: what one does not name may be wrong for another.
        """
        own = self._reader.merged(rules, branches).own
        others = [one for group in rules.groups for one in group if one not in branches]
        for other in others:
            for name in self._reader.rules(other).own.get("properties", {}):
                if name not in own.get("properties", {}):
                    for odd in _ODD:
                        yield partial(self._object_with, own, depth, variant, {name: odd})

    def _object_with(self, own: dict[str, Any], depth: int, variant: int, more: dict[str, Any]) -> dict[str, Any]:
        return self._object(own, depth, variant, full=depth < self._optional_depth) | more

    def _attempts_of(self, kind: str, rules: Rules, depth: int, variant: int) -> Iterator[Callable[[], Any]]:
        own = rules.own
        match kind:
            case "object":
                yield lambda: self._object(own, depth, variant, full=depth < self._optional_depth)
                yield lambda: self._object(own, depth, variant, full=False)
            case "array":
                yield lambda: self._array(own, depth, variant)
            case "string":
                for text in texts(own, variant):
                    yield lambda text=text: text  # type: ignore[misc]  # binds the text of this turn
            case "integer" | "number":
                yield lambda: number(own, kind == "integer", variant)
            case "boolean":
                yield lambda: variant % 2 == 0
                yield lambda: variant % 2 == 1
            case _:
                yield lambda: None

    def _object(self, own: dict[str, Any], depth: int, variant: int, *, full: bool) -> dict[str, Any]:
        properties: dict[str, JsonSchema] = own.get("properties", {})
        hidden = {name for name, schema in properties.items() if self._reader.is_flagged(schema, self._hiding)}
        required = [name for name in own.get("required", ()) if name not in hidden]
        most = own.get("maxProperties", len(properties) + len(required) + own.get("minProperties", 0) + 1)
        value: dict[str, Any] = {}

        def add(name: str, schema: JsonSchema) -> None:
            value[name] = self.build(schema, depth + 1, variant)

        for name, schema in properties.items():
            if name in required:
                add(name, schema)
            elif full and name not in hidden and len({*value, *required}) < most and self._may_add():
                with suppress(UnsatisfiableError):
                    add(name, schema)
        for name in required:
            if name not in value:
                add(name, _named(own, name))
        for name, needed in own.get("dependentRequired", {}).items():
            for other in needed if name in value else ():
                if other not in value:
                    add(other, properties.get(other, True))
        least = max(own.get("minProperties", 0), 1 if full and _is_map(own) and most else 0)
        for name in properties:
            if len(value) < least and name not in value and name not in hidden:
                with suppress(UnsatisfiableError):
                    add(name, properties[name])
        self._add_entries(own, value, least, depth, variant)
        return value

    def _may_add(self) -> bool:
        """Tell whether optional properties may still be added."""
        return self._steps < _MOST_WITH_OPTIONAL

    def _add_entries(self, own: dict[str, Any], value: dict[str, Any], least: int, depth: int, variant: int) -> None:
        """Add properties that the schema does not name, until there are `least`."""
        if len(value) >= least:
            return
        names = own.get("propertyNames", True)
        patterns: dict[str, JsonSchema] = own.get("patternProperties", {})
        for index in range(2 * least):
            with suppress(UnsatisfiableError):
                if patterns:
                    pattern = list(patterns)[index % len(patterns)]
                    name = text_for(pattern, index)
                    schema = patterns[pattern]
                else:
                    name = "key" + str(index + 1) if names is True else str(self.build(names, depth, index))
                    schema = own.get("additionalProperties", True)
                if name not in value:
                    value[name] = self.build(schema, depth + 1, variant + index)
            if len(value) >= least:
                break

    def _array(self, own: dict[str, Any], depth: int, variant: int) -> list[Any]:
        least = own.get("minItems", 0)
        most = own.get("maxItems", max(least, 1, len(own.get("prefixItems", ()))))
        value: list[Any] = []
        for schema in own.get("prefixItems", ())[:most]:
            value.append(self.build(schema, depth, variant))
        contained = own.get("minContains", 1) if "contains" in own else 0
        for index in range(contained):
            value.append(self.build(all_of(own.get("items", True), own["contains"]), depth, variant + index))
        count, unique = max(least, min(1, most)), own.get("uniqueItems") is True
        try:
            self._fill(value, own.get("items", True), count, unique, depth, variant)
        except UnsatisfiableError:
            if len(value) < least:
                raise
        return value

    def _fill(self, value: list[Any], schema: JsonSchema, count: int, unique: bool, depth: int, variant: int) -> None:
        """Append items until there are `count`, each another one if they have to be `unique`."""
        seen = {_key(item) for item in value} if unique else set()
        for index in range(4 * count):
            if len(value) >= count:
                return
            item = self.build(schema, depth, variant + (index if unique else 0))
            if not unique or _key(item) not in seen:
                seen.add(_key(item))
                value.append(item)


def _named(own: dict[str, Any], name: str) -> JsonSchema:
    """Return the schema of a required property that `properties` does not list; a pattern may speak of it."""
    for pattern, schema in own.get("patternProperties", {}).items():
        if text_for(pattern, 0, name) == name:
            return schema  # type: ignore[no-any-return]  # the mapping holds schemas
    return own.get("additionalProperties", True)  # type: ignore[no-any-return]  # a schema


def _is_map(own: dict[str, Any]) -> bool:
    """Tell whether a schema describes entries under any name and no others."""
    entries = isinstance(own.get("additionalProperties"), dict) or "patternProperties" in own
    return entries and not own.get("properties")


def _is_of(value: Any, kinds: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, int):
        return "integer" in kinds or "number" in kinds
    names = {float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null") in kinds


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
