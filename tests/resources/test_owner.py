"""The key of a caller becomes a value of the column that holds owners, or None."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from laying import lay
from sqlalchemy import String, Uuid, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn.resources.dialects.sqlite import Sqlite
from demijohn.resources.explain import Use, explain
from demijohn.resources.owner import read_key

ID = UUID("0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff")


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(index=True)
    author: Mapped[str] = mapped_column(String(5, collation="NOCASE"))
    holder: Mapped[UUID] = mapped_column(Uuid)
    share: Mapped[float]


@pytest.mark.parametrize(
    ("column", "user", "key"),
    [
        ("user_id", 7, 7),
        ("user_id", "7", 7),
        ("user_id", "-7", -7),
        ("user_id", "07", None),
        ("user_id", " 7", None),
        ("user_id", "7.0", None),
        ("user_id", 7.0, None),
        ("user_id", True, None),
        ("user_id", 2**70, None),
        ("user_id", "9" * 19, None),
        ("user_id", "", None),
        ("user_id", ID, None),
        ("user_id", None, None),
        ("user_id", ["7"], None),
        ("author", "ann", "ann"),
        ("author", 7, "7"),
        ("author", True, None),
        ("author", "annabel", None),
        ("author", "a\0", None),
        ("author", "\ud800", None),
        ("author", {"id": 1}, None),
        ("holder", ID, ID.hex),
        ("holder", str(ID), ID.hex),
        ("holder", "7", None),
    ],
)
def test_a_key_is_read_as_the_column_holds_it(column: str, user: Any, key: Any) -> None:
    dialect = Sqlite(create_engine("sqlite://").dialect)
    type_ = Note.__table__.c[column].type
    read = read_key(dialect.codec(type_, {}, frozenset(("integer", "string")), None))
    assert read(user) == key
    assert type(read(user)) is type(key)


CONTRACT = """
paths:
  /notes:
    get:
      security: [{{key: []}}]
      parameters:
        - {{name: limit, in: query, schema: {{type: integer}}}}
        - {{name: share, in: query, schema: {{type: number}}}}
      responses:
        "200":
          description: fine
          content: {{application/json: {{schema: {{type: array, items: {{$ref: "#/components/schemas/Note"}}}}}}}}
components:
  securitySchemes:
    key: {{type: apiKey, in: header, name: X-Key}}
  schemas:
    Note:
      x-owner: {owner}
      type: object
      properties: {{id: {{type: integer}}, by: {{type: string, x-column: author}}}}
"""


def test_an_owner_may_be_named_by_property_attribute_or_column() -> None:
    for name, column in (("by", "author"), ("author", "author"), ("user_id", "user_id"), ("holder", "holder")):
        owner = lay(CONTRACT.format(owner=name), Note).shape("GET /notes").owner
        assert owner is not None
        assert owner.column.key == column


def test_a_column_that_holds_no_key_is_refused() -> None:
    laid = lay(CONTRACT.format(owner="share"), Note)
    assert [one for one in laid.problems if "cannot hold the key of a caller" in one]


def test_a_collation_is_not_trusted_with_keys() -> None:
    shape = lay(CONTRACT.format(owner="author"), Note).shape("GET /notes")
    assert shape.owner is not None
    assert 'COLLATE "BINARY"' in str(select(Note.id).where(shape.owner.owns(Note.__table__)))
    shape = lay(CONTRACT.format(owner="user_id"), Note).shape("GET /notes")
    assert shape.owner is not None
    assert "COLLATE" not in str(select(Note.id).where(shape.owner.owns(Note.__table__)))


def test_the_index_of_the_owner_is_told() -> None:
    shape = lay(CONTRACT.format(owner="user_id"), Note).shape("GET /notes")
    assert explain(shape, "sqlite") == (
        Use("owner user_id", "index ix_note_user_id"),
        Use("filter share", "index ix_note_user_id, then every row of the caller"),
    )
    shape = lay(CONTRACT.format(owner="holder"), Note).shape("GET /notes")
    assert explain(shape, "sqlite")[0].finding.startswith("every row of note is looked at; add an index on note.holder")


def test_an_operation_may_be_for_the_rows_of_all_only_where_there_are_owners() -> None:
    text = CONTRACT.format(owner="user_id").replace("    get:\n", "    get:\n      x-owner: false\n")
    laid = lay(text, Note)
    assert laid.shape("GET /notes").owner is None
    assert laid.warnings == [one for one in laid.warnings if "x-owner" not in one]
    laid = lay(text.replace("      x-owner: user_id\n", ""), Note)
    assert [one for one in laid.warnings if "`x-owner: false` means nothing" in one]
