"""Contracts of a few lines, for small applications on models: paths, parameters, schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from werkzeug.test import TestResponse

Json: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[tuple[Any, list[dict[str, Any]]]]

INTEGER: Json = {"type": "integer"}
STRING: Json = {"type": "string"}
MERGE = "application/merge-patch+json"
STEPS = "application/json-patch+json"


def ref(name: str) -> Json:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Json, **more: Any) -> Json:
    """Describe an array."""
    return {"type": "array", "items": items, **more}


def obj(*required: str, **properties: Json) -> Json:
    """Describe an object of exactly these properties; those that are not `required` may be absent."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {name.removesuffix("_"): schema for name, schema in properties.items()},
    }


def whole(**properties: Json) -> Json:
    """Describe an object that has all of these properties and no others."""
    return obj(*(name.removesuffix("_") for name in properties), **properties)


def query(name: str, schema: Json | None = None, **more: Any) -> Json:
    """Describe a query parameter."""
    return {"name": name, "in": "query", "schema": schema or STRING, **more}


def words(name: str) -> Json:
    """Describe a query parameter that is a list with commas: `fields=a,b`."""
    return query(name, array(STRING), style="form", explode=False)


def header(name: str, *, required: bool = False) -> Json:
    """Describe a header parameter."""
    return {"name": name, "in": "header", "required": required, "schema": STRING}


def path(name: str, schema: Json | None = None, **more: Any) -> Json:
    """Describe a path parameter."""
    return {"name": name, "in": "path", "required": True, "schema": schema or INTEGER, **more}


def content(schema: Json, *media_types: str) -> Json:
    """Describe what a body may be."""
    return {media_type: {"schema": schema} for media_type in media_types or ("application/json",)}


def answers(schema: Json | None, status: int = 200) -> Json:
    """Describe the answer of an operation, and that it may be a problem."""
    good: Json = {"description": "Good."}
    if schema is not None:
        good["content"] = content(schema)
    return {str(status): good, "default": {"description": "A problem.", "content": {"application/problem+json": {}}}}


def listed(items: str | Json, *parameters: Json, **more: Any) -> Json:
    """Describe `GET` of a list: of the named schema as a bare array, or what the given schema says."""
    schema = array(ref(items)) if isinstance(items, str) else items
    return {"parameters": list(parameters), "responses": answers(schema), **more}


def read(schema: str, *parameters: Json, **more: Any) -> Json:
    """Describe `GET` of one item."""
    return {"parameters": list(parameters), "responses": answers(ref(schema)), **more}


def written(
    schema: str | None, body: str | Json, *parameters: Json, status: int = 200, media: Iterable[str] = (), **more: Any
) -> Json:
    """Describe an operation that takes a body and answers with the item."""
    taken = ref(body) if isinstance(body, str) else body
    return {
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": content(taken, *media)},
        "responses": answers(None if schema is None else ref(schema), status),
        **more,
    }


def patched(schema: str, body: str, *parameters: Json, **more: Any) -> Json:
    """Describe `PATCH` with a merge patch (under both of its names) and a JSON patch."""
    made = written(schema, body, *parameters, media=("application/json", MERGE), **more)
    made["requestBody"]["content"][STEPS] = {"schema": array({"type": "object"})}
    return made


def deleted(*parameters: Json, **more: Any) -> Json:
    """Describe `DELETE`."""
    return {"parameters": list(parameters), "responses": answers(None, 204), **more}


def crud(
    address: str, schema: str, *, new: str = "", update: str = "", key: str = "id", by: Json | None = None
) -> dict[str, Json]:
    """Describe a list with its items and all six operations on them."""
    new, update = new or f"New{schema}", update or f"{schema}Update"
    return {
        address: {
            "get": listed(schema, query("limit", INTEGER), query("offset", INTEGER)),
            "post": written(schema, new, status=201),
        },
        f"{address}/{{{key}}}": {
            "parameters": [path(key, by)],
            "get": read(schema),
            "put": written(schema, new),
            "patch": patched(schema, update),
            "delete": deleted(),
        },
    }


def contract(paths: Mapping[str, Json], schemas: Mapping[str, Json], version: str = "3.1.0", **more: Any) -> Json:
    """Return a whole contract."""
    return {
        "openapi": version,
        "info": {"title": "Small", "version": "1"},
        "paths": dict(paths),
        "components": {"schemas": dict(schemas)},
        **more,
    }


def problem(response: TestResponse, status: int) -> Json:
    """Check that the answer is a problem of that status, as RFC 9457 has it, and return it."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.mimetype == "application/problem+json"
    document: Json = response.get_json()
    assert document["status"] == status
    assert {"type", "title", "code"} <= document.keys()
    return document


def pointers(document: Json) -> list[str]:
    """Return which properties of a body a problem is about."""
    return [error["pointer"] for error in document.get("errors", [])]


def names(document: Json) -> list[tuple[str, str]]:
    """Return which parameters a problem is about."""
    return [(error["in"], error["name"]) for error in document.get("errors", []) if "in" in error]


def ids(response: TestResponse) -> list[Any]:
    """Return the ids of a list that is a bare array, or in `items`."""
    found = response.get_json()
    assert response.status_code == 200, response.text
    return [item["id"] for item in (found["items"] if isinstance(found, dict) else found)]


def links(response: TestResponse) -> dict[str, str]:
    """Return the targets of the `Link` header by their relations."""
    found = {}
    for one in response.headers.get("Link", "").split(", <"):
        target, _, relation = one.partition(">; rel=")
        found[relation.strip('"')] = target.lstrip("<")
    found.pop("", None)
    return found
