"""Schemas of every version as JSON Schema 2020-12, the normal form.

Each schema that a reference leads to becomes an entry of `definitions`, and each reference `#/$defs/NAME`.
References stay references: a schema is visited once, however many lead to it, so cycles are normal and
references that would double with each step cost nothing. Data (`default`, `example`, `enum`, ...) is never
touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import unquote

from demijohn.contract.faults import kind_of
from demijohn.contract.keywords import LISTS, MAPS, SINGLES
from demijohn.contract.model import JsonSchema, Place
from demijohn.contract.patterns import engine
from demijohn.contract.pointers import escape, split
from demijohn.contract.references import BrokenReferenceError, Documents, Node, join
from demijohn.contract.report import Report

__all__ = ["Dialect", "Schemas", "Visited"]

Dialect: TypeAlias = Literal["2.0", "3.0", "3.1"]

_IDENTITY = frozenset({"$anchor", "$dynamicAnchor", "$id", "$schema", "$vocabulary", "id"})
_ANNOTATIONS = frozenset(
    {
        *(
            "default",
            "deprecated",
            "description",
            "discriminator",
            "example",
            "examples",
            "externalDocs",
            "readOnly",
        ),
        *("summary", "title", "writeOnly", "xml"),
    }
)
# Beside a `$ref` of 3.0 nothing counts. These are what people write there for the reader alone.
_SHRUGGED = (_ANNOTATIONS | {"type", "nullable", "x-nullable"}) - {
    "default",
    "discriminator",
    "readOnly",
    "writeOnly",
}
_STRUCTURE = frozenset({"$defs", "components", "definitions", "paths", "properties", "schema", "schemas"})
_NULL = {"type": "null"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Visited:
    """Remember one schema in normal form, and where it was written."""

    schema: dict[str, Any]
    file: str
    pointer: str
    used: bool
    has_single_example: bool = False

    @property
    def place(self) -> Place:
        return Place(self.file, self.pointer)

    def example_key(self, index: int) -> str:
        """Return where the example with this index was written, below the schema."""
        return "example" if self.has_single_example else f"examples/{index}"


class Schemas:
    """Bring schemas into normal form; `definitions` holds those that are referred to.

    `visited` lists every schema with its place, `entries` those that are not part of another one.
    """

    def __init__(
        self, documents: Documents, report: Report, dialect: Dialect, vet: Callable[[Node, str], None]
    ) -> None:
        self._documents = documents
        self._vet = vet
        self._report = report
        self.dialect = dialect
        self.definitions: dict[str, JsonSchema] = {}
        self.visited: list[Visited] = []
        self.entries: list[JsonSchema] = []
        self.used: set[tuple[str, str]] = set()
        self._by_identity: dict[int, dict[str, Any]] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._queue: list[tuple[str, Node]] = []
        self._components_at = "/definitions" if dialect == "2.0" else "/components/schemas"
        self._reserved = self._reserve()
        self._children: dict[str, list[str]] | None = None
        self._void: str | None = None

    def normal(self, node: Node) -> JsonSchema:
        """Return the schema at `node` in normal form; whatever it refers to joins `definitions`."""
        schema = self._schema(node.value, node, node.pointer, node.base)
        self.entries.append(schema)
        self._drain()
        return schema

    def normal_of(self, value: dict[str, Any], node: Node) -> JsonSchema:
        """Do the same for a schema that is made up from the members of `node`: a parameter of Swagger 2.0."""
        schema = self._mapping(value, node, node.pointer, node.base)
        self.entries.append(schema)
        self._drain()
        return schema

    def define(self, node: Node) -> str:
        """Return the name in `definitions` of the schema at `node`."""
        name = self._name(node)
        self._drain()
        return name

    # A reference only queues its target, so that the depth of the stack is the depth of one file.
    def _drain(self) -> None:
        while self._queue:
            name, node = self._queue.pop()
            self.definitions[name] = self._schema(node.value, node, node.pointer, node.base)

    def _schema(self, value: Any, node: Node, pointer: str, base: str) -> JsonSchema:
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            return cast("JsonSchema", value)  # the metaschema refuses it
        known = self._by_identity.get(id(value))
        if known is None:
            known = self._by_identity[id(value)] = self._mapping(value, node, pointer, base)
        return known

    def _mapping(self, value: dict[str, Any], node: Node, pointer: str, base: str) -> dict[str, Any]:
        modern = self.dialect == "3.1"
        if modern and isinstance(value.get("$id"), str):
            base = join(base, value["$id"])
        reference = value.get("$ref")
        if isinstance(reference, str) and not modern:
            out = self._bare_reference(value, reference, node, pointer, base)
        else:
            out = {}
            for keyword, item in value.items():
                self._keyword(keyword, item, out, node, pointer, base)
            self._upgrade(value, out, node, pointer)
            if "discriminator" in value:
                self._discriminate(value, out, node, pointer, base)
            if not modern and (value.get("nullable") is True or value.get("x-nullable") is True):
                out = _nullable(out)
        self.visited.append(
            Visited(out, node.source.name, pointer, not self._report.is_lenient, _has_single_example(value))
        )
        return out

    def _keyword(self, keyword: str, item: Any, out: dict[str, Any], node: Node, pointer: str, base: str) -> None:
        below = f"{pointer}/{escape(keyword)}"
        if keyword in MAPS and isinstance(item, dict):
            names = item
            if keyword == "patternProperties":
                names = {
                    name: sub for name, sub in item.items() if self._enforced(name, node, f"{below}/{escape(name)}")
                }
            out[keyword] = {
                name: self._schema(sub, node, f"{below}/{escape(name)}", base) for name, sub in names.items()
            }
        elif keyword in LISTS and isinstance(item, list):
            out[keyword] = [self._schema(sub, node, f"{below}/{index}", base) for index, sub in enumerate(item)]
        elif keyword in SINGLES and isinstance(item, dict | bool):
            out[keyword] = self._schema(item, node, below, base)
        elif keyword == "items" and isinstance(item, list) and self.dialect != "3.1":
            out["prefixItems"] = [self._schema(sub, node, f"{below}/{index}", base) for index, sub in enumerate(item)]
        elif keyword in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(item, str):
            out["$ref"] = self._reference(item, Node(None, node.source, below, base))
        elif keyword == "pattern" and isinstance(item, str):
            if self._enforced(item, node, below):
                out[keyword] = item
        elif keyword == "discriminator" or (keyword in _IDENTITY and isinstance(item, str)):
            pass
        else:
            out[keyword] = item

    def _upgrade(self, value: dict[str, Any], out: dict[str, Any], node: Node, pointer: str) -> None:
        if "example" in value:
            out.pop("example")
        if _has_single_example(value):
            out["examples"] = [value["example"]]
        elif "examples" in out and not isinstance(out["examples"], list):
            out.pop("examples")
            self._report.wrinkle(
                Place(node.source.name, f"{pointer}/examples"),
                "the `examples` of a schema are no list and are ignored",
                "write a list of values",
            )
        if isinstance(out.get("required"), list):
            # The metaschema wants each name once; twice says no more than once.
            out["required"] = list({str(name): name for name in out["required"]}.values())
        self._exclusive(out, node, pointer)
        if self.dialect == "3.1":
            if value.get("nullable") is True:
                self._report.wrinkle(
                    Place(node.source.name, f"{pointer}/nullable"),
                    "`nullable` means nothing since OpenAPI 3.1",
                    "write `type: [string, 'null']`",
                )
            return
        if out.get("type") == "file":
            out["type"] = "string"
            out["format"] = "binary"
        if isinstance(value.get("items"), list) and "additionalItems" in out:
            out["items"] = out.pop("additionalItems")
        out.pop("nullable", None)
        if isinstance(out.get("required"), bool):
            out.pop("required")

    def _exclusive(self, out: dict[str, Any], node: Node, pointer: str) -> None:
        """Turn `minimum: 3, exclusiveMinimum: true` of JSON Schema draft 4 into `exclusiveMinimum: 3`."""
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if not isinstance(out.get(exclusive), bool):
                continue
            if self.dialect == "3.1":
                self._report.wrinkle(
                    Place(node.source.name, f"{pointer}/{exclusive}"),
                    f"`{exclusive}` is true or false, as it was before OpenAPI 3.1",
                    "write the bound itself",
                )
            if out.pop(exclusive) and bound in out:
                out[exclusive] = out.pop(bound)

    def _bare_reference(
        self, value: dict[str, Any], reference: str, node: Node, pointer: str, base: str
    ) -> dict[str, Any]:
        """Return a reference of 2.0 or 3.0: what stands beside it does not count, but `nullable` is meant."""
        ignored = sorted(key for key in value if key != "$ref" and key not in _SHRUGGED and not key.startswith("x-"))
        if ignored:
            self._report.wrinkle(
                Place(node.source.name, pointer),
                f"`{'`, `'.join(ignored[:5])}` beside `$ref` is ignored",
                "put the reference into `allOf` to add to it",
            )
        out = {"$ref": self._reference(reference, Node(None, node.source, f"{pointer}/$ref", base))}
        if value.get("nullable") is True or value.get("x-nullable") is True:
            return {"anyOf": [out, _NULL]}
        return out

    def _reference(self, reference: str, origin: Node) -> str:
        try:
            target = self._documents.resolve(reference, origin)
            self._documents.chain(target)
        except BrokenReferenceError as error:
            self._report.error(origin.place, error.found, error.allowed)
            return self._nothing()
        return f"#/$defs/{self._name(target)}"

    def _nothing(self) -> str:
        """Return a reference that allows anything, for one that is broken and reported."""
        if self._void is None:
            self._void = self._free_name("unresolved")
            self.definitions[self._void] = True
        return f"#/$defs/{self._void}"

    def _enforced(self, pattern: str, node: Node, pointer: str) -> bool:
        kind = engine(pattern)
        if kind == "linear":
            return True
        shown = pattern if len(pattern) <= 60 else pattern[:57] + "..."
        place = Place(node.source.name, pointer)
        if kind == "bounded":
            self._report.wrinkle(
                place,
                f"the pattern `{shown}` looks around or refers back and runs with a bounded number of steps",
                "a pattern without look-around and back-references runs in linear time",
            )
            return True
        self._report.wrinkle(
            place,
            f"the pattern `{shown}` is not a regular expression of ECMA-262 and is not enforced",
            "correct it",
        )
        return False

    # --- names ---

    def _reserve(self) -> dict[str, str]:
        """Give each component schema of the main file its own name before anything else can take it."""
        reserved: dict[str, str] = {}
        for name in self._components():
            pointer = f"{self._components_at}/{escape(name)}"
            plain = _safe(name)
            while plain in reserved:
                plain += "-"
            reserved[plain] = pointer
            self._names[(self._documents.main.name, pointer)] = plain
        return reserved

    def _components(self) -> Iterable[str]:
        value = self._documents.main.value
        for token in split(self._components_at):
            value = value.get(token) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else ()

    def _name(self, node: Node) -> str:
        name = self._names.get(node.key)
        if name is None:
            name = self._names[node.key] = self._free_name(_derive(node))
        if node.key not in self.used:
            self.used.add(node.key)
            self._vet(node, "schema")
            self.definitions[name] = True
            self._queue.append((name, node))
        return name

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._reserved or name in self.definitions:
            name = f"{wanted}-{number}"
            number += 1
        return name

    # --- discriminators ---

    def _discriminate(self, value: dict[str, Any], out: dict[str, Any], node: Node, pointer: str, base: str) -> None:
        written = value["discriminator"]
        place = Place(node.source.name, f"{pointer}/discriminator")
        if isinstance(written, str):
            written = {"propertyName": written}
        if not isinstance(written, dict) or not isinstance(written.get("propertyName"), str):
            if self.dialect == "3.1":  # the official schemas of older versions have told it
                self._report.error(place, "the discriminator names no property", "write `propertyName: kind`")
            return
        mapping: dict[str, str] = {}
        explicit = written.get("mapping")
        for name, target in explicit.items() if isinstance(explicit, dict) else ():
            at = Node(None, node.source, f"{place.pointer}/mapping/{escape(name)}", base)
            found = self._mapped(target, at)
            if found:
                mapping[name] = found
        for name, found in self._implied(value, out, node, pointer):
            mapping.setdefault(name, found)
        normal: dict[str, Any] = {"propertyName": written["propertyName"], "mapping": mapping}
        if isinstance(written.get("defaultMapping"), str):
            at = Node(None, node.source, f"{place.pointer}/defaultMapping", base)
            found = self._mapped(written["defaultMapping"], at)
            if found:
                normal["defaultMapping"] = found
        out["discriminator"] = normal

    def _mapped(self, target: Any, at: Node) -> str | None:
        """Return the reference for a value of a mapping: the name of a component, or else a URI."""
        if not isinstance(target, str):
            self._report.error(at.place, f"found {kind_of(target)} in a mapping", "write a name or a reference")
            return None
        if target in self._components():
            target = f"#{self._components_at}/{_quote(target)}"
            at = Node(None, self._documents.main, at.pointer, self._documents.root.base)
        try:
            node = self._documents.resolve(target, at)
            self._documents.chain(node)
        except BrokenReferenceError as error:
            self._report.error(at.place, error.found, error.allowed)
            return None
        return f"#/$defs/{self._name(node)}"

    def _implied(
        self, value: dict[str, Any], out: dict[str, Any], node: Node, pointer: str
    ) -> Iterable[tuple[str, str]]:
        """Yield what a discriminator maps without saying so: its branches, or else its heirs."""
        choice = next((keyword for keyword in ("oneOf", "anyOf") if isinstance(value.get(keyword), list)), None)
        if choice is not None:
            for index, branch in enumerate(value[choice]):
                reference = branch.get("$ref") if isinstance(branch, dict) else None
                if isinstance(reference, str):
                    found = out[choice][index]
                    target = found.get("$ref") or found["anyOf"][0]["$ref"]
                    yield _component_name(reference), target
                elif isinstance(branch, dict) and branch.get("type") != "null":
                    self._report.wrinkle(
                        Place(node.source.name, f"{pointer}/{choice}/{index}"),
                        "a discriminator cannot choose this branch, which has no name",
                        "make it a component and refer to it",
                    )
            return
        prefix = self._components_at + "/"
        if node.source is self._documents.main and pointer.startswith(prefix) and "/" not in pointer[len(prefix) :]:
            heirs = [split(pointer)[-1]]
            for name in heirs:
                heirs.extend(heir for heir in self._heirs().get(name, ()) if heir not in heirs)
                component = self._documents.resolve(f"#{prefix}{_quote(name)}", self._documents.root)
                yield name, f"#/$defs/{self._name(component)}"

    def _heirs(self) -> dict[str, list[str]]:
        """Return, for each component, the components whose `allOf` refers to it."""
        if self._children is None:
            self._children = {}
            components: Any = self._components()
            known = {f"#{self._components_at}/{_quote(name)}": name for name in components}
            known |= {f"#{self._components_at}/{escape(name)}": name for name in components}
            for name in components:
                schema = components[name]
                branches = schema.get("allOf") if isinstance(schema, dict) else None
                for branch in branches if isinstance(branches, list) else ():
                    reference = branch.get("$ref") if isinstance(branch, dict) else None
                    parent = known.get(reference) if isinstance(reference, str) else None
                    if parent is not None:
                        self._children.setdefault(parent, []).append(name)
        return self._children


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with null allowed, as `nullable: true` means it."""
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = kind if kind == "null" else [kind, "null"]
    elif any(keyword in schema for keyword in ("$ref", "allOf", "anyOf", "oneOf", "not")):
        outside = {key: item for key, item in schema.items() if key in _ANNOTATIONS or key.startswith("x-")}
        discriminator = outside.pop("discriminator", None)
        inside = {key: item for key, item in schema.items() if key not in outside}
        if discriminator is not None:
            inside["discriminator"] = discriminator
        return {**outside, "anyOf": [inside, _NULL]}
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _has_single_example(value: dict[str, Any]) -> bool:
    return "example" in value and not isinstance(value.get("examples"), list)


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name).strip("_") or "schema"


def _quote(name: str) -> str:
    return escape(name).replace("%", "%25")


def _derive(node: Node) -> str:
    """Derive a readable name: `#/components/schemas/A/properties/b` is `A.b`, `pet.yaml` is `pet`."""
    tokens = [_safe(token) for token in split(node.pointer) if token not in _STRUCTURE]
    return ".".join(tokens) or _safe(node.source.name.rpartition("/")[2].partition(".")[0])


def _component_name(reference: str) -> str:
    """Return the name by which a discriminator knows the target of a reference."""
    uri, _, fragment = reference.partition("#")
    last = unquote(fragment or uri).rpartition("/")[2]
    return split("/" + last)[0] if fragment else last.partition(".")[0]
