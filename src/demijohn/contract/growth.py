"""How much work one value is: schemas that apply each other to it, over and over.

`allOf: [B, B]`, where `B` is `allOf: [C, C]` and so on, doubles with each step: forty definitions keep a
validator busy for ever. Cycles are normal, and a validator leaves them where it meets them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from demijohn.contract.model import JsonSchema
from demijohn.contract.report import Report
from demijohn.contract.schemas import Schemas

__all__ = ["check_growth"]

_MOST = 10_000
_ONE = ("not", "if", "then", "else")
_LIST = ("allOf", "anyOf", "oneOf")


def check_growth(schemas: Schemas, report: Report) -> None:
    """Report each schema that would apply too many schemas to one value, and replace it in `definitions`."""
    costs: dict[int, int] = {}
    too_many = []
    for name, schema in schemas.definitions.items():
        if isinstance(schema, dict) and _cost(schema, schemas.definitions, costs) > _MOST:
            too_many.append((name, schema))
    if not too_many:
        return
    places = {id(one.schema): one for one in schemas.visited}
    for name, schema in too_many:
        one = places[id(schema)]
        report.note(
            one.place,
            f"the schema `{name}` applies more than {_MOST:,} schemas to one value",
            "refer to each schema once",
            wrinkle=not one.used,
        )
        schemas.definitions[name] = True


def _cost(schema: dict[str, Any], definitions: dict[str, JsonSchema], costs: dict[int, int]) -> int:
    """Count the schemas that are applied to a value of `schema`, up to the limit.

    `costs` remembers the count of each schema that is not part of a cycle.
    """
    if id(schema) in costs:
        return costs[id(schema)]
    steps = 1
    frames: list[_Frame] = [_Frame(schema, _applied(schema, definitions), 0)]
    open_now = {id(schema)}
    while frames:
        frame = frames[-1]
        below = next(frame.rest, None)
        if below is None:
            frames.pop()
            open_now.discard(id(frame.schema))
            if not frame.cyclic:
                costs[id(frame.schema)] = steps - frame.before
            elif frames:
                frames[-1].cyclic = True
        elif id(below) in open_now:
            frame.cyclic = True
        elif id(below) in costs:
            steps += costs[id(below)]
        else:
            frames.append(_Frame(below, _applied(below, definitions), steps))
            open_now.add(id(below))
            steps += 1
        if steps > _MOST:
            return steps
    return steps


class _Frame:
    """Stand for a schema that is being applied: the rest of what it applies, and the steps before it."""

    __slots__ = ("before", "cyclic", "rest", "schema")

    def __init__(self, schema: dict[str, Any], rest: Iterator[dict[str, Any]], before: int) -> None:
        self.schema = schema
        self.rest = rest
        self.before = before
        self.cyclic = False


def _applied(schema: dict[str, Any], definitions: dict[str, JsonSchema]) -> Iterator[dict[str, Any]]:
    """Yield the schemas that are applied to the same value as `schema`."""
    found: list[Any] = [schema[keyword] for keyword in _ONE if keyword in schema]
    for keyword in _LIST:
        branches = schema.get(keyword)
        found += branches if isinstance(branches, list) else ()
    dependent = schema.get("dependentSchemas")
    found += dependent.values() if isinstance(dependent, dict) else ()
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found.append(definitions.get(reference.removeprefix("#/$defs/")))
    return (one for one in found if isinstance(one, dict))
