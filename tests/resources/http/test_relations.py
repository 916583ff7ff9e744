"""Rows within rows: what a schema embeds, always or on request, and what is computed from columns."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import (
    INTEGER,
    STRING,
    Json,
    Rows,
    array,
    contract,
    listed,
    names,
    obj,
    path,
    problem,
    query,
    read,
    ref,
    whole,
    words,
)
from sqlalchemy import Column, ForeignKey, Integer, String, Table, func, select
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship


class Base(DeclarativeBase):
    pass


book_tag = Table(
    "book_tag",
    Base.metadata,
    Column("book_id", ForeignKey("book.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    first: Mapped[str] = mapped_column(String(20))
    last: Mapped[str] = mapped_column(String(20))
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.title")

    @hybrid_property
    def name(self) -> str:
        return self.first + " " + self.last


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    word: Mapped[str] = mapped_column(String(20))


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    sequel_of_id: Mapped[int | None] = mapped_column(ForeignKey("book.id"))
    author: Mapped[Author | None] = relationship(back_populates="books")
    tags: Mapped[list[Tag]] = relationship(secondary=book_tag, order_by=Tag.word)
    sequel_of: Mapped[Book | None] = relationship(remote_side=[id], back_populates="sequels")
    sequels: Mapped[list[Book]] = relationship(back_populates="sequel_of", order_by="Book.id")
    length: Mapped[int] = column_property(func.length(title))


Author.book_count = column_property(
    select(func.count(Book.id)).where(Book.author_id == Author.id).correlate_except(Book).scalar_subquery()
)

ROWS: Rows = [
    (Author, [{"id": 1, "first": "Ann", "last": "Lee"}, {"id": 2, "first": "Bob", "last": "Ray"}]),
    (Tag, [{"id": 1, "word": "war"}, {"id": 2, "word": "art"}]),
    (
        Book,
        [
            {"id": 1, "title": "One", "author_id": 1, "sequel_of_id": None},
            {"id": 2, "title": "Two", "author_id": 1, "sequel_of_id": 1},
            {"id": 3, "title": "Also", "author_id": 1, "sequel_of_id": 1},
            {"id": 4, "title": "Alone", "author_id": None, "sequel_of_id": None},
        ],
    ),
    (
        book_tag,
        [{"book_id": 1, "tag_id": 1}, {"book_id": 1, "tag_id": 2}, {"book_id": 2, "tag_id": 1}],
    ),
]
PERSON = whole(id=INTEGER, last=STRING)


def books(serve: Serve, *parameters: Any, shown: tuple[str, ...] = (), **schemas: Any) -> FlaskClient:
    """Serve lists and items of books and authors with the given schemas."""
    paths: dict[str, Json] = {}
    for address, name in (("/books", "Book"), ("/authors", "Author"), ("/tags", "Tag")):
        if name in (shown or schemas):
            paths[address] = {"get": listed(name, *parameters)}
            paths[address + "/{id}"] = {"parameters": [path("id")], "get": read(name, *parameters)}
    return serve(contract(paths, schemas), Base, rows=ROWS)


def nullable(schema: str) -> dict[str, Any]:
    return {"oneOf": [ref(schema), {"type": "null"}]}


def test_the_one_row_that_a_row_refers_to(serve: Serve) -> None:
    client = books(serve, Book=whole(id=INTEGER, author=nullable("Author")), Author=PERSON)
    assert client.get("/books/1").data == b'{"id":1,"author":{"id":1,"last":"Lee"}}'
    assert client.get("/books/4").data == b'{"id":4,"author":null}'
    assert [book["author"] for book in client.get("/books").get_json()] == [{"id": 1, "last": "Lee"}] * 3 + [None]


def test_what_is_not_there_is_left_out_where_the_schema_allows_it(serve: Serve) -> None:
    client = books(serve, Book=obj("id", id=INTEGER, author=ref("Author")), Author=PERSON)
    assert client.get("/books/4").data == b'{"id":4}'


def test_the_rows_that_refer_to_a_row(serve: Serve) -> None:
    client = books(serve, Author=whole(id=INTEGER, books=array(ref("Book"))), Book=whole(title=STRING))
    assert client.get("/authors/1").data == b'{"id":1,"books":[{"title":"Also"},{"title":"One"},{"title":"Two"}]}'
    assert client.get("/authors/2").data == b'{"id":2,"books":[]}'
    assert len(client.get("/authors").get_json()[0]["books"]) == 3


def test_rows_on_both_sides_of_a_third_table(serve: Serve) -> None:
    client = books(serve, Book=whole(id=INTEGER, tags=array(ref("Tag"))), Tag=whole(word=STRING))
    assert client.get("/books/1").data == b'{"id":1,"tags":[{"word":"art"},{"word":"war"}]}'
    assert client.get("/books/3").data == b'{"id":3,"tags":[]}'
    assert [len(book["tags"]) for book in client.get("/books").get_json()] == [2, 1, 0, 0]


def test_rows_of_the_same_table(serve: Serve) -> None:
    short = whole(id=INTEGER) | {"x-resource": "Book"}
    schema = whole(id=INTEGER, sequel_of=nullable("Short"), sequels=array(ref("Short")))
    client = books(serve, Book=schema, Short=short)
    assert client.get("/books/1").data == b'{"id":1,"sequel_of":null,"sequels":[{"id":2},{"id":3}]}'
    assert client.get("/books/2").data == b'{"id":2,"sequel_of":{"id":1},"sequels":[]}'


def test_rows_within_rows_within_rows(serve: Serve) -> None:
    client = books(
        serve,
        Author=whole(id=INTEGER, books=array(ref("Book"))),
        Book=whole(title=STRING, tags=array(ref("Tag"))),
        Tag=whole(word=STRING),
    )
    assert client.get("/authors/1").get_json() == {
        "id": 1,
        "books": [
            {"title": "Also", "tags": []},
            {"title": "One", "tags": [{"word": "art"}, {"word": "war"}]},
            {"title": "Two", "tags": [{"word": "war"}]},
        ],
    }


def test_a_client_asks_for_what_is_embedded(serve: Serve) -> None:
    client = books(
        serve,
        query("include", array({"enum": ["books", "books.tags"]}), style="form", explode=False),
        shown=("Author",),
        Author=obj("id", id=INTEGER, books=array(ref("Book"))),
        Book=obj("title", title=STRING, tags=array(ref("Tag"))),
        Tag=whole(word=STRING),
    )
    assert client.get("/authors/1").data == b'{"id":1}'
    assert client.get("/authors/1?include=books").get_json() == {
        "id": 1,
        "books": [{"title": "Also"}, {"title": "One"}, {"title": "Two"}],
    }
    deep = client.get("/authors/1?include=books,books.tags").get_json()
    assert deep["books"][2] == {"title": "Two", "tags": [{"word": "war"}]}
    assert [set(author) for author in client.get("/authors?include=books").get_json()] == [{"id", "books"}] * 2
    assert [set(author) for author in client.get("/authors").get_json()] == [{"id"}] * 2
    for wrong in ("friends", "books.friends", "books;"):
        assert names(problem(client.get(f"/authors/1?include={wrong}"), 400)) == [("query", "include")]


def test_an_entity_tag_is_that_of_the_representation(serve: Serve) -> None:
    client = books(
        serve,
        words("include"),
        shown=("Author",),
        Author=obj("id", id=INTEGER, books=array(ref("Book"))),
        Book=whole(title=STRING),
    )
    plain, more = client.get("/authors/1"), client.get("/authors/1?include=books")
    assert plain.headers["ETag"] != more.headers["ETag"]


def test_computed_values_are_read(serve: Serve) -> None:
    client = books(serve, Book=whole(id=INTEGER, length=INTEGER), Author=whole(name=STRING, book_count=INTEGER))
    assert client.get("/authors").data == b'[{"name":"Ann Lee","book_count":3},{"name":"Bob Ray","book_count":0}]'
    assert client.get("/authors/2").data == b'{"name":"Bob Ray","book_count":0}'
    assert client.get("/books/3").data == b'{"id":3,"length":4}'


def test_a_list_is_sorted_by_a_computed_value(serve: Serve) -> None:
    small = contract({"/books": {"get": listed("Book", query("sort"))}}, {"Book": whole(id=INTEGER, length=INTEGER)})
    assert [one["length"] for one in serve(small, Base, rows=ROWS).get("/books?sort=-length").get_json()] == [
        5,
        4,
        3,
        3,
    ]


@pytest.mark.parametrize(("value", "expected"), [("4", [3, 4]), ("6", [])])
def test_a_filter_by_a_computed_value(serve: Serve, value: str, expected: list[int]) -> None:
    small = contract(
        {"/books": {"get": listed("Book", query("length__gte", INTEGER))}}, {"Book": whole(id=INTEGER, length=INTEGER)}
    )
    client = serve(small, Base, rows=ROWS)
    assert [book["id"] for book in client.get(f"/books?length__gte={value}").get_json()] == expected
