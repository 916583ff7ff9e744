"""`x-owner`: which tables have rows that belong to callers, and what that makes of each operation.

    x-owner: user_id                                 # of a schema: the property, attribute or column
    x-owner: {column: user_id, except: [admin]}      # callers with one of these roles see the rows of all
    x-owner: false                                   # of an operation: everybody's rows

What was decided stands in the shapes (`Shape.owner`, `Parent.owner`, `Embedded.owner`), from where it goes into the
statements: for the caller of a request there is nothing left to find out but its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import replace
from typing import Any

from sqlalchemy import Table

from demijohn.contract import Contract, JsonSchema, Operation, Place, Requirement
from demijohn.resources.binding import Binder, Report, hint_for
from demijohn.resources.codecs import UnfitError
from demijohn.resources.dialects.dialect import DatabaseName
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.owner import KEY_KINDS, Owner, read_key
from demijohn.resources.places import Places
from demijohn.resources.shape import Parent, Reference, Shape
from demijohn.resources.tables import foreign_keys
from demijohn.resources.view import Embedded, Field, View

__all__ = ["Ownership", "check_owners", "closed_to", "locked", "opened", "owners_of", "visible", "visible_above"]

KEY = "x-owner"
_ALLOWED = "`x-owner: column`, or `x-owner: {column: ..., except: [role, ...]}`"


def check_owners(contract: Contract, report: Report) -> None:
    """Report every `x-owner` of a contract that has a wrong form; whether there are such columns, only models know."""
    places = Places(contract)
    for name, schema in places.components():
        if KEY in schema and _said(schema[KEY]) is None:
            report(_place_of(name, places), *_malformed(name, schema[KEY]))
    for operation in contract.operations:
        if KEY in operation.extensions and operation.extensions[KEY] is not False:
            report(operation.extension_places[KEY], *_malformed_open(operation.extensions[KEY]))


class Ownership:
    """Know the owners of the tables of one contract, and put them into the shapes of its operations.

    `binder` learns them too, for the rows that are embedded in others. `report` and `warn` take what is wrong.
    """

    def __init__(self, binder: Binder, database: DatabaseName, report: Report, warn: Report) -> None:
        self._binder = binder
        self._database = database
        self._report = report
        self._warn = warn
        self._public: dict[Table, list[Operation]] = {}
        self.owners = binder.owners
        self._named: dict[Table, str] = {}
        for name, schema in binder.places.components():
            if KEY in schema:
                self._read(name, schema)

    def telling(self, report: Report) -> Ownership:
        """Return the same that tells somebody else what is wrong."""
        other = copy(self)
        other._report = report
        return other

    def see(self, operation: Operation, model: Model) -> None:
        """Take an operation that lists or reads rows of a model; of those that show everybody's rows."""
        if _is_open(operation) and model.table in self.owners:
            self._public.setdefault(model.table, []).append(operation)

    def of(self, shape: Shape, schema: JsonSchema | None) -> Shape:
        """Return the shape of an operation with what belongs to its callers; `schema` is that of its items."""
        operation, table = shape.operation, shape.model.table
        self._check_where(operation, schema, table)
        references = tuple(self._references(shape))
        parent = self._parent(shape.parent, frozenset())
        mine = owners_of(replace(shape, owner=self.owners.get(table), parent=parent, references=references))
        if KEY in operation.extensions:
            self._check_open(operation, mine)
            return replace(shape, view=_all_opened(shape.view))
        if not mine:
            return shape
        public = frozenset(owner for one, owner in self.owners.items() if self._is_public(one, operation))
        owner = self.owners.get(table)
        # What belongs to its own maker may stand below what is somebody else's, if that can be seen: a comment.
        given = public if owner is not None else frozenset[Owner]()
        kept = frozenset(self.owners.values()) - public
        view = None if shape.view is None else opened(shape.view, kept)
        made = replace(
            shape,
            owner=owner,
            giving=owner,
            public=public,
            parent=self._parent(shape.parent, given),
            view=view,
            references=tuple(one for one in references if one.owner not in public),
        )
        if owners_of(made) and not any(one.schemes for one in operation.security):
            said = f"{operation.method} {operation.path} is about rows that belong to callers, and anybody may call it"
            self._report(operation.place, said, "give it `security`, or write `x-owner: false` for the rows of all")
        return made

    def _parent(self, parent: Parent | None, given: frozenset[Owner]) -> Parent | None:
        if parent is None:
            return None
        owner = self.owners.get(parent.model.table)
        return replace(parent, owner=None if owner in given else owner, parent=self._parent(parent.parent, given))

    def _references(self, shape: Shape) -> Iterator[Reference]:
        """Yield what a body may name by foreign keys of rows that belong to callers, but for the owner itself."""
        table = shape.model.table
        given = {column for column, _ in shape.parent.on} if shape.parent is not None else set()
        if table in self.owners:
            given.add(self.owners[table].column)
        sent = {field.column for field in shape.body.fields.values()} if shape.body is not None else set()
        for rule in foreign_keys(table):
            on = tuple((one.parent, one.column) for one in rule.elements)
            owner = self.owners.get(rule.referred_table)
            if owner is not None and all(column in sent and column not in given for column, _ in on):
                yield Reference(on, owner)

    def _is_public(self, table: Table, operation: Operation) -> bool:
        """Tell whether whoever may call an operation may see all rows of a table by another one."""
        return any(_admits(one.security, operation.security) for one in self._public.get(table, ()))

    def _check_open(self, operation: Operation, owners: tuple[Owner, ...]) -> None:
        said = operation.extensions[KEY]
        if said is not False:
            self._report(operation.extension_places[KEY], *_malformed_open(said))
        elif not owners:
            self._warn(operation.place, "`x-owner: false` means nothing: no row belongs to a caller", "leave it out")

    def _check_where(self, operation: Operation, schema: JsonSchema | None, table: Table) -> None:
        if schema is not None and table not in self.owners and self._binder.reader.extension(schema, KEY) is not None:
            said = f"`x-owner` in a schema of {operation.method} {operation.path} is not that of a component"
            self._report(operation.place, said, "write it at the schema that has the name of the model")

    # The schemas

    def _read(self, name: str, schema: dict[str, Any]) -> None:
        place = _place_of(name, self._binder.places)
        said = _said(schema[KEY])
        if said is None:
            self._report(place, *_malformed(name, schema[KEY]))
            return
        model = self._binder.bound.get(name) or self._binder.model_of(schema)
        if model is None:
            told = f"`x-owner` stands at the schema `{name}`, which is no resource"
            self._report(place, told, "write it at the schema that has the name of the model, or add `x-resource`")
            return
        column = self._column(said[0], schema, model, place)
        if column is None:
            return
        other = self.owners.get(model.table)
        if other is not None:
            if (other.column, other.exempt) != (column, said[1]):
                told = f"`x-owner` of `{name}` is another than that of `{self._named[model.table]}`, of one table"
                self._report(place, told, "give both the same")
            return
        owner = self._owner(column, said[1], model, place)
        if owner is not None:
            self.owners[model.table] = owner
            self._named[model.table] = name

    def _column(self, name: str, schema: JsonSchema, model: Model, place: Place) -> AnyColumn | None:
        reader = self._binder.reader
        attribute = self._binder.attribute(name, reader.properties(schema).get(name, True), model)
        if attribute is not None and attribute in model.columns:
            return model.columns[attribute]
        said = f"`x-owner: {name}`: `{name}` is no column of {model.source}"
        self._report(place, said, hint_for(name, model.columns))
        return None

    def _owner(self, column: AnyColumn, exempt: frozenset[str], model: Model, place: Place) -> Owner | None:
        source = f"{model.source}.{model.attribute(column)}"
        try:
            codec = self._binder.key(column)
        except UnfitError as error:
            self._report(place, f"{source} cannot hold the key of a caller: {error}", "name another column")
            return None
        if codec.kind not in KEY_KINDS:
            said = f"{source} cannot hold the key of a caller: it is of kind {codec.kind}"
            self._report(place, said, "allowed are " + ", ".join(sorted(KEY_KINDS)))
            return None
        likens = codec.kind == "text" and (self._database == "mariadb" or _has_collation(column))
        name = f"caller_{len(self.owners)}"
        return Owner(column, name, codec.type, read_key(codec), exempt, self._database if likens else None)


def _said(value: Any) -> tuple[str, frozenset[str]] | None:
    """Return the column and the exempt roles that `x-owner` of a schema names, None where it is not valid."""
    if isinstance(value, str):
        value = {"column": value}
    if not isinstance(value, dict) or not value.keys() <= {"column", "except"}:
        return None
    column, exempt = value.get("column"), value.get("except", [])
    is_valid = isinstance(column, str) and isinstance(exempt, list) and all(isinstance(one, str) for one in exempt)
    return (column, frozenset(exempt)) if is_valid and column else None


def _place_of(name: str, places: Places) -> Place:
    at = places.definition(name)
    return places.top() if at is None else Place(at.file, f"{at.pointer}/{KEY}")


def _malformed(name: str, value: Any) -> tuple[str, str]:
    """Return what was found and what is allowed, of a schema."""
    return f"`x-owner` of the schema `{name}` is {value!r}", f"allowed is {_ALLOWED}"


def _malformed_open(value: Any) -> tuple[str, str]:
    """Return what was found and what is allowed, of an operation."""
    return f"`x-owner` of an operation is {value!r}", "allowed is `x-owner: false`; the column stands at the schema"


def _has_collation(column: AnyColumn) -> bool:
    """Tell whether a database may take texts for the same that are not: as the column was told to."""
    return bool(getattr(column.type, "collation", None)) or type(column.type).__name__ == "CITEXT"


def _is_open(operation: Operation) -> bool:
    return operation.extensions.get(KEY) is False


def _admits(security: tuple[Requirement, ...], callers: tuple[Requirement, ...]) -> bool:
    """Tell whether whoever meets one of the requirements `callers` meets one of `security` as well."""
    return not security or (bool(callers) and all(any(_within(one, met) for one in security) for met in callers))


def _within(wanted: Requirement, met: Requirement) -> bool:
    held = dict(met.schemes)
    return all(name in held and set(scopes) <= set(held[name]) for name, scopes in wanted.schemes)


# What shapes and views say


def owners_of(shape: Shape, *views: View | None) -> tuple[Owner, ...]:
    """Return the owners to whom the rows of a shape, those above it and those in its view (and `views`) belong."""
    found = [shape.owner, *(one.owner for one in _above(shape.parent)), *(one.owner for one in shape.references)]
    for view in (shape.view, *views):
        found += _embedded(view)
    return tuple(dict.fromkeys(owner for owner in found if owner is not None))


def closed_to(shape: Shape, kept: frozenset[Owner], callers: Iterable[Owner]) -> Shape:
    """Return the shape in which only the rows of the owners `kept` are the caller's; `callers` is what it may ask."""
    keep = _keeping(kept)
    return replace(
        shape,
        owner=keep(shape.owner),
        parent=_kept_above(shape.parent, keep),
        view=None if shape.view is None else opened(shape.view, kept),
        body=locked(shape.body, shape.owner) if shape.owner in kept else shape.body,
        callers=tuple(callers),
        references=tuple(one for one in shape.references if one.owner in kept),
    )


def opened(view: View, kept: frozenset[Owner]) -> View:
    """Return a view in which, of embedded rows, only those of the owners `kept` are the caller's."""
    members: list[Field | Embedded] = []
    for one in view.members:
        if isinstance(one, Embedded):
            inner = opened(one.view, kept)
            owner = one.owner if one.owner in kept else None
            one = one if inner is one.view and owner is one.owner else replace(one, view=inner, owner=owner)
        members.append(one)
    return view if all(one is other for one, other in zip(members, view.members, strict=True)) else _with(view, members)


def locked(view: View | None, owner: Owner | None) -> View | None:
    """Return a body in which nobody may write the owner."""
    if view is None or owner is None:
        return view
    members = [
        replace(one, read_only=True) if isinstance(one, Field) and one.column is owner.column else one
        for one in view.members
    ]
    return _with(view, members)


def visible(shape: Shape) -> Shape | None:
    """Return the shape of the rows that callers see, of what they may change; None where that is the same."""
    if shape.public.isdisjoint([shape.owner, *(one.owner for one in _above(shape.parent))]):
        return None
    keep = _keeping(frozenset(shape.callers) - shape.public)
    return replace(shape, owner=keep(shape.owner), parent=_kept_above(shape.parent, keep))


def visible_above(shape: Shape) -> Shape | None:
    """Return the shape whose item above callers see, whatever they may put below it; None where that is the same."""
    if shape.parent is None:
        return None
    is_given = shape.owner is not None and any(column is shape.owner.column for column, _ in shape.parent.on)
    if not is_given and shape.public.isdisjoint(one.owner for one in _above(shape.parent)):
        return None
    keep = _keeping(frozenset(shape.callers) - shape.public)
    return replace(shape, owner=None, parent=_kept_above(shape.parent, keep))


def _with(view: View, members: Iterable[Field | Embedded]) -> View:
    return View(view.model, view.schema, tuple(members))


def _all_opened(view: View | None) -> View | None:
    return None if view is None else opened(view, frozenset())


def _keeping(kept: frozenset[Owner]) -> Callable[[Owner | None], Owner | None]:
    return lambda owner: owner if owner in kept else None


def _kept_above(parent: Parent | None, keep: Callable[[Owner | None], Owner | None]) -> Parent | None:
    if parent is None:
        return None
    return replace(parent, owner=keep(parent.owner), parent=_kept_above(parent.parent, keep))


def _above(parent: Parent | None) -> Iterator[Parent]:
    while parent is not None:
        yield parent
        parent = parent.parent


def _embedded(view: View | None) -> Iterator[Owner | None]:
    for one in () if view is None else view.members:
        if isinstance(one, Embedded):
            yield one.owner
            yield from _embedded(one.view)
