"""The contract of a built-in operation held against what the operation takes and answers, once, at start-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import orjson

from demijohn.auth.users import UserModel
from demijohn.compile.answers import Answer
from demijohn.compile.guards import Report
from demijohn.contract import Body, JsonSchema, MediaType, Operation, Place, Response
from demijohn.resources.binding import Binder
from demijohn.resources.facts import Facts, SchemaReader
from demijohn.resources.outlines import is_json_type, json_content
from demijohn.resources.view import View, fields_of

__all__ = ["Comparison", "Known", "Outcome", "Taken"]

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Known:
    """Say of a property that an operation knows which JSON type it has; `nullable` that there may be none."""

    kind: str
    nullable: bool = False
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Be a property of a body: where it stands, and what its schema says."""

    name: str
    schema: JsonSchema
    place: Place
    facts: Facts
    required: bool


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Write the answers of an operation: the properties that the contract shows, in its order.

    `names` maps them to whether one that is null is left out. `items` is the property of an envelope, "" for a bare
    array. `user` shows the user, where the contract does.
    """

    status: int
    names: Mapping[str, bool]
    user: View | None = None
    items: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def one(self, values: Mapping[str, Any], media_type: str) -> Answer:
        """Return the answer that shows one object."""
        if not self.names:
            return self.nothing()
        return Answer(self.status, orjson.dumps(self._shown(values)), media_type or _JSON, [*self.headers])

    def many(self, items: Iterable[Mapping[str, Any]], media_type: str) -> Answer:
        """Return the answer that shows a list."""
        shown: Any = [self._shown(one) for one in items]
        body = orjson.dumps({self.items: shown} if self.items else shown)
        return Answer(self.status, body, media_type or _JSON, [*self.headers])

    def nothing(self) -> Answer:
        """Return the answer without a body."""
        return Answer(self.status, b"", None, [*self.headers])

    def _shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: values[name] for name, leaves_out in self.names.items() if not (leaves_out and values[name] is None)
        }


class Comparison:
    """Compare one operation with what Demijohn knows of it; `name` is what it is called: `demijohn.auth.login`."""

    def __init__(self, name: str, operation: Operation, binder: Binder, users: UserModel, report: Report) -> None:
        self.name = name
        self.operation = operation
        self._binder = binder
        self._reader: SchemaReader = binder.reader
        self._users = users
        self._report = report

    def report(self, place: Place, found: str, allowed: str) -> None:
        """Report what does not fit."""
        self._report(place, found, allowed)

    # The request

    def method(self, *allowed: str) -> None:
        """Check the method."""
        if self.operation.method not in allowed:
            said = f"{self.operation.method} {self.operation.path}: {self.name} is not done by {self.operation.method}"
            self.report(self.operation.place, said, f"use {' or '.join(allowed)}")

    def no_body(self) -> None:
        """Check that the operation takes no body."""
        if self.operation.body is not None:
            self.report(self.operation.body.place, f"{self.name} takes no body", "leave it out")

    def key(self) -> int:
        """Return the slot of the one parameter of the path, which names an item."""
        slots = [slot for slot, one in enumerate(self.operation.parameters) if one.location == "path"]
        if len(slots) != 1:
            said = f"{self.name} needs one parameter in its path, and {self.operation.path} has {len(slots)}"
            self.report(self.operation.place, said, "write a path such as `/sessions/{id}`")
            return 0
        parameter = self.operation.parameters[slots[0]]
        if "string" not in self._reader.facts(parameter.schema).kinds:
            self.report(parameter.place, f"`{parameter.name}` is a text", "write `type: string`")
        return slots[0]

    def no_path(self) -> None:
        """Check that the path has no parameters."""
        for one in self.operation.parameters:
            if one.location == "path":
                self.report(one.place, f"{self.name} does not read `{one.name}`", "leave it out")

    def caller(self) -> None:
        """Check that somebody has to say who is calling."""
        security = self.operation.security
        if not security or any(not one.schemes for one in security):
            said = (
                f"{self.operation.method} {self.operation.path}: {self.name} is about the caller, and anyone may call"
            )
            self.report(self.operation.place, said, "demand credentials by `security`")

    def no_caller(self) -> None:
        """Check that nobody has to be logged in."""
        security = self.operation.security
        if security and all(one.schemes for one in security):
            said = (
                f"{self.operation.method} {self.operation.path}: {self.name} demands credentials, which it is to give"
            )
            self.report(self.operation.place, said, "write `security: []`")

    def body(self, *, form: bool = False, needed: bool = True) -> dict[str, Taken]:
        """Return the properties of the body. What it may be sent as is JSON, and with `form` also a form."""
        body = self.operation.body
        if body is None:
            if needed:
                self.report(self.operation.place, f"{self.name} takes a body, and none is described", "describe one")
            return {}
        if needed and not body.required:
            self.report(body.place, f"{self.name} cannot do without its body", "write `required: true`")
        return self._properties(body, form)

    def _properties(self, body: Body, form: bool) -> dict[str, Taken]:
        found: dict[str, Taken] = {}
        for content in body.contents:
            if not (is_json_type(content.range) or (form and content.range == _FORM)):
                allowed = "`application/json`" + (f" and `{_FORM}`" if form else "")
                said = f"{self.name} cannot be sent as `{content.range}`"
                self.report(content.place, said, f"allowed is {allowed}" if not form else f"allowed are {allowed}")
                continue
            if content.schema is None or self._reader.facts(content.schema).kinds != {"object"}:
                self.report(content.place, f"{self.name} takes an object", "describe it by a `schema`")
                continue
            for name, one in self._taken(content).items():
                known = found.setdefault(name, one)
                if known.required and not one.required:
                    found[name] = one
        return found

    def _taken(self, content: MediaType) -> dict[str, Taken]:
        schema, reader = content.schema, self._reader
        assert schema is not None
        required = reader.required(schema)
        place = Place(content.place.file, f"{content.place.pointer}/schema")
        made = {}
        for name, one in reader.properties(schema).items():
            facts = reader.facts(one)
            if not facts.read_only:
                at = self._binder.places.property(schema, place, name)
                made[name] = Taken(name, one, at, facts, name in required)
        return made

    def check(self, taken: Mapping[str, Taken], known: Mapping[str, str], *required: str) -> None:
        """Check that a body has no other properties than `known`, of those types, and that some must be sent."""
        for name, one in taken.items():
            kind = known.get(name)
            if kind is None:
                self.report(one.place, f"`{name}` is nothing that {self.name} takes", _hint(name, known))
            elif one.facts.kinds != {kind}:
                self.report(one.place, f"`{name}` is {_article(kind)}", f"write `type: {kind}`")
        for name in required:
            if name not in taken:
                place = self.operation.body.place if self.operation.body is not None else self.operation.place
                self.report(place, f"the body of {self.name} has no `{name}`", "add it, and require it")
            elif not taken[name].required:
                self.report(taken[name].place, f"`{name}` is optional, and {self.name} needs it", "require it")

    # The answer

    def outcome(
        self,
        known: Mapping[str, Known],
        statuses: tuple[int, ...],
        *,
        many: bool = False,
        required: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Outcome:
        """Return how the operation answers; `known` is what it can show, of which the contract may show less.

        `required` names what must be shown, or nobody would ever see it.
        """
        status, response = self._success(statuses)
        content = self._content(response)
        if content is None or content.schema is None:
            if known and response is not None and (many or required):
                self.report(response.place, f"the answer of {self.name} has no schema", "describe it")
            return Outcome(status, {}, headers=headers)
        schema, items = content.schema, ""
        place = Place(content.place.file, f"{content.place.pointer}/schema")
        if many:
            found = self._items(schema)
            if found is None:
                self.report(place, f"{self.name} answers a list", "describe an array, or an object with one")
                return Outcome(status, {}, headers=headers)
            schema, items = found
        names: dict[str, bool] = {}
        user = None
        properties, needed = self._reader.properties(schema), self._reader.required(schema)
        for name, one in properties.items():
            facts, at = self._reader.facts(one), self._binder.places.property(schema, place, name)
            if facts.write_only:
                continue
            if name == "user" and "user" in known:
                user = self.view(one, at)
                names[name] = False
            elif name not in known:
                self.report(at, f"`{name}` is nothing that {self.name} can answer", _hint(name, known))
            elif self._fits(name, known[name], facts, at, needed=name in needed):
                names[name] = not facts.nullable
        if required and required not in properties:
            self.report(place, f"the answer of {self.name} does not show `{required}`", "add it")
        return Outcome(status, names, user, items, headers)

    def shown_user(self, statuses: tuple[int, ...]) -> tuple[int, View | None, MediaType | None, Response | None]:
        """Return the status of success, and how it shows the user."""
        status, response = self._success(statuses)
        content = self._content(response)
        if content is None or content.schema is None:
            return status, None, content, response
        place = Place(content.place.file, f"{content.place.pointer}/schema")
        return status, self.view(content.schema, place), content, response

    def view(self, schema: JsonSchema, place: Place) -> View:
        """Return how a schema shows the user; what nobody may see is reported."""
        view = self._binder.answer(schema, self._users.model, place)
        for one in fields_of(view):
            if one.column is self._users.password:
                at = self._binder.places.property(schema, place, one.name)
                self.report(at, f"`{one.name}` shows the hash of the password", "leave it out")
        return view

    def _fits(self, name: str, known: Known, facts: Facts, place: Place, *, needed: bool) -> bool:
        kinds = {known.kind} | ({"number"} if known.kind == "integer" else set())
        if kinds.isdisjoint(facts.kinds):
            form = f", format: {known.form}" if known.form else ""
            self.report(place, f"`{name}` is {_article(known.kind)}", f"write `type: {known.kind}{form}`")
            return False
        if known.nullable and needed and not facts.nullable:
            self.report(place, f"`{name}` may be null", "let it be null, or make it optional")
            return False
        return True

    def _items(self, schema: JsonSchema) -> tuple[JsonSchema, str] | None:
        items = self._reader.items(schema)
        if items is not None:
            return items, ""
        arrays = [
            (name, inner)
            for name, one in self._reader.properties(schema).items()
            if (inner := self._reader.items(one)) is not None
        ]
        if len(arrays) != 1 or len(self._reader.properties(schema)) != 1:
            return None
        return arrays[0][1], arrays[0][0]

    def _success(self, statuses: tuple[int, ...]) -> tuple[int, Response | None]:
        responses = self.operation.responses
        for status in statuses:
            if str(status) in responses:
                return status, responses[str(status)]
        for wide in ("2XX", "2xx"):
            if wide in responses:
                return statuses[0], responses[wide]
        wanted = " or ".join(map(str, statuses))
        said = f"{self.operation.method} {self.operation.path} does not say what {self.name} answers"
        self.report(self.operation.place, said, f"describe status {wanted}")
        return statuses[0], None

    def _content(self, response: Response | None) -> MediaType | None:
        if response is None or not response.contents:
            return None
        content = json_content(response)
        if content is None:
            self.report(response.place, f"{self.name} answers JSON", "describe `application/json`")
        return content


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(name, names, 1)
    if close:
        return f"did you mean `{close[0]}`?"
    return "allowed are " + ", ".join(f"`{one}`" for one in names) if names else "leave it out"


def _article(kind: str) -> str:
    names = {"string": "a text", "array": "a list of texts", "boolean": "true or false"}
    return names.get(kind, f"an {kind}" if kind[0] in "aeiou" else f"a {kind}")
