"""Registering: the ordinary create on the user model, with a password that is checked and hashed on the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, JSON

from demijohn.auth.comparison import Comparison, Taken
from demijohn.auth.events import told
from demijohn.compile.answers import Answer
from demijohn.compile.faults import Fault
from demijohn.compile.kinds import ABSENT
from demijohn.compile.plan import Arguments
from demijohn.contract import Place
from demijohn.errors import BindingError
from demijohn.resources.binding import Binder
from demijohn.resources.conflicts import bad_request
from demijohn.resources.creates import Create
from demijohn.resources.hooks import Hooks
from demijohn.resources.outlines import Outline
from demijohn.resources.paths import Route
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import Shaper
from demijohn.resources.view import Field, View

if TYPE_CHECKING:
    from demijohn.auth.accounts import Accounts

__all__ = ["Register", "register"]

_PASSWORD: Final = "password"  # noqa: S105  # the name of a property


class Register:
    """Make a user of what the contract lets a stranger say: never a role, and never a stored hash."""

    name = "register"

    def __init__(self, accounts: Accounts, create: Create, hooks: Hooks, shape: Shape) -> None:
        self._accounts = accounts
        self._create = create
        self._hooks = hooks
        assert shape.body is not None
        model = accounts.model
        names = {name: field.column for name, field in shape.body.fields.items()}
        self._fixed: dict[str, Any] = {}
        if model.roles is not None and model.default_role is not None:
            role = next(name for name, column in names.items() if column is model.roles)
            self._fixed[role] = model.stored_roles([model.default_role])

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application stand around it at present."""
        return self._create.has_hooks

    def statements(self) -> list[tuple[str, str]]:
        """Return the statements, under what they are for."""
        return self._create.statements()

    def run(self, arguments: Arguments) -> Answer:
        """Check and hash the password, and make the user."""
        body = arguments.body
        if body is ABSENT or not isinstance(body, dict):
            raise bad_request([Fault((), "must be an object")])
        # The default role travels as one more property, which is nobody's to send.
        sent = [Fault((name,), "is not a property that can be stored") for name in self._fixed if name in body]
        if sent:
            raise bad_request(sent)
        hashed = self._accounts.hashed(body.get(_PASSWORD), _PASSWORD)
        answer = self._create.run(arguments._replace(body={**body, _PASSWORD: hashed, **self._fixed}))
        told("registered", address=arguments.request.address)
        return answer


def register(
    accounts: Accounts, comparison: Comparison, binder: Binder, shaper: Shaper, hooks: Hooks
) -> Register | None:
    """Return what registers users, None where the contract asks for what it cannot do."""
    comparison.method("POST")
    comparison.no_path()
    taken = comparison.body(form=True)
    status, view, content, response = comparison.shown_user((201, 200, 204))
    fields = _fields(accounts, comparison, binder, taken)
    model = accounts.model
    place = comparison.operation.body.place if comparison.operation.body is not None else comparison.operation.place
    if _PASSWORD not in taken:
        comparison.report(place, f"the body of {comparison.name} has no `{_PASSWORD}`", "add it, and require it")
        return None
    if not taken[_PASSWORD].required:
        comparison.report(taken[_PASSWORD].place, "`password` is optional, and nobody can log in without", "require it")
    for name, one in model.login.items():
        if not one.nullable and not any(field.column is one for field in fields):
            comparison.report(place, f"the body of {comparison.name} has no `{name}`", "add it, and require it")
    outline = Outline(
        comparison.operation,
        "create",
        model.model,
        Route((), None),
        status,
        response,
        content,
        content.schema if content is not None else None,
        "",
    )
    shape = Shape(
        operation=comparison.operation,
        act="create",
        model=model.model,
        keys=(),
        parent=None,
        view=view,
        body=View(model.model, _schema_of(comparison), tuple(fields)),
        status=status,
        item=shaper.location(outline),
        idempotency_key=_idempotency_key(comparison),
    )
    accounts.shown(shape)
    database, settings = accounts.users.database, accounts.settings
    return Register(accounts, Create(shape, database, settings, hooks), hooks, shape)


def _fields(accounts: Accounts, comparison: Comparison, binder: Binder, taken: Mapping[str, Taken]) -> list[Field]:
    model, found = accounts.model, []
    for name, one in taken.items():
        if name == _PASSWORD:
            found.append(_password(accounts, binder, one))
            continue
        attribute = binder.attribute(name, one.schema, model.model)
        column = model.model.columns.get(attribute) if attribute is not None else None
        if attribute is None or column is None:
            said = f"`{name}` is nothing that {comparison.name} takes: it is no column of {model.model.source}"
            comparison.report(one.place, said, "leave it out, or name its column by `x-column`")
        elif column in model.guarded:
            said = f"`{name}` is {model.model.source}.{attribute}, which nobody sets by registering"
            comparison.report(one.place, said, "leave it out")
        else:
            field = binder.value(name, one.schema, model.model, attribute, one.place, stored=True)
            if field is not None:
                found.append(replace(field, required=one.required))
    if model.roles is not None and model.default_role is not None:
        found.append(_role(accounts, binder, comparison.operation.place, taken))
    return found


def _password(accounts: Accounts, binder: Binder, taken: Taken) -> Field:
    """Return the field of the password: by the time that it is stored it is a hash."""
    model = accounts.model
    attribute = model.model.attribute(model.password)
    schema = {"type": "string", "maxLength": getattr(model.password.type, "length", None) or 1000}
    field = binder.value(_PASSWORD, schema, model.model, attribute, taken.place)
    assert field is not None  # a text column takes texts
    return replace(field, required=True, write_only=True)


def _role(accounts: Accounts, binder: Binder, place: Place, taken: Mapping[str, Taken]) -> Field:
    model = accounts.model
    assert model.roles is not None
    attribute = model.model.attribute(model.roles)
    schema: dict[str, Any] = {"type": "string", "enum": [model.default_role]}
    if isinstance(model.roles.type, JSON | ARRAY):
        schema = {"type": "array", "items": {"type": "string"}}
    name = f"\0{attribute}" if attribute in taken else attribute
    field = binder.value(name, schema, model.model, attribute, place)
    if field is None:
        raise BindingError([f"accounts: default_role={model.default_role!r} does not go with {attribute!r}"])
    return replace(field, required=True, write_only=True)


def _schema_of(comparison: Comparison) -> Any:
    body = comparison.operation.body
    return next((one.schema for one in body.contents if one.schema is not None), True) if body is not None else True


def _idempotency_key(comparison: Comparison) -> int | None:
    for slot, one in enumerate(comparison.operation.parameters):
        if one.location == "header" and one.name.lower() == "idempotency-key":
            return slot
    return None
