"""Schemas to merged rules: what a sample value has to satisfy, as one flat mapping and a few choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from demijohn.compile.sample_leaves import UnsatisfiableError
from demijohn.contract import JsonSchema

__all__ = ["Reader", "Rules", "all_of"]

# Rules whose interplay the builder does not foresee: what it builds is checked.
_HARD = {
    "contains", "dependentRequired", "format", "maxProperties", "minProperties", "not", "pattern", "patterns",
    "patternProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "uniqueItems",
}  # fmt: skip
_LONGEST_CHAIN = 20
_HINTS = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "propertyNames",
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "string": ("pattern", "patterns", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


@dataclass(slots=True)
class Rules:
    """Hold the rules of one schema with its references and `allOf` members merged into one mapping.

    Each of `groups` is a choice: the value has to satisfy one of its schemas.
    """

    own: dict[str, Any]
    groups: list[list[JsonSchema]] = field(default_factory=list)
    examples: list[Any] = field(default_factory=list)

    @property
    def hard(self) -> bool:
        """Tell whether a value that was built has to be checked."""
        return bool(self.groups) or not _HARD.isdisjoint(self.own)

    @property
    def types(self) -> list[str]:
        """Return the types that the value may have, the best one first."""
        kinds = self.own.get("type")
        if kinds is None:
            fitting = [kind for kind, hints in _HINTS.items() if not self.own.keys().isdisjoint(hints)]
            return fitting or ["string", "object", "array", "integer", "boolean", "null"]
        return sorted([kinds] if isinstance(kinds, str) else kinds, key="null".__eq__)


class Reader:
    """Read schemas as merged rules, each once."""

    def __init__(self, definitions: Mapping[str, JsonSchema]) -> None:
        self._definitions = definitions
        self._known: dict[int, tuple[JsonSchema, Rules]] = {}

    def rules(self, schema: JsonSchema) -> Rules:
        """Return the rules of a schema; raise `UnsatisfiableError` where they contradict each other."""
        known = self._known.get(id(schema))
        if known is None:
            known = self._known[id(schema)] = schema, self._merge(schema, frozenset())
        return known[1]

    def target(self, schema: JsonSchema) -> JsonSchema:
        """Return the schema that a reference, or a chain of them, leads to; another one is its own target."""
        seen = 0
        while isinstance(schema, dict) and "$ref" in schema and seen < _LONGEST_CHAIN:
            schema = self._definitions.get(schema["$ref"].removeprefix("#/$defs/"), True)
            seen += 1
        return schema

    def merged(self, rules: Rules, branches: Sequence[JsonSchema]) -> Rules:
        """Return the rules of a value that satisfies one branch of each group."""
        base = Rules(rules.own)
        return reduce(_both, [self.rules(branch) for branch in branches], base)

    def is_flagged(self, schema: JsonSchema, flag: str) -> bool:
        """Tell whether a property is `readOnly` or `writeOnly`."""
        try:
            return self.rules(schema).own.get(flag) is True
        except UnsatisfiableError:
            return False

    def without(self, flag: str, value: Any, schema: JsonSchema) -> Any:
        """Return an example without the properties that have the flag."""
        try:
            own = self.rules(schema).own
        except UnsatisfiableError:
            return value
        if isinstance(value, list):
            return [self.without(flag, item, own.get("items", True)) for item in value]
        if isinstance(value, dict):
            known = own.get("properties", {})
            return {
                name: self.without(flag, item, known.get(name, True))
                for name, item in value.items()
                if not self.is_flagged(known.get(name, True), flag)
            }
        return value

    def _merge(self, schema: JsonSchema, open_references: frozenset[str], member: bool = False) -> Rules:
        """Merge a schema with what it refers to.

        Where a `member` of an `allOf` is the parent of others, it means the parent alone.
        """
        if isinstance(schema, bool):
            if not schema:
                raise UnsatisfiableError
            return Rules({})
        rules = self._plain(schema)
        reference = schema.get("$ref")
        if reference is not None and reference not in open_references:
            target = self._definitions.get(reference.removeprefix("#/$defs/"), True)
            if isinstance(target, dict) and _is_parent(target) and not member:
                rules.groups.append(_heirs(target["discriminator"], reference))
            rules = _both(rules, self._merge(target, open_references | {reference}))
        for one in schema.get("allOf", ()):
            rules = _both(rules, self._merge(one, open_references, member=True))
        return rules

    def _plain(self, schema: dict[str, Any]) -> Rules:
        """Return the rules of a schema without its references and `allOf` members."""
        groups = []
        discriminator = schema.get("discriminator")
        for key in ("oneOf", "anyOf"):
            if key in schema:
                groups.append(_branches(schema[key], discriminator))
        if "if" in schema:
            then = {"allOf": [schema["if"], schema.get("then", True)]}
            groups.append([then, schema.get("else", True)])
        for name, dependent in schema.get("dependentSchemas", {}).items():
            groups.append([dependent, {"properties": {name: False}}])
        if "not" in schema:
            groups.append(_opposites(schema["not"]))
        own = {key: value for key, value in schema.items() if key not in _HANDLED and not key.startswith("x-")}
        if "const" in own:
            own["enum"] = [own.pop("const")]
        examples = [*_listed(schema.get("examples")), *([schema["default"]] if "default" in schema else [])]
        return Rules(own, groups, examples)


# What `_plain` turns into groups and examples, and what says nothing about the value.
_HANDLED = {
    "$ref", "allOf", "anyOf", "default", "dependentSchemas", "deprecated", "description", "discriminator",
    "else", "examples", "externalDocs", "if", "oneOf", "then", "title", "xml",
}  # fmt: skip


def _listed(examples: Any) -> list[Any]:
    return examples if isinstance(examples, list) else []


def _is_parent(schema: dict[str, Any]) -> bool:
    return "discriminator" in schema and "oneOf" not in schema and "anyOf" not in schema


def _heirs(discriminator: dict[str, Any], parent: str) -> list[JsonSchema]:
    """Return the choices of inheritance by `allOf`: each child, or the parent itself, by its own name."""
    heirs: list[JsonSchema] = []
    own: list[JsonSchema] = []
    for value, reference in discriminator.get("mapping", {}).items():
        pin = _pinned(discriminator["propertyName"], value)
        if reference == parent:
            own.append(pin)
        else:
            heirs.append({"allOf": [{"$ref": reference}, pin]})
    return [*heirs, *own, True]


def _branches(branches: list[JsonSchema], discriminator: dict[str, Any] | None) -> list[JsonSchema]:
    """Return the branches of a choice, each with every value of the discriminator that leads to it."""
    if not discriminator:
        return branches
    name, mapping = discriminator["propertyName"], discriminator.get("mapping", {})
    chosen: list[JsonSchema] = []
    for branch in branches:
        reference = branch.get("$ref") if isinstance(branch, dict) else None
        values = [value for value, target in mapping.items() if target == reference]
        chosen += [{"allOf": [branch, _pinned(name, value)]} for value in values] or [branch]
    return chosen


def _pinned(name: str, value: Any) -> dict[str, Any]:
    return {"properties": {name: {"const": value}}, "required": [name]}


def _opposites(excluded: JsonSchema) -> list[JsonSchema]:
    """Return schemas that are worth a try where `excluded` must not hold; what they give is checked."""
    if isinstance(excluded, bool):
        return [not excluded]
    missing: list[JsonSchema] = [{"properties": {name: False}} for name in excluded.get("required", ())]
    kinds = excluded.get("type", ())
    others = [kind for kind in _TYPES if kind not in ([kinds] if isinstance(kinds, str) else kinds)]
    return [True, *missing, *({"type": kind} for kind in (others if kinds else ()))]


_TYPES = ("string", "integer", "boolean", "object", "array", "number", "null")


def _both(one: Rules, other: Rules) -> Rules:
    """Return the rules of a value that satisfies both; raise `UnsatisfiableError` where there can be none."""
    own = {**one.own, **other.own}
    for key in one.own.keys() & other.own.keys():
        own[key] = _MERGE.get(key, _first)(one.own[key], other.own[key])
    if "properties" in own:
        names = {**one.own.get("properties", {}), **other.own.get("properties", {})}
        own["properties"] = {name: all_of(_property(one.own, name), _property(other.own, name)) for name in names}
    if "pattern" in one.own and "pattern" in other.own and one.own["pattern"] != other.own["pattern"]:
        own["patterns"] = [one.own["pattern"], other.own["pattern"]]
    if own.get("enum", True) == [] or own.get("type", True) == []:
        raise UnsatisfiableError
    return Rules(own, [*one.groups, *other.groups], [*one.examples, *other.examples])


def _property(own: dict[str, Any], name: str) -> JsonSchema:
    """Return what a schema says of a property that may not be its own."""
    other: JsonSchema = True if "patternProperties" in own else own.get("additionalProperties", True)
    schema: JsonSchema = own.get("properties", {}).get(name, other)
    return schema


def all_of(one: JsonSchema, other: JsonSchema) -> JsonSchema:
    if one is other or other is True:
        return one
    if one is True:
        return other
    return {"allOf": [one, other]}


def _first(one: Any, _: Any) -> Any:
    return one


def _common_types(one: str | list[str], other: str | list[str]) -> list[str]:
    left, right = ([kinds] if isinstance(kinds, str) else kinds for kinds in (one, other))
    common = [kind for kind in left if kind in right]
    if "integer" not in common and {"integer", "number"} <= {*left, *right} and "number" not in common:
        common.append("integer")
    return common


def _union(one: list[Any], other: list[Any]) -> list[Any]:
    return list(dict.fromkeys([*one, *other]))


_LOWER = "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains", "multipleOf"
_UPPER = "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"
_MERGE: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(_LOWER, max),
    **dict.fromkeys(_UPPER, min),
    **dict.fromkeys(("additionalProperties", "items", "contains", "propertyNames"), all_of),
    **dict.fromkeys(("readOnly", "writeOnly", "uniqueItems"), lambda one, other: one or other),
    "enum": lambda one, other: [value for value in one if value in other],
    "patternProperties": lambda one, other: {
        name: all_of(one.get(name, True), other.get(name, True)) for name in {**one, **other}
    },
    "prefixItems": lambda one, other: [
        all_of(one[index] if index < len(one) else True, other[index] if index < len(other) else True)
        for index in range(max(len(one), len(other)))
    ],
    "dependentRequired": lambda one, other: {
        name: _union(one.get(name, []), other.get(name, [])) for name in {**one, **other}
    },
    "required": _union,
    "type": _common_types,
}
