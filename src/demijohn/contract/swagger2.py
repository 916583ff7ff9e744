"""Swagger 2.0, read into a `Contract`: bodies and forms leave the parameters, `produces` becomes content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

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
from demijohn.contract.readers import Reader, Sent, location_of, media_range, single_example
from demijohn.contract.references import Documents, Node
from demijohn.contract.report import Report

__all__ = ["Swagger2"]

_JSON = "application/json"
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
# The members of a parameter or header that describe its value.
_SCHEMA_KEYS = frozenset(
    {
        *(
            "default",
            "enum",
            "exclusiveMaximum",
            "exclusiveMinimum",
            "format",
            "items",
            "maxItems",
            "maxLength",
        ),
        *(
            "maximum",
            "minItems",
            "minLength",
            "minimum",
            "multipleOf",
            "pattern",
            "type",
            "uniqueItems",
            "x-nullable",
        ),
    }
)
_COLLECTIONS: dict[str, Style] = {"ssv": "spaceDelimited", "tsv": "tabDelimited", "pipes": "pipeDelimited"}


class Swagger2(Reader):
    """Read Swagger 2.0."""

    def __init__(self, documents: Documents, report: Report, official: Official) -> None:
        super().__init__(documents, report, official, "2.0")

    def _component_depth(self, tokens: list[str]) -> int:
        return 2 if tokens[1:2] in (["definitions"], ["parameters"], ["responses"]) else 0

    def _base_path(self) -> str:
        path = self.root.text("basePath").strip("/")
        return f"/{path}" if path else ""

    def _schemes(self) -> Iterator[tuple[str, Scheme]]:
        for name, node in self.root.items("securityDefinitions"):
            kind = node.text("type")
            if kind not in ("basic", "apiKey", "oauth2"):
                continue
            hooks, extensions = self._hooks(node)
            location = node.text("in")
            scopes = {key: str(item.value) for key, item in node.items("scopes")}
            yield (
                name,
                Scheme(
                    name=name,
                    kind=cast("SchemeKind", kind),
                    place=node.place,
                    location=cast("Any", location) if location in ("query", "header") else None,
                    parameter=node.text("name") or None if kind == "apiKey" else None,
                    http_scheme="basic" if kind == "basic" else None,
                    scopes=scopes,
                    hooks=hooks,
                    extensions=extensions,
                ),
            )

    def scheme_names(self) -> set[str]:
        return {name for name, _ in self.root.items("securityDefinitions")}

    def _sent(self, operation: Node, shared: list[Node], own: list[Node]) -> Sent:
        declared = {**self._declared(shared), **self._declared(own)}
        fields = [node for node in declared.values() if node.text("in") == "formData"]
        bodies = [node for node in declared.values() if node.text("in") == "body"]
        for node in bodies[1:]:
            self.report.error(node.place, "the operation has more than one body", "allowed is one body parameter")
        if bodies and fields:
            self.report.error(fields[0].place, "the operation has a body and form fields", "allowed is one of the two")
        body = None
        if bodies:
            body = self._body(bodies[0], operation)
        elif fields:
            body = self._form(fields, operation)
        parameters = tuple(
            self._parameter(node, location) for node in declared.values() if (location := location_of(node)) is not None
        )
        return Sent(parameters, body)

    def _body(self, node: Node, operation: Node) -> Body:
        written = node.get("schema")
        schema = self.schemas.normal(written) if written is not None else None
        examples = _examples(node, "x-examples")
        contents = tuple(
            MediaType(name, node.place, schema, examples=tuple(examples.get(name, ())))
            for name in self._types(operation, "consumes") or [_JSON]
        )
        return Body(node.place, node.flag("required"), contents, name=node.text("name", "body"))

    def _form(self, fields: list[Node], operation: Node) -> Body:
        properties: dict[str, JsonSchema] = {}
        encodings: dict[str, Encoding] = {}
        for node in fields:
            name = node.text("name")
            value = self._value(node)
            if isinstance(value, dict) and node.text("description"):
                value = {"description": node.text("description"), **value}
            properties[name] = value
            if node.text("type") == "array":
                style, explode = _serialised(node, "query")
                encodings[name] = Encoding(style=style, explode=explode)
        required = [node.text("name") for node in fields if node.flag("required")]
        schema: JsonSchema = {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
        }
        self.schemas.entries.append(schema)
        has_file = any(node.text("type") == "file" for node in fields)
        types = [name for name in self._types(operation, "consumes") if name in (_URLENCODED, _MULTIPART)]
        if has_file and types and _MULTIPART not in types:
            self.report.wrinkle(operation.place, f"a file is sent as `{_URLENCODED}`", f"consume `{_MULTIPART}`")
        if has_file:
            types = [_MULTIPART]
        place = fields[0].place
        contents = tuple(MediaType(name, place, schema, encodings) for name in types or [_URLENCODED])
        return Body(place, bool(required), contents, unpacked=True)

    def _parameter(self, node: Node, location: Location) -> Parameter:
        style, explode = _serialised(node, location)
        return Parameter(
            name=node.text("name"),
            location=location,
            place=node.place,
            required=node.flag("required"),
            style=style,
            explode=explode,
            allow_empty=node.flag("allowEmptyValue"),
            schema=self._value(node),
            examples=single_example(node, "x-example"),
            description=node.text("description"),
        )

    def _value(self, node: Node) -> JsonSchema:
        """Return the schema of a parameter, form field or header, which describes its value itself."""
        return self.schemas.normal_of({key: node.value[key] for key in node.value if key in _SCHEMA_KEYS}, node)

    def _types(self, operation: Node, key: str) -> list[str]:
        holder = operation if key in operation.value else self.root
        return list(dict.fromkeys(media_range(name) for name in holder.texts(key)))

    def _response(self, status: str, node: Node, operation: Node) -> Response:
        headers = []
        for name, header in node.items("headers"):
            if isinstance(header.value, dict):
                style, explode = _serialised(header, "header")
                headers.append(
                    Parameter(
                        name=name,
                        location="header",
                        place=header.place,
                        style=style,
                        explode=explode,
                        schema=self._value(header),
                        description=header.text("description"),
                    )
                )
        written = node.get("schema")
        schema = self.schemas.normal(written) if written is not None else None
        examples = _examples(node, "examples")
        types = list(examples)
        if written is not None:
            types = _types_for(status, self._types(operation, "produces") or [_JSON])
        return Response(
            status=status,
            place=node.place,
            description=node.text("description"),
            headers=tuple(headers),
            contents=tuple(
                MediaType(name, node.place, schema, examples=tuple(examples.get(name, ()))) for name in types
            ),
        )

    def _read_unused(self) -> None:
        for _, node in self.root.items("definitions"):
            self.schemas.define(node)
        nowhere = Node({}, self.documents.main, "", self.root.base)
        for name, item in self.root.items("responses"):
            node_ = self.follow(item, "response")
            if node_ is not None:
                self._response(name, node_, nowhere)
        for _, item in self.root.items("parameters"):
            found = self.follow(item, "parameter")
            if found is None:
                continue
            if found.text("in") == "body":
                self._body(found, nowhere)
            else:
                self._value(found)


def _serialised(node: Node, location: Location) -> tuple[Style, bool]:
    """Return the style that says what `collectionFormat` says."""
    collection = node.text("collectionFormat", "csv")
    if collection in _COLLECTIONS:
        return _COLLECTIONS[collection], False
    return "form" if location == "query" else "simple", collection == "multi"


def _examples(node: Node, key: str) -> dict[str, list[Example]]:
    """Return the examples under `key` by media type."""
    return {media_range(name): [Example("", item.value)] for name, item in node.items(key)}


def _types_for(status: str, produces: list[str]) -> list[str]:
    """Return the media types of `produces` that a status can have.

    The one list stands for every answer of an operation. RFC 9457 says which are for errors: a list of people
    is never `application/problem+json`, and where that is on offer an error has no other type.
    """
    problems = [name for name in produces if name.startswith("application/problem+")]
    is_error = status == "default" or status[0] in "45"
    if not problems or len(problems) == len(produces):
        return produces
    return (
        problems + [name for name in produces if name not in problems]
        if is_error
        else [name for name in produces if name not in problems]
    )
