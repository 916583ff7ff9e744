"""The official JSON schemas of the documents, and what they have against one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema_rs

from demijohn.contract.faults import SMALL, Fault, find

__all__ = ["Official"]

_FOLDER = Path(__file__).parent / "official"
_FILES = {
    "2.0": "swagger-2.0.json",
    "3.0": "openapi-3.0.json",
    "3.1": "openapi-3.1.json",
    "3.2": "openapi-3.2.json",
}
# What each schema calls the parts that a reference can lead to.
_PARTS: dict[str, dict[str, str]] = {
    "2.0": {"parameter": "parameter", "response": "response", "pathItem": "pathItem", "schema": "schema"},
    "3.0": {
        "callback": "Callback",
        "example": "Example",
        "header": "Header",
        "link": "Link",
        "parameter": "Parameter",
        "pathItem": "PathItem",
        "requestBody": "RequestBody",
        "response": "Response",
        "schema": "Schema",
        "securityScheme": "SecurityScheme",
    },
    "3.1": {
        "callback": "callbacks",
        "example": "example",
        "header": "header",
        "link": "link",
        "mediaType": "media-type",
        "parameter": "parameter",
        "pathItem": "path-item",
        "requestBody": "request-body",
        "response": "response",
        "schema": "schema",
        "securityScheme": "security-scheme",
    },
}
_PARTS["3.2"] = _PARTS["3.1"]
_Path: TypeAlias = tuple[str | int, ...]
_MOST = 1000
_IDENTITY = "urn:demijohn:official"


class Official:
    """Check documents of one version, and parts of them. Compiling a schema takes about a millisecond."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._schema = _read(version)

    def check(self, document: dict[str, Any], nodes: int) -> list[Fault]:
        """Return what the official schema has against a whole document, which holds `nodes` values."""
        validator = _whole(self._version)
        # Telling the faults apart is slow, knowing that there is none is not.
        if validator.is_valid(document):
            return []
        if nodes <= SMALL:
            return find(validator, document, self._schema)
        faults: list[Fault] = []
        for prefix, piece, position in self._pieces(document):
            if len(faults) > _MOST:
                break
            if not validator.is_valid(piece):
                faults.extend(_moved(find(validator, piece, self._schema), prefix, position))
        return faults or [Fault((), "the document does not fit the official schema")]

    def _pieces(self, document: dict[str, Any]) -> Iterator[tuple[_Path, dict[str, Any], int]]:
        """Cut a large document into small ones: one for each path, component, ..., and one for the rest.

        Yields the path of the part, the small document, and the position of its one item in a list.
        """
        key = "swagger" if self._version == "2.0" else "openapi"
        frame = {key: document[key], "info": {"title": "", "version": ""}, "paths": {}}
        rest = dict(document)
        for name, part in document.items():
            if name == "components" and isinstance(part, dict):
                rest[name] = {kind: {} if isinstance(items, dict) else items for kind, items in part.items()}
                for kind, items in part.items():
                    for one in items if isinstance(items, dict) else ():
                        yield (name, kind, one), {**frame, name: {kind: {one: items[one]}}}, 0
            elif isinstance(part, dict) and name != "info":
                rest[name] = {}
                for one in part:
                    yield (name, one), {**frame, name: {one: part[one]}}, 0
            elif isinstance(part, list):
                rest[name] = []
                for index, one in enumerate(part):
                    yield (name,), {**frame, name: [one]}, index
        yield (), rest, 0

    def check_part(self, value: Any, kind: str) -> list[Fault]:
        """Return what it has against a part: a `parameter`, `response`, `schema`, ..."""
        name = _PARTS[self._version].get(kind)
        if name is None or (kind == "schema" and isinstance(value, dict) and isinstance(value.get("$ref"), str)):
            return []
        validator = _part(self._version, name)
        return [] if validator.is_valid(value) else find(validator, value, self._schema)


def _moved(faults: list[Fault], prefix: _Path, position: int) -> Iterator[Fault]:
    """Yield the faults below `prefix`, those of a list item at its position in the whole list."""
    for fault in faults:
        if fault.path[: len(prefix)] == prefix:
            tail = fault.path[len(prefix) :]
            yield replace(fault, path=(*prefix, position, *tail[1:])) if tail[:1] == (0,) else fault


@cache
def _read(version: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((_FOLDER / _FILES[version]).read_bytes())
    return schema


@cache
def _whole(version: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(_read(version), offline=True)


@cache
def _registry(version: str) -> jsonschema_rs.Registry:
    schema = {key: value for key, value in _read(version).items() if key not in ("id", "$id")}
    draft = jsonschema_rs.Draft202012 if "$defs" in schema else jsonschema_rs.Draft4
    return jsonschema_rs.Registry([(_IDENTITY, schema)], draft=draft)


@cache
def _part(version: str, name: str) -> jsonschema_rs.Validator:
    modern = "$defs" in _read(version)
    validator = jsonschema_rs.Draft202012Validator if modern else jsonschema_rs.Draft4Validator
    reference = f"{_IDENTITY}#/{'$defs' if modern else 'definitions'}/{name}"
    return validator({"$ref": reference}, registry=_registry(version), offline=True)
