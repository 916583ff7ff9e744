"""What a schema says of one value, brought together: references followed, members of `allOf` joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from demijohn.compile.kinds import ALL, Schemas
from demijohn.contract import JsonSchema

__all__ = ["Facts", "SchemaReader"]

_NULL = frozenset(("null",))
_TELLING = frozenset(
    ("type", "enum", "const", "format", "minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType")
)
_STRICTER: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("maxLength", "maximum", "exclusiveMaximum", "maxItems"), min),
    **dict.fromkeys(("minLength", "minimum", "exclusiveMinimum", "minItems"), max),
    "enum": lambda one, other: [value for value in one if value in other],
}
_COMBINING = frozenset(("$ref", "allOf"))


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what a schema says: `schema` has its keywords in one place, `kinds` its JSON types but for null."""

    schema: dict[str, Any]
    kinds: frozenset[str]
    nullable: bool

    @property
    def form(self) -> str | None:
        """Return the `format`."""
        form = self.schema.get("format")
        return form if isinstance(form, str) else None

    @property
    def read_only(self) -> bool:
        """Tell whether requests must not hold the value."""
        return self.schema.get("readOnly") is True

    @property
    def write_only(self) -> bool:
        """Tell whether answers must not hold the value."""
        return self.schema.get("writeOnly") is True


class SchemaReader:
    """Answer what the schemas of one contract say."""

    def __init__(self, definitions: Mapping[str, JsonSchema]) -> None:
        self._schemas = Schemas(definitions)
        self._names = {id(one): name for name, one in definitions.items() if isinstance(one, dict)}

    def facts(self, schema: JsonSchema) -> Facts:
        """Return what holds for every value of `schema`."""
        together: dict[str, Any] = {}
        for layer in self.layers(schema):
            for key, value in layer.items():
                if key == "const":
                    key, value = "enum", [value]
                if key in _COMBINING:
                    continue
                if key in together and key in _STRICTER:
                    value = _STRICTER[key](together[key], value)
                elif key in together and not (key in ("readOnly", "writeOnly") and value is True):
                    continue
                together[key] = value
            choice = _choice(layer)
            if choice is not None:
                together["enum"] = _STRICTER["enum"](choice, together.get("enum", choice))
        kinds = self._schemas.kinds(schema)
        if kinds == {"string"} and _TELLING.isdisjoint(together) and not self._has_alternatives(together):
            kinds = ALL
        return Facts(together, kinds - _NULL, "null" in kinds)

    def layers(self, schema: JsonSchema) -> Iterator[dict[str, Any]]:
        """Yield every schema that holds for a value of `schema` that is not null, the outermost first."""
        seen: set[int] = set()
        waiting: list[JsonSchema] = [schema]
        while waiting:
            for layer in self._schemas.layers(waiting.pop(0)):
                if id(layer) not in seen:
                    seen.add(id(layer))
                    yield layer
                    waiting += _only_branch(layer)

    def name(self, schema: JsonSchema) -> str | None:
        """Return the name of the definition that a schema is itself, None where it is none."""
        return self._names.get(id(schema))

    def identity(self, schema: JsonSchema) -> str | int:
        """Return what tells a schema from all others: the name of the nearest definition where there is one."""
        names = (name for layer in self.layers(schema) if (name := self.name(layer)) is not None)
        return next(names, id(schema))

    def properties(self, schema: JsonSchema) -> Mapping[str, JsonSchema]:
        """Return the properties of an object."""
        return self._schemas.parts(schema).properties

    def required(self, schema: JsonSchema) -> frozenset[str]:
        """Return the names of the properties that an object has to have."""
        return frozenset(name for layer in self.layers(schema) for name in layer.get("required", ()))

    def items(self, schema: JsonSchema) -> JsonSchema | None:
        """Return the schema of the items of an array, None where it is no array or describes none."""
        return self._schemas.parts(schema).items if self.facts(schema).kinds == {"array"} else None

    def extension(self, schema: JsonSchema, key: str) -> Any:
        """Return an `x-` key of a schema, None without one."""
        return next((layer[key] for layer in self.layers(schema) if key in layer), None)

    @staticmethod
    def _has_alternatives(schema: Mapping[str, Any]) -> bool:
        return "oneOf" in schema or "anyOf" in schema


def _branches(schema: Mapping[str, Any]) -> Iterator[list[JsonSchema]]:
    """Yield the branches of `oneOf` and `anyOf` that are not just null."""
    for keyword in ("oneOf", "anyOf"):
        if schema.get(keyword):
            yield [one for one in schema[keyword] if not (isinstance(one, dict) and one.get("type") == "null")]


def _only_branch(schema: Mapping[str, Any]) -> list[JsonSchema]:
    return [branches[0] for branches in _branches(schema) if len(branches) == 1]


def _choice(schema: Mapping[str, Any]) -> list[Any] | None:
    """Return the values of `oneOf: [{const: a, title: ...}, ...]`, an enum with texts."""
    for branches in _branches(schema):
        named = [one for one in branches if isinstance(one, dict) and ("const" in one or "enum" in one)]
        if len(named) == len(branches) > 0:
            return [value for one in named for value in ([one["const"]] if "const" in one else one["enum"])]
    return None
