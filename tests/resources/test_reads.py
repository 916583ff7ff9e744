"""One item by the path that names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from reading import Reading, open_reading
from sqlalchemy import Connection, ForeignKey, ForeignKeyConstraint, String, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BadRequest, Problem
from demijohn.compile.guards import ANONYMOUS
from demijohn.compile.plan import Arguments
from demijohn.contract import Operation, Place
from demijohn.errors import NotFound
from demijohn.resources.model import Model
from demijohn.resources.models import read_models
from demijohn.resources.reads import Read
from demijohn.resources.shape import Key, Parent, Shape
from demijohn.resources.view import Field, View
from demijohn.serve.request import Request


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(10), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "other"}


class Poet(Author):
    __mapper_args__ = {"polymorphic_identity": "poet"}


class Book(Base):
    __tablename__ = "book"
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))


class Chapter(Base):
    __tablename__ = "chapter"
    __table_args__ = (ForeignKeyConstraint(["author_id", "book_number"], ["book.author_id", "book.number"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int]
    book_number: Mapped[int]
    title: Mapped[str] = mapped_column(String(20))


class Folder(Base):
    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(10))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))


def table(cls: type[Base]) -> Any:
    return cls.__table__


def fill(connection: Connection) -> None:
    authors = [{"id": 1, "slug": "ann", "kind": "poet"}, {"id": 2, "slug": "bob", "kind": "other"}]
    authors.append({"id": 3, "slug": "cyd", "kind": "other"})
    connection.execute(insert(table(Author)), authors)
    pairs = [(1, 1), (1, 2), (2, 1)]
    connection.execute(insert(Book), [{"author_id": a, "number": n, "title": f"{a}.{n}"} for a, n in pairs])
    rows = [{"id": i, "author_id": a, "book_number": n, "title": f"{a}.{n}.{i}"} for i, (a, n) in enumerate(pairs, 1)]
    connection.execute(insert(Chapter), rows)
    connection.execute(insert(Folder), [{"id": 1, "name": "top"}, {"id": 4, "name": "else"}])
    connection.execute(insert(Folder), [{"id": 2, "name": "in", "parent_id": 1}])


CONTRACT = """
openapi: 3.1.0
info: {title: Books, version: "1"}
paths:
  /authors/{slug}:
    get:
      parameters: [{name: slug, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Author"}}}}
  /poets/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Poet"}}}}
  /authors/{slug}/books:
    get:
      parameters: [{name: slug, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: Books.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Book"}}}}
  /folders/{folder_id}/folders/{id}:
    get:
      parameters:
        - {name: folder_id, in: path, required: true, schema: {type: integer}}
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Folder"}}}}
  /folders/{folder_id}/folders:
    get:
      parameters: [{name: folder_id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: Folders.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Folder"}}}}
components:
  schemas:
    Author: {type: object, properties: {id: {type: integer}, slug: {type: string}}}
    Poet: {type: object, properties: {slug: {type: string}}}
    Book: {type: object, properties: {number: {type: integer}, title: {type: string}}}
    Folder: {type: object, properties: {id: {type: integer}, name: {type: string}}}
"""


@pytest.fixture
def reading(database_url: str, tmp_path: Path) -> Iterator[Reading]:
    with open_reading(CONTRACT, Base, database_url, tmp_path, fill) as made:
        yield made


def outcome(reading: Reading, target: str) -> Any:
    try:
        return reading.get(target).json
    except Problem as problem:
        return problem.status


def test_an_item_is_found_by_its_key_and_only_below_its_parents(reading: Reading) -> None:
    expected = {
        "/authors/ann": {"id": 1, "slug": "ann"},
        "/authors/nobody": 404,
        "/poets/1": {"slug": "ann"},
        "/poets/2": 404,
        "/folders/1/folders/2": {"id": 2, "name": "in"},
        "/folders/2/folders/1": 404,
        "/folders/2/folders/2": 404,
    }
    assert {target: outcome(reading, target) for target in expected} == expected


def test_a_list_is_empty_below_an_item_and_missing_below_none(reading: Reading) -> None:
    expected = {
        "/folders/1/folders": [{"id": 2, "name": "in"}],
        "/folders/2/folders": [],
        "/folders/3/folders": 404,
        "/authors/bob/books": [{"number": 1, "title": "2.1"}],
        "/authors/cyd/books": [],
        "/authors/nobody/books": 404,
    }
    assert {target: outcome(reading, target) for target in expected} == expected


def test_a_key_that_no_column_can_hold_names_nothing(reading: Reading) -> None:
    for target in (f"/authors/{'x' * 11}", "/authors/a%00b", f"/poets/{2**63 - 1}", f"/authors/{'x' * 11}/books"):
        with pytest.raises(NotFound) as caught:
            reading.get(target)
        assert caught.value.detail.startswith("There is no such ")


# Paths of several keys, with hand-made shapes.


@dataclass
class Making:
    """Make shapes of the models above, with a path parameter for each value in `values`."""

    reading: Reading
    values: list[Any] = field(default_factory=list)

    def model(self, cls: type) -> Model:
        return next(model for model in read_models([Base]).all if model.name == cls.__name__)

    def key(self, column: Any, value: Any) -> Key:
        kind = "string" if isinstance(value, str) else "integer"
        codec = self.reading.database.dialect.codec(column.type, {"type": kind}, frozenset([kind]), None)
        self.values.append(value)
        made = Field(column.name, {"type": kind}, column, column, codec, True, False, False, False, column.name)
        return Key(column, len(self.values) - 1, made)

    def read(self, cls: type, keys: list[Key], parent: Parent | None) -> Any:
        """Return what is read, 404 where nothing is."""
        model = self.model(cls)
        title = self.key(model.table.c["title"], "title").field
        view = View(model, {}, (title,))
        operation = Operation("GET", "/x", Place("openapi.yaml"))
        shape = Shape(operation, "read", model, tuple(keys), parent, view, None, 200)
        sent = Arguments(self.values, None, {}, ANONYMOUS, "", Request({"REQUEST_METHOD": "GET"}))
        try:
            return json.loads(Read(shape, self.reading.database).run(sent).body)["title"]
        except NotFound:
            return 404


def chapter(reading: Reading, author: int | str, number: int, id: int, above: type = Author) -> Any:
    """Read `/authors/{author}/books/{number}/chapters/{id}`."""
    making = Making(reading)
    authors, books, chapters = table(Author).c, table(Book).c, table(Chapter).c
    top = making.key(authors["slug" if isinstance(author, str) else "id"], author)
    writer = Parent(making.model(above), (top,), ((books.author_id, authors.id),))
    on = ((chapters.author_id, books.author_id), (chapters.book_number, books.number))
    book = Parent(making.model(Book), (making.key(books.number, number),), on, writer)
    return making.read(Chapter, [making.key(chapters.id, id)], book)


def test_an_item_is_found_only_where_the_whole_way_to_it_is_there(reading: Reading) -> None:
    cases: dict[tuple[int | str, int, int], Any] = {
        (1, 2, 2): "1.2.2",
        ("ann", 2, 2): "1.2.2",
        ("bob", 1, 3): "2.1.3",
        (1, 1, 2): 404,
        (2, 2, 2): 404,
        (2, 1, 2): 404,
        ("nobody", 2, 2): 404,
        (1, 2**62, 2): 404,
    }
    assert {case: chapter(reading, *case) for case in cases} == cases
    assert chapter(reading, 1, 2, 2, Poet) == "1.2.2"
    assert chapter(reading, 2, 1, 3, Poet) == 404


def test_a_parent_with_several_keys_is_named_by_all_of_them(reading: Reading) -> None:
    def read(author: int, number: int, id: int) -> Any:
        making = Making(reading)
        books, chapters = table(Book).c, table(Chapter).c
        keys = (making.key(books.author_id, author), making.key(books.number, number))
        on = ((chapters.author_id, books.author_id), (chapters.book_number, books.number))
        return making.read(Chapter, [making.key(chapters.id, id)], Parent(making.model(Book), keys, on))

    cases = {(1, 2, 2): "1.2.2", (1, 1, 2): 404, (2, 2, 2): 404, (2, 1, 3): "2.1.3"}
    assert {case: read(*case) for case in cases} == cases


def test_a_parent_that_its_key_names_several_times_is_any_of_them(reading: Reading) -> None:
    def read(kind: str, number: int) -> Any:
        making = Making(reading)
        authors, books = table(Author).c, table(Book).c
        top = Parent(making.model(Author), (making.key(authors.kind, kind),), ((books.author_id, authors.id),))
        return making.read(Book, [making.key(books.number, number)], top)

    assert {kind: read(kind, 1) for kind in ("poet", "other", "none")} == {"poet": "1.1", "other": "2.1", "none": 404}


@pytest.mark.parametrize("database", ["sqlite"])
def test_where_the_path_has_the_foreign_key_no_second_table_is_read(reading: Reading) -> None:
    plain: Any = reading.acts["GET /folders/{folder_id}/folders/{id}"]
    looked_up: Any = reading.acts["GET /authors/{slug}/books"]
    assert "SELECT" not in plain.statements()[0][1][6:]
    assert "(SELECT parent_0.id" in looked_up.statements()[0][1]


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_unknown_preference_is_refused_where_the_client_insists(reading: Reading) -> None:
    assert reading.get("/authors/ann", prefer="respond-async").status == 200
    answer = reading.get("/authors/ann", prefer="handling=strict")
    assert answer.headers["Preference-Applied"] == "handling=strict"
    with pytest.raises(BadRequest):
        reading.get("/authors/ann", prefer="handling=strict, respond-async")
