"""What a schema says about the values that satisfy it, found once, at start-up.

Text carries no type: `?a=1` may be a number or a string. Which one is meant stands in the schema, directly,
behind references, or spread over `allOf`, `oneOf` and `anyOf`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from demijohn.contract import JsonSchema

__all__ = ["ABSENT", "ALL", "Absent", "Parts", "Schemas"]


class Absent(enum.Enum):
    """Stand for a value that was not sent and has no default."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

ALL: Final = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
_NUMBERS = frozenset(("integer", "number"))
_STRING = frozenset(("string",))
_NONE: frozenset[str] = frozenset()

_T = TypeVar("_T")
_Judgement: TypeAlias = tuple[frozenset[str], frozenset[str]]
"""The types that are possible, and those that the keywords hint at."""

_HINTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBERS),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType"), _STRING),
    **dict.fromkeys(("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"), frozenset(("array",))),
    **dict.fromkeys(
        (
            "properties",
            "patternProperties",
            "additionalProperties",
            "required",
            "minProperties",
            "maxProperties",
            "propertyNames",
        ),
        frozenset(("object",)),
    ),
}
_FORMAT_HINTS = {
    "int32": frozenset(("integer",)),
    "int64": frozenset(("integer",)),
    "float": _NUMBERS,
    "double": _NUMBERS,
}


@dataclass(frozen=True, slots=True)
class Parts:
    """Hold the schemas of what lies inside an object or an array.

    `others` is the schema of properties that `properties` does not name: False where there must be none,
    None where nothing is said about them, which allows them.
    """

    properties: Mapping[str, JsonSchema] = field(default_factory=dict)
    others: JsonSchema | None = None
    prefix: tuple[JsonSchema, ...] = ()
    items: JsonSchema | None = None


class Schemas:
    """Answer what a schema allows; `definitions` are those of the `Contract`.

    A schema that is reached through itself without a value in between says nothing, so cycles end there.
    """

    def __init__(self, definitions: Mapping[str, JsonSchema]) -> None:
        self._definitions = definitions
        self._judged: dict[str, _Judgement] = {}
        self._parts: dict[str, Parts] = {}
        self._open: set[str] = set()
        self._cut: set[str] = set()

    def kinds(self, schema: JsonSchema) -> frozenset[str]:
        """Return the JSON types that `schema` can accept; a schema that says nothing means text."""
        certain, hinted = self._judge(schema)
        return (hinted if certain == ALL else certain) or _STRING

    def narrowed(self, schema: JsonSchema) -> JsonSchema:
        """Return `schema` with the types that its keywords hint at, where it names none itself.

        JSON Schema lets any string pass `{minimum: 1}`. In a parameter that would refuse nothing at all.
        """
        certain, hinted = self._judge(schema)
        if certain != ALL or not hinted:
            return schema
        return {"allOf": [schema], "type": sorted(hinted)}

    def parts(self, schema: JsonSchema) -> Parts:
        """Return the schemas of the properties and items of `schema`, those of its combinations among them."""
        if isinstance(schema, bool):
            return Parts(others=None if schema else False)
        together = [_own_parts(schema), *map(self.parts, schema.get("allOf", ()))]
        if "$ref" in schema:
            together.append(self._parts_of_definition(schema["$ref"]))
        either = [self.parts(one) for one in _alternatives(schema)]
        either += map(self._parts_of_definition, (schema.get("discriminator") or {}).get("mapping", {}).values())
        names = dict.fromkeys(name for one in (*together, *either) for name in one.properties)
        return Parts(
            {name: _one(_property(together, name), _property(either, name)) for name in names},
            _others(together, either),
            next((one.prefix for one in (*together, *either) if one.prefix), ()),
            _join(
                [one.items for one in together if one.items is not None],
                [one.items for one in either if one.items is not None],
            ),
        )

    def default(self, schema: JsonSchema) -> Any:
        """Return the default that `schema`, its reference or a member of its `allOf` gives, or `ABSENT`."""
        return next((one["default"] for one in self.layers(schema) if "default" in one), ABSENT)

    def is_file(self, schema: JsonSchema) -> bool:
        """Tell whether a form sends such a value as a file: binary text, or text of another media type."""
        return any(
            one.get("format") == "binary" or "contentMediaType" in one or "contentEncoding" in one
            for one in self.layers(schema, alternatives=True)
        )

    def layers(self, schema: JsonSchema, *, alternatives: bool = False) -> Iterator[dict[str, Any]]:
        """Yield `schema` and every schema that holds for the same value: references and members of `allOf`."""
        seen: set[str] = set()
        waiting: list[JsonSchema] = [schema]
        while waiting:
            one = waiting.pop()
            if isinstance(one, bool):
                continue
            yield one
            more = list(one.get("allOf", ()))
            if alternatives:
                more += _alternatives(one)
            name = _name(one["$ref"]) if "$ref" in one else None
            if name is not None and name not in seen:
                seen.add(name)
                more.insert(0, self._definitions.get(name, True))
            waiting += reversed(more)

    def _parts_of_definition(self, reference: str) -> Parts:
        return self._visit(reference, self._parts, Parts(), self.parts)

    def _visit(self, reference: str, known: dict[str, _T], nothing: _T, look: Callable[[JsonSchema], _T]) -> _T:
        """Look at a definition, once unless it lies on a cycle; inside itself it says `nothing`."""
        name = _name(reference)
        if name in known:
            return known[name]
        if name in self._open:
            self._cut.add(name)
            return nothing
        self._open.add(name)
        found = look(self._definitions.get(name, True))
        self._open.remove(name)
        self._cut.discard(name)
        # What was cut short inside another definition is not all that there is to say.
        if not self._cut:
            known[name] = found
        return found

    def _judge(self, schema: JsonSchema) -> _Judgement:
        if isinstance(schema, bool):
            return (ALL if schema else _NONE), _NONE
        certain, hinted = _judge_alone(schema)
        members = [self._judge(one) for one in schema.get("allOf", ())]
        if "$ref" in schema:
            members.append(self._judge_definition(schema["$ref"]))
        for keyword in ("oneOf", "anyOf"):
            if schema.get(keyword):
                branches = [self._judge(one) for one in schema[keyword]]
                kinds = [hints if kinds == ALL and hints else kinds for kinds, hints in branches]
                members.append((_NONE.union(*kinds), _NONE))
        for member_certain, member_hinted in members:
            certain &= member_certain
            hinted |= member_hinted
        return certain, hinted

    def _judge_definition(self, reference: str) -> _Judgement:
        return self._visit(reference, self._judged, (ALL, _NONE), self._judge)


def _judge_alone(schema: dict[str, Any]) -> _Judgement:
    certain = ALL
    if "type" in schema:
        named = schema["type"]
        certain = frozenset((named,) if isinstance(named, str) else named)
        if "number" in certain:
            certain |= _NUMBERS
    if "enum" in schema:
        certain &= _NONE.union(*map(_kinds_of_value, schema["enum"]))
    if "const" in schema:
        certain &= _kinds_of_value(schema["const"])
    hinted = _NONE.union(*(kinds for keyword, kinds in _HINTS.items() if keyword in schema))
    return certain, hinted | _FORMAT_HINTS.get(str(schema.get("format")), _NONE)


def _kinds_of_value(value: Any) -> frozenset[str]:
    if value is None:
        return frozenset(("null",))
    if isinstance(value, bool):
        return frozenset(("boolean",))
    if isinstance(value, (int, float)):
        return _NUMBERS
    if isinstance(value, str):
        return _STRING
    return frozenset(("array",) if isinstance(value, list) else ("object",))


def _own_parts(schema: dict[str, Any]) -> Parts:
    others = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
    patterns = list(schema.get("patternProperties", {}).values())
    if patterns:
        others = _join([], [*patterns, *([others] if others else [])])
    return Parts(schema.get("properties", {}), others, tuple(schema.get("prefixItems", ())), schema.get("items"))


def _alternatives(schema: dict[str, Any]) -> list[JsonSchema]:
    found = [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("dependentSchemas", {}).values()]
    return found + [schema[key] for key in ("then", "else") if key in schema]


def _property(parts: Iterable[Parts], name: str) -> list[JsonSchema]:
    return [one.properties[name] for one in parts if name in one.properties]


def _others(together: list[Parts], either: list[Parts]) -> JsonSchema | None:
    if any(one.others is False for one in together) or (either and all(one.others is False for one in either)):
        return False
    return _join(
        [one.others for one in together if one.others is not None],
        [one.others for one in either if one.others is not None and one.others is not False],
    )


def _join(together: list[JsonSchema], either: list[JsonSchema]) -> JsonSchema | None:
    """Return one schema for what all of `together` and one of `either` say; None where nothing is said."""
    return _one(together, either) if together or either else None


def _one(together: list[JsonSchema], either: list[JsonSchema]) -> JsonSchema:
    every = list(together)
    if either:
        every.append(either[0] if len(either) == 1 else {"anyOf": either})
    return every[0] if len(every) == 1 else {"allOf": every}


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/")
