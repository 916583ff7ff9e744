"""Models to the operations of contracts: what the application hands over, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, MetaData, Table, inspect

from demijohn.compile.guards import Report
from demijohn.compile.plan import Act, Connect
from demijohn.compile.validators import Validators
from demijohn.contract import Contract, Operation, Place
from demijohn.errors import BindingError, Finding, Problem
from demijohn.resources import idempotency
from demijohn.resources.conflicts import conflict_of
from demijohn.resources.creates import Create
from demijohn.resources.database import Database, Transaction, ViolationError, create_missing, open_database
from demijohn.resources.deletes import Delete
from demijohn.resources.functions import ModelResource
from demijohn.resources.hooks import Hooks
from demijohn.resources.lists import List
from demijohn.resources.live import Difference, check_live
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.models import Models, engine_of, read_models
from demijohn.resources.owned import Owned
from demijohn.resources.owner import Owner
from demijohn.resources.ownership import closed_to, locked, opened, owners_of
from demijohn.resources.patches import Patch
from demijohn.resources.reads import Read
from demijohn.resources.replaces import Replace
from demijohn.resources.server_database import ServerDatabase
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import shapes_of
from demijohn.resources.spelling import Spelling
from demijohn.resources.sqlite_database import FileDatabase, FirstUse, MemoryDatabase
from demijohn.resources.statement import Statement
from demijohn.resources.view import View, fields_of
from demijohn.settings import Settings

__all__ = ["Bindings", "Resources"]


class Resources:
    """Hold what was handed to `Demijohn.resource`, before there is an application."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._handles: dict[type | Table, ModelResource] = {}

    def add(self, *things: Any) -> ModelResource:
        """Take models, or what holds models; return the handle of the model that the first of them is."""
        self.things += [one for one in things if not any(one is other for other in self.things)]
        first = things[0]
        if isinstance(first, Table) or (isinstance(first, type) and inspect(first, raiseerr=False) is not None):
            return self.handle(first, read_models([first]).all[0].name)
        return _SeveralResources(type(first).__name__)

    def handle(self, thing: type | Table, name: str) -> ModelResource:
        """Return the handle of a mapped class or table: always the same one."""
        return self._handles.setdefault(thing, ModelResource(name))


class _SeveralResources(ModelResource):
    """Stand for several models, none of which a hook or function would mean."""

    @property
    def hooks(self) -> Hooks:
        """Refuse."""
        raise BindingError(["hooks belong to one model: take the one that api.resource(Model) returns"])

    @hooks.setter
    def hooks(self, hooks: Hooks) -> None:
        """Leave them: nothing will call them."""


class Bindings:
    """Bind what was handed over to the contracts of one application.

    `shapes` has, by method and path, what operations are on a model; `warnings` what harms nobody. `secret` are columns
    that no operation may show, take or search by, `spellings` says of others in which spelling their texts are stored;
    `others` are shapes of the contract to come that were made elsewhere.
    """

    def __init__(self, resources: Resources, app: Flask, settings: Settings, key: Callable[[], bytes]) -> None:
        self.shapes: dict[tuple[str, str], Shape] = {}
        self.warnings: list[Finding] = []
        self.secret: set[AnyColumn] = set()
        self.spellings: dict[AnyColumn, Spelling] = {}
        self.others: list[Shape] = []
        self._resources = resources
        self._app = app
        self._settings = settings
        self._key = key
        self._kept: list[MetaData] = []

    def keep(self, metadata: MetaData) -> None:
        """Have more tables of Demijohn's own beside those of the models."""
        if metadata not in self._kept:
            self._kept.append(metadata)

    @property
    def models(self) -> Models:
        """Return every model that was handed over so far. Raises `BindingError`."""
        return read_models(self._resources.things)

    @property
    def metadatas(self) -> tuple[MetaData, ...]:
        """Return what declares the tables of the models, and those that Demijohn keeps beside them."""
        return tuple(dict.fromkeys([*(one.table.metadata for one in self.models.all), *self.own_metadatas]))

    @property
    def own_metadatas(self) -> tuple[MetaData, ...]:
        """Return what declares the tables that Demijohn keeps for itself."""
        has_keys = any(one.idempotency_key is not None for one in self.shapes.values())
        return (*([idempotency.metadata] if has_keys else []), *self._kept)

    @cached_property
    def database(self) -> Database:
        """Return the database of the models: that of their engine, else the one that the settings name."""
        engines = {id(engine): engine for one in self._resources.things if (engine := engine_of(one, self._app))}
        if len(engines) > 1:
            raise BindingError([f"the models have {len(engines)} databases; hand over those of one"])
        target = next(iter(engines.values())) if engines else self._settings.database_url or self._own_file()
        database = open_database(target, self._settings)
        if isinstance(database, FileDatabase | MemoryDatabase):
            database.first_use = FirstUse(database, self.create_missing)
        return database

    def create_missing(self) -> list[str]:
        """Create the tables of an SQLite database that has none; return their names."""
        return create_missing(self.database, self.metadatas)

    def ping(self) -> None:
        """Ask the database for nothing. Raises `Unavailable` where it does not answer."""
        self.database.read(_NOTHING, {})

    def stats(self) -> dict[str, float]:
        """Return how many connections there are, once there are any."""
        database = vars(self).get("database")
        return database.stats() if isinstance(database, ServerDatabase) else {}

    def verify(self) -> Difference:
        """Compare models, and Demijohn's own tables, with the live database, once they are there if it is SQLite."""
        self.create_missing()
        models = [one for one in self.models.all if one.table in self._tables]
        own = [table for metadata in self.own_metadatas for table in metadata.sorted_tables]
        return check_live(self.database.engine, models, own)

    @property
    def _tables(self) -> set[Table]:
        return {one.model.table for one in self.shapes.values()}

    def connections(self, reads: bool) -> Connect:
        """Return what calls a handler with a connection: in a write transaction, or one that only reads.

        What it changed is undone where it raises, or returns, a `Problem`. A rule of the database that it breaks is a
        `Conflict`.
        """

        def connect(work: Callable[[Connection], Any]) -> Any:
            def change(transaction: Transaction) -> Any:
                result = work(transaction.connection)
                if isinstance(result, Problem):
                    raise result
                return result

            try:
                return self.database.snapshot(work) if reads else self.database.write(change)
            except ViolationError as error:
                raise conflict_of(error.violation) from error

        return connect

    def find_acts(
        self, contract: Contract, prefix: str, report: Report, operations: Sequence[Operation]
    ) -> Mapping[Place, Act | str | None]:
        """Return what each of `operations` does on a model, as `compile_contract` wants it."""
        if not self._resources.things:
            return {}
        models = self.models

        def warn(place: Place, found: str, allowed: str) -> None:
            line = contract.line(place)
            self.warnings.append(Finding(place.file, line, place.pointer, found, allowed, wrinkle=True))

        def is_filled(model: Model) -> bool:
            return bool(self.handle(models, model).hooks.before_create)

        dialect = self.database.dialect
        others, self.others = self.others, []
        found = shapes_of(
            contract, models, dialect, self._settings, report, warn, operations, is_filled, others, self.spellings
        )
        shapes = {place: _placed(one, prefix) for place, one in found.items() if isinstance(one, Shape)}
        self.shapes |= {(one.operation.method, prefix + one.operation.path): one for one in shapes.values()}
        for shape in shapes.values():
            self._keep_secret(shape, report)
        acts = _Acts(self, models, contract, tuple(shapes.values()))
        return {place: acts.make(shapes[place]) if isinstance(one, Shape) else one for place, one in found.items()}

    def _keep_secret(self, shape: Shape, report: Report) -> None:
        """Report whatever of an operation shows or stores a secret column, or finds rows by it."""
        fields = [*fields_of(shape.view), *fields_of(shape.body), *(one.field for one in shape.options.filters)]
        fields += [*shape.options.q_fields, *(shape.options.sort.fields.values() if shape.options.sort else ())]
        for field in dict.fromkeys(one for one in fields if one.column in self.secret):
            said = f"`{field.name}` is {field.source}, the hash of a password, which nobody may see, set or search by"
            report(shape.operation.place, f"{shape.operation.method} {shape.operation.path}: {said}", "leave it out")

    def take_warnings(self) -> tuple[Finding, ...]:
        """Return what was noticed of the last contract."""
        warnings, self.warnings = tuple(self.warnings), []
        return warnings

    def handle(self, models: Models, model: Model) -> ModelResource:
        """Return what stands for a model in the application's own code."""
        return self._resources.handle(models.thing_of(model), model.name)

    def _own_file(self) -> str:
        folder = Path(self._app.instance_path)
        return f"sqlite:///{folder / self._app.name}.sqlite"


class _Acts:
    """Make the acts of one contract."""

    def __init__(self, bindings: Bindings, models: Models, contract: Contract, shapes: tuple[Shape, ...]) -> None:
        self._bindings = bindings
        self._models = models
        self._shapes = shapes
        takes_read_only = bindings._settings.read_only == "ignore"
        self._validators = Validators(contract.definitions, takes_read_only=takes_read_only, formats=contract.formats)
        for model in dict.fromkeys(one.model for one in shapes):
            self._attach(model)

    def make(self, shape: Shape) -> Act:
        """Return what answers an operation."""
        current = self._view(shape.model, _SHOWING, shape.operation.path) if shape.act not in _ASKING else None
        owners = owners_of(shape, current)
        if not owners:
            return self._act(shape, frozenset())

        def act(kept: frozenset[Owner]) -> Act:
            asked = kept if shape.giving is None else kept | {shape.giving}
            return self._act(closed_to(shape, kept, asked), kept)

        is_making = shape.act == "create" or shape.created_status is not None
        return Owned(owners, act, needs_user=is_making and shape.giving is not None)

    def _act(self, shape: Shape, kept: frozenset[Owner]) -> Act:
        """Return what runs a shape; of the rows in the item that is changed, those of `kept` are the caller's."""
        bindings = self._bindings
        database, settings = bindings.database, bindings._settings
        if shape.act == "list":
            key = b"" if shape.options.cursor is None else bindings._key()  # in production it may be refused
            return List(shape, database, settings, key)
        if shape.act == "read":
            return Read(shape, database)
        hooks = bindings.handle(self._models, shape.model).hooks
        current = self._view(shape.model, _SHOWING, shape.operation.path)
        current = None if current is None else opened(current, kept)
        if shape.act == "create":
            return Create(shape, database, settings, hooks, current=current)
        if shape.act == "replace":
            return Replace(shape, database, settings, hooks, current=current)
        if shape.act == "delete":
            return Delete(shape, database, settings, hooks, current=current)
        whole = self._body(shape.model)
        whole = locked(whole, shape.owner)
        return Patch(shape, database, settings, hooks, current=current, whole=whole, validators=self._validators)

    def _attach(self, model: Model) -> None:
        """Let the application's own code use what the contract says of a model."""
        item = self._view(model, _SHOWING) or self._view(model, ("list", "create", "replace", "patch"))
        if item is not None:
            self._bindings.handle(self._models, model).attach(
                self._bindings._app,
                self._bindings.database,
                opened(item, frozenset()),
                settings=self._bindings._settings,
                body=self._body(model),
                patch=next((one.body for one in self._of(model) if one.act == "patch"), None),
                validators=self._validators,
                owner=next((one.giving for one in self._of(model) if one.giving is not None), None),
            )

    def _view(self, model: Model, acts: tuple[str, ...], path: str | None = None) -> View | None:
        """Return how an item is shown, preferably at `path`."""
        views = [one for one in self._of(model) if one.act in acts and one.view is not None]
        views.sort(key=lambda one: (one.operation.path != path, acts.index(one.act), one.parent is not None))
        return views[0].view if views else None

    def _body(self, model: Model) -> View | None:
        bodies = [one for one in self._of(model) if one.act in _MAKING and one.body is not None and not one.bulk]
        bodies.sort(key=lambda one: (_MAKING.index(one.act), one.parent is not None))
        return bodies[0].body if bodies else None

    def _of(self, model: Model) -> Iterator[Shape]:
        return (one for one in self._shapes if one.model is model)


_NOTHING = Statement("SELECT 1", (), {})
_ASKING = ("list", "read")
_SHOWING = ("read",)
_MAKING = ("create", "replace")


def _placed(shape: Shape, prefix: str) -> Shape:
    """Return a shape whose items have their address below the path that the contract is served at."""
    if shape.item is None:
        return shape
    template, names = shape.item
    return replace(shape, item=(prefix + template, names))
