"""Which operations of a contract are something on a model: the first look, that reports nothing.

An operation is looked at together with its siblings: a `DELETE` has no schema that could name a model, the other
operations of its path have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import get_args

from demijohn.contract import Contract, JsonSchema, MediaType, Operation, Response
from demijohn.resources.binding import Binder
from demijohn.resources.model import Model
from demijohn.resources.paths import Route, names_model, route_of, steps_of
from demijohn.resources.shape import Act

__all__ = ["Outline", "Outlines", "is_json_type", "json_content"]

ACTS: tuple[Act, ...] = get_args(Act)
_ALLOWED: dict[str, tuple[Act, ...]] = {
    "GET": ("list", "read"),
    "POST": ("create", "replace", "patch", "delete"),
    "PUT": ("replace", "create", "patch"),
    "PATCH": ("patch", "replace"),
    "DELETE": ("delete",),
}
_STATUSES: dict[Act, tuple[int, ...]] = {
    "list": (200,),
    "read": (200,),
    "create": (201, 200, 204),
    "replace": (200, 204),
    "patch": (200, 204),
    "delete": (204, 200),
}
_JSON = re.compile(r"application/(json|.+\+json|\*)|\*/\*")


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Be what a first look tells of an operation on a model.

    `content` is the JSON of the successful answer, None where it has no body; `schema` is that of one item in it,
    and `items` the property of the envelope that holds the items of a list, "" for a bare array.
    """

    operation: Operation
    act: Act
    model: Model
    route: Route
    status: int
    response: Response | None
    content: MediaType | None
    schema: JsonSchema | None
    items: str
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class _Named:
    """Hold what `x-resource` says of an operation."""

    model: Model | None = None
    act: Act | None = None


class Outlines:
    """Look at the operations of one contract."""

    def __init__(self, contract: Contract, binder: Binder) -> None:
        self._binder = binder
        self._reader = binder.reader
        self._operations = contract.operations
        self._by_path: dict[str, list[Operation]] = {}
        for operation in contract.operations:
            self._by_path.setdefault(operation.path, []).append(operation)
        self._told: dict[tuple[str, str], Model | None] = {}

    def of(self, operation: Operation) -> Outline | str:
        """Return what an operation is on a model, or else why it is nothing."""
        named = self.named(operation)
        if isinstance(named, str):
            return named
        model = named.model or self._model_of(operation)
        if isinstance(model, str):
            return model
        if model is None:
            return "neither its schemas nor its path name a model that was handed over"
        if operation.method not in _ALLOWED:
            return f"{operation.method} is nothing on a model"
        if named.act is not None and named.act not in _ALLOWED[operation.method]:
            return f"{operation.method} cannot {named.act}"
        return self._outline(operation, model, named)

    def named(self, operation: Operation) -> _Named | str:
        """Return what the `x-resource` of an operation, or of its path, says; a text where it says nothing true."""
        written = operation.extensions.get("x-resource")
        if written is None:
            return _Named()
        text = str(written)
        model = self._binder.models.named(text)
        if model is not None:
            return _Named(model)
        name, _, act = text.rpartition(".")
        model = self._binder.models.named(name)
        if model is None:
            return f"`x-resource: {text}` names no model; {self._binder.models.hint(name or text)}"
        if act not in ACTS:
            return f"`x-resource: {text}`: allowed after `{name}.` are " + ", ".join(f"`{one}`" for one in ACTS)
        return _Named(model, next(one for one in ACTS if one == act))

    # Models

    def _model_of(self, operation: Operation) -> Model | str | None:
        """Return the model that the schemas, the siblings or the path of an operation name."""
        answered, sent = self._answered(operation), self._sent(operation)
        if answered is not None and sent is not None and answered is not sent:
            return f"it takes {sent.name} and answers {answered.name}"
        return answered or sent or self._model_of_path(operation.path)

    def _answered(self, operation: Operation) -> Model | None:
        content = json_content(next(iter(_successes(operation)), None))
        if content is None or content.schema is None:
            return None
        return self._binder.model_of(content.schema) or self._binder.model_of(self._items(content.schema)[0] or {})

    def _sent(self, operation: Operation) -> Model | None:
        content = json_content(operation.body)
        if content is None or content.schema is None:
            return None
        return self._binder.model_of(self._reader.items(content.schema) or content.schema)

    def _model_of_path(self, path: str) -> Model | None:
        """Return the model of the other operations of a path, of its collection or item, or that it is called after."""
        plain = re.sub(r"(/[^/]*\{[^{}]*\}[^/]*)+$", "", path)
        for near in (path, plain, *(one for one in self._by_path if _is_item_of(one, plain))):
            found = {one for sibling in self._by_path.get(near, ()) if (one := self._schemas_of(sibling)) is not None}
            if len(found) == 1:
                return found.pop()
        segment = steps_of(path)[-1].segment
        return next((one for one in self._binder.models.all if names_model(segment, one)), None)

    def _schemas_of(self, operation: Operation) -> Model | None:
        key = (operation.method, operation.path)
        if key not in self._told:
            named = self.named(operation)
            model = named.model if isinstance(named, _Named) else None
            self._told[key] = model or self._answered(operation) or self._sent(operation)
        return self._told[key]

    # What it does

    def _outline(self, operation: Operation, model: Model, named: _Named) -> Outline | str:
        act = named.act or self._act(operation)
        found = self._success(operation, act)
        if isinstance(found, str):
            return found
        status, response = found
        content = json_content(response)
        if response is not None and response.contents and content is None:
            return "its answer is not JSON"
        if content is not None and content.schema is None:
            return "its answer has no schema"
        schema = content.schema if content is not None else None
        items, bulk = "", False
        if act in ("list", "read"):
            if schema is None:
                return "its answer has no body"
            if act == "list":
                inner, items = self._items(schema)
                if inner is None:
                    return "its answer is no list"
                schema = inner
        elif act == "create":
            body = json_content(operation.body) or (operation.body.contents[0] if operation.body else None)
            if body is None:
                return "it takes no body"
            is_array = schema is not None and self._reader.facts(schema).kinds == {"array"}
            bulk = body.schema is not None and self._reader.facts(body.schema).kinds == {"array"}
            if schema is not None and is_array != bulk:
                return "it takes one and answers many" if is_array else "it takes many and answers one"
            if is_array and schema is not None:
                schema = self._reader.items(schema)
        route = self._route(operation, model, act)
        if isinstance(route, str):
            return route
        if act == "create" and named.model is None and not self._is_collection(operation, model, status):
            return f"its path is no collection of {model.name}, and it does not answer 201"
        return Outline(operation, act, model, route, status, response, content, schema, items, bulk)

    def _act(self, operation: Operation) -> Act:
        if operation.method != "GET":
            return _ALLOWED[operation.method][0]
        content = json_content(next(iter(_successes(operation)), None))
        if content is None or content.schema is None:
            return "read"
        items, envelope = self._items(content.schema)
        # An object with an array in it is an envelope where the path is that of a collection only.
        return "read" if items is None or (envelope and steps_of(operation.path)[-1].names) else "list"

    def _success(self, operation: Operation, act: Act) -> tuple[int, Response | None] | str:
        """Return the status of success and what is answered with it."""
        found = {one.status.upper(): one for one in _successes(operation)}
        for status in _STATUSES[act]:
            if str(status) in found:
                return status, found[str(status)]
        for wide in ("2XX", "DEFAULT"):
            if wide in found:
                response = found[wide]
                return (_STATUSES[act][0] if response.contents or act == "create" else _STATUSES[act][-1]), response
        if found:
            return f"its only success is {', '.join(found)}"
        return (201 if act == "create" else 204), None

    def _items(self, schema: JsonSchema) -> tuple[JsonSchema | None, str]:
        """Return the schema of the items of a list, and the property that holds them; None where it is no list."""
        kinds = self._reader.facts(schema).kinds
        if kinds == {"array"}:
            return self._reader.items(schema) or {}, ""
        if kinds != {"object"} or self._binder.model_of(schema) is not None:
            return None, ""
        arrays = {name: one for name, one in self._reader.properties(schema).items() if self._is_array(one)}
        if len(arrays) > 1:
            arrays = {name: one for name, one in arrays.items() if self._binder.model_of(self._reader.items(one) or {})}
        if len(arrays) != 1:
            return None, ""
        name, one = next(iter(arrays.items()))
        return self._reader.items(one) or {}, name

    def _is_array(self, schema: JsonSchema) -> bool:
        return self._reader.facts(schema).kinds == {"array"}

    def _route(self, operation: Operation, model: Model, act: Act) -> Route | str:
        route = route_of(operation, model, self._binder.models, self._reader)
        *before, last = steps_of(operation.path)
        if act not in ("list", "create") and not last.names and before and (isinstance(route, str) or not route.keys):
            # `/countries/{code}/rename` is about the country.
            item = route_of(
                replace(operation, path=operation.path.rpartition("/")[0]), model, self._binder.models, self._reader
            )
            route = item if isinstance(route, str) or not _is_only_one(model, route) else route
        if isinstance(route, str):
            return route
        if act in ("list", "create"):
            return route if not route.keys else f"its path names one {model.name}, and it would {act}"
        if route.keys or _is_only_one(model, route):
            return route
        return f"its path does not say which {model.name}"

    def _is_collection(self, operation: Operation, model: Model, status: int) -> bool:
        """Tell whether a path is where rows of a model are added; `/login` answers a User and makes none."""
        if status == 201 or names_model(steps_of(operation.path)[-1].segment, model):
            return True
        near = [*self._by_path[operation.path]]
        for path, operations in self._by_path.items():
            if _is_item_of(path, operation.path):
                near += operations
        return any(one.method == "GET" and self._schemas_of(one) is model for one in near)


def json_content(holder: Response | object | None) -> MediaType | None:
    """Return the JSON that a body or an answer is described as: `application/json` before others."""
    contents: Iterable[MediaType] = getattr(holder, "contents", ())
    found = [one for one in contents if is_json_type(one.range)]
    return min(found, key=lambda one: (one.range != "application/json", "patch" in one.range), default=None)


def is_json_type(range_: str) -> bool:
    """Tell whether a media type, or a range of them, is or includes JSON."""
    return _JSON.fullmatch(range_) is not None


def _successes(operation: Operation) -> list[Response]:
    """Return the answers that tell of success, the definite ones first."""
    found = [one for status, one in operation.responses.items() if status[:1] == "2" or status == "default"]
    return sorted(found, key=lambda one: (one.status == "default", one.status.upper() == "2XX", one.status))


def _is_item_of(path: str, collection: str) -> bool:
    """Tell whether a path is that of an item of a collection: one more segment, with parameters."""
    rest = path.removeprefix(collection)
    return rest != path and re.fullmatch(r"(/[^/]*\{[^{}]*\}[^/]*)+", rest) is not None


def _is_only_one(model: Model, route: Route) -> bool:
    """Tell whether there is at most one row below the item above: `/people/{id}/profile`."""
    if route.above is None:
        return False
    columns = {column for column, _ in route.above.on}
    return any(columns.issuperset(one) for one in model.unique)
