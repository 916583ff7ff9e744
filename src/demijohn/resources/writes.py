"""What the writing actions share: the item as it is read within a transaction, preconditions, and the answer."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Final
from urllib.parse import quote

import orjson
from sqlalchemy import Executable, Select, and_, bindparam, literal, select

from demijohn.compile.answers import Answer, etag_of
from demijohn.compile.faults import MOST_FAULTS, Fault
from demijohn.compile.guards import Caller
from demijohn.compile.kinds import ABSENT
from demijohn.compile.plan import Arguments, Requested
from demijohn.errors import Problem
from demijohn.resources.absence import Absence
from demijohn.resources.columns import Make, Source, bind_of, stored_fields
from demijohn.resources.conflicts import Conflicts, bad_request, conflict, dangling
from demijohn.resources.criteria import Criteria
from demijohn.resources.database import Database, Transaction
from demijohn.resources.hooks import Hooks
from demijohn.resources.idempotency import Idempotency, fingerprint_of
from demijohn.resources.json_sql import can_be_null, is_flat, representation
from demijohn.resources.model import AnyColumn, Expression
from demijohn.resources.preconditions import Preconditions, read_preconditions
from demijohn.resources.prefer import NO_PREFERENCES, Preferences, parse_prefer
from demijohn.resources.shape import Shape
from demijohn.resources.statement import Statement, compile_statement
from demijohn.resources.view import Field, View
from demijohn.settings import Settings

__all__ = ["Decode", "Shown", "Writes", "as_bytes", "as_plain", "decode_all", "encoded", "exact_json", "once"]

Decode = tuple[str, str, Callable[[Any], Any]]
"""A property, the parameter that holds its value, and what makes it ready for the driver."""

_JSON: Final = "application/json"


class Shown:
    """Read one view of the item that an operation is about, within a transaction.

    `is_returned` tells that the statement which writes the row can return what is shown of it.
    """

    def __init__(self, view: View, database: Database, criteria: Criteria) -> None:
        self.view = view
        self.is_flat = is_flat(view)
        may_be_null = any(isinstance(one, Field) and can_be_null(one) for one in view.members)
        self.is_returned = self.is_flat and (not may_be_null or _returns_expressions(database.dialect.name))
        self.expression: Expression = database.dialect.text(representation(view, database.dialect))
        self._database = database
        self._condition = criteria.condition

    @cached_property
    def by_path(self) -> Statement:
        """Return the statement that reads the item by the path of the operation."""
        return self._compile(self._select.where(self._condition))

    @cached_property
    def by_key(self) -> Statement:
        """Return the statement that reads the item by its primary key: `pk_0`, `pk_1`."""
        key = self.view.model.key
        pairs = (column == bindparam(f"pk_{index}", type_=column.type) for index, column in enumerate(key))
        return self._compile(self._select.where(and_(*pairs)))

    def read(self, transaction: Transaction, values: Mapping[str, Any]) -> bytes | None:
        """Return the item by the path of the operation, None where there is none."""
        return _first(transaction.run(self.by_path, values))

    def lock(self, transaction: Transaction, values: Mapping[str, Any]) -> bytes | None:
        """Return the item by the path, and keep others from changing it before the transaction is over."""
        if self._database.dialect.name == "sqlite":  # whoever writes has locked everything
            return self.read(transaction, values)
        # What lies below the item is only read as it is now once the lock is there.
        text = _first(transaction.run(self._locking, values))
        return text if text is None or self.is_flat else self.read(transaction, values)

    def read_new(self, transaction: Transaction, key: Sequence[Any], values: Mapping[str, Any]) -> bytes:
        """Return the item with this primary key; `values` say who is calling, for the rows that belong to callers."""
        keys = {f"pk_{index}": value for index, value in enumerate(key)}
        text = _first(transaction.run(self.by_key, {**values, **keys}))
        assert text is not None
        return text

    @cached_property
    def _locking(self) -> Statement:
        wanted = self.expression if self.is_flat else literal("")
        table = self.view.model.table
        return self._compile(select(wanted).select_from(table).where(self._condition).with_for_update())

    @property
    def _select(self) -> Select[Any]:
        return select(self.expression).select_from(self.view.model.table)

    def _compile(self, statement: Executable) -> Statement:
        return compile_statement(statement, self._database.dialect.sql)


@cache
def _returns_expressions(database: str) -> bool:
    """Tell whether `RETURNING` can be trusted with more than plain columns.

    SQLite 3.40 takes `x IS NOT NULL` for true there, whatever `x` is, in a table whose first column is NOT NULL.
    """
    if database != "sqlite":
        return True
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE probe (a NOT NULL, b)")
        rows = connection.execute("INSERT INTO probe VALUES (1, NULL) RETURNING b IS NOT NULL").fetchall()
    return rows == [(0,)]


class Writes:
    """Hold what an operation that writes needs besides its own statement.

    `current` is the view that a GET of the item shows: preconditions are about it, and the tag that an answer carries
    has to be one that they take. None: as this operation shows it. `body` is what may be sent where the operation's
    own body does not say: in a JSON patch.
    """

    def __init__(
        self,
        shape: Shape,
        database: Database,
        settings: Settings,
        hooks: Hooks,
        current: View | None = None,
        body: View | None = None,
    ) -> None:
        self.shape = shape
        self.body_view = body or shape.body
        self.database = database
        self.settings = settings
        self.hooks = hooks
        self.dialect = database.dialect
        self.criteria = Criteria(shape)
        self.absence = Absence(shape, self.criteria, database)
        self.conflicts = Conflicts(shape, self.body_view, database)
        self.shown = None if shape.view is None else Shown(shape.view, database, self.criteria)
        self.current = current or shape.view or self.body_view
        self.fields: dict[str, Field] = {} if self.body_view is None else stored_fields(self.body_view)
        slot = shape.if_match
        self._must_match = slot is not None and shape.operation.parameters[slot].required
        self.decimals = frozenset(name for name, field in self.fields.items() if field.codec.kind == "decimal")
        self._location = None if shape.item is None else _Location(*shape.item, self._encoders())

    # What a request says

    def preferences(self, arguments: Arguments) -> Preferences:
        """Return what the client prefers."""
        return parse_prefer(arguments.prefer) if arguments.prefer else NO_PREFERENCES

    def preconditions(self, arguments: Arguments) -> Preconditions | None:
        """Return what the client says about the item."""
        return read_preconditions(arguments.request, required=self._must_match)

    def body(self, arguments: Arguments) -> dict[str, Any]:
        """Return the properties that were sent; their numbers with all digits where columns are decimal.

        Raises `BadRequest` where the body is no object.
        """
        body = arguments.body
        if body is ABSENT:
            return {}
        if type(body) is not dict:
            raise bad_request([Fault((), "must be an object")])
        if self.decimals and any(type(body.get(name)) is float for name in self.decimals):
            return self.exact(body, exact_json(arguments.raw))
        return body

    def bodies(self, arguments: Arguments) -> list[dict[str, Any]]:
        """Return the items of a body that is an array of them. Raises `BadRequest` where one is no object."""
        items = arguments.body
        if type(items) is not list:
            raise bad_request([Fault((), "must be an array")])
        wrong = [Fault((index,), "must be an object") for index, item in enumerate(items) if type(item) is not dict]
        if wrong:
            raise bad_request(wrong[:MOST_FAULTS])
        if self.decimals and any(type(item.get(name)) is float for item in items for name in self.decimals):
            sent = exact_json(arguments.raw)
            if isinstance(sent, list):
                return [self.exact(item, one) for item, one in zip(items, sent, strict=True)]
        return items

    def exact(self, data: dict[str, Any], sent: Any) -> dict[str, Any]:
        """Return the data with the numbers of decimal columns as they were sent."""
        if not isinstance(sent, dict):
            return data
        return {name: sent[name] if name in self.decimals and name in sent else value for name, value in data.items()}

    # What is done

    def check(
        self, transaction: Transaction, preconditions: Preconditions | None, values: Mapping[str, Any]
    ) -> bytes | None:
        """Read and lock the item, and check what the client says about it. Without preconditions nothing is read."""
        if preconditions is None:
            return None
        text = self.as_read.lock(transaction, values)
        preconditions.check(text)
        return text

    @cached_property
    def as_read(self) -> Shown:
        """Return the item as a GET shows it."""
        if self.shown is not None and self.shown.view is self.current:
            return self.shown
        view = self.current or View(self.shape.model, True, ())
        return Shown(view, self.database, self.criteria)

    def text_of(
        self, transaction: Transaction, text: bytes | None, key: Sequence[Any], values: Mapping[str, Any]
    ) -> bytes:
        """Return a new item for those who stand after the write, also where the answer does not show it."""
        return self.as_read.read_new(transaction, key, values) if text is None else text

    def missing(self, transaction: Transaction, values: Mapping[str, Any]) -> Problem:
        """Return the problem of an item that was not found."""
        return self.absence.item(transaction.run, values)

    def missing_parent(self, transaction: Transaction, values: Mapping[str, Any]) -> Problem:
        """Return the problem of an item above that was not found, or that nothing may be put below."""
        return self.absence.above(transaction.run, values)

    def check_references(
        self, transaction: Transaction, data: Mapping[str, Any], values: Mapping[str, Any], place: tuple[int, ...] = ()
    ) -> None:
        """Check that what a body refers to is the caller's own; raise `Conflict` as for what does not exist."""
        faults = []
        for names, binds, statement in self._own_references:
            told = [name for name in names if name in data]
            is_given = all(values.get(bind) is not None for bind in binds)
            if told and is_given and not transaction.run(statement, values):
                faults += [dangling(name, place) for name in told]
        if faults:
            raise conflict(faults)

    @cached_property
    def _own_references(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...], Statement], ...]:
        found = []
        names = {field.column: name for name, field in self.fields.items()}
        for one in self.shape.references:
            binds = [bind_of(column) for column, _ in one.on]
            pairs = [referred == bind for (_, referred), bind in zip(one.on, binds, strict=True)]
            table = one.owner.column.table
            statement = select(literal(1)).select_from(table).where(*pairs, one.owner.owns(table))
            told = tuple(names[column] for column, _ in one.on if column in names)
            found.append((told, tuple(bind.key for bind in binds), self.compile(statement)))
        return tuple(found)

    # What is answered

    @cached_property
    def _is_tagged(self) -> bool:
        """Tell whether the answer shows the item as a GET does, so that its tag is the item's."""
        if self.shown is None or self.current is None:
            return False
        return self.shown is self.as_read or self.shown.by_path.sql == self.as_read.by_path.sql

    def answer(
        self,
        arguments: Arguments,
        preferences: Preferences,
        status: int,
        text: bytes | None,
        headers: list[tuple[str, Any]] | None = None,
        *,
        is_item: bool = True,
    ) -> Answer:
        """Return the answer that shows an item; None shows nothing, as the contract says or the client prefers."""
        headers = [] if headers is None else headers
        if preferences is not NO_PREFERENCES:
            if self.shown is not None and preferences.returns is not None:
                headers += preferences.applied(f"return={preferences.returns}")
                if preferences.returns == "minimal":
                    return Answer(status if status == 201 else 204, b"", None, headers)
            else:
                headers += preferences.applied()
        if text is None or self.shown is None:
            return Answer(status, b"", None, headers)
        if is_item and self._is_tagged:
            headers.append(("ETag", etag_of(text)))
        return Answer(status, text, arguments.media_type or _JSON, headers)

    @property
    def located(self) -> tuple[AnyColumn, ...]:
        """Return the columns of a new row that its address is made from."""
        return () if self._location is None else self._location.columns

    def location(self, request: Requested, values: Sequence[Any], row: Sequence[Any]) -> list[tuple[str, Any]]:
        """Return the header with the address of a new row; `row` holds the values of `located`."""
        return [] if self._location is None else [("Location", self._location.of(request.base, values, row))]

    def _encoders(self) -> dict[AnyColumn, Callable[[Any], Any]]:
        encoders: dict[AnyColumn, Callable[[Any], Any]] = {}
        for view in (self.body_view, self.shape.view, self.current):
            if view is not None:
                stored = (field for field in view.fields.values() if field.column is not None)
                encoders |= {field.column: field.codec.encode for field in stored if field.column is not None}
        return encoders | {key.column: key.field.codec.encode for key in self.shape.keys}

    def settable(self, body: dict[str, Any], place: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return the properties of a body that go to columns: all of them, or those that the setting does not drop.

        Raises `BadRequest` with those that nothing is stored of.
        """
        if body.keys() <= self.fields.keys():
            return body
        known = {} if self.body_view is None else self.body_view.fields
        kept: dict[str, Any] = {}
        faults = []
        for name, value in body.items():
            if name in self.fields:
                kept[name] = value
            elif name in known and known[name].read_only:
                if self.settings.read_only == "refuse":
                    faults.append(Fault((*place, name), "is read-only: leave it out"))
            elif self.settings.read_only == "ignore" and self._is_read_only(name):
                continue
            elif name in known or not self._takes_others:
                faults.append(Fault((*place, name), "is not a property that can be stored"))
        if faults:
            raise bad_request(faults[:MOST_FAULTS])
        return kept

    def _is_read_only(self, name: str) -> bool:
        """Tell whether items show a property that nobody may write, where the body has the same schema."""
        field = None if self.current is None else self.current.fields.get(name)
        return field is not None and field.read_only

    @cached_property
    def _takes_others(self) -> bool:
        """Tell whether the contract says itself that other properties may be sent: then they go nowhere."""
        schema = True if self.body_view is None else self.body_view.schema
        return isinstance(schema, dict) and schema.get("additionalProperties", False) is not False

    def refuse_other_keys(self, body: Mapping[str, Any], path: Mapping[str, Any], place: tuple[int, ...] = ()) -> None:
        """Check that properties which the path gives say the same there.

        Raises `Conflict` where they do not. `path` holds the values of the criteria.
        """
        faults = []
        for name, bind, decode in self._given:
            if name in body:
                try:
                    same = bind is not None and decode(body[name]) == path[bind]
                except ValueError:
                    same = False
                if not same:
                    faults.append(Fault((*place, name), "is not the one in the path"))
        if faults:
            raise conflict(faults)

    @cached_property
    def _given(self) -> tuple[tuple[str, str | None, Callable[[Any], Any]], ...]:
        """Return the properties whose values the path gives, and the parameters of the criteria that hold them.

        There is none for what refers to an item above by another column than its key.
        """
        binds: dict[AnyColumn, str | None] = {}
        parent = self.shape.parent
        if parent is not None:
            above = {key.column: f"parent_0_{index}" for index, key in enumerate(parent.keys)}
            binds = {column: above.get(referred) for column, referred in parent.on}
        binds |= {key.column: f"key_{index}" for index, key in enumerate(self.shape.keys)}
        found = ((name, field.column, field) for name, field in self.fields.items())
        return tuple((name, binds[column], field.codec.decode) for name, column, field in found if column in binds)

    @cached_property
    def fixed(self) -> frozenset[AnyColumn]:
        """Return the columns that the path gives: keys, and what leads to the item above. They are never changed."""
        columns = {key.column for key in self.shape.keys}
        if self.shape.parent is not None:
            columns |= {column for column, _ in self.shape.parent.on}
        return frozenset(columns)

    def stamp(self, column: AnyColumn, *, is_new: bool) -> Source | None:
        """Return the present time for a column that nobody but the API sets; None for all others.

        That is `created_at` and `updated_at` where the contract marks them `readOnly` and the model says nothing.
        """
        names = ("created_at", "updated_at") if is_new else ("updated_at",)
        known = (column.default, column.server_default) if is_new else (column.onupdate, column.server_onupdate)
        if column.key not in names or any(one is not None for one in known):
            return None
        for view in (self.body_view, self.shape.view, self.current):
            for field in () if view is None else view.fields.values():
                if field.column is column and field.read_only and field.codec.kind == "datetime":
                    bind = bind_of(column)
                    return Source(bind, (bind.key, _now(field.codec.decode)))
        return None

    @cached_property
    def idempotency(self) -> Idempotency:
        """Return what keeps the answers to each `Idempotency-Key`."""
        return Idempotency(self.dialect, self.settings)

    def compile(self, statement: Executable) -> Statement:
        """Compile a statement for the database."""
        return compile_statement(statement, self.dialect.sql)


def once(writes: Writes, arguments: Arguments, work: Callable[[Transaction], Answer], *, alone: bool = False) -> Answer:
    """Run a write in a transaction of its own; where the client sent an `Idempotency-Key`, once for that key.

    `alone` tells that it is one statement: see `Database.write`.
    """
    slot = writes.shape.idempotency_key
    if slot is None or arguments.values[slot] in (ABSENT, None):
        return writes.database.write(work, alone=alone)
    store = writes.idempotency
    request, key = arguments.request, str(arguments.values[slot])
    scope = f"{request.method} {writes.shape.operation.path} {_identity(arguments.caller)}"
    sent = (request.method, request.base + request.path, request.query, request.header("Content-Type") or "")
    fingerprint = fingerprint_of(*(part.encode() for part in sent), arguments.raw)

    def keyed(transaction: Transaction) -> Answer:
        answer = store.claim(transaction, scope, key, fingerprint)
        if answer is not None:
            headers = [*answer.headers, ("Idempotent-Replayed", "true")]
            return Answer(answer.status, answer.body, answer.media_type, headers)
        answer = work(transaction)
        store.keep(transaction, scope, key, fingerprint, answer)
        return answer

    return writes.database.write(keyed)


def _identity(caller: Caller) -> str:
    """Return who is calling, as one text; "" for nobody."""
    if caller.user is None and caller.info is None:
        return ""
    return caller.identity or repr(caller.info)


class _Location:
    """Make the addresses of new rows."""

    __slots__ = ("_parts", "columns")

    def __init__(
        self, template: str, sources: Mapping[str, Any], encoders: Mapping[AnyColumn, Callable[[Any], Any]]
    ) -> None:
        self.columns = tuple(source for source in sources.values() if not isinstance(source, int))
        parts: list[tuple[str, int | None, int | None, Callable[[Any], Any]]] = []
        for position, piece in enumerate(re.split(r"\{([^{}]+)\}", template)):
            if position % 2 == 0:
                parts.append((piece, None, None, str))
            else:
                source = sources[piece]
                if isinstance(source, int):
                    parts.append(("", source, None, str))
                else:
                    index = next(i for i, column in enumerate(self.columns) if column is source)
                    parts.append(("", None, index, encoders.get(source, str)))
        self._parts = tuple(parts)

    def of(self, base: str, values: Sequence[Any], row: Sequence[Any]) -> str:
        pieces = [base]
        for text, slot, index, encode in self._parts:
            if slot is not None:
                pieces.append(_segment(values[slot]))
            elif index is not None:
                pieces.append(_segment(encode(row[index])))
            else:
                pieces.append(text)
        return "".join(pieces)


def _segment(value: Any) -> str:
    """Return a value as one segment of a path."""
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return quote(str(value), safe="")


def decode_all(pairs: Iterable[Decode], data: Mapping[str, Any], place: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return the values of properties, ready for the driver, by parameter.

    Raises `BadRequest` with all of those that their columns cannot hold.
    """
    try:
        return {bind: decode(data[name]) for name, bind, decode in pairs}
    except ValueError:
        faults = []
        for name, _, decode in pairs:
            try:
                decode(data[name])
            except ValueError as error:
                faults.append(Fault((*place, name), str(error)))
        raise bad_request(faults) from None


def as_bytes(text: Any) -> bytes:
    """Return JSON as it came from the driver as the bytes that are sent."""
    return text.encode() if isinstance(text, str) else bytes(text)


def as_plain(value: Any) -> Any:
    """Return a JSON value with its fractions as JSON readers see them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: as_plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_plain(one) for one in value]
    return value


def encoded(item: Any) -> Any:
    """Return the JSON value of a representation."""
    return orjson.loads(item)


def _now(decode: Callable[[Any], Any]) -> Make:
    """Return what makes the present time: the same one for all columns of a row."""

    def make(values: dict[str, Any]) -> Any:
        text = values.get("now")
        if text is None:
            text = values["now"] = datetime.now(UTC).isoformat(timespec="microseconds")
        return decode(text)

    return make


def _first(rows: list[tuple[Any, ...]]) -> bytes | None:
    return as_bytes(rows[0][0]) if rows else None


def exact_json(raw: bytes) -> Any:
    """Return a JSON body with its fractions as `Decimal`; None for a body that is no JSON, such as a form."""
    try:
        return json.loads(raw, parse_float=Decimal)
    except ValueError:
        return None
