"""PATCH: some properties change. By a merge patch (RFC 7396), or by the operations of a JSON patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import orjson
from werkzeug.http import parse_options_header

from demijohn.compile.answers import Answer
from demijohn.compile.faults import MOST_FAULTS, Fault
from demijohn.compile.plan import Arguments
from demijohn.compile.validators import Validators
from demijohn.errors import Conflict
from demijohn.resources.conflicts import bad_request, conflict
from demijohn.resources.database import Database, Transaction, ViolationError
from demijohn.resources.hooks import Hooks, run_after, run_before
from demijohn.resources.json_patch import apply_patch, equal, read_patch
from demijohn.resources.shape import Shape
from demijohn.resources.updates import Updates
from demijohn.resources.view import Field, View
from demijohn.resources.writes import Shown, Writes, as_plain, encoded, exact_json, once
from demijohn.settings import Settings

__all__ = ["Patch", "merged"]

Kind: TypeAlias = Literal["merge", "json-patch"]
Data: TypeAlias = "dict[str, Any]"
Find: TypeAlias = Callable[[Transaction], Data]
"""Find, within the transaction, which properties change and to what."""


class Patch:
    """Change some properties of an item.

    `whole` is what the body of a create or replace may hold: what a JSON patch makes of an item has to be valid by it
    (None: by the body of this operation). Without `validators` only the columns decide.
    """

    def __init__(
        self,
        shape: Shape,
        database: Database,
        settings: Settings,
        hooks: Hooks,
        *,
        current: View | None = None,
        whole: View | None = None,
        validators: Validators | None = None,
    ) -> None:
        self.name = f"patch {shape.model.name}"
        self._hooks = hooks
        body = shape.body or whole or shape.view
        self._writes = writes = Writes(shape, database, settings, hooks, current, body)
        self._updates = Updates(writes)
        self._whole = whole or body
        self._validators = validators
        kinds = set(shape.media_types.values())
        self._only: Kind | None = next(iter(kinds), "merge") if len(kinds) < 2 else None
        self._nested = frozenset(name for name, field in writes.fields.items() if field.codec.kind == "json")
        self._document = Shown(_document(writes), database, writes.criteria)

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application stand around it at present."""
        return bool(self._hooks.before_patch or self._hooks.after_patch)

    def run(self, arguments: Arguments) -> Answer:
        """Change the item as the body says."""
        writes, hooks, updates = self._writes, self._hooks, self._updates
        preferences = writes.preferences(arguments)
        preconditions = writes.preconditions(arguments)
        path = writes.criteria.values(arguments.values)
        known, find = (self._merge if self._kind(arguments) == "merge" else self._operate)(arguments, path)
        values = path
        if known is not None and not hooks.before_patch:
            values = updates.get(known).values(known) | path

        def work(transaction: Transaction) -> Answer:
            nonlocal values
            if preconditions is not None or hooks.before_patch:
                text = writes.as_read.lock(transaction, path)
                if text is None:
                    raise writes.missing(transaction, path)
                if preconditions is not None:
                    preconditions.check(text)
            data = find(transaction) if known is None else known
            if hooks.before_patch:
                data = run_before(hooks.before_patch, dict(data), arguments.caller, transaction.connection)
            change = updates.get(data)
            if known is None or hooks.before_patch:
                values = change.values(data) | path
            writes.check_references(transaction, data, values)
            found, text = updates.run(transaction, change, values)
            if not found:
                raise writes.missing(transaction, path)
            if hooks.after_patch:
                seen = text or writes.as_read.read(transaction, path)
                if seen is not None:
                    run_after(hooks.after_patch, encoded(seen), arguments.caller, transaction.connection)
            return writes.answer(arguments, preferences, writes.shape.status, text)

        try:
            return once(writes, arguments, work)
        except ViolationError as error:
            raise writes.conflicts.problem(error.violation, values) from error

    def statements(self) -> list[tuple[str, str]]:
        """Return the statements, under what they are for, as they are where every property changes."""
        change = self._updates.get(dict.fromkeys(self._writes.fields))
        told = [] if change.statement is None else [("patch", change.statement.sql)]
        if self._only != "merge" or self._nested:
            told.insert(0, ("document", self._document.by_path.sql))
        return told

    def _kind(self, arguments: Arguments) -> Kind:
        if self._only is not None:
            return self._only
        sent = _essence(arguments.request.header("Content-Type") or "")
        kind = self._writes.shape.media_types.get(sent)
        return kind or ("json-patch" if isinstance(arguments.body, list) else "merge")

    def _merge(self, arguments: Arguments, path: Mapping[str, Any]) -> tuple[Data | None, Find]:
        """Return what a merge patch changes where that is known at once, else what finds it."""
        writes = self._writes
        body = writes.settable(writes.body(arguments))
        writes.refuse_other_keys(body, path)
        wrong = [
            Fault((name,), "cannot be removed: it must have a value")
            for name, value in body.items()
            if value is None and not _may_be_null(writes.fields[name])
        ]
        if wrong:
            raise bad_request(wrong[:MOST_FAULTS])
        nested = [name for name in self._nested & body.keys() if isinstance(body[name], dict)]

        def find(transaction: Transaction) -> Data:
            document = encoded(self._read(transaction, path))
            results = {name: merged(document.get(name), body[name]) for name in nested}
            for name, value in results.items():
                self._check(writes.fields[name].schema, value, (name,))
            return body | results

        return None if nested else body, find

    def _operate(self, arguments: Arguments, path: Mapping[str, Any]) -> tuple[Data | None, Find]:
        """Return what finds out what a JSON patch changes."""
        writes = self._writes
        is_exact = bool(writes.decimals)
        sent = exact_json(arguments.raw) if is_exact and arguments.raw else arguments.body
        operations = read_patch(arguments.body if sent is None else sent)

        def find(transaction: Transaction) -> Data:
            text = self._read(transaction, path)
            document = exact_json(text) if is_exact else orjson.loads(text)
            result = apply_patch(operations, document, writes.settings.max_body_depth)
            if not isinstance(result, dict):
                raise Conflict("The patch would leave no object.")
            return self._difference(document, result, path)

        return (None if operations else {}), find

    def _difference(self, document: Data, result: Data, path: Mapping[str, Any]) -> Data:
        """Return the properties that a JSON patch has changed.

        Raises `Conflict` where the item cannot become that: the patch is fine by the contract, what comes of it is not.
        """
        writes = self._writes
        names = dict.fromkeys([*document, *result])
        changed = [
            name for name in names if not (name in document and name in result and equal(document[name], result[name]))
        ]
        data: Data = {}
        faults: list[Fault] = []
        for name in changed:
            field = writes.fields.get(name)
            if field is None:
                known = name in document
                faults.append(Fault((name,), "is read-only" if known else "is not a property that can be stored"))
            elif result.get(name) is None and not _may_be_null(field):
                faults.append(Fault((name,), "cannot be removed: it must have a value"))
            else:
                value = result.get(name)
                data[name] = value if name in writes.decimals else as_plain(value)
        if faults:
            raise conflict(faults[:MOST_FAULTS])
        writes.refuse_other_keys(data, path)
        if self._whole is not None and data:
            self._check_whole(self._whole, {name: as_plain(value) for name, value in result.items()}, data)
        return data

    def _check_whole(self, whole: View, result: Data, changed: Data) -> None:
        """Check what an item would become by the schema of a body; what was wrong before is none of the client's."""
        if self._validators is None:
            return
        sent = {name for name, field in whole.fields.items() if not field.read_only}
        body = {name: value for name, value in result.items() if name in sent}
        faults = self._validators.build(whole.schema, "request").faults(body)
        told = [fault for fault in faults if not fault.path or fault.path[0] in changed]
        if told:
            raise conflict(told)

    def _check(self, schema: Any, value: Any, place: tuple[str, ...]) -> None:
        """Check what a merge patch would make of a document in a column."""
        if self._validators is not None:
            faults = self._validators.build(schema, "request").faults(value)
            if faults:
                raise conflict([Fault((*place, *fault.path), fault.detail) for fault in faults])

    def _read(self, transaction: Transaction, path: Mapping[str, Any]) -> bytes:
        text = self._document.lock(transaction, path)
        if text is None:
            raise self._writes.missing(transaction, path)
        return text


def _document(writes: Writes) -> View:
    """Return what a patch is applied to: each property of the item or of a body that stands in the row itself.

    What is only written, a password, is not in it: `test` would tell whether a guess is right.
    """
    fields: dict[str, Field] = {}
    for view in (writes.current, writes.shape.view, writes.body_view):
        if view is not None:
            fields = view.fields | fields
    return View(writes.shape.model, True, tuple(field for field in fields.values() if not field.write_only))


def merged(target: Any, patch: Any) -> Any:
    """Return what a merge patch makes of a value (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _may_be_null(field: Field) -> bool:
    return field.column is not None and bool(field.column.nullable)


@lru_cache(maxsize=200)
def _essence(content_type: str) -> str:
    return parse_options_header(content_type)[0].lower()
