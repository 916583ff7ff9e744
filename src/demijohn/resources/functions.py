"""What `api.resource(Model)` gives to the application: hooks around the writes, and the operations as functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar, get_args
from urllib.parse import quote
from weakref import WeakKeyDictionary

import orjson
from flask import Flask, current_app, has_app_context
from sqlalchemy import Connection, Engine

from demijohn.compile.answers import Answer
from demijohn.compile.faults import Fault
from demijohn.compile.guards import ANONYMOUS, Caller
from demijohn.compile.kinds import ABSENT
from demijohn.compile.plan import Arguments
from demijohn.compile.validators import Validators
from demijohn.contract import Operation, Parameter, Place
from demijohn.resources.codecs import Codec
from demijohn.resources.conflicts import bad_request
from demijohn.resources.creates import Create
from demijohn.resources.database import Database, Transaction, ViolationError, transaction
from demijohn.resources.deletes import Delete
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.hooks import Hooks
from demijohn.resources.lists import List
from demijohn.resources.model import AnyColumn
from demijohn.resources.owner import Owner
from demijohn.resources.patches import Patch
from demijohn.resources.reads import Read
from demijohn.resources.replaces import Replace
from demijohn.resources.shape import Act, Filter, Key, ListOptions, Operator, Shape, Sort
from demijohn.resources.statement import Statement
from demijohn.resources.transaction import driver_error
from demijohn.resources.view import Field, View
from demijohn.resources.writes import as_plain
from demijohn.settings import Settings

__all__ = ["ModelResource"]

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])
Item: TypeAlias = dict[str, Any]

_OPERATORS = frozenset(get_args(Operator))
_MOST_KEPT = 100
# No list is longer, and every database can count to it.
_ALL = 2**31 - 2


class ModelResource:
    """Stand for the items of one model, for the application's own code.

    As decorators, `before_create` and its like add hooks. As functions, `read`, `list`, `create`, `replace`, `patch`
    and `delete` do what the operations do: JSON in, JSON out, by the schemas of the contract, hooks included, each in
    a transaction of its own or on the `connection` that is given. They can be used once a contract is added.

        people = api.resource(Person)

        @people.before_create
        def normalise(data):
            return data | {"email": data["email"].lower()}

        people.list(email__contains="@example.org", sort="-id", limit=10)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.hooks = Hooks()
        self._bound: WeakKeyDictionary[Flask, _Functions] = WeakKeyDictionary()

    def attach(
        self,
        app: Flask,
        database: Database,
        item: View,
        *,
        settings: Settings,
        body: View | None = None,
        patch: View | None = None,
        validators: Validators | None = None,
        owner: Owner | None = None,
    ) -> None:
        """Say where the items of an application are and how they look; the first one to say so counts.

        `item` is how an item is shown, `body` what a create or replace takes, `patch` what a patch does. None: what can
        be written of the item. `owner` says whom new rows belong to. Demijohn calls this while it adds a contract.
        """
        if app not in self._bound:
            self._bound[app] = _Functions(self.hooks, database, item, body or item, patch, validators, settings, owner)

    # Hooks

    def before_create(self, function: Function) -> Function:
        """Have `function(data, caller, connection)` called before an item is made."""
        return self.hooks.add("before_create", function)

    def after_create(self, function: Function) -> Function:
        """Have `function(item, caller, connection)` called once an item is made."""
        return self.hooks.add("after_create", function)

    def before_replace(self, function: Function) -> Function:
        """Have `function(data, caller, connection)` called before an item is replaced."""
        return self.hooks.add("before_replace", function)

    def after_replace(self, function: Function) -> Function:
        """Have `function(item, caller, connection)` called once an item is replaced."""
        return self.hooks.add("after_replace", function)

    def before_patch(self, function: Function) -> Function:
        """Have `function(changes, caller, connection)` called before properties of an item change."""
        return self.hooks.add("before_patch", function)

    def after_patch(self, function: Function) -> Function:
        """Have `function(item, caller, connection)` called once properties of an item have changed."""
        return self.hooks.add("after_patch", function)

    def before_delete(self, function: Function) -> Function:
        """Have `function(key, caller, connection)` called before an item is deleted."""
        return self.hooks.add("before_delete", function)

    def after_delete(self, function: Function) -> Function:
        """Have `function(item, caller, connection)` called with what was, once it is deleted."""
        return self.hooks.add("after_delete", function)

    # Functions

    def read(
        self,
        *key: Any,
        include: str | Sequence[str] | None = None,
        connection: Connection | None = None,
        **columns: Any,
    ) -> Item:
        """Return the item with this key, or with these values of columns that are unique together.

        `include` names what is there on request, of what the contract shows of an item that is read: `"book,user"` as
        in a request, or `["book", "user"]`. Raises `NotFound`, and `BadRequest` for a name that is none of these.
        """
        return self._functions().read(key, columns, include, connection)

    def list(
        self,
        *,
        sort: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        include: str | Sequence[str] | None = None,
        connection: Connection | None = None,
        **filters: Any,
    ) -> list[Item]:
        """Return the items that pass the filters: `email="a@example.org"`, `id__in=[1, 2]`, `email__contains="@"`.

        `sort` is written as in a request: `"name"`, `"-name"`, `"city,-name"`. Without `limit` it is all of them.
        `include` is that of `read`. Raises `BadRequest` for what `sort` or `include` cannot name.
        """
        return self._functions().listed(filters, sort, limit, offset, include, connection)

    def create(
        self, data: Mapping[str, Any], *, caller: Caller = ANONYMOUS, connection: Connection | None = None
    ) -> Item:
        """Make an item and return it. Where items have an owner it is the caller, unless the data say otherwise.

        Raises `BadRequest` for data that the contract does not allow, and `Conflict`.
        """
        return self._functions().create(data, caller, connection)

    def replace(
        self, key: Any, data: Mapping[str, Any], *, caller: Caller = ANONYMOUS, connection: Connection | None = None
    ) -> Item:
        """Replace an item and return it; a key of several columns is a tuple. Raises as `create`, and `NotFound`."""
        return self._functions().replace(key, data, caller, connection)

    def patch(
        self, key: Any, changes: Mapping[str, Any], *, caller: Caller = ANONYMOUS, connection: Connection | None = None
    ) -> Item:
        """Change properties of an item, by a merge patch, and return it. Raises what `replace` does."""
        return self._functions().patch(key, changes, caller, connection)

    def delete(self, key: Any, *, caller: Caller = ANONYMOUS, connection: Connection | None = None) -> None:
        """Delete an item. Raises `NotFound`, and `Conflict` where others refer to it."""
        self._functions().delete(key, caller, connection)

    def _functions(self) -> _Functions:
        """Return the functions of the current application; outside of any, those of the only one that there is."""
        app = current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined]
        bound = list(self._bound.values()) if app is None else [self._bound[app]] if app in self._bound else []
        if not bound:
            raise RuntimeError(
                f"{self.name} is in no contract yet: call api.add_contract before its functions are used"
            )
        if len(bound) > 1:
            raise RuntimeError(f"{self.name} is served by several applications: use its functions in app.app_context()")
        return bound[0]


class _Functions:
    """Run the actions of operations without a request: on shapes that no contract has."""

    def __init__(
        self,
        hooks: Hooks,
        database: Database,
        item: View,
        body: View,
        patch: View | None,
        validators: Validators | None,
        settings: Settings,
        owner: Owner | None = None,
    ) -> None:
        self._database = _Joining(database)
        self._model = item.model
        self._item = item
        self._body = body
        self._validators = validators
        self._settings = settings
        self._columns = {name: field for name, field in item.fields.items() if field.column is not None}
        key = tuple(self._field(column) for column in self._model.key)
        common = (self._database, settings, hooks)
        create = self._shape("create", body, 201)
        self._create = Create(create, *common, current=item)
        self._create_own: Create | None = None
        if owner is not None:
            self._create_own = Create(replace(create, giving=owner, callers=(owner,)), *common, current=item)
        self._replace = Replace(replace(self._shape("replace", body, 200, key), giving=owner), *common, current=item)
        self._patch = Patch(self._shape("patch", patch or body, 200, key), *common, current=item, validators=validators)
        self._delete = Delete(self._shape("delete", None, 204, key), *common, current=item)
        self._reads = lru_cache(maxsize=_MOST_KEPT)(self._make_read)
        self._lists = lru_cache(maxsize=_MOST_KEPT)(self._make_list)

    def read(
        self,
        key: tuple[Any, ...],
        columns: Mapping[str, Any],
        include: str | Sequence[str] | None,
        connection: Connection | None,
    ) -> Item:
        if bool(key) == bool(columns):
            raise TypeError("name the item by its key or by columns")
        if key:
            self._check_key(key)
            columns = dict(zip((column.key for column in self._model.key), key, strict=True))
            read = self._reads(None)
        else:
            read = self._reads(tuple(columns))
        values = [*columns.values(), _or_absent(include)]
        return _item(self._run(read.run, values, ABSENT, ANONYMOUS, connection))

    def listed(
        self,
        filters: Mapping[str, Any],
        sort: str | None,
        limit: int | None,
        offset: int,
        include: str | Sequence[str] | None,
        connection: Connection | None,
    ) -> list[Item]:
        limit = _ALL if limit is None else limit
        values = [limit, offset, _or_absent(sort), _or_absent(include), *filters.values()]
        answer = self._run(self._lists(tuple(filters)).run, values, ABSENT, ANONYMOUS, connection)
        items: list[Item] = orjson.loads(answer.body)
        return items

    def create(self, data: Mapping[str, Any], caller: Caller, connection: Connection | None) -> Item:
        self._check(data)
        if self._create_own is not None and caller.user is not None:
            return _item(self._run(self._create_own.run, [caller.user], dict(data), caller, connection))
        return _item(self._run(self._create.run, [], dict(data), caller, connection))

    def replace(self, key: Any, data: Mapping[str, Any], caller: Caller, connection: Connection | None) -> Item:
        self._check(data)
        return _item(self._run(self._replace.run, self._key(key), dict(data), caller, connection))

    def patch(self, key: Any, changes: Mapping[str, Any], caller: Caller, connection: Connection | None) -> Item:
        self._check_each(changes)
        return _item(self._run(self._patch.run, self._key(key), dict(changes), caller, connection))

    def delete(self, key: Any, caller: Caller, connection: Connection | None) -> None:
        self._run(self._delete.run, self._key(key), ABSENT, caller, connection)

    def _run(
        self,
        run: Callable[[Arguments], Answer],
        values: list[Any],
        body: Any,
        caller: Caller,
        connection: Connection | None,
    ) -> Answer:
        # A list remembers what an address asks for, so that what differs has to have another one.
        arguments = Arguments(values, body, {}, caller, "", _NoRequest(query=quote(repr(values))))
        if connection is None:
            return run(arguments)
        with self._database.joined(connection):
            return run(arguments)

    def _key(self, key: Any) -> list[Any]:
        values = key if isinstance(key, tuple) else (key,)
        self._check_key(values)
        return list(values)

    def _check_key(self, key: tuple[Any, ...]) -> None:
        if len(key) != len(self._model.key):
            names = ", ".join(column.key for column in self._model.key)
            raise TypeError(f"the key of {self._model.name} is {names}; {len(key)} values were given")

    def _check(self, data: Mapping[str, Any]) -> None:
        if self._validators is not None:
            faults = self._validators.build(self._body.schema, "request").faults(as_plain(dict(data)))
            if faults:
                raise bad_request(faults)

    def _check_each(self, changes: Mapping[str, Any]) -> None:
        if self._validators is None:
            return
        faults: list[Fault] = []
        for name, value in changes.items():
            field = self._body.fields.get(name)
            if field is not None and value is not None and not isinstance(value, dict):
                found = self._validators.build(field.schema, "request").faults(as_plain(value))
                faults += [Fault((name, *fault.path), fault.detail) for fault in found]
        if faults:
            raise bad_request(faults)

    def _make_read(self, columns: tuple[str, ...] | None) -> Read:
        fields = [self._field(column) for column in self._model.key] if columns is None else self._named(columns)
        stored = {field.column for field in fields}
        if not any(stored.issuperset(unique) for unique in self._model.unique):
            names = " and ".join(field.name for field in fields)
            raise TypeError(f"several items may have the same {names}: use list()")
        key = tuple(fields)
        parameters = (*_in_path(key), Parameter("include", "query", _NOWHERE))
        options = ListOptions(include=len(key))
        return Read(self._shape("read", None, 200, key, options=options, parameters=parameters), self._database)

    def _make_list(self, filters: tuple[str, ...]) -> List:
        found = []
        for index, name in enumerate(filters):
            column, _, operator = name.rpartition("__")
            if operator not in _OPERATORS or not column:
                column, operator = name, "eq"
            found.append(Filter(name, index + 4, self._named((column,))[0], operator))  # type: ignore[arg-type]  # it is one of them
        sort = Sort(2, self._item.fields)
        options = ListOptions(0, 1, sort=sort, include=3, filters=tuple(found), default_limit=_ALL, max_limit=_ALL)
        names = ("limit", "offset", "sort", "include", *filters)
        parameters = tuple(Parameter(name, "query", _NOWHERE) for name in names)
        shape = self._shape("list", None, 200, options=options, parameters=parameters)
        return List(shape, self._database, self._settings, b"")

    def _named(self, names: Iterable[str]) -> list[Field]:
        fields = []
        for name in names:
            if name in self._item.fields:
                fields.append(self._item.fields[name])
            elif name in self._model.columns:
                fields.append(self._field(self._model.columns[name]))
            else:
                raise TypeError(f"{name!r} is no property and no column of {self._model.source}")
        return fields

    def _field(self, column: AnyColumn) -> Field:
        """Return how the values of a column travel, also where no schema has it: then as Python values do."""
        known = next((field for field in self._columns.values() if field.column is column), None)
        if known is not None:
            return known
        convert = column.type.dialect_impl(self._database.dialect.sql).bind_processor(self._database.dialect.sql)
        codec = Codec("text", column.type, convert or _same, _same, _same)
        name = self._model.attribute(column)
        return Field(name, True, column, column, codec, False, True, False, False, f"{self._model.source}.{name}")

    def _shape(
        self,
        act: Act,
        body: View | None,
        status: int,
        key: tuple[Field, ...] = (),
        *,
        options: ListOptions | None = None,
        parameters: tuple[Parameter, ...] = (),
    ) -> Shape:
        keys = tuple(Key(_column(field), slot, field) for slot, field in enumerate(key))
        parameters = parameters or _in_path(key)
        view = None if act == "delete" else self._item
        media_types: Mapping[str, Any] = {"application/merge-patch+json": "merge"} if act == "patch" else {}
        return Shape(
            operation=Operation("", "", _NOWHERE, parameters=parameters),
            act=act,
            model=self._model,
            keys=keys,
            parent=None,
            view=view,
            body=body,
            status=status,
            media_types=media_types,
            options=options or ListOptions(),
        )


@dataclass(frozen=True, slots=True)
class _NoRequest:
    """Be the request of a call that no client has made."""

    method: str = ""
    base: str = ""
    path: str = ""
    query: str = ""
    scheme: str = ""
    address: str = ""

    def header(self, name: str) -> str | None:
        return None


_NOWHERE = Place("")


class _Joining:
    """Be a database whose statements run on the connection that was joined, where one was."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._joined: ContextVar[tuple[Transaction, Connection] | None] = ContextVar("joined", default=None)
        self.engine: Engine = database.engine
        self.dialect: Dialect = database.dialect
        self.versions = database.versions
        self._error: type[Exception] = database.engine.dialect.loaded_dbapi.Error

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Run statements on `connection` within this context."""
        token = self._joined.set((transaction(connection), connection))
        try:
            yield
        finally:
            self._joined.reset(token)

    def read(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        joined = self._joined.get()
        return self._database.read(statement, values) if joined is None else joined[0].run(statement, values)

    def write(self, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        joined = self._joined.get()
        if joined is None:
            return self._database.write(work, alone=alone)
        open_transaction, connection = joined
        driver_connection: Any = connection.connection.driver_connection
        if self.dialect.name == "sqlite" and not driver_connection.in_transaction:
            # Otherwise the savepoint is the transaction, and its release the commit.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            # What fails here is undone to this place, and who gave the connection decides about the rest.
            with connection.begin_nested():
                return work(open_transaction)
        except Exception as error:
            cause = driver_error(error)
            violation = self.dialect.violation(cause) if isinstance(cause, self._error) else None
            if violation is None:
                raise
            raise ViolationError(violation) from error

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        return self._database.snapshot(work)

    def close(self) -> None:
        self._database.close()


def _item(answer: Answer) -> Item:
    item: Item = orjson.loads(answer.body)
    return item


def _in_path(fields: tuple[Field, ...]) -> tuple[Parameter, ...]:
    return tuple(Parameter(field.name, "path", _NOWHERE) for field in fields)


def _or_absent(wish: Any) -> Any:
    return ABSENT if wish is None else wish


def _column(field: Field) -> AnyColumn:
    if field.column is None:
        raise TypeError(f"{field.name!r} is computed and names no item")
    return field.column


def _same(value: Any) -> Any:
    return value
