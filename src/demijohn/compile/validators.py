"""Schemas of the contract to validators of jsonschema-rs, built once.

The normal form says what a value is. Here it becomes what is enforced, which depends on the direction:
a request must not carry `readOnly` properties, an answer must not carry `writeOnly` ones.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from threading import Lock
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import jsonschema_rs
import orjson

from demijohn.compile.faults import Fault, faults_of
from demijohn.contract import JsonSchema
from demijohn.contract.keywords import LISTS, MAPS, PATTERNS, SINGLES

__all__ = ["Direction", "Validator", "Validators"]

Direction: TypeAlias = Literal["request", "response"]

INT64 = (-(2**63), 2**63 - 1)
_INTEGER_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": INT64, "uint32": (0, 2**32 - 1), "uint64": (0, INT64[1])}
_FLOAT_MAX = 3.4028234663852886e38

MOST_VALUES = 2_000

READ_ONLY = "urn:demijohn:read-only"
WRITE_ONLY = "urn:demijohn:write-only"
_HIDDEN = {"request": ("readOnly", READ_ONLY), "response": ("writeOnly", WRITE_ONLY)}


@dataclass(frozen=True, slots=True)
class Validator:
    """Check values against one schema: `is_valid` is fast, `faults` says what is wrong and where."""

    is_valid: Callable[[Any], bool]
    _errors: Callable[[Any], Iterator[jsonschema_rs.ValidationError]]
    _refuse_first: Callable[[Any], None]

    def faults(self, value: Any) -> list[Fault]:
        """Return every fault of `value`; an empty list means that it is valid.

        Of a value with more than `MOST_VALUES` values in it only the first fault is told: the engine finds all
        of them before it tells one, at 50 us and 2 kB each, and a body may hold millions.
        """
        if not _is_large(value):
            return faults_of(self._errors(value))
        try:
            self._refuse_first(value)
        except jsonschema_rs.ValidationError as error:
            return faults_of([error])
        return []


def _is_large(value: Any) -> bool:
    waiting, count = [value], 0
    while waiting and count <= MOST_VALUES:
        one = waiting.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(inner)
        waiting.extend(islice(inner, MOST_VALUES))
    return count > MOST_VALUES


_NO_FORMATS: Mapping[str, Callable[[str], bool]] = MappingProxyType({})


class Validators:
    """Build the validators of one contract; equal schemas share one.

    With `takes_read_only` a request may hold `readOnly` properties; whoever takes it leaves them out. `formats` are
    checked beside those of JSON Schema.

    `definitions` are those of the `Contract`. Those in which the direction makes no difference are there once.
    Building all 547 of the Kubernetes contract takes 0.1 s.
    """

    def __init__(
        self,
        definitions: Mapping[str, JsonSchema],
        *,
        takes_read_only: bool = False,
        formats: Mapping[str, Callable[[str], bool]] = _NO_FORMATS,
    ) -> None:
        self._definitions = definitions
        self._formats = {**_FORMATS, **{name: _told(check) for name, check in formats.items()}}
        self._built: dict[bytes, Validator] = {}
        self._building = Lock()
        self._directed = _directed(definitions)
        self._integers: dict[str, JsonSchema] = {}
        resources: dict[str, JsonSchema] = {READ_ONLY: takes_read_only, WRITE_ONLY: False}
        for room in (_EITHER, "request", "response"):
            resources[f"urn:demijohn:{room}"] = {"$defs": dict(self._enforced_definitions(room))}
        resources |= self._integers
        self._registered = frozenset(resources)
        self._registry = jsonschema_rs.Registry(list(resources.items()))

    def build(self, schema: JsonSchema, direction: Direction) -> Validator:
        """Return the validator of a schema in normal form."""
        with self._building:
            return self._build(schema, direction)

    def later(self, schema: JsonSchema, direction: Direction) -> Callable[[], Validator]:
        """Return what gives the validator of a schema, built when it is first asked for.

        For answers: most servers never give most of the answers that their contract declares, and each realistic
        schema takes 0.1 MB.
        """
        return cache(partial(self.build, schema, direction))

    def _build(self, schema: JsonSchema, direction: Direction) -> Validator:
        self._integers = {}
        enforced = self._enforce(schema, direction)
        key = _key(enforced)
        if key in self._built:
            return self._built[key]
        new = {uri: one for uri, one in self._integers.items() if uri not in self._registered}
        if new and isinstance(enforced, dict):
            enforced = enforced | {"$defs": enforced.get("$defs", {}) | new}
        engine = jsonschema_rs.Draft202012Validator(
            enforced,
            registry=self._registry,
            validate_formats=True,
            formats=self._formats,
            pattern_options=PATTERNS,
            offline=True,
        )
        self._built[key] = validator = Validator(engine.is_valid, engine.iter_errors, engine.validate)
        return validator

    def _enforced_definitions(self, room: str) -> Iterator[tuple[str, JsonSchema]]:
        """Yield the definitions of one room: those of a direction, or those that it makes no difference to."""
        direction: Direction = "response" if room == "response" else "request"
        for name, schema in self._definitions.items():
            if (name in self._directed) == (room == _EITHER):
                continue
            if _is_parent(schema):
                yield name + _PLAIN, self._enforce(_without(schema, "discriminator"), direction)
                yield name, self._by_child(name, schema, direction)
            else:
                yield name, self._enforce(schema, direction)

    def _enforce(self, schema: JsonSchema, direction: Direction, hidden: frozenset[str] = frozenset()) -> JsonSchema:
        """Translate a schema. `hidden` names properties that an enclosing `allOf` keeps out of this direction."""
        if isinstance(schema, bool):
            return schema
        hidden = hidden | self._hidden(schema, direction)
        out: dict[str, Any] = {}
        for key, value in schema.items():
            if key in SINGLES:
                out[key] = self._enforce(value, direction)
            elif key == "allOf":
                out[key] = [self._member(one, direction, hidden) for one in value]
            elif key in LISTS:
                out[key] = [self._enforce(one, direction) for one in value]
            elif key in MAPS:
                out[key] = {name: self._enforce(one, direction) for name, one in value.items()}
            elif key == "$ref":
                out[key] = self._uri(value, direction)
            elif key in _ANNOTATIONS or key.startswith("x-"):
                continue
            else:
                out[key] = value
        if out.get("additionalProperties") is False:
            # Without it the engine names the value that is too much, and not the property.
            out.setdefault("properties", {})
        if hidden:
            marker = {"$ref": _HIDDEN[direction][1]}
            out["properties"] = out.get("properties", {}) | dict.fromkeys(sorted(hidden), marker)
            if "required" in out:
                out["required"] = [name for name in out["required"] if name not in hidden]
        self._bound_numbers(out, schema)
        return self._by_discriminator(out, schema, direction)

    def _member(self, schema: JsonSchema, direction: Direction, hidden: frozenset[str]) -> JsonSchema:
        """Translate one member of an `allOf`, where a reference to a parent means the parent alone."""
        enforced = self._enforce(schema, direction, hidden)
        if isinstance(enforced, bool) or isinstance(schema, bool) or "$ref" not in schema:
            return enforced
        if _is_parent(self._definitions.get(_name(schema["$ref"]), True)):
            enforced["$ref"] += _PLAIN
        return enforced

    def _hidden(self, schema: dict[str, Any], direction: Direction, depth: int = 0) -> frozenset[str]:
        """Return the properties, also those of `allOf` members, that must not travel in this direction."""
        flag = _HIDDEN[direction][0]
        names = {name for name, one in schema.get("properties", {}).items() if self._flagged(one, flag)}
        if depth < 20:
            for member in schema.get("allOf", ()):
                target = self._target(member)
                if isinstance(target, dict):
                    names |= self._hidden(target, direction, depth + 1)
        return frozenset(names)

    def _flagged(self, schema: JsonSchema, flag: str, depth: int = 0) -> bool:
        if isinstance(schema, bool) or depth > 20:
            return False
        if schema.get(flag) is True:
            return True
        members = list(schema.get("allOf", ()))
        if "$ref" in schema:
            members.append(self._definitions.get(_name(schema["$ref"]), True))
        return any(self._flagged(member, flag, depth + 1) for member in members)

    def _target(self, schema: JsonSchema) -> JsonSchema:
        if isinstance(schema, dict) and "$ref" in schema:
            return self._definitions.get(_name(schema["$ref"]), True)
        return schema

    def _bound_numbers(self, out: dict[str, Any], schema: dict[str, Any]) -> None:
        """Bound numbers to what their format, and every database, can hold; take no `1.0` for an integer.

        Draft 4 is the one draft in which `1.0` is no integer, so the type is checked by a schema of that
        draft. orjson reads integers beyond 64 bits as floats: they would be stored changed.
        """
        kinds = schema.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        form = schema.get("format")
        extra: list[JsonSchema] = []
        if "integer" in kinds and "number" not in kinds:
            low, high = _INTEGER_RANGES.get(form, INT64) if isinstance(form, str) else INT64
            uri = f"urn:demijohn:{'-'.join(sorted(kinds))}:{low}:{high}"
            self._integers[uri] = {
                "$id": uri,
                "id": uri,
                "$schema": _DRAFT4,
                "type": kinds,
                "minimum": low,
                "maximum": high,
            }
            del out["type"]
            extra.append({"$ref": uri})
        elif "number" in kinds and form == "float":
            extra.append({"minimum": -_FLOAT_MAX, "maximum": _FLOAT_MAX})
        if extra:
            out["allOf"] = [*extra, *out.get("allOf", ())]

    def _by_discriminator(self, out: dict[str, Any], schema: dict[str, Any], direction: Direction) -> JsonSchema:
        """Replace alternatives by the one that the discriminator names: precise errors, one check.

        Only where every alternative is a reference with a value of its own; `{type: null}` among them, for
        one, leaves the alternatives as they are.
        """
        discriminator = schema.get("discriminator")
        if not discriminator:
            return out
        keyword = next((key for key in ("oneOf", "anyOf") if key in schema), None)
        if keyword is None:
            return out
        offered = [one.get("$ref") if isinstance(one, dict) and len(one) == 1 else None for one in schema[keyword]]
        mapping = {value: ref for value, ref in discriminator.get("mapping", {}).items() if ref in offered}
        if None in offered or not set(offered) <= set(mapping.values()):
            return out
        del out[keyword]
        choice = self._choose(discriminator["propertyName"], mapping, direction)
        known = {discriminator["propertyName"]: {"enum": sorted(mapping)}}
        choice[:0] = [{"type": "object", "required": [discriminator["propertyName"]], "properties": known}]
        out["allOf"] = [*out.get("allOf", ()), *choice]
        return out

    def _by_child(self, name: str, schema: JsonSchema, direction: Direction) -> JsonSchema:
        """Check a parent, and the child that its discriminator names: inheritance by `allOf`."""
        assert isinstance(schema, dict)
        discriminator = schema["discriminator"]
        children = {value: ref for value, ref in discriminator.get("mapping", {}).items() if _name(ref) != name}
        plain = {"$ref": self._uri(f"#/$defs/{name}", direction) + _PLAIN}
        return {"allOf": [plain, *self._choose(discriminator["propertyName"], children, direction)]}

    def _uri(self, reference: str, direction: Direction) -> str:
        """Return where the enforced form of a definition is."""
        return f"urn:demijohn:{direction if _name(reference) in self._directed else _EITHER}{reference}"

    def _choose(self, property_name: str, mapping: Mapping[str, str], direction: Direction) -> list[JsonSchema]:
        return [
            {
                "if": {"required": [property_name], "properties": {property_name: {"const": value}}},
                "then": {"$ref": self._uri(ref, direction)},
            }
            for value, ref in sorted(mapping.items())
        ]


_PLAIN = "+plain"
_EITHER = "either"
_DRAFT4 = "http://json-schema.org/draft-04/schema#"
_ANNOTATIONS = frozenset(
    {
        "discriminator",
        "readOnly",
        "writeOnly",
        "deprecated",
        "example",
        "examples",
        "default",
        "title",
        "description",
        "externalDocs",
        "xml",
        "nullable",
        "$comment",
    }
)


def _directed(definitions: Mapping[str, JsonSchema]) -> frozenset[str]:
    """Return the definitions that hold `readOnly` or `writeOnly`, or lead to one that does."""
    leads: dict[str, set[str]] = {}
    found: set[str] = set()
    for name, schema in definitions.items():
        waiting: list[Any] = [schema]
        while waiting:
            one = waiting.pop()
            if isinstance(one, dict):
                if one.get("readOnly") is True or one.get("writeOnly") is True:
                    found.add(name)
                waiting.extend(one.values())
            elif isinstance(one, list):
                waiting.extend(one)
            elif isinstance(one, str) and one.startswith("#/$defs/"):
                leads.setdefault(_name(one), set()).add(name)
    waiting_names = list(found)
    while waiting_names:
        for name in leads.get(waiting_names.pop(), set()) - found:
            found.add(name)
            waiting_names.append(name)
    return frozenset(found)


def _key(schema: JsonSchema) -> bytes:
    try:
        return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a bound beyond 64 bits
        return repr(schema).encode()


def _is_parent(schema: JsonSchema) -> bool:
    return isinstance(schema, dict) and "discriminator" in schema and "oneOf" not in schema and "anyOf" not in schema


def _without(schema: JsonSchema, key: str) -> JsonSchema:
    return {k: v for k, v in schema.items() if k != key} if isinstance(schema, dict) else schema


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/")


def _is_base64(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _told(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return a check that tells by False what `check` may also tell by a `ValueError`."""

    def is_right(text: str) -> bool:
        try:
            return bool(check(text))
        except ValueError:
            return False

    return is_right


_FORMATS = {"byte": _is_base64}
