"""A schema laid on a model: which property is which column, and how its values travel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from demijohn.contract import JsonSchema
from demijohn.resources.model import AnyColumn, Expression, Model, Relation

if TYPE_CHECKING:
    from demijohn.resources.codecs import Codec
    from demijohn.resources.owner import Owner

__all__ = ["Embedded", "Field", "View"]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Be one property whose value stands in a column or is computed from columns.

    `column` is None for a computed one, which cannot be written. `nullable` tells that the schema allows null,
    `required` that the property must be there: a NULL is null in JSON where `nullable`, else the property is left
    out. `source` names it in messages: `directory.models.Person.email`.
    """

    name: str
    schema: JsonSchema
    expression: Expression
    column: AnyColumn | None
    codec: Codec
    required: bool
    nullable: bool
    read_only: bool
    write_only: bool
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Be one property that holds the related row, or rows.

    `path` is what a client writes in `include=` to have it ("addresses", "addresses.country"); `on_request` tells
    that it is only there for those who ask. `nullable` and `required` mean what they mean for a `Field`. With an
    `owner` only those rows are shown that are the caller's.
    """

    name: str
    relation: Relation
    view: View
    path: str
    on_request: bool
    required: bool
    nullable: bool
    owner: Owner | None = None


@dataclass(frozen=True, eq=False)
class View:
    """Be what a schema shows of a model, or takes for it: properties in the order of the schema."""

    model: Model
    schema: JsonSchema
    members: tuple[Field | Embedded, ...]

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Return the members that are columns or computed, by property name."""
        return {member.name: member for member in self.members if isinstance(member, Field)}
