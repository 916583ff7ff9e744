"""What an operation is on a model: the decisions that `shapes.py` makes and the actions run by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from demijohn.contract import Operation
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.owner import Owner
from demijohn.resources.view import Field, View

__all__ = [
    "Act",
    "Envelope",
    "Filter",
    "Key",
    "ListOptions",
    "Operator",
    "Parent",
    "Reference",
    "Shape",
    "Slot",
    "Sort",
]

Act: TypeAlias = Literal["list", "read", "create", "replace", "patch", "delete"]
Operator: TypeAlias = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "icontains", "startswith", "isnull"
]
Slot: TypeAlias = int
"""The index of a parameter in `Operation.parameters`, and so of its value in `Arguments.values`."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """Say that a path parameter gives the value of a column."""

    column: AnyColumn
    slot: Slot
    field: Field
    """How the value travels; its name is the parameter's."""


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """Be the item that an operation's path lies below: `/people/{person_id}` of `/people/{person_id}/addresses`.

    `on` pairs a column of the model below with the column of this one that it equals. `parent` is the next item up.
    With an `owner` it has to be the caller's.
    """

    model: Model
    keys: tuple[Key, ...]
    on: tuple[tuple[AnyColumn, AnyColumn], ...]
    parent: Parent | None = None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Say that columns of the body refer to a row that has to be the caller's; `on` pairs them with the row's own."""

    on: tuple[tuple[AnyColumn, AnyColumn], ...]
    owner: Owner


@dataclass(frozen=True, slots=True)
class Envelope:
    """Be the object around a list: `items` is its array; `others` maps its other properties to what they hold.

    What they hold is one of `total`, `page`, `pages`, `per_page`, `limit`, `offset`, `next`, `prev`, `next_cursor`,
    `prev_cursor`. `order` gives all properties as the schema does. `nullable` are those that may be null.
    """

    items: str
    others: Mapping[str, str]
    order: tuple[str, ...]
    nullable: frozenset[str]
    required: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Say that a query parameter restricts a list by a column."""

    name: str
    slot: Slot
    field: Field
    operator: Operator


@dataclass(frozen=True, slots=True, eq=False)
class Sort:
    """Say by which fields a list may be sorted; `default` is the parameter's default or "".

    In a request: `name`, `-name`, `name:desc`, each with `:nullsfirst` or `:nullslast`, joined by commas.
    """

    slot: Slot
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True, eq=False)
class ListOptions:
    """Hold which parameter of a list (or, for `fields` and `include`, of a read) plays which part."""

    limit: Slot | None = None
    offset: Slot | None = None
    page: Slot | None = None
    cursor: Slot | None = None
    sort: Sort | None = None
    q: Slot | None = None
    q_fields: tuple[Field, ...] = ()
    fields: Slot | None = None
    include: Slot | None = None
    filters: tuple[Filter, ...] = ()
    default_limit: int = 20
    max_limit: int = 100


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Be everything that is known of an operation on a model before a statement is written.

    `view` is what a successful answer shows (None: it has no body), `body` what the request may hold. `bulk`
    tells that the body of a create is an array. `status` is the contract's status for success, `created_status`
    that of a replace which creates (None: it does not). `media_types` maps what a patch may be sent as to its kind.
    `item` says how to make the address of a created row: the path template of its read operation and, for each name
    in it, the column, or the path parameter of this operation, that it is made from.
    `order` is how a list is sorted without a wish: the primary key, unless the model or contract says otherwise.

    With an `owner` the rows are those of the caller only. `giving` says which column of a new row gets the caller's
    key, where nothing else is said. `public` are owners whose rows the caller may see all the same, by another
    operation: what is refused then is no secret. `references` are what a body may only name of the caller's own.
    `callers` are all owners that a statement of the operation may ask
    for the key of the caller; `Caller.user` is the value behind those of the parameters (`caller`).
    """

    operation: Operation
    act: Act
    model: Model
    keys: tuple[Key, ...]
    parent: Parent | None
    view: View | None
    body: View | None
    status: int
    bulk: bool = False
    created_status: int | None = None
    media_types: Mapping[str, Literal["merge", "json-patch"]] = field(default_factory=dict)
    item: tuple[str, Mapping[str, AnyColumn | Slot]] | None = None
    envelope: Envelope | None = None
    options: ListOptions = field(default_factory=ListOptions)
    if_match: Slot | None = None
    idempotency_key: Slot | None = None
    owner: Owner | None = None
    giving: Owner | None = None
    public: frozenset[Owner] = frozenset()
    callers: tuple[Owner, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def caller(self) -> Slot:
        """Return the place of the caller's key in `Arguments.values`, where there are `callers`."""
        return len(self.operation.parameters)
