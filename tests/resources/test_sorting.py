"""The order of a list: what a client may write, and that no two rows come in any order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import Reading, open_reading
from sqlalchemy import Connection, String, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BadRequest


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    year: Mapped[int | None]
    isbn: Mapped[str] = mapped_column(String(20), unique=True)


BOOKS: list[tuple[int, str, int | None]] = [
    (1, "b", 2000),
    (2, "a", None),
    (3, "b", 1999),
    (4, "a", 2000),
    (5, "c", None),
    (6, "b", 2000),
]


def fill(connection: Connection) -> None:
    rows = [{"id": id, "title": title, "year": year, "isbn": f"i{9 - id}"} for id, title, year in BOOKS]
    connection.execute(insert(Book), rows)


CONTRACT = """
openapi: 3.1.0
info: {title: Books, version: "1"}
paths:
  /books:
    get: &list
      parameters:
        - {name: sort, in: query, schema: {type: string}}
        - {name: offset, in: query, schema: {type: integer}}
      responses: &answers
        "200":
          description: Books.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Book"}}}}
  /newest:
    get:
      parameters:
        - name: sort
          in: query
          explode: false
          schema: {type: array, items: {enum: [year, -year, title]}, default: [-year, title]}
      responses: *answers
components:
  schemas:
    Book:
      type: object
      required: [id]
      properties: {id: {type: integer}, title: {type: string}, year: {type: [integer, "null"]}, isbn: {type: string}}
"""


@pytest.fixture
def reading(database_url: str, tmp_path: Path) -> Iterator[Reading]:
    with open_reading(CONTRACT, Base, database_url, tmp_path, fill) as made:
        yield made


def ids(reading: Reading, target: str) -> list[int]:
    return [item["id"] for item in reading.get(target).json]


WISHES = {
    "": [1, 2, 3, 4, 5, 6],
    "sort=": [1, 2, 3, 4, 5, 6],
    "sort=title": [2, 4, 1, 3, 6, 5],
    "sort=-title": [5, 6, 3, 1, 4, 2],
    "sort=title,-id": [4, 2, 6, 3, 1, 5],
    "sort=%2Btitle:nullslast,%20-year": [4, 2, 6, 1, 3, 5],
    "sort=title:desc,year:asc": [5, 3, 1, 6, 4, 2],
    "sort=isbn": [6, 5, 4, 3, 2, 1],
    # Rows without a value come last, whatever the database does by itself, unless the client says otherwise.
    "sort=year": [3, 1, 4, 6, 2, 5],
    "sort=-year": [6, 4, 1, 3, 5, 2],
    "sort=year:nullsfirst": [2, 5, 3, 1, 4, 6],
    "sort=-year:nullsfirst": [5, 2, 6, 4, 1, 3],
    "sort=year:desc:nullslast": [6, 4, 1, 3, 5, 2],
}


def test_a_list_is_sorted_as_the_client_wishes_and_then_by_the_key(reading: Reading) -> None:
    assert {wish: ids(reading, f"/books?{wish}") for wish in WISHES} == WISHES


def test_the_default_of_the_contract_is_used_where_nothing_is_sent(reading: Reading) -> None:
    assert ids(reading, "/newest") == [4, 1, 6, 3, 2, 5]
    assert ids(reading, "/newest?sort=title") == [2, 4, 1, 3, 6, 5]


@pytest.mark.parametrize("database", ["sqlite"])
def test_the_first_of_two_wishes_for_one_field_counts_as_it_does_in_sql(reading: Reading) -> None:
    assert ids(reading, "/books?sort=title,-title") == ids(reading, "/books?sort=title")


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    ("wish", "detail"),
    [
        ("titel", "'titel' is not one of id, title, year, isbn, did you mean 'title'?"),
        ("title:down", "'down' is not one of asc, desc, nullsfirst, nullslast"),
        ("-title:desc", "says twice in which order 'title' goes"),
        ("title:nullsfirst:nullslast", "says twice in which order 'title' goes"),
        ("title,", "must be names of fields, joined by commas"),
        ("title;drop table book", "'title;drop table book' is not one of"),
        ("x" * 500, f"'{'x' * 60}...' is not one of"),
    ],
)
def test_a_wrong_wish_says_what_is_allowed(reading: Reading, wish: str, detail: str) -> None:
    with pytest.raises(BadRequest) as caught:
        reading.get(f"/books?sort={wish}")
    (error,) = caught.value.errors
    assert error["detail"].startswith(detail)
    assert (error["in"], error["name"]) == ("query", "sort")


@pytest.mark.parametrize("database", ["sqlite"])
def test_every_wrong_term_is_told(reading: Reading) -> None:
    with pytest.raises(BadRequest) as caught:
        reading.get("/books?sort=one,title,two:up&offset=-1")
    assert [error["name"] for error in caught.value.errors] == ["sort", "sort", "offset"]


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    ("wish", "order"),
    [
        ("title", "book.title ASC, book.id ASC"),
        ("-title", "book.title DESC, book.id DESC"),
        ("isbn", "book.isbn ASC"),
        ("title,isbn", "book.title ASC, book.isbn ASC"),
        ("id,title", "book.id ASC, book.title ASC"),
        ("year", "book.year ASC NULLS LAST, book.id ASC"),
    ],
)
def test_the_key_is_added_where_rows_may_be_alike(reading: Reading, wish: str, order: str) -> None:
    ran: list[str] = []
    read = reading.database.read

    def spy(statement: Any, values: Any) -> Any:
        ran.append(statement.sql)
        return read(statement, values)

    reading.database.read = spy  # type: ignore[method-assign]  # to see what is run
    reading.get(f"/books?sort={wish}")
    assert f"ORDER BY {order}\n" in ran[0]
