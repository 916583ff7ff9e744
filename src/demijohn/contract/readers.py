"""What the readers of Swagger 2.0 and OpenAPI 3.x have in common: paths, operations, security, references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from demijohn.contract.model import (
    Body,
    Contract,
    Example,
    Location,
    Operation,
    Parameter,
    Place,
    Requirement,
    Response,
    Scheme,
)
from demijohn.contract.official import Official
from demijohn.contract.references import BrokenReferenceError, Documents, Node
from demijohn.contract.report import Report
from demijohn.contract.schemas import Dialect, Schemas

__all__ = ["HTTP_METHODS", "Reader", "Sent", "location_of", "media_range", "single_example", "template_names"]

HTTP_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_CONTROLLERS = ("x-openapi-router-controller", "x-swagger-router-controller")
_HOOKS = ("x-basicInfoFunc", "x-bearerInfoFunc", "x-apikeyInfoFunc", "x-tokenInfoFunc", "x-scopeValidateFunc")
_TEMPLATE_NAME = re.compile(r"\{([^{}]+)\}")


def template_names(path: str) -> list[str]:
    """Return the names in a path template, in order: `/a/{b}.{c}` has `b` and `c`."""
    return _TEMPLATE_NAME.findall(path)


def media_range(text: str) -> str:
    """Return a media type without its parameters, in lower case."""
    return text.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Sent:
    """Hold what a request sends: its parameters and its body, which 2.0 declares among them."""

    parameters: tuple[Parameter, ...]
    body: Body | None


class Reader:
    """Build a `Contract` from the nodes of a document; each version says how it writes things down.

    Shapes are not checked here: the official schema has told every wrong one already. What has the wrong
    shape is left out, so that one fault does not hide the next.
    """

    methods: tuple[str, ...] = HTTP_METHODS

    def __init__(self, documents: Documents, report: Report, official: Official, dialect: Dialect) -> None:
        self.documents = documents
        self.report = report
        self.official = official
        self.root = documents.root
        self.schemas = Schemas(documents, report, dialect, self._vet)
        self.used = self.schemas.used
        self.requirements: dict[Place, Requirement] = {}
        self.in_use: frozenset[tuple[str, str]] = frozenset()
        self._components_in_use: set[str] | None = None
        self._vetted: set[tuple[str, str, str]] = set()

    def read(self) -> Contract:
        """Return the contract. What no operation uses is read, too, leniently: it may be wrong."""
        operations = tuple(self._operations())
        schemes = dict(self._schemes()) or self._unknown_schemes()
        self.in_use = frozenset(self.used)
        with self.report.lenient():
            self._read_unused()
        info = self.root.get("info") or self.root
        return Contract(
            title=info.text("title"),
            version=self.root.text("openapi") or self.root.text("swagger"),
            base_path=self._base_path(),
            operations=operations,
            definitions=self.schemas.definitions,
            schemes=schemes,
            sources=self.documents.sources,
            api_version=info.text("version"),
            webhooks=tuple(name for name, _ in self.root.items("webhooks")),
            extensions=_without_controllers(self.root.extensions()),
        )

    def _unknown_schemes(self) -> dict[str, Scheme]:
        """Return schemes for the names that a document demands while it declares none at all.

        They are of no known kind, so nothing can ever satisfy them: what is not described stays closed.
        """
        schemes: dict[str, Scheme] = {}
        for place, requirement in self.requirements.items() if not self.scheme_names() else ():
            for name, _ in requirement.schemes:
                self.report.wrinkle(
                    place,
                    f"the security scheme `{name}` is not declared, nor is any other: nobody can satisfy it",
                    "declare it",
                )
                schemes.setdefault(name, Scheme(name, "http", place, is_declared=False))
        return schemes

    def counts(self, place: Place) -> bool:
        """Tell whether `place` belongs to anything that is in use; only a component can be out of use."""
        if place.file != self.documents.main.name:
            return True
        tokens = place.pointer.split("/")
        if tokens[1:2] == ["webhooks"]:
            return False
        size = self._component_depth(tokens)
        if size == 0 or len(tokens) <= size:
            return True
        component = "/".join(tokens[: size + 1])
        if self._components_in_use is None:
            self._components_in_use = {
                "/".join(tokens[: size + 1])
                for file, pointer in self.in_use
                if file == place.file and (size := self._component_depth(tokens := pointer.split("/")))
            }
        return component in self._components_in_use

    # What differs between the versions.

    def _component_depth(self, tokens: list[str]) -> int:
        """Return how many tokens name the component that a pointer leads into; 0 if into none."""
        raise NotImplementedError

    def _base_path(self) -> str:
        raise NotImplementedError

    def _schemes(self) -> Iterator[tuple[str, Scheme]]:
        raise NotImplementedError

    def scheme_names(self) -> set[str]:
        """Return the names of the declared security schemes, those included that cannot be read."""
        raise NotImplementedError

    def _sent(self, operation: Node, shared: list[Node], own: list[Node]) -> Sent:
        raise NotImplementedError

    def _response(self, status: str, node: Node, operation: Node) -> Response:
        raise NotImplementedError

    def _read_unused(self) -> None:
        raise NotImplementedError

    # What is the same.

    def follow(self, node: Node, kind: str) -> Node | None:
        """Return what `node` is, or refers to; None if it is no `kind`, which is reported."""
        if not isinstance(node.value, dict):
            return None
        if not isinstance(node.value.get("$ref"), str):
            return node
        try:
            steps = self.documents.chain(node)
        except BrokenReferenceError as error:
            self.report.error(node.child("$ref").place, error.found, error.allowed)
            return None
        self.used.update(step.key for step in steps[1:])
        self._vet(steps[-1], kind)
        return steps[-1] if isinstance(steps[-1].value, dict) else None

    def _vet(self, node: Node, kind: str) -> None:
        """Check a target of a reference: it may stand where the schema of the document does not look."""
        key = (*node.key, kind)
        if key in self._vetted:
            return
        self._vetted.add(key)
        for fault in self.official.check_part(node.value, kind):
            self.report.error(fault.place(node), fault.found, fault.allowed)

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.root.fields("paths"):
            yield from self._path_item(path, item)

    def _path_item(self, path: str, item: Node) -> Iterator[Operation]:
        merged = self._merged_item(item)
        if merged is None:
            return
        for layer in (*merged, *(layer.get(method) for layer in merged for method in self.methods)):
            if layer is not None and isinstance(layer.value, dict) and "servers" in layer.value:
                self.report.wrinkle(
                    layer.child("servers").place,
                    "the servers of a path or an operation are ignored",
                    "the servers of the document count for all of it",
                )
        extensions = {key: layer.child(key) for layer in merged for key in layer.extensions()}
        shared = [node for layer in merged for node in layer.elements("parameters")]
        found: dict[str, Node] = {}
        for layer in merged:
            for method in self.methods:
                node = layer.get(method)
                if node is not None and isinstance(node.value, dict):
                    found[method.upper()] = node
            if "additionalOperations" in layer.value and "query" in self.methods:
                found.update({name.upper(): node for name, node in layer.items("additionalOperations")})
        for method, node in found.items():
            yield self._operation(method, path, node, shared, extensions)

    def _merged_item(self, item: Node) -> list[Node] | None:
        """Return the layers of a path item, what is referred to first: the item's own members win."""
        if not isinstance(item.value, dict):
            return None
        if not isinstance(item.value.get("$ref"), str):
            return [item]
        target = self.follow(item, "pathItem")
        return [item] if target is None else [target, item]

    def _operation(
        self, method: str, path: str, node: Node, shared: list[Node], inherited: dict[str, Node]
    ) -> Operation:
        own = list(node.elements("parameters"))
        sent = self._sent(node, shared, own)
        written = {**inherited, **{key: node.child(key) for key in node.extensions()}}
        extensions = {key: one.value for key, one in written.items()}
        responses = {}
        for status, item in node.fields("responses"):
            target = self.follow(item, "response")
            if target is not None:
                name = status.upper() if status[:1].isdigit() else status
                responses[name] = self._response(name, target, node)
        return Operation(
            method=method,
            path=path,
            place=node.place,
            operation_id=node.text("operationId") or None,
            controller=self._controller(extensions),
            summary=node.text("summary"),
            description=node.text("description"),
            tags=node.texts("tags"),
            deprecated=node.flag("deprecated"),
            parameters=(*self._path_parameters(path, node, sent), *_others(sent)),
            body=sent.body,
            responses=responses,
            security=self._security(node),
            callbacks=tuple(name for name, _ in node.items("callbacks")),
            extensions=_without_controllers(extensions),
            extension_places=_without_controllers({key: one.place for key, one in written.items()}),
        )

    def _path_parameters(self, path: str, operation: Node, sent: Sent) -> Iterator[Parameter]:
        """Yield the path parameters in the order of the template: one for each name in it, and no other."""
        declared = {one.name: one for one in sent.parameters if one.location == "path"}
        if self.report.is_lenient:
            yield from declared.values()  # a callback or webhook, whose path is no template
            return
        for name in dict.fromkeys(template_names(path)):
            parameter = declared.pop(name, None)
            if parameter is None:
                self.report.wrinkle(
                    operation.place,
                    f"the path `{path}` has `{{{name}}}`, which is not declared and is taken as text",
                    f"declare `{name}` with `in: path`",
                )
                parameter = Parameter(name, "path", operation.place, required=True, schema={"type": "string"})
            yield parameter
        for name, parameter in declared.items():
            self.report.wrinkle(
                parameter.place,
                f"the path parameter `{name}` is not part of the path `{path}` and is ignored",
                f"write `{{{name}}}` in the path, or leave the parameter out",
            )

    def _controller(self, extensions: Mapping[str, Any]) -> str | None:
        for holder in (extensions, self.root.extensions()):
            for key in _CONTROLLERS:
                if isinstance(holder.get(key), str):
                    return str(holder[key])
        return None

    def _security(self, operation: Node) -> tuple[Requirement, ...]:
        holder = operation if "security" in operation.value else self.root
        alternatives = []
        for item in holder.elements("security"):
            if isinstance(item.value, dict):
                requirement = Requirement(tuple((name, item.texts(name)) for name in item.value))
                alternatives.append(requirement)
                if not self.report.is_lenient:
                    self.requirements[item.place] = requirement
        return tuple(alternatives)

    def _declared(self, nodes: list[Node]) -> dict[tuple[str, str], Node]:
        """Return the parameters of one list by location and name, references followed; tell of any twice."""
        declared: dict[tuple[str, str], Node] = {}
        for node in nodes:
            target = self.follow(node, "parameter")
            if target is None:
                continue
            name, location = target.text("name"), target.text("in")
            key = (location, name.lower() if location == "header" else name)
            if not name or not location:
                continue
            if key in declared:
                self.report.error(
                    node.place,
                    f"the {location} parameter `{name}` is declared twice",
                    "declare each parameter once",
                )
            declared.setdefault(key, target)
        return declared

    def _hooks(self, node: Node) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the functions that a security scheme names, and its other extensions."""
        extensions = node.extensions()
        hooks = {key: extensions.pop(key) for key in _HOOKS if isinstance(extensions.get(key), str)}
        if "x-tokenInfoUrl" in extensions:
            self.report.wrinkle(
                node.child("x-tokenInfoUrl").place,
                "`x-tokenInfoUrl` is not supported and is ignored",
                "name a function with `x-tokenInfoFunc`",
            )
        return hooks, extensions


def _others(sent: Sent) -> Iterator[Parameter]:
    return (one for one in sent.parameters if one.location != "path")


def location_of(node: Node) -> Location | None:
    """Return where a parameter is sent; None for what no version knows."""
    text = node.text("in")
    return text if text in ("path", "query", "header", "cookie", "querystring") else None  # type: ignore[return-value]


def single_example(node: Node, key: str = "example") -> tuple[Example, ...]:
    """Return the one example under `key`, if there is one."""
    found = node.get(key)
    return (Example("", found.value),) if found is not None else ()


def _without_controllers(extensions: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in extensions.items() if key not in _CONTROLLERS}
