"""Where the properties of a schema stand in the contract: the lines that findings name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from demijohn.contract import Contract, JsonSchema, Place
from demijohn.contract.pointers import escape

__all__ = ["Places"]

_COMBINING = ("allOf", "anyOf", "oneOf")


class Places:
    """Find places. A schema in normal form does not say where it stands; a place above it and the names do."""

    def __init__(self, contract: Contract) -> None:
        self._definitions = contract.definitions
        self._main = contract.sources[0]
        self._components = "/definitions" if contract.version.startswith("2") else "/components/schemas"

    def property(self, schema: JsonSchema, place: Place, name: str) -> Place:
        """Return the place of a property of `schema`, which stands at `place`; `place` itself where it is not told."""
        return self._find(schema, place, name, frozenset()) or place

    def top(self) -> Place:
        """Return the beginning of the contract."""
        return Place(self._main.name)

    def components(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the schemas of the contract's components by name: in normal form those that are referred to."""
        value = self._main.value
        for token in self._components.split("/")[1:]:
            value = value.get(token) if isinstance(value, dict) else None
        written = value if isinstance(value, dict) else {}
        for name in dict.fromkeys([*self._definitions, *written]):
            schema = self._definitions.get(name, written.get(name))
            if isinstance(schema, dict):
                yield name, schema

    def definition(self, name: str) -> Place | None:
        """Return the place of a definition, None where it is not a component of the contract's own file."""
        value = self._main.value
        for token in self._components.split("/")[1:]:
            value = value.get(token) if isinstance(value, dict) else None
        if not isinstance(value, dict) or name not in value:
            return None
        return Place(self._main.name, f"{self._components}/{escape(name)}")

    def _find(self, schema: JsonSchema, place: Place, name: str, seen: frozenset[str]) -> Place | None:
        if isinstance(schema, bool):
            return None
        if name in schema.get("properties", {}):
            return Place(place.file, f"{place.pointer}/properties/{escape(name)}")
        reference = schema.get("$ref", "").removeprefix("#/$defs/")
        if reference and reference not in seen:
            at = self.definition(reference)
            found = self._find(self._definitions.get(reference, True), at, name, seen | {reference}) if at else None
            if found is not None:
                return found
        for keyword in _COMBINING:
            for index, one in enumerate(schema.get(keyword, ())):
                found = self._find(one, Place(place.file, f"{place.pointer}/{keyword}/{index}"), name, seen)
                if found is not None:
                    return found
        return None
