"""Lists: pages, totals, envelopes, links, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import Reading, open_reading
from sqlalchemy import Connection, ForeignKey, String, delete, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from demijohn import BadRequest
from demijohn.errors import NotFound


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    books: Mapped[list[Book]] = relationship(back_populates="shelf")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="books")
    label: Mapped[str] = column_property(title + "!")


def fill(connection: Connection) -> None:
    connection.execute(insert(Shelf), [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}])
    connection.execute(insert(Book), [{"id": id, "title": f"t{id % 3}", "shelf_id": 1} for id in range(1, 8)])


CONTRACT = """
openapi: 3.1.0
info: {title: Books, version: "1"}
paths:
  /books:
    get:
      parameters:
        - &limit {name: limit, in: query, schema: {type: integer}}
        - {name: offset, in: query, schema: {type: integer}}
        - {name: sort, in: query, schema: {type: string}}
        - {name: title, in: query, schema: {type: string}}
        - {name: fields, in: query, schema: {type: string}}
        - {name: include, in: query, explode: false, schema: {type: array, items: {enum: [shelf]}}}
      responses: &array
        "200":
          description: Books.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Book"}}}}
  /few:
    get:
      x-resource: Book
      responses:
        "200":
          description: Books.
          content: {application/json: {schema: {type: array, maxItems: 3, items: {$ref: "#/components/schemas/Book"}}}}
  /shelves/{shelf_id}/books:
    get:
      parameters:
        - {name: shelf_id, in: path, required: true, schema: {type: integer}}
        - {name: page, in: query, schema: {type: integer, minimum: 1, default: 1}}
        - {name: per_page, in: query, schema: {type: integer, minimum: 0, maximum: 5, default: 3}}
        - {name: title, in: query, schema: {type: string}}
      responses:
        "200":
          description: Books.
          content:
            application/json:
              schema:
                type: object
                required: [total, data, page, pages, per_page, prev]
                properties:
                  total: {type: integer}
                  data: {type: array, items: {$ref: "#/components/schemas/Book"}}
                  page: {type: integer}
                  pages: {type: integer}
                  per_page: {type: integer}
                  next: {type: string}
                  prev: {type: [string, "null"]}
  /offsets:
    get:
      x-resource: Book
      parameters: [*limit, {name: offset, in: query, schema: {type: integer, default: 0}}]
      responses:
        "200":
          description: Books.
          content:
            application/vnd.books+json:
              schema:
                type: object
                properties:
                  limit: {type: integer}
                  offset: {type: integer}
                  page: {type: integer}
                  items: {type: array, items: {$ref: "#/components/schemas/Book"}}
components:
  schemas:
    Book:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        title: {type: string}
        label: {type: string}
        shelf: {$ref: "#/components/schemas/Shelf"}
    Shelf: {type: object, properties: {name: {type: string}}}
"""


@pytest.fixture
def reading(database_url: str, tmp_path: Path) -> Iterator[Reading]:
    with open_reading(CONTRACT, Base, database_url, tmp_path, fill, max_limit=6, default_limit=4) as made:
        yield made


def ids(items: list[dict[str, Any]]) -> list[int]:
    return [item["id"] for item in items]


def spy_on(reading: Reading) -> list[str]:
    """Return a list that every statement is added to from now on."""
    ran: list[str] = []
    read = reading.database.read

    def spy(statement: Any, values: Any) -> Any:
        ran.append(statement.sql)
        return read(statement, values)

    reading.database.read = spy  # type: ignore[method-assign]  # to see what is run
    return ran


def test_a_page_is_cut_by_limit_and_offset(reading: Reading) -> None:
    cases = {
        "": [1, 2, 3, 4],
        "limit=2": [1, 2],
        "limit=2&offset=5": [6, 7],
        "limit=2&offset=6": [7],
        "offset=7": [],
        "limit=0": [],
        "limit=6": [1, 2, 3, 4, 5, 6],
        f"offset={2**63 - 1}": [],
        f"limit=6&offset={2**63 - 1}": [],
    }
    assert {query: ids(reading.get(f"/books?{query}").json) for query in cases} == cases
    assert ids(reading.get("/few").json) == [1, 2, 3]


@pytest.mark.parametrize("database", ["sqlite"])
def test_more_than_the_most_is_refused(reading: Reading) -> None:
    for limit in (7, 2**63 - 1):
        with pytest.raises(BadRequest, match="'limit' must be at most 6"):
            reading.get(f"/books?limit={limit}")


def test_links_lead_to_the_other_pages(reading: Reading) -> None:
    assert reading.get("/books?limit=3").links == {
        "first": "/books?limit=3&offset=0",
        "next": "/books?limit=3&offset=3",
    }
    assert reading.get("/books?limit=3&offset=3&title=t1&sort=-id").links == {
        "first": "/books?limit=3&title=t1&sort=-id&offset=0",
        "prev": "/books?limit=3&title=t1&sort=-id&offset=0",
    }
    assert reading.get("/books?offset=2", mount="/api").links == {
        "first": "/api/books?offset=0",
        "prev": "/api/books?offset=0",
        "next": "/api/books?offset=6",
    }
    assert [len(page) for page in reading.walk("/books?limit=3")] == [3, 3, 1]
    assert "Link" not in reading.get("/few").headers


def test_the_total_is_told_where_the_client_prefers_it(reading: Reading) -> None:
    ran = spy_on(reading)
    answer = reading.get("/books?limit=3&offset=3", prefer="count=exact")
    assert answer.headers["X-Total-Count"] == "7"
    assert answer.headers["Preference-Applied"] == "count=exact"
    assert answer.links["last"] == "/books?limit=3&offset=6"
    assert len(ran) == 1
    assert "X-Total-Count" not in reading.get("/books").headers
    found = reading.get("/books?title=t1&limit=1", prefer="count=exact; a=b, handling=strict")
    assert found.headers["X-Total-Count"] == "3"
    assert found.headers["Preference-Applied"] == "count=exact, handling=strict"


def test_an_empty_page_has_a_total_as_well(reading: Reading) -> None:
    ran = spy_on(reading)
    answer = reading.get("/books?limit=3&offset=30", prefer="count=exact")
    assert answer.headers["X-Total-Count"] == "7"
    assert answer.links["prev"] == answer.links["last"] == "/books?limit=3&offset=6"
    assert len(ran) == 2
    assert reading.get("/books?title=none", prefer="count=exact").headers["X-Total-Count"] == "0"
    assert len(ran) == 3


def test_a_numbered_page_tells_where_it_is(reading: Reading) -> None:
    answer = reading.get("/shelves/1/books?page=2")
    assert list(answer.json) == ["total", "data", "page", "pages", "per_page", "next", "prev"]
    assert ids(answer.json.pop("data")) == [4, 5, 6]
    assert {name: value for name, value in answer.json.items() if name != "data"} == {
        "total": 7,
        "page": 2,
        "pages": 3,
        "per_page": 3,
        "next": "/shelves/1/books?page=3",
        "prev": "/shelves/1/books?page=1",
    }
    assert answer.links == {
        "first": "/shelves/1/books?page=1",
        "prev": "/shelves/1/books?page=1",
        "next": "/shelves/1/books?page=3",
        "last": "/shelves/1/books?page=3",
    }


def test_at_the_ends_neighbours_are_null_or_left_out_as_the_schema_says(reading: Reading) -> None:
    first = reading.get("/shelves/1/books").json
    assert first["prev"] is None
    assert first["next"] == "/shelves/1/books?page=2"
    last = reading.get("/shelves/1/books?page=3").json
    assert "next" not in last
    assert ids(last["data"]) == [7]


def test_pages_beyond_the_last_are_empty_and_lead_back(reading: Reading) -> None:
    for page in (4, 2**31, 2**63 - 1):
        answer = reading.get(f"/shelves/1/books?page={page}")
        assert answer.json["data"] == []
        assert answer.json["pages"] == 3
        assert answer.links["prev"] == "/shelves/1/books?page=3"


def test_no_items_have_no_pages(reading: Reading) -> None:
    answer = reading.get("/shelves/2/books").json
    assert answer == {"total": 0, "data": [], "page": 1, "pages": 0, "per_page": 3, "prev": None}
    assert reading.get("/shelves/1/books?title=x").json["total"] == 0
    nothing = {"total": 7, "data": [], "page": 1, "pages": 0, "per_page": 0, "prev": None}
    assert reading.get("/shelves/1/books?per_page=0").json == nothing


def test_the_list_of_an_item_that_is_not_there_is_missing(reading: Reading) -> None:
    ran = spy_on(reading)
    with pytest.raises(NotFound, match="There is no such Shelf"):
        reading.get("/shelves/3/books")
    assert len(ran) == 2
    reading.get("/shelves/1/books")
    assert len(ran) == 3


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_envelope_shows_the_numbers_that_it_declares(reading: Reading) -> None:
    answer = reading.get("/offsets?limit=2&offset=4")
    assert ids(answer.json["items"]) == [5, 6]
    assert [answer.json[name] for name in ("limit", "offset", "page")] == [2, 4, 3]
    assert answer.headers["Content-Type"] == "application/vnd.books+json"


@pytest.mark.parametrize("database", ["sqlite"])
def test_everything_that_is_wrong_is_told_at_once(reading: Reading) -> None:
    query = "limit=-1&offset=-5&sort=x&fields=id,y&title=" + "t" * 21
    with pytest.raises(BadRequest) as caught:
        reading.get(f"/books?{query}", prefer="handling=strict, sing")
    found = {error["name"]: error["detail"] for error in caught.value.errors}
    assert found == {
        "title": "must have at most 20 characters",
        "sort": "'x' is not one of id, title, label",
        "fields": "'y' is not one of id, title, label, shelf",
        "Prefer": "has preferences that are not known: 'sing'",
        "limit": "must be at least 0",
        "offset": "must be at least 0",
    }
    assert caught.value.detail.endswith("(and 5 more, see errors).")


def test_a_client_chooses_what_it_sees(reading: Reading) -> None:
    assert reading.get("/books?limit=1&fields=label").json == [{"id": 1, "label": "t1!"}]
    seen = reading.get("/books?limit=1&fields=title&include=shelf").json
    assert seen == [{"id": 1, "title": "t1", "shelf": {"name": "one"}}]
    assert ids(reading.get("/books?sort=-label,id&limit=3&fields=id").json) == [2, 5, 1]


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_statement_is_written_once_for_each_form_of_a_request(reading: Reading) -> None:
    act: Any = reading.acts["GET /books"]
    for offset in range(5):
        for title in ("t1", "t2"):
            reading.get(f"/books?offset={offset}&title={title}&sort=-id")
    assert act._statements.page.cache_info().currsize == 1


def test_a_list_changes_with_the_table(reading: Reading) -> None:
    with reading.database.engine.begin() as connection:
        connection.execute(delete(Book).where(Book.id < 6))
    assert ids(reading.get("/books").json) == [6, 7]


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_act_says_what_it_runs(reading: Reading) -> None:
    act: Any = reading.acts["GET /shelves/{shelf_id}/books"]
    assert act.name == "list Book"
    labels = [label for label, _ in act.statements()]
    assert labels == ["page", "total, for an empty page", "parent, for an empty page"]
    assert all(sql.startswith("SELECT") for _, sql in act.statements())
