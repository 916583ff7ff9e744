"""Errors of jsonschema-rs to words that a client can act on: the place, what is wrong, what is allowed.

Never the value itself and never the schema: an error answer is no place to repeat either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import orjson

__all__ = ["Fault", "faults_of"]

# More would not help a reader, and a body of a million wrong items must not make a larger answer.
MOST_FAULTS = 100
_MOST_OPTIONS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """State what is wrong at one place of a value; `path` leads there from the value's root."""

    path: tuple[str | int, ...]
    detail: str

    @property
    def pointer(self) -> str:
        """Return the place as the fragment of RFC 6901 section 6: `#/items/0/name`."""
        parts = (quote(str(part).replace("~", "~0").replace("/", "~1"), safe="!$&'()*+,;=:@~-._") for part in self.path)
        return "#" + "".join(f"/{part}" for part in parts)


def faults_of(errors: Iterable[jsonschema_rs.ValidationError]) -> list[Fault]:
    """Return the faults that `errors` tell of, each once, in the order of their places."""
    found: dict[Fault, None] = {}
    for error in errors:
        for fault in _faults(error):
            found.setdefault(fault)
        if len(found) >= MOST_FAULTS:
            break
    return sorted(found, key=lambda fault: [str(part) for part in fault.path])[:MOST_FAULTS]


def _faults(error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
    path = tuple(error.instance_path)
    match error.kind.name:
        case "required":
            yield Fault((*path, error.kind.as_dict()["property"]), "is required")
        case "additionalProperties" | "unevaluatedProperties":
            for name in error.kind.as_dict()["unexpected"]:
                yield Fault((*path, name), "is not a property that the contract knows")
        case "anyOf" | "oneOf" if branches := _branches(error):
            yield from _closest(path, branches)
        case "propertyNames":
            yield Fault(path, "has a property whose name is not allowed")
        case name:
            yield Fault(path, _DETAILS.get(name, _unknown)(error))


def _branches(error: jsonschema_rs.ValidationError) -> list[list[jsonschema_rs.ValidationError]]:
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid):
        return []
    return [branch for branch in getattr(error.kind, "context", ()) if branch]


def _closest(path: tuple[str | int, ...], branches: list[list[jsonschema_rs.ValidationError]]) -> Iterator[Fault]:
    """Tell the faults of the alternative that the value comes closest to: the one that fails deepest."""
    listed = [[fault for error in branch for fault in _faults(error)] for branch in branches]
    if all(len(faults) == 1 and faults[0].path == path for faults in listed):
        yield Fault(path, " or ".join(dict.fromkeys(faults[0].detail for faults in listed)))
        return
    yield Fault(path, "matches none of the alternatives; the closest one is told here")
    yield from max(listed, key=lambda faults: (min(len(fault.path) for fault in faults), -len(faults)))


def _unknown(error: jsonschema_rs.ValidationError) -> str:
    return f"breaks the rule {error.kind.name!r} of the contract"


def _type(error: jsonschema_rs.ValidationError) -> str:
    allowed = " or ".join(sorted(error.kind.as_dict()["types"]))
    return f"must be {_article(allowed)}, found {_article(_type_name(error.instance))}"


def _article(word: str) -> str:
    if word.startswith("null"):
        return word
    return ("an " if word[0] in "aio" else "a ") + word


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    names: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number with a fraction, an exponent or too many digits")


def _enum(error: jsonschema_rs.ValidationError) -> str:
    options = error.kind.as_dict()["options"]
    shown = ", ".join(orjson.dumps(option).decode() for option in options[:_MOST_OPTIONS])
    return f"must be one of {shown}" + (", ..." if len(options) > _MOST_OPTIONS else "")


_FORMAT_HINTS = {
    "byte": "base64 text",
    "date": "a date such as 2026-01-31",
    "date-time": "a date and time with a zone such as 2026-01-31T12:00:00Z",
    "time": "a time with a zone such as 12:00:00Z",
    "email": "an e-mail address",
    "uuid": "a UUID",
    "uri": "an absolute URI such as https://example.org/",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "hostname": "a host name",
    "duration": "an ISO 8601 duration such as P1DT12H",
}


def _format(error: jsonschema_rs.ValidationError) -> str:
    name = error.kind.as_dict()["format"]
    return f"must be {_FORMAT_HINTS.get(name, f'text in the format {name}')}"


def _false(error: jsonschema_rs.ValidationError) -> str:
    place = error.absolute_keyword_location or ""
    if place.startswith("urn:demijohn:read-only"):
        return "is read-only: leave it out"
    if place.startswith("urn:demijohn:write-only"):
        return "is write-only: it must not be sent"
    return "is not allowed here"


_SINGULAR = {"": "", "characters": "character", "items": "item", "properties": "property"}


def _limit(text: str, unit: str = "") -> Callable[[jsonschema_rs.ValidationError], str]:
    def detail(error: jsonschema_rs.ValidationError) -> str:
        number = next(iter(error.kind.as_dict().values()))
        counted = _SINGULAR[unit] if number == 1 else unit
        return f"must {text} {number} {counted}".rstrip()

    return detail


_DETAILS: dict[str, Callable[[jsonschema_rs.ValidationError], str]] = {
    "anyOf": lambda _: "matches none of the alternatives",
    "const": lambda error: f"must be {orjson.dumps(error.kind.as_dict()['expected_value']).decode()}",
    "contains": lambda _: "has too few items, or too many, of the kind that the contract demands",
    "enum": _enum,
    "exclusiveMaximum": _limit("be less than"),
    "exclusiveMinimum": _limit("be greater than"),
    "falseSchema": _false,
    "format": _format,
    "maxItems": _limit("have at most", "items"),
    "maxLength": _limit("have at most", "characters"),
    "maxProperties": _limit("have at most", "properties"),
    "maximum": _limit("be at most"),
    "minItems": _limit("have at least", "items"),
    "minLength": _limit("have at least", "characters"),
    "minProperties": _limit("have at least", "properties"),
    "minimum": _limit("be at least"),
    "multipleOf": _limit("be a multiple of"),
    "not": lambda _: "is of a form that the contract excludes",
    "oneOf": lambda _: "matches more than one of the alternatives; exactly one is allowed",
    "pattern": lambda error: f"must match the pattern {error.kind.as_dict()['pattern']}",
    "type": _type,
    "unevaluatedItems": lambda _: "has items that the contract does not know",
    "uniqueItems": lambda _: "has equal items; each must be there once",
}
