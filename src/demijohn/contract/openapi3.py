"""OpenAPI 3.0, 3.1 and 3.2, read into a `Contract`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from demijohn.contract.model import (
    Body,
    Encoding,
    Example,
    JsonSchema,
    Location,
    MediaType,
    Parameter,
    Response,
    Scheme,
    SchemeKind,
    Style,
)
from demijohn.contract.official import Official
from demijohn.contract.readers import HTTP_METHODS, Reader, Sent, location_of, media_range, single_example
from demijohn.contract.references import Documents, Node
from demijohn.contract.report import Report

__all__ = ["OpenApi3"]

_STYLES: frozenset[str] = frozenset(get_args(Style))
_DEFAULT_STYLES: dict[Location, Style] = {
    "path": "simple",
    "header": "simple",
    "query": "form",
    "cookie": "form",
    "querystring": "form",
}
# https://spec.openapis.org/oas/v3.1.1#parameter-object: "the parameter definition SHALL be ignored".
_NOT_PARAMETERS = frozenset({"accept", "authorization", "content-type"})
_VARIABLE = re.compile(r"\{([^{}]+)\}")


class OpenApi3(Reader):
    """Read OpenAPI 3.0, 3.1 and 3.2."""

    def __init__(self, documents: Documents, report: Report, official: Official, minor: int) -> None:
        super().__init__(documents, report, official, "3.0" if minor == 0 else "3.1")
        if minor >= 2:
            self.methods = (*HTTP_METHODS, "query")

    def _component_depth(self, tokens: list[str]) -> int:
        return 3 if tokens[1:2] == ["components"] and tokens[2:3] != ["securitySchemes"] else 0

    def _base_path(self) -> str:
        server = next(self.root.elements("servers"), None)
        if server is None:
            return ""
        variables = dict(server.items("variables"))

        def default(match: re.Match[str]) -> str:
            variable = variables.get(match[1])
            return variable.text("default", match[0]) if variable is not None else match[0]

        try:
            path = urlsplit(_VARIABLE.sub(default, server.text("url"))).path
        except ValueError:
            self.report.error(server.place, "the URL of this server cannot be read", "write a URL or a path")
            return ""
        path = path.removeprefix(".").strip("/")
        return f"/{path}" if path else ""

    def _schemes(self) -> Iterator[tuple[str, Scheme]]:
        components = self.root.get("components")
        for name, item in components.items("securitySchemes") if components is not None else ():
            node = self.follow(item, "securityScheme")
            scheme = self._scheme(name, node) if node is not None else None
            if scheme is not None:
                yield name, scheme

    def scheme_names(self) -> set[str]:
        components = self.root.get("components")
        return {name for name, _ in components.items("securitySchemes")} if components is not None else set()

    def _scheme(self, name: str, node: Node) -> Scheme | None:
        hooks, extensions = self._hooks(node)
        kind = node.text("type")
        http_scheme = None
        if kind == "http":
            http_scheme = node.text("scheme").lower()
            kind = http_scheme if http_scheme in ("basic", "bearer") else "http"
        if kind not in get_args(SchemeKind):
            return None
        location = node.text("in") if kind == "apiKey" else None
        scopes: dict[str, str] = {}
        for _, flow in node.items("flows"):
            for scope, description in flow.items("scopes"):
                scopes[scope] = description.value if isinstance(description.value, str) else ""
        return Scheme(
            name=name,
            kind=cast("SchemeKind", kind),
            place=node.place,
            location=cast("Any", location) if location in ("query", "header", "cookie") else None,
            parameter=node.text("name") or None if kind == "apiKey" else None,
            http_scheme=http_scheme,
            bearer_format=node.text("bearerFormat") or None,
            openid_url=node.text("openIdConnectUrl") or None,
            scopes=scopes,
            hooks=hooks,
            extensions=extensions,
        )

    def _sent(self, operation: Node, shared: list[Node], own: list[Node]) -> Sent:
        declared = {**self._declared(shared), **self._declared(own)}
        parameters = [self._parameter(node) for node in declared.values()]
        item = operation.get("requestBody")
        node = self.follow(item, "requestBody") if item is not None else None
        name = operation.text("x-body-name", "body")
        body = self._body(node, name) if node is not None else None
        return Sent(tuple(one for one in parameters if one is not None), body)

    def _parameter(self, node: Node) -> Parameter | None:
        location = location_of(node)
        name = node.text("name")
        if location is None:
            return None
        if location == "header" and name.lower() in _NOT_PARAMETERS:
            self.report.wrinkle(
                node.place,
                f"the header parameter `{name}` is ignored, as OpenAPI says",
                "describe media types with `content` and credentials with `security`",
            )
            return None
        return self._described(node, name, location, required=node.flag("required"))

    def _described(self, node: Node, name: str, location: Location, *, required: bool) -> Parameter:
        """Return a parameter or a header: both are described in the same way."""
        style = cast("Style", node.text("style"))
        if style not in _STYLES:
            style = _DEFAULT_STYLES[location]
        schema: JsonSchema = True
        content_type = None
        examples = (*single_example(node), *self._examples(node))
        content = next(iter(node.items("content")), None)
        if content is not None:
            media = self._media(*content)
            content_type = media.range if media is not None else media_range(content[0])
            schema = media.schema if media is not None and media.schema is not None else True
            examples += media.examples if media is not None else ()
        else:
            written = node.get("schema")
            schema = self.schemas.normal(written) if written is not None else True
        return Parameter(
            name=name,
            location=location,
            place=node.place,
            required=required,
            style=style,
            explode=node.flag("explode", style == "form"),
            allow_reserved=node.flag("allowReserved"),
            allow_empty=node.flag("allowEmptyValue"),
            schema=schema,
            content_type=content_type,
            examples=examples,
            description=node.text("description"),
            deprecated=node.flag("deprecated"),
        )

    def _body(self, node: Node, name: str = "body") -> Body:
        return Body(
            place=node.place,
            required=node.flag("required"),
            contents=self._contents(node),
            name=node.text("x-body-name", name),
        )

    def _contents(self, holder: Node) -> tuple[MediaType, ...]:
        contents: dict[str, MediaType] = {}
        for name, item in holder.items("content"):
            media = self._media(name, item)
            if media is None:
                continue
            if media.range in contents:
                self.report.wrinkle(
                    item.place,
                    f"`{media.range}` is described twice, apart from its parameters; the first one counts",
                    "describe each media type once",
                )
            contents.setdefault(media.range, media)
        return tuple(contents.values())

    def _media(self, name: str, item: Node) -> MediaType | None:
        node = self.follow(item, "mediaType")
        if node is None:
            return None
        written, stream = node.get("schema"), node.get("itemSchema")
        schema: JsonSchema | None = None
        if written is not None:
            schema = self.schemas.normal(written)
        elif stream is not None:
            # 3.2: `itemSchema` describes each item of a stream, `schema` would describe their array.
            schema = {"type": "array", "items": self.schemas.normal(stream)}
        return MediaType(
            range=media_range(name),
            place=node.place,
            schema=schema,
            encodings={key: _encoding(entry) for key, entry in node.items("encoding")},
            examples=(*single_example(node), *self._examples(node)),
        )

    def _examples(self, holder: Node) -> tuple[Example, ...]:
        examples = []
        for name, item in holder.items("examples"):
            node = self.follow(item, "example")
            for key in ("value", "dataValue"):
                found = node.get(key) if node is not None else None
                if found is not None:
                    examples.append(Example(name, found.value))
                    break
        return tuple(examples)

    def _response(self, status: str, node: Node, operation: Node) -> Response:
        headers = []
        for name, item in node.items("headers"):
            header = self.follow(item, "header")
            # https://spec.openapis.org/oas/v3.1.1#response-object: Content-Type "SHALL be ignored".
            if header is not None and name.lower() != "content-type":
                headers.append(self._described(header, name, "header", required=header.flag("required")))
        links = []
        for name, item in node.items("links"):
            links.append(name)
            self.follow(item, "link")
        return Response(
            status=status,
            place=node.place,
            description=node.text("description"),
            headers=tuple(headers),
            contents=self._contents(node),
            links=tuple(links),
        )

    def _read_unused(self) -> None:
        components = self.root.get("components") or Node({}, self.documents.main, "/components", self.root.base)
        for _, node in components.items("schemas"):
            self.schemas.define(node)
        for name, item in components.items("responses"):
            node_ = self.follow(item, "response")
            if node_ is not None:
                self._response(name, node_, item)
        for kind, read in (
            ("parameters", self._parameter),
            ("requestBodies", self._body),
            ("examples", None),
            ("links", None),
        ):
            for _, item in components.items(kind):
                found = self.follow(item, _KINDS[kind])
                if found is not None and read is not None:
                    read(found)
        for _, item in components.items("headers"):
            found = self.follow(item, "header")
            if found is not None:
                self._described(found, "", "header", required=False)
        for name, item in components.items("mediaTypes"):
            self._media(name, item)
        callbacks = list(components.items("callbacks"))
        items = [*components.items("pathItems"), *self.root.items("webhooks")]
        for _, paths in self.root.fields("paths"):
            for method in self.methods:
                operation = paths.get(method)
                if operation is not None:
                    callbacks += operation.items("callbacks")
        for _, callback in callbacks:
            target = self.follow(callback, "callback")
            items += target.fields() if target is not None else ()
        for name, item in items:
            for _ in self._path_item(name, item):
                pass


_KINDS = {"parameters": "parameter", "requestBodies": "requestBody", "examples": "example", "links": "link"}


def _encoding(node: Node) -> Encoding:
    style = node.text("style")
    explode = node.value.get("explode") if isinstance(node.value, dict) else None
    types = node.text("contentType")
    return Encoding(
        content_types=tuple(media_range(one) for one in types.split(",") if one.strip()),
        style=cast("Style", style) if style in _STYLES else None,
        explode=explode if isinstance(explode, bool) else None,
        allow_reserved=node.flag("allowReserved"),
    )
