"""What each operation of a contract is on a model: from its method, path, schemas and parameters to a `Shape`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from demijohn.contract import Body, Contract, JsonSchema, MediaType, Operation, Parameter, Place
from demijohn.resources.binding import Binder, Inclusion, Report
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.listing import compile_envelope, compile_options, inclusion_of
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.models import Models
from demijohn.resources.outlines import Outline, Outlines, is_json_type
from demijohn.resources.ownership import Ownership
from demijohn.resources.paths import Above, Named
from demijohn.resources.proof import prove
from demijohn.resources.shape import Act, Envelope, Key, ListOptions, Parent, Shape, Slot
from demijohn.resources.spelling import Spelling
from demijohn.resources.tables import foreign_keys
from demijohn.resources.view import View
from demijohn.settings import Settings

__all__ = ["Shaper", "shapes_of"]

_WRITES: frozenset[Act] = frozenset(("create", "replace", "patch", "delete"))
_MERGE = frozenset(("application/merge-patch+json", "application/json", "application/*", "*/*"))
_JSON_PATCH = "application/json-patch+json"
_FORMS = frozenset(("application/x-www-form-urlencoded", "multipart/form-data"))
_LETTING_GO = frozenset(("CASCADE", "SET NULL", "SET DEFAULT"))
# Headers that the server itself reads or answers; `Accept` and its like never are parameters (OpenAPI 3.1.1, 4.8.12).
_SERVED = frozenset(("prefer", "if-none-match", "x-request-id"))


def shapes_of(
    contract: Contract,
    models: Models,
    dialect: Dialect,
    settings: Settings,
    report: Report,
    warn: Report,
    operations: Iterable[Operation] | None = None,
    is_filled: Callable[[Model], bool] = lambda model: False,
    others: Iterable[Shape] = (),
    spellings: Mapping[AnyColumn, Spelling] = MappingProxyType({}),
) -> dict[Place, Shape | str | None]:
    """Return, by its place, what each operation is on a model.

    `operations` are those that no function serves (default: all); only they are reported on. An operation that is
    nothing on a model gets the reason; one that is something, but not as it stands, gets None, and `report` has what
    is wrong, in contract and model together too. `warn` takes what harms nobody. Both are told each thing once.
    `is_filled` tells of a model that hooks stand before its creates. `others` are shapes of the contract that were made
    elsewhere, to be compared with their models together with these. `spellings` says of columns in which spelling their
    texts are stored and looked for.
    """
    report, warn = _Telling(report), _Telling(warn)
    binder = Binder(contract, models, dialect, report, warn, spellings)
    ownership = Ownership(binder, dialect.name, report, warn)
    shaper = Shaper(contract, binder, ownership, settings, report, warn)
    found = shaper.all(operations)
    prove(contract, [*shaper.made, *others], report, warn, is_filled)
    return found


class Shaper:
    """Make the shapes of one contract."""

    def __init__(
        self,
        contract: Contract,
        binder: Binder,
        ownership: Ownership,
        settings: Settings,
        report: Report,
        warn: Report,
    ) -> None:
        self._contract = contract
        self._binder = binder
        self._ownership = ownership
        self._settings = settings
        self._report = report
        self._warn = warn
        self._outlines = Outlines(contract, binder)
        self._looked: dict[Place, Outline | str] = {}
        # Those that do not go together are compared with their models as well, so that all is told at once.
        self.made: list[Shape] = []

    def all(self, operations: Iterable[Operation] | None = None) -> dict[Place, Shape | str | None]:
        """Return the shapes of operations by their places."""
        wanted = self._contract.operations if operations is None else tuple(operations)
        for operation in wanted:
            outline = self.outline(operation)
            if isinstance(outline, Outline) and outline.act in ("list", "read"):
                self._ownership.see(operation, outline.model)
        return {operation.place: self.shape(operation) for operation in wanted}

    def outline(self, operation: Operation) -> Outline | str:
        """Return what a first look tells of an operation."""
        if operation.place not in self._looked:
            self._looked[operation.place] = self._outlines.of(operation)
        return self._looked[operation.place]

    def shape(self, operation: Operation) -> Shape | str | None:
        """Return what an operation is on a model, or why it is nothing; None where `report` has what is wrong."""
        outline = self.outline(operation)
        if isinstance(outline, str):
            return outline
        told = _Telling(self._report)
        binder, included = self._binder.telling(told), self._included(outline)
        making = _Making(outline, binder, self._settings, told, self._warn, included)
        shape = self._ownership.telling(told).of(making.make(self.location(outline)), outline.schema)
        self.made.append(shape)
        return None if told.count else shape

    def _included(self, outline: Outline) -> Inclusion | None:
        """Return what an answer to a write includes: nothing on request, where the same schema read is asked for it."""
        if outline.act in _WRITES and outline.schema is not None:
            identity = self._binder.reader.identity(outline.schema)
            for operation in self._contract.operations:
                other = self.outline(operation) if operation.method == "GET" else ""
                if isinstance(other, Outline) and other.schema is not None and other.model is outline.model:
                    same = self._binder.reader.identity(other.schema) == identity
                    if same and inclusion_of(operation, self._binder) is not None:
                        return Inclusion(frozenset())
        return None

    def location(self, outline: Outline) -> tuple[str, Mapping[str, AnyColumn | Slot]] | None:
        """Return the address of a row that a create makes: that of the operation that reads one, preferably below
        the same items."""
        if outline.act != "create" or outline.bulk:
            return None
        best: list[tuple[int, str, Mapping[str, AnyColumn | Slot]]] = []
        for operation in self._contract.operations:
            other = self.outline(operation) if operation.method == "GET" else ""
            if isinstance(other, Outline) and other.act == "read" and other.model is outline.model:
                names = _names_for(other, outline)
                if names is not None:
                    near = other.route.above is None, outline.route.above is None
                    best.append((0 if near[0] == near[1] else 1 if near[0] else 2, operation.path, names))
        return min(best, key=lambda one: one[0])[1:] if best else None


@dataclass(slots=True)
class _Telling:
    """Pass findings on, each once, and count them; a schema is laid once for each operation that has it."""

    report: Report
    count: int = 0
    told: set[tuple[Place, str]] = field(default_factory=set)

    def __call__(self, place: Place, found: str, allowed: str) -> None:
        """Pass one on."""
        self.count += 1
        if (place, found) not in self.told:
            self.told.add((place, found))
            self.report(place, found, allowed)


@dataclass(frozen=True, slots=True)
class _Making:
    """Make one shape of an outline, reporting whatever does not go together."""

    outline: Outline
    binder: Binder
    settings: Settings
    report: Report
    warn: Report
    included: Inclusion | None

    @property
    def _operation(self) -> Operation:
        return self.outline.operation

    def make(self, item: tuple[str, Mapping[str, AnyColumn | Slot]] | None) -> Shape:
        """Return the shape; it holds only where nothing was reported."""
        outline, operation = self.outline, self._operation
        view = self._view()
        options, envelope = self._options(view)
        body, media_types = self._body()
        if_match, idempotency_key = self._headers()
        created = operation.responses.get("201") if outline.act == "replace" else None
        if created is not None and outline.response is not None and outline.status != 201:
            self._check_created(created.contents)
        if outline.act in _WRITES:
            self._check_query()
            self._check_statuses(if_match)
        return Shape(
            operation=operation,
            act=outline.act,
            model=outline.model,
            keys=self._keys(outline.route.keys, outline.model),
            parent=self._parent(outline.route.above),
            view=view,
            body=body,
            status=outline.status,
            bulk=outline.bulk,
            created_status=201 if created is not None else None,
            media_types=media_types,
            item=item,
            envelope=envelope,
            options=options,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    # The path

    def _keys(self, named: Iterable[Named], model: Model) -> tuple[Key, ...]:
        keys = []
        for one in named:
            parameter = self._operation.parameters[one.slot]
            attribute = model.attribute(one.column)
            field = self.binder.value(parameter.name, parameter.schema, model, attribute, parameter.place)
            if field is not None:
                keys.append(Key(one.column, one.slot, field))
        return tuple(keys)

    def _parent(self, above: Above | None) -> Parent | None:
        if above is None:
            return None
        return Parent(above.model, self._keys(above.keys, above.model), above.on, self._parent(above.above))

    # The answer

    def _view(self) -> View | None:
        content, schema = self.outline.content, self.outline.schema
        if content is None or schema is None:
            return None
        response = self.outline.response
        for other in response.contents if response is not None else ():
            if not is_json_type(other.range):
                said = f"`{other.range}` is offered, and a statement answers JSON only"
                self.report(other.place, said, "leave it out, or write a function")
        include = inclusion_of(self._operation, self.binder) or self.included
        return self.binder.answer(schema, self.outline.model, _schema_of(content), include)

    def _options(self, view: View | None) -> tuple[ListOptions, Envelope | None]:
        outline, content = self.outline, self.outline.content
        if outline.act not in ("list", "read") or view is None or content is None or content.schema is None:
            return ListOptions(), None
        is_list = outline.act == "list"
        reader, operation = self.binder.reader, self._operation
        array = reader.properties(content.schema)[outline.items] if outline.items else content.schema
        options = compile_options(
            operation,
            outline.model,
            view,
            outline.schema or {},
            self.binder,
            self.settings,
            self.report,
            self.warn,
            most=reader.facts(array).schema.get("maxItems") if is_list else None,
            is_list=is_list,
        )
        if not outline.items:
            return options, None
        place = _schema_of(content)
        return options, compile_envelope(content.schema, outline.items, options, self.binder, place, self.report)

    # The request

    def _body(self) -> tuple[View | None, dict[str, Literal["merge", "json-patch"]]]:
        """Return what the body may hold, and for a patch what each of its media types means."""
        act, body = self.outline.act, self._operation.body
        if act in ("list", "read", "delete"):
            return None, {}
        if body is None:
            self.report(self._operation.place, f"a {act} takes a body, and none is described", "describe one")
            return None, {}
        if not body.required:
            self.warn(body.place, "the body is not required, and without one the request is refused", "require it")
        kinds: dict[str, Literal["merge", "json-patch"]] = {}
        plain: list[MediaType] = []
        for content in body.contents:
            if act == "patch" and content.range == _JSON_PATCH:
                kinds[content.range] = "json-patch"
            elif (content.range in _MERGE) if act == "patch" else self._is_readable(content):
                plain.append(content)
                if act == "patch":
                    kinds[content.range] = "merge"
            else:
                allowed = "`application/merge-patch+json`, `application/json`, `application/json-patch+json`"
                self.report(
                    content.place,
                    f"a {act} cannot be sent as `{content.range}`",
                    f"allowed are {allowed if act == 'patch' else '`application/json` and forms'}",
                )
        return self._body_view(body, plain), kinds

    def _is_readable(self, content: MediaType) -> bool:
        return is_json_type(content.range) or content.range in _FORMS

    def _body_view(self, body: Body, contents: list[MediaType]) -> View | None:
        model = self.outline.model
        described = [one for one in contents if one.schema is not None]
        if described:
            first = min(described, key=lambda one: one.range != "application/json")
            for other in described:
                if other.schema != first.schema:
                    said = f"`{other.range}` and `{first.range}` have different schemas"
                    self.report(other.place, said, "give both the same")
            schema: JsonSchema | None = first.schema
            if self.outline.bulk and schema is not None:
                schema = self.binder.reader.items(schema) or {}
            assert schema is not None
            return self.binder.body(schema, model, _schema_of(first))
        # A JSON Patch, or a body without a schema, says nothing of the resource: its representation does.
        known = next((name for name, one in self.binder.bound.items() if one is model), None)
        schema = self.outline.schema
        if schema is None and known is not None:
            schema = {"$ref": f"#/$defs/{known}"}
        if schema is None:
            self.report(body.place, f"no schema says what a {model.name} holds", "describe one")
            return None
        place = self.binder.places.definition(known) if known else None
        return self.binder.telling(_nobody).body(schema, model, place or body.place)

    def _headers(self) -> tuple[Slot | None, Slot | None]:
        """Return the slots of `If-Match` and `Idempotency-Key`."""
        act = self.outline.act
        found: dict[str, Slot] = {}
        for slot, parameter in enumerate(self._operation.parameters):
            if parameter.location not in ("header", "cookie"):
                continue
            name = parameter.name.lower()
            is_known = (
                parameter.location == "header"
                and (name in _SERVED or (name == "if-match" and act in ("replace", "patch", "delete")))
            ) or (name == "idempotency-key" and act in _WRITES)
            if is_known:
                found[name] = slot
            else:
                self._warn_of(parameter)
        return found.get("if-match"), found.get("idempotency-key")

    def _warn_of(self, parameter: Parameter) -> None:
        what = "header" if parameter.location == "header" else "cookie"
        said = f"the {what} `{parameter.name}` is checked, and then means nothing to a {self.outline.act}"
        self.warn(parameter.place, said, "leave it out, or write a function")

    def _check_query(self) -> None:
        for parameter in self._operation.parameters:
            if parameter.location in ("query", "querystring"):
                said = f"the parameter `{parameter.name}` means nothing to a {self.outline.act}"
                self.report(parameter.place, said, "leave it out, or write a function")

    def _check_created(self, contents: tuple[MediaType, ...]) -> None:
        schema = next((one.schema for one in contents if is_json_type(one.range)), None)
        if schema != (self.outline.content.schema if self.outline.content is not None else None):
            place = self._operation.responses["201"].place
            self.report(place, f"201 and {self.outline.status} answer different schemas", "give both the same")

    def _check_statuses(self, if_match: Slot | None) -> None:
        """Warn of statuses that a write may answer and does not document."""
        outline, documented = self.outline, self._operation.responses.keys()
        if "default" in documented or any(one.upper() == "4XX" for one in documented):
            return
        wanted = []
        if outline.route.above is not None or outline.act != "create":
            wanted.append("404")
        if _refers(outline.model) if outline.act != "delete" else _is_referred_to(outline.model):
            wanted.append("409")
        if if_match is not None:
            wanted += ["412", "428"] if self._operation.parameters[if_match].required else ["412"]
        missing = [f"`{one}`" for one in wanted if one not in documented]
        if missing:
            said = f"a {outline.act} may answer {', '.join(missing)}, and the operation does not say so"
            self.warn(self._operation.place, said, "describe these answers")


def _names_for(read: Outline, create: Outline) -> Mapping[str, AnyColumn | Slot] | None:
    """Return what each name in the path of `read` is made from after `create`, None where something is not known."""
    names: dict[str, AnyColumn | Slot] = {}
    parameters = read.operation.parameters
    for one in read.route.keys:
        names[parameters[one.slot].name] = one.column
    theirs, ours = read.route.above, create.route.above
    below: tuple[tuple[AnyColumn, AnyColumn], ...] = theirs.on if theirs is not None else ()
    while theirs is not None:
        given = {key.column: key.slot for key in ours.keys} if ours is not None and ours.model is theirs.model else {}
        referring = {referred: column for column, referred in below}
        for one in theirs.keys:
            source = given.get(one.column, referring.get(one.column))
            if source is None:
                return None
            names[parameters[one.slot].name] = source
        theirs, ours, below = theirs.above, ours.above if ours is not None else None, ()
    return names


def _refers(model: Model) -> bool:
    """Tell whether a row may be refused: it is like another, or refers to one that is missing."""
    others = [one for one in model.unique if one != model.key]
    return bool(others or model.table.foreign_key_constraints or model.table.autoincrement_column is None)


def _is_referred_to(model: Model) -> bool:
    """Tell whether rows of other tables may keep one from being deleted."""
    return any(
        key.referred_table is model.table and (key.ondelete or "").upper() not in _LETTING_GO
        for table in model.table.metadata.tables.values()
        for key in foreign_keys(table)
    )


def _nobody(place: Place, found: str, allowed: str) -> None:
    """Take a finding that is none: a representation may show what a body cannot hold."""


def _schema_of(content: MediaType) -> Place:
    return Place(content.place.file, f"{content.place.pointer}/schema")
