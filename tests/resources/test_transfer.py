"""Rows go in and out in batches, whatever their key is, and a database that goes away is told from a bad row."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from flask import Flask
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, Settings
from demijohn.errors import Unavailable
from demijohn.resources.database import Database, Transaction, create_tables
from demijohn.resources.intake import Intake
from demijohn.resources.mapping import Mapping
from demijohn.resources.rows import BadRow, read_rows
from demijohn.resources.statement import Statement
from demijohn.resources.subject import Subject, SubjectError, find_subject
from demijohn.resources.transfer import Counts, OnConflict, export_rows, import_rows

T = TypeVar("T")

CONTRACT = """\
openapi: 3.1.0
info: {title: Rooms, version: "1"}
paths:
  /slots:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}]
      responses:
        "200":
          description: fine
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Slot"}}}}
    post:
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Slot"}}}
      responses: {"201": {description: made}}
  /cats/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200": {description: fine, content: {application/json: {schema: {$ref: "#/components/schemas/Cat"}}}}
components:
  schemas:
    Slot:
      type: object
      required: [day, hour, guest]
      properties:
        day: {type: string, maxLength: 3}
        hour: {type: integer}
        guest: {type: string}
    Cat: {type: object, required: [id, name], properties: {id: {type: integer}, name: {type: string}}}
"""


class Base(DeclarativeBase):
    pass


class Slot(Base):
    __tablename__ = "slot"

    day: Mapped[str] = mapped_column(String(3), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    guest: Mapped[str] = mapped_column(String(10))


class Pet(Base):
    __tablename__ = "pet"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "pet"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(10))
    mother_id: Mapped[int | None] = mapped_column(ForeignKey("pet.id"))


class Cat(Pet):
    __mapper_args__ = {"polymorphic_identity": "cat"}


class Store:
    """Be a database with the tables above, and their contract."""

    def __init__(self, url: str, folder: Path) -> None:
        (folder / "openapi.yaml").write_text(CONTRACT, encoding="utf-8")
        app = Flask("rooms", root_path=str(folder))
        api = Demijohn(app, settings=Settings(database_url=url, unbound="501"))
        api.resource(Base)
        api.add_contract(folder / "openapi.yaml")
        state = app.extensions["demijohn"]
        self._resources = state.resources
        self._contracts = [one.contract for one in state.apis]
        self.database: Database = state.resources.database
        create_tables(self.database.engine, state.resources.metadatas)

    def subject(self, word: str) -> Subject:
        return find_subject(word, self._resources.models.all, list(self._resources.shapes.values()), self._contracts)

    def take(
        self, word: str, *rows: Any, on_conflict: OnConflict = "error", batch: int = 100, database: Any = None
    ) -> tuple[Counts, list[BadRow]]:
        intake = Intake(self.subject(word), Mapping(), is_text=False)
        text = b"\n".join(json.dumps(row).encode() for row in rows)
        counts, refused = Counts(), list[BadRow]()
        import_rows(
            intake,
            read_rows(io.BytesIO(text), "jsonl", 10_000).rows,
            database or self.database,
            on_conflict=on_conflict,
            batch_rows=batch,
            refuse=refused.append,
            counts=counts,
        )
        return counts, refused

    def give(self, word: str, page: int = 3) -> list[dict[str, Any]]:
        subject = self.subject(word)
        assert subject.shown is not None
        rows = export_rows(subject.model, list(subject.shown.fields.values()), self.database, page_rows=page)
        return [json.loads(row) for row in rows]


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Any:
    made = Store(database_url, tmp_path)
    yield made
    made.database.close()


def slot(day: str, hour: int, guest: str = "Ann") -> dict[str, Any]:
    return {"day": day, "hour": hour, "guest": guest}


def test_a_key_of_several_columns_leads_through_all_pages(store: Store) -> None:
    rows = [slot(day, hour) for day in ("fri", "mon", "sat") for hour in range(7)]
    counts, refused = store.take("Slot", *reversed(rows), batch=4)
    assert (counts.inserted, refused) == (21, [])
    for page in (1, 2, 3, 7, 21, 100):
        assert store.give("Slot", page) == rows


def test_rows_are_known_by_a_key_of_several_columns(store: Store) -> None:
    store.take("Slot", slot("mon", 1), slot("mon", 2))
    again = (slot("mon", 1, "Bob"), slot("tue", 1, "Bob"), slot("tue", 1, "Cid"))
    counts, _ = store.take("Slot", *again, on_conflict="skip")
    assert (counts.inserted, counts.skipped) == (1, 2)
    assert [row["guest"] for row in store.give("Slot")] == ["Ann", "Ann", "Bob"]
    counts, _ = store.take("Slot", *again, on_conflict="update")
    assert (counts.inserted, counts.updated) == (0, 3)
    assert [row["guest"] for row in store.give("Slot")] == ["Bob", "Ann", "Cid"]


def test_a_class_that_shares_a_table_has_its_own_rows(store: Store) -> None:
    counts, refused = store.take("Cat", {"id": 1, "name": "Tom"}, {"id": 1, "name": "Tim"})
    assert (counts.inserted, [one.line for one in refused]) == (1, [2])
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO pet (id, kind, name) VALUES (2, 'pet', 'Rex')")
    assert store.give("Cat") == [{"id": 1, "name": "Tom"}]


def test_no_batch_is_lost_with_a_row_that_is_refused(store: Store) -> None:
    rows = [slot("mon", hour % 25) for hour in range(30)]
    counts, refused = store.take("Slot", *rows, batch=10)
    assert (counts.read, counts.inserted, counts.refused, counts.line) == (30, 25, 5, 30)
    assert [one.line for one in refused] == [26, 27, 28, 29, 30]
    assert {fault.detail for one in refused for fault in one.faults} == {
        "is already taken, together with 'hour'",
        "is already taken, together with 'day'",
    }


class Away:
    """Be a database that goes away with its third write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.engine, self.dialect = database.engine, database.dialect
        self._writes = 0

    def write(self, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        self._writes += 1
        if self._writes == 3:
            raise Unavailable
        return self._database.write(work)

    def read(self, statement: Statement, values: Any) -> list[tuple[Any, ...]]:
        return self._database.read(statement, values)


def test_a_database_that_goes_away_leaves_whole_batches(store: Store) -> None:
    with pytest.raises(Unavailable):
        store.take("Slot", *(slot("mon", hour) for hour in range(30)), batch=4, database=Away(store.database))
    assert len(store.give("Slot")) == 8


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_word_that_is_no_resource_is_told(store: Store) -> None:
    for word, message in [
        ("Slott", "`Slott` is no model and no schema of one: did you mean `Slot`?"),
        ("Elephant", "`Elephant` is no model and no schema of one: there are Cat, Pet, Slot"),
        ("Pet", "`Pet` has no operation in the contract, which would say what its rows look like"),
    ]:
        with pytest.raises(SubjectError) as refused:
            store.subject(word)
        assert refused.value.problems == (message,)
