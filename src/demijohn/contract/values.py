"""Whether the schemas of a contract are schemas, and whether its defaults and examples fit them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jsonschema_rs

from demijohn.contract.faults import Fault, explain, find, shown
from demijohn.contract.keywords import PATTERNS
from demijohn.contract.model import Contract, Example, JsonSchema, Place
from demijohn.contract.pointers import escape
from demijohn.contract.report import Report
from demijohn.contract.schemas import Schemas, Visited

__all__ = ["check_schemas", "check_values"]

_METASCHEMA = "https://json-schema.org/draft/2020-12/schema"
_DEFAULT = "the default"


def check_schemas(schemas: Schemas, report: Report) -> None:
    """Check every schema, in normal form, against the metaschema.

    A definition that is broken and that nothing uses is replaced by one that allows anything, so that the
    others can still be compiled.
    """
    everything: dict[str, Any] = {"$defs": schemas.definitions}
    if schemas.entries:
        everything["allOf"] = schemas.entries
    if jsonschema_rs.meta.is_valid(everything):
        return
    visited = {id(one.schema): one for one in schemas.visited}
    pieces: list[tuple[Any, Any]] = [(schemas.definitions, name) for name in schemas.definitions]
    pieces += [(schemas.entries, index) for index in range(len(schemas.entries))]
    for holder, key in pieces:
        schema = holder[key]
        if jsonschema_rs.meta.is_valid(schema):
            continue
        for fault in find(_metaschema(), schema, None):
            one, rest = _written(schema, fault.path, visited)
            if one is not None:
                place = Place(one.file, one.pointer + "".join(f"/{escape(str(token))}" for token in rest))
                # 2.0 and 3.0 describe schemas in their official schema, which has told it already.
                if schemas.dialect == "3.1" or not report.knows(place):
                    report.note(place, fault.found, fault.allowed, wrinkle=not one.used)
        holder[key] = True


@cache
def _metaschema() -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": _METASCHEMA})


def _written(
    value: Any, path: tuple[str | int, ...], visited: dict[int, Visited]
) -> tuple[Visited | None, tuple[str | int, ...]]:
    """Return the innermost schema on a path through the normal form, and the rest of the path below it."""
    found = visited.get(id(value))
    rest = path
    for index, token in enumerate(path):
        try:
            value = value[token]
        except (LookupError, TypeError):
            break
        if id(value) in visited:
            found, rest = visited[id(value)], path[index + 1 :]
    return found, rest


@dataclass(frozen=True, slots=True)
class _Claim:
    """Claim that a value fits a schema."""

    schema: JsonSchema
    value: Any
    place: Place
    what: str
    wrinkle: bool


def check_values(contract: Contract, schemas: Schemas, report: Report) -> None:
    """Check each default (an error if it does not fit) and each example (a wrinkle) against its schema."""
    claims = [*_of_schemas(schemas), *_of_operations(contract)]
    if not claims:
        return
    # All claims are one value and one schema: what they refer to is compiled once, not once for each.
    schema = {
        "$defs": contract.definitions,
        "properties": {str(n): one.schema for n, one in enumerate(claims)},
    }
    try:
        validator = _validator(schema)
    except jsonschema_rs.ValidationError:
        _check_one_by_one(claims, report)  # a schema is broken, which has been told; the others can still be used
        return
    if validator.is_valid({str(n): one.value for n, one in enumerate(claims)}):
        return
    for number, claim in enumerate(claims):
        fault = _first(validator, {str(number): claim.value})
        if fault is not None:
            _tell(claim, replace(fault, path=fault.path[1:]), report)


def _check_one_by_one(claims: list[_Claim], report: Report) -> None:
    for claim in claims:
        if _refers(claim.schema):
            continue
        try:
            validator = _validator(claim.schema)
        except jsonschema_rs.ValidationError:
            continue
        fault = _first(validator, claim.value)
        if fault is not None:
            _tell(claim, fault, report)


def _first(validator: jsonschema_rs.Validator, value: Any) -> Fault | None:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return (explain([error], None) or [Fault(tuple(error.instance_path), "it is refused")])[0]
    return None


def _validator(schema: JsonSchema) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=PATTERNS, offline=True)


def _tell(claim: _Claim, fault: Fault, report: Report) -> None:
    if claim.what == _DEFAULT and _read_as_written(claim, report):
        return
    where = "".join(f"/{escape(str(token))}" for token in fault.path)[:60]
    reason = f"at `{where}` {fault.found}" if where else fault.found
    report.note(claim.place, f"{claim.what} does not fit its schema: {reason}", fault.allowed, wrinkle=claim.wrinkle)


def _read_as_written(claim: _Claim, report: Report) -> bool:
    """Read a default such as `"20"` for an integer as what it means; real contracts quote their numbers."""
    if not isinstance(claim.value, str) or not isinstance(claim.schema, dict) or _refers(claim.schema):
        return False
    try:
        meant = json.loads(claim.value)
    except ValueError:
        return False
    if isinstance(meant, dict | list) or not _validator(claim.schema).is_valid(meant):
        return False
    claim.schema["default"] = meant
    report.wrinkle(claim.place, f"the default is text and is read as {shown(meant)}", "write it without quotes")
    return True


def _of_schemas(schemas: Schemas) -> Iterator[_Claim]:
    for one in schemas.visited:
        schema = one.schema
        if "default" in schema:
            place = Place(one.file, f"{one.pointer}/default")
            yield _Claim(schema, schema["default"], place, _DEFAULT, not one.used)
        for index, value in enumerate(schema.get("examples", ())):
            # `example` of older versions is the only one of `examples` by now; its own key has the line.
            place = Place(one.file, f"{one.pointer}/{one.example_key(index)}")
            yield _Claim(schema, value, place, "the example", True)


def _of_operations(contract: Contract) -> Iterator[_Claim]:
    for operation in contract.operations:
        for parameter in operation.parameters:
            yield from _of_examples(parameter.schema, parameter.examples, parameter.place)
        bodies = [*(operation.body.contents if operation.body else ())]
        for response in operation.responses.values():
            bodies.extend(response.contents)
            for header in response.headers:
                yield from _of_examples(header.schema, header.examples, header.place)
        for media in bodies:
            # The example of another type may be the text that is sent, which a schema does not describe.
            if media.schema is not None and (media.range.endswith("json") or media.range == "*/*"):
                yield from _of_examples(media.schema, media.examples, media.place)


def _of_examples(schema: JsonSchema, examples: tuple[Example, ...], place: Place) -> Iterator[_Claim]:
    for example in examples:
        below = f"examples/{escape(example.name)}" if example.name else "example"
        what = f"the example `{example.name}`" if example.name else "the example"
        yield _Claim(schema, example.value, Place(place.file, f"{place.pointer}/{below}"), what, True)


def _refers(schema: JsonSchema) -> bool:
    """Tell whether a schema, which is no deeper than its file, holds a reference."""
    pending: list[Any] = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "$ref" in value:
                return True
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return False
