"""What a JSON schema has against a value, in plain words.

Schemas say `oneOf` where a person would say "a reference or a parameter", so a fault comes with the complaints
of every branch. Here it becomes the complaint of the branch that was meant, without the value itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from demijohn.contract.model import Place
from demijohn.contract.pointers import escape
from demijohn.contract.references import Node

__all__ = ["SMALL", "Fault", "explain", "find", "kind_of", "shown"]

SMALL = 5_000
"""The number of values up to which a value is small: all of its faults can be told at once."""

_Kinds = jsonschema_rs.ValidationErrorKind
_Path = tuple[str | int, ...]
# Keys that say which sort of object is meant: a branch that wants another sort was not meant.
_TELLING = frozenset({"in", "scheme", "type"})
_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}
# Where a document talks to people: what is wrong there harms nobody.
_PROSE = frozenset({"contact", "externalDocs", "license", "tags", "xml"})
# Keywords of JSON Schema 2020-12. The normal form applies them, so older documents may use them.
_LATER_KEYWORDS = frozenset(
    {
        *(
            "$comment",
            "$defs",
            "anyOf",
            "const",
            "contains",
            "contentEncoding",
            "contentMediaType",
            "contentSchema",
        ),
        *("dependentRequired", "dependentSchemas", "deprecated", "else", "examples", "if", "maxContains"),
        *(
            "minContains",
            "not",
            "nullable",
            "oneOf",
            "patternProperties",
            "prefixItems",
            "propertyNames",
            "then",
        ),
        *("unevaluatedItems", "unevaluatedProperties", "writeOnly"),
    }
)
_ALTERNATIVES = re.compile(r"\^\((\w+(?:\|\w+)*)\)\$")


@dataclass(frozen=True, slots=True)
class Fault:
    """State one fault: the path to it below the value that was checked, what was found, what is allowed.

    `secondary` marks what often follows from another fault of the same object.
    """

    path: _Path
    found: str
    allowed: str = ""
    wrinkle: bool = False
    secondary: bool = False

    def place(self, node: Node) -> Place:
        """Return the place of the fault in a document in which `node` is the value that was checked."""
        below = "".join(f"/{escape(str(token))}" for token in self.path)
        return Place(node.source.name, node.pointer + below)


def find(validator: jsonschema_rs.Validator, value: Any, schema: Any) -> list[Fault]:
    """Return what a schema has against a value that does not fit it; against the start of one that is large.

    jsonschema-rs makes every error before it hands out the first, at 50 microseconds each.
    """
    if _size(value) <= SMALL:
        return explain(validator.iter_errors(value), schema)
    faults = explain(validator.iter_errors(_start(value)), schema)
    if faults:
        return faults
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return explain([error], schema)
    return []


def _size(value: Any) -> int:
    """Count the values in a tree, up to where it stops being small."""
    size, pending = 0, [value]
    while pending and size <= SMALL:
        one = pending.pop()
        size += 1
        if isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return size


def _start(value: Any, most: int = 64) -> Any:
    """Return a copy with the first members of each container only, fewer with each level."""
    if isinstance(value, dict):
        return {key: _start(value[key], max(most // 2, 8)) for key in list(value)[:most]}
    if isinstance(value, list):
        return [_start(one, max(most // 2, 8)) for one in value[:most]]
    return value


def explain(errors: Iterable[Any], schema: Any) -> list[Fault]:
    """Return one fault for each thing that is wrong; `schema` is the one that the errors come from."""
    faults: dict[tuple[_Path, str], Fault] = {}
    secondary: list[Fault] = []
    for error in errors:
        for fault in _explain(error, schema):
            if not _PROSE.isdisjoint(fault.path[:3]):
                fault = replace(fault, wrinkle=True)
            if fault.secondary:
                secondary.append(fault)
            else:
                faults.setdefault((fault.path, fault.found), fault)
    # A member that is wrong counts as unevaluated, and an object that is incomplete as ambiguous: that is
    # worth telling only where nothing else is.
    for fault in secondary:
        depth = len(fault.path)
        if not any(path[:depth] == fault.path for path, _ in faults):
            faults.setdefault((fault.path, fault.found), fault)
    return list(faults.values())


def _explain(error: Any, schema: Any) -> Iterator[Fault]:
    kind = error.kind
    path: _Path = tuple(error.instance_path)
    match kind:
        case _Kinds.OneOfNotValid() | _Kinds.AnyOf():
            told = _unknown_sort(kind.context, path)
            if told is not None:
                yield told
                return
            for inner in _meant(kind.context, error):
                yield from _explain(inner, schema)
        case _Kinds.AdditionalProperties():
            for name in kind.unexpected:
                yield _unexpected(error, schema, path, name)
        case _Kinds.UnevaluatedProperties():
            for name in kind.unexpected:
                yield replace(_unexpected(error, schema, path, name), secondary=True)
        case _Kinds.Required():
            yield Fault(
                path,
                f"`{kind.property}` is missing",
                "add it",
                wrinkle=kind.property == "description",
                # The 3.1 schema demands a `default` of a `responses` that has nothing at all.
                secondary=kind.property == "default",
            )
        case _Kinds.Type():
            allowed = " or ".join(_NAMES[one] for one in kind.types)
            yield Fault(path, f"found {kind_of(error.instance)}", f"allowed is {allowed}")
        case _Kinds.Enum():
            yield _not_among(path, error.instance, kind.options)
        case _Kinds.Constant():
            yield Fault(path, f"found {shown(error.instance)}", f"allowed is {shown(kind.expected_value)}")
        case _Kinds.Not():
            yield _excluded(path, kind.schema)
        case _Kinds.Format():
            # Formats of URLs and addresses in a document: real contracts break them.
            yield Fault(path, f"found {shown(error.instance)}", f"allowed is the format `{kind.format}`", wrinkle=True)
        case _Kinds.OneOfMultipleValid():
            yield Fault(
                path,
                "this can be read in two ways",
                "leave out what belongs to only one of them",
                secondary=True,
            )
        case _Kinds.FalseSchema():
            yield Fault(path, "this is not allowed here", "leave it out")
        case _Kinds.MinItems() | _Kinds.MinProperties():
            yield Fault(path, "this is empty", "write at least one entry", wrinkle=path[-1:] == ("required",))
        case _Kinds.UniqueItems():
            yield Fault(path, "this list holds an item twice", "write each item once", wrinkle=True)
        case _Kinds.PropertyNames():
            name = str(kind.error.instance)
            yield Fault(
                (*path, name),
                f"{shown(name)} is not allowed as a name",
                "write letters, digits, `.`, `-`, `_`",
                wrinkle=True,
            )
        case _Kinds.AdditionalItems() | _Kinds.UnevaluatedItems():
            yield Fault(path, "the list has more items than are allowed", "leave them out")
        case _:
            limit = kind.value
            keyword = kind.name if kind.name != "const" else "value"
            yield Fault(path, f"found {shown(error.instance)}", f"`{keyword}` is {shown(limit)}")


def _meant(branches: list[list[Any]], error: Any) -> list[Any]:
    """Return the complaints of the branch that the author most likely meant."""
    here = len(error.instance_path)
    is_reference = isinstance(error.instance, dict) and "$ref" in error.instance

    def rank(branch: list[Any]) -> tuple[int, ...]:
        other_sort = no_reference = deepest = 0
        for one in branch:
            below = one.instance_path[here:]
            deepest = max(deepest, len(below))
            if isinstance(one.kind, _Kinds.Type | _Kinds.FalseSchema) and not below:
                other_sort += 2
            if isinstance(one.kind, _Kinds.Enum | _Kinds.Constant) and len(below) == 1 and below[0] in _TELLING:
                other_sort += 1
            if isinstance(one.kind, _Kinds.Required) and not below and one.kind.property == "$ref":
                no_reference += 1
        meant_as_reference = is_reference and any("$ref" in one.instance_path[here:] for one in branch)
        return (0 if meant_as_reference else 1, no_reference, other_sort, -deepest, len(branch))

    filled = [branch for branch in branches if branch]
    return min(filled, key=rank) if filled else []


def _unknown_sort(branches: list[list[Any]], path: _Path) -> Fault | None:
    """Return the one fault of an object whose `in` or `type` fits no branch, with what all of them allow."""
    options: dict[Any, None] = {}
    key = instance = None
    for branch in branches:
        if any(isinstance(one.kind, _Kinds.Required) and one.kind.property == "$ref" for one in branch):
            continue
        telling = [
            one
            for one in branch
            if isinstance(one.kind, _Kinds.Enum | _Kinds.Constant)
            and tuple(one.instance_path[:-1]) == path
            and one.instance_path[-1] in _TELLING
        ]
        if not telling or key not in (None, telling[0].instance_path[-1]):
            return None
        key, instance = telling[0].instance_path[-1], telling[0].instance
        kind = telling[0].kind
        found = kind.options if isinstance(kind, _Kinds.Enum) else [kind.expected_value]
        options.update(dict.fromkeys(found))
    if key is None:
        return None
    return _not_among((*path, key), instance, list(options))


def _unexpected(error: Any, schema: Any, path: _Path, name: str) -> Fault:
    at = (*path, name)
    if path[-1:] == ("responses",) and name[:1] in "12345" and name[1:].lower() == "xx":
        return Fault(at, f"found `{name}`", f"allowed is `{name.upper()}`", wrinkle=True)
    if path[-1:] == ("responses",):
        return Fault(
            at,
            f"{shown(name)} is no status",
            "write a status such as `200`, a range such as `2XX` or `default`",
        )
    if isinstance(error.instance, dict) and "$ref" in error.instance:
        return Fault(at, f"{shown(name)} stands beside `$ref`", "write it where the reference leads", wrinkle=True)
    if path == ("paths",):
        return Fault(at, f"the path {shown(name)} does not start with `/`", f"write {shown('/' + name)}")
    known = _known_keys(error, schema)
    if name in _LATER_KEYWORDS and "minLength" in known:
        return Fault(
            at,
            f"`{name}` is no keyword of this version and is applied as OpenAPI 3.1 says",
            "write 3.1",
            wrinkle=True,
        )
    hint = _hint(name, known)
    if not hint and known:
        hint = "allowed are " + ", ".join(f"`{key}`" for key in known[:12]) + (", ..." if len(known) > 12 else "")
    return Fault(at, f"the key {shown(name)} is not known here", hint)


def _known_keys(error: Any, schema: Any) -> list[str]:
    """Return the keys that the schema knows at the place of an error, to guess typing errors by."""
    steps = list(error.schema_path[:-1])
    value = schema
    for step in steps:
        if isinstance(value, dict) and "$ref" in value and step not in value:
            value = _pointed(schema, value["$ref"])
        try:
            value = value[step]
        except (LookupError, TypeError):
            return []
    if not isinstance(value, dict):
        return []
    known = {key for key in value.get("properties", ()) if key != "$ref"}
    for pattern in value.get("patternProperties", ()):
        names = _ALTERNATIVES.fullmatch(pattern)
        if names:
            known.update(names[1].split("|"))
    return sorted(known)


def _pointed(schema: Any, reference: str) -> Any:
    value = schema
    for token in reference.removeprefix("#").strip("/").split("/"):
        value = value.get(token) if isinstance(value, dict) else None
    return value


def _excluded(path: _Path, schema: Any) -> Fault:
    required = schema.get("required") if isinstance(schema, dict) else None
    if isinstance(required, list) and len(required) > 1:
        names = " and ".join(f"`{one}`" for one in required)
        # Two ways to give examples harm nobody; `schema` beside `content` leaves open which one counts.
        return Fault(
            path,
            f"{names} exclude each other",
            "leave one out",
            wrinkle="example" in required,
            secondary=True,
        )
    return Fault(path, "this is not allowed here", "leave it out")


def _not_among(path: _Path, found: Any, options: Sequence[Any]) -> Fault:
    if path[-1:] == ("type",) and isinstance(found, list):
        return Fault(path, "found a list of types", "write one type, and `nullable: true` if it may be null")
    listed = ", ".join(shown(one) for one in options[:20]) + (", ..." if len(options) > 20 else "")
    hint = _hint(found, options)
    allowed = f"allowed {'are' if len(options) > 1 else 'is'} {listed}" + (f"; {hint}" if hint else "")
    return Fault(path, f"found {shown(found)}", allowed)


def _hint(found: Any, known: Sequence[Any]) -> str:
    texts = [one for one in known if isinstance(one, str)]
    close = get_close_matches(found, texts, 1) if isinstance(found, str) else []
    return f"did you mean `{close[0]}`?" if close else ""


def shown(value: Any) -> str:
    """Return a value as a message may hold it: a short text or number, or else only its kind."""
    if isinstance(value, str):
        return f"`{value if len(value) <= 40 else value[:37] + '...'}`"
    if isinstance(value, bool | int | float):
        return f"`{json.dumps(value)[:40]}`"
    return kind_of(value)


def kind_of(value: Any) -> str:
    """Return what a value is, in plain words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"
