"""What the parameters and the envelope of a list mean, by their conventional names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from demijohn.contract import JsonSchema, Operation, Parameter, Place
from demijohn.resources.binding import Binder, Inclusion, Report, hint_for
from demijohn.resources.model import Model, holds_arrays
from demijohn.resources.shape import Envelope, Filter, ListOptions, Operator, Slot, Sort
from demijohn.resources.view import Embedded, Field, View
from demijohn.settings import Settings

__all__ = ["compile_envelope", "compile_options", "inclusion_of"]

_INTEGER = frozenset(("integer",))
_STRING = frozenset(("string",))
_ARRAY = frozenset(("array",))
_OPERATORS: frozenset[str] = frozenset(get_args(Operator))
_TEXT_OPERATORS = frozenset(("contains", "icontains", "startswith"))
_ORDER_OPERATORS = frozenset(("gt", "gte", "lt", "lte"))
# Which part of a list each conventional name plays.
_PARTS = {
    "limit": "limit",
    "per_page": "limit",
    "page_size": "limit",
    "offset": "offset",
    "page": "page",
    "cursor": "cursor",
    "sort": "sort",
    "q": "q",
    "fields": "fields",
    "include": "include",
}
_COUNTS = frozenset(("limit", "offset", "page"))
_FOR_ONE = frozenset(("fields", "include"))
_EXCLUSIVE = (("page", "offset"), ("page", "cursor"), ("offset", "cursor"))
# What a property of an envelope may be, by its name.
_NUMBERS = {"total": "total", "page": "page", "pages": "pages", "per_page": "per_page", "page_size": "per_page"} | {
    "limit": "limit",
    "offset": "offset",
}
_TEXTS = {"next": "next", "prev": "prev", "next_cursor": "next_cursor", "prev_cursor": "prev_cursor"}


def inclusion_of(operation: Operation, binder: Binder) -> Inclusion | None:
    """Return what the `include` parameter of an operation offers, None where it has none."""
    for parameter in operation.parameters:
        if parameter.location == "query" and parameter.name == "include":
            offered = _offered(parameter.schema, binder)
            return Inclusion(frozenset(map(str, offered)) if offered is not None else None)
    return None


def _offered(schema: JsonSchema, binder: Binder) -> list[Any] | None:
    """Return the values that a parameter, or each item of it, is one of; None where the schema names none."""
    facts = binder.reader.facts(schema)
    items = binder.reader.items(schema)
    found = (binder.reader.facts(items) if items is not None else facts).schema.get("enum")
    return [one for one in found if one is not None] if isinstance(found, list) else None


@dataclass(slots=True)
class _Options:
    """Collect the meaning of the query parameters of one operation."""

    operation: Operation
    model: Model
    view: View
    schema: JsonSchema
    binder: Binder
    report: Report
    is_list: bool
    slots: dict[str, Slot] = field(default_factory=dict)
    filters: list[Filter] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()

    def read(self) -> None:
        """Give every query parameter its part, and report those that have none."""
        properties = self.binder.reader.properties(self.schema)
        self.hidden = frozenset(
            attribute
            for name, one in properties.items()
            if self.binder.reader.facts(one).write_only
            if (attribute := self.binder.attribute(name, one, self.model)) is not None
        )
        for slot, parameter in enumerate(self.operation.parameters):
            if parameter.location == "querystring":
                self.report(parameter.place, "a resource does not read `in: querystring`", "declare parameters")
            elif parameter.location == "query":
                part = None if self._names_column(parameter) else _PARTS.get(parameter.name)
                if part is not None:
                    self._take(part, slot, parameter)
                elif self.is_list:
                    self._filter(slot, parameter)
                else:
                    self._refuse(parameter, _FOR_ONE)
        for one, other in _EXCLUSIVE:
            if one in self.slots and other in self.slots:
                place = self.operation.parameters[self.slots[other]].place
                self.report(place, f"`{one}` and `{other}` are two ways through one list", "declare one of them")

    def _names_column(self, parameter: Parameter) -> bool:
        return self.binder.reader.extension(parameter.schema, "x-column") is not None

    def _take(self, part: str, slot: Slot, parameter: Parameter) -> None:
        if not self.is_list and part not in _FOR_ONE:
            self._refuse(parameter, _FOR_ONE)
            return
        if part in self.slots:
            other = self.operation.parameters[self.slots[part]].name
            self.report(parameter.place, f"`{parameter.name}` means the same as `{other}`", "declare one of them")
            return
        kinds = self.binder.reader.facts(parameter.schema).kinds
        wanted: tuple[frozenset[str], ...]
        if part in _COUNTS:
            wanted = (_INTEGER,)
        elif part in ("cursor", "q"):
            wanted = (_STRING,)
        else:
            wanted = (_STRING, _ARRAY)
        if kinds not in wanted:
            told = " or ".join(f"`type: {next(iter(one))}`" for one in wanted)
            self.report(parameter.place, f"`{parameter.name}` of a list is {_shown(kinds)}", f"allowed is {told}")
            return
        self.slots[part] = slot

    def _refuse(self, parameter: Parameter, known: Iterable[str]) -> None:
        said = f"`{parameter.name}` means nothing here"
        self.report(parameter.place, said, "allowed are " + ", ".join(f"`{one}`" for one in sorted(known)))

    def _filter(self, slot: Slot, parameter: Parameter) -> None:
        name, operator = parameter.name, "eq"
        wanted = self.binder.reader.extension(parameter.schema, "x-column")
        attribute = self._attribute(name)
        if attribute is None and name.rpartition("__")[2] in _OPERATORS:
            name, _, operator = name.rpartition("__")
            attribute = self._attribute(name)
        if isinstance(wanted, str):
            attribute = self._attribute(wanted)
        if attribute is None:
            self._unknown(parameter, name, operator, wanted)
            return
        if attribute in self.hidden:
            said = f"`{parameter.name}` would tell what `{name}` holds, which is `writeOnly`"
            self.report(parameter.place, said, "leave it out")
            return
        made = self._value(parameter, attribute, operator)
        if made is not None:
            self.filters.append(Filter(parameter.name, slot, *made))

    def _attribute(self, name: str) -> str | None:
        """Return the attribute that a name of a filter means: of the property in the answers, or else of the model."""
        shown = self.view.fields.get(name)
        if shown is not None:
            return attribute_of(shown, self.model)
        return self.binder.attribute(name, True, self.model)

    def _value(self, parameter: Parameter, attribute: str, operator: str) -> tuple[Field, Any] | None:
        facts = self.binder.reader.facts(parameter.schema)
        schema = parameter.schema
        many = facts.kinds == _ARRAY
        if operator == "eq" and many:
            operator = "in"
        if operator == "isnull":
            return self._is_null(parameter, attribute)
        if many != (operator == "in"):
            said = f"`{parameter.name}` is {_shown(facts.kinds)}"
            self.report(parameter.place, said, "`__in` takes a list: `type: array`; no other operator does")
            return None
        if many:
            schema = self.binder.reader.items(schema) or {}
        if operator == "contains" and holds_arrays(self.model, attribute):
            return self._item(parameter, attribute)
        field = self.binder.value(parameter.name, schema, self.model, attribute, parameter.place)
        if field is None or not self._fits(field, operator, parameter.place):
            return None
        return field, operator

    def _item(self, parameter: Parameter, attribute: str) -> tuple[Field, Any] | None:
        """Return how an item that arrays shall hold travels: as an array of one."""
        kinds = self.binder.reader.facts(parameter.schema).kinds
        if kinds not in (_STRING, _INTEGER):
            said = f"`{parameter.name}` names an item of arrays, and is {_shown(kinds)}"
            self.report(parameter.place, said, "allowed is `type: string` or `type: integer`")
            return None
        schema = {"type": "array", "items": parameter.schema}
        field = self.binder.value(parameter.name, schema, self.model, attribute, parameter.place)
        return (field, "contains") if field is not None else None

    def _is_null(self, parameter: Parameter, attribute: str) -> tuple[Field, Any] | None:
        if self.binder.reader.facts(parameter.schema).kinds != {"boolean"}:
            self.report(parameter.place, f"`{parameter.name}` asks yes or no", "allowed is `type: boolean`")
            return None
        field = self.binder.flag(parameter.name, parameter.schema, self.model, attribute, parameter.place)
        return (field, "isnull") if field is not None else None

    def _fits(self, field: Field, operator: str, place: Place) -> bool:
        kind = field.codec.kind
        unfit = (
            kind in ("json", "binary")
            or (operator in _TEXT_OPERATORS and kind != "text")
            or (operator in _ORDER_OPERATORS and kind in ("boolean", "enum"))
        )
        if unfit:
            self.report(place, f"`{field.name}` cannot compare {field.source}: it is of kind {kind}", "leave it out")
        return not unfit

    def _unknown(self, parameter: Parameter, name: str, operator: str, wanted: Any) -> None:
        known = [*self.view.fields, *self.model.columns]
        if wanted is not None:
            said = f"`x-column: {wanted}` of `{parameter.name}` names no column of {self.model.source}"
            self.report(parameter.place, said, hint_for(str(wanted), known))
            return
        stem, _, suffix = parameter.name.rpartition("__")
        if operator == "eq" and self._attribute(stem) is not None:
            said = f"`{parameter.name}`: there is no operator `{suffix}`"
            allowed = hint_for(suffix, _OPERATORS)
            self.report(parameter.place, said, allowed if "?" in allowed else f"allowed are {_listed(_OPERATORS)}")
            return
        said = f"the parameter `{parameter.name}` is no convention of lists, and no column of {self.model.source}"
        if name in [one.name for one in self.view.members if isinstance(one, Embedded)]:
            said = f"the parameter `{parameter.name}` is a relation, and a list is filtered by columns"
        self.report(parameter.place, said, hint_for(name, [*_PARTS, *known], by_column=True))

    # What the parts say

    def schema_of(self, part: str) -> dict[str, Any]:
        """Return what the schema of the parameter says that plays a part; nothing where there is none."""
        if part not in self.slots:
            return {}
        return self.binder.reader.facts(self.operation.parameters[self.slots[part]].schema).schema

    def parameter(self, part: str) -> Parameter:
        """Return the parameter that plays a part."""
        return self.operation.parameters[self.slots[part]]

    def sort(self) -> Sort | None:
        """Return by what a list may be sorted: what the parameter names, or else all that is shown."""
        if "sort" not in self.slots:
            return None
        parameter = self.parameter("sort")
        fields = {name: one for name, one in self.view.fields.items() if one.codec.kind not in ("json", "binary")}
        offered = _offered(parameter.schema, self.binder)
        if offered is not None:
            names = dict.fromkeys(_sort_name(one) for value in offered for one in str(value).split(",") if one)
            fields = {name: one for name in names if (one := self._sorted_by(name, fields)) is not None}
        default = self.schema_of("sort").get("default")
        values = default if isinstance(default, list) else str(default).split(",") if default else []
        for value in values:
            if offered is None and _sort_name(str(value)) not in fields:
                said = f"the default of `sort` is `{value}`, which is nothing to sort by"
                self.report(parameter.place, said, hint_for(_sort_name(str(value)), fields))
        return Sort(self.slots["sort"], fields)

    def _sorted_by(self, name: str, fields: Mapping[str, Field]) -> Field | None:
        if name not in fields:
            said = f"`sort` offers `{name}`, which is no property of the answers that can be sorted by"
            self.report(self.parameter("sort").place, said, hint_for(name, fields))
        return fields.get(name)

    def searched(self) -> tuple[Field, ...]:
        """Return what `q` is looked for in: what `x-columns` names, or else every text that is shown."""
        if "q" not in self.slots:
            return ()
        parameter = self.parameter("q")
        named = self.binder.reader.extension(parameter.schema, "x-columns")
        if named is None:
            fields = [one for one in self.view.fields.values() if one.codec.kind == "text"]
        else:
            fields = [one for name in named if (one := self._searched_by(str(name), parameter)) is not None]
        if not fields and named is None:
            self.report(parameter.place, "`q` has no text to search", "name the columns by `x-columns`")
        return tuple(fields)

    def _searched_by(self, name: str, parameter: Parameter) -> Field | None:
        attribute = self._attribute(name)
        if attribute is None or attribute in self.hidden:
            said = f"`x-columns` of `q`: `{name}` is no column of {self.model.source} that may be searched"
            self.report(parameter.place, said, hint_for(name, [*self.view.fields, *self.model.columns]))
            return None
        schema: JsonSchema = {"type": "string"}
        is_array = holds_arrays(self.model, attribute)
        if is_array:
            schema = {"type": "array", "items": schema}
        field = self.binder.value(name, schema, self.model, attribute, parameter.place)
        if field is not None and not is_array and field.codec.kind != "text":
            self.report(parameter.place, f"`x-columns` of `q`: `{name}` is no text", "leave it out")
            return None
        return field

    def check_names(self) -> None:
        """Report what `include` and `fields` offer and the answers do not have."""
        paths = set(_paths(self.view))
        members = [one.name for one in self.view.members]
        for part, known, what in (("include", paths, "relation"), ("fields", set(members), "property")):
            if part in self.slots:
                parameter = self.parameter(part)
                for value in _offered(parameter.schema, self.binder) or ():
                    if str(value) not in known:
                        said = f"`{part}` offers `{value}`, which is no {what} of the answers"
                        self.report(parameter.place, said, hint_for(str(value), sorted(known)))


def compile_options(
    operation: Operation,
    model: Model,
    view: View,
    schema: JsonSchema,
    binder: Binder,
    settings: Settings,
    report: Report,
    warn: Report,
    *,
    most: int | None = None,
    is_list: bool = True,
) -> ListOptions:
    """Return which query parameter plays which part; `most` is the `maxItems` of the list."""
    options = _Options(operation, model, view, schema, binder, report, is_list)
    options.read()
    options.check_names()
    said = options.schema_of("limit")
    highest = said.get("maximum", said.get("exclusiveMaximum", settings.max_limit + 1) - 1)
    highest = max(1, min(int(highest), most if most is not None else int(highest)))
    default = said.get("default", settings.default_limit)
    slots = options.slots
    if is_list and slots.keys().isdisjoint(("limit", "offset", "page", "cursor")):
        default = highest
        found = f"the list ends after {highest} items, and no parameter leads on"
        warn(operation.place, found, "declare `limit` and `offset`, `page` and `per_page`, or `cursor`")
    return ListOptions(
        limit=slots.get("limit"),
        offset=slots.get("offset"),
        page=slots.get("page"),
        cursor=slots.get("cursor"),
        sort=options.sort(),
        q=slots.get("q"),
        q_fields=options.searched(),
        fields=slots.get("fields"),
        include=slots.get("include"),
        filters=tuple(options.filters),
        default_limit=min(int(default), highest),
        max_limit=highest,
    )


def compile_envelope(
    schema: JsonSchema, items: str, options: ListOptions, binder: Binder, place: Place, report: Report
) -> Envelope:
    """Return what the properties of the object around a list hold."""
    reader = binder.reader
    required = reader.required(schema)
    others: dict[str, str] = {}
    nullable: set[str] = set()
    order: list[str] = []
    for name, one in reader.properties(schema).items():
        if name == items:
            order.append(name)
            continue
        meaning = _NUMBERS.get(name) or _TEXTS.get(name)
        at = binder.places.property(schema, place, name)
        facts = reader.facts(one)
        if meaning is None or (meaning.endswith("cursor") and options.cursor is None):
            if name in required:
                why = "the operation has no `cursor`" if meaning is not None else "it has no meaning here"
                known = sorted([*_NUMBERS, *_TEXTS])
                report(at, f"the list has to answer `{name}`, and {why}", f"allowed are {_listed(known)}")
            continue
        wanted = "integer" if name in _NUMBERS else "string"
        if wanted not in facts.kinds:
            report(at, f"`{name}` of a list is {_shown(facts.kinds)}", f"allowed is `type: {wanted}`")
            continue
        if name in _TEXTS and name in required and not facts.nullable:
            report(at, f"`{name}` is required, and the last page has none", "let it be null, or make it optional")
            continue
        if meaning in ("page", "offset") and options.cursor is not None and name in required and not facts.nullable:
            said = f"`{name}` is required, and a page that a cursor leads to has none"
            report(at, said, "let it be null, or make it optional")
            continue
        order.append(name)
        others[name] = meaning
        if facts.nullable:
            nullable.add(name)
    return Envelope(items, others, tuple(order), frozenset(nullable), required)


def attribute_of(field: Field, model: Model) -> str:
    """Return the attribute of the model that a property of its view is."""
    return field.source.removeprefix(f"{model.source}.")


def _paths(view: View) -> Iterator[str]:
    for member in view.members:
        if isinstance(member, Embedded):
            yield member.path
            yield from _paths(member.view)


def _sort_name(value: str) -> str:
    """Return the property in `-name`, `name:desc`, `name:asc:nullslast`."""
    return value.strip().removeprefix("-").removeprefix("+").partition(":")[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in sorted(names))


def _shown(kinds: frozenset[str]) -> str:
    return "of any type" if len(kinds) > 3 else " or ".join(sorted(kinds)) or "nothing"
