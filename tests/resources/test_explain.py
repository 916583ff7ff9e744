"""What serves the parts of an operation is told from the model: the index, or that there is none."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sqlalchemy import JSON, Column, ForeignKey, Index, Table, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from demijohn.contract import load
from demijohn.resources.dialects import dialect_for
from demijohn.resources.explain import Use, explain
from demijohn.resources.models import read_models
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import shapes_of
from demijohn.settings import Settings

URLS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://", "mariadb": "mariadb+pymysql://"}


class Base(DeclarativeBase):
    pass


liking = Table(
    "liking",
    Base.metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("book_id", ForeignKey("book.id"), primary_key=True),
)


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Address(Base):
    __tablename__ = "address"
    __table_args__ = (Index("ix_address_city", "person_id", "city"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    city: Mapped[str]
    street: Mapped[str]


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    text: Mapped[str]


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (
        Index("ix_person_name", "name", "id"),
        Index("ix_person_nick", "nick", postgresql_ops={"nick": "text_pattern_ops"}),
        Index("ix_person_tags", "tags", postgresql_using="gin").ddl_if(dialect="postgresql"),
        Index("ix_person_some", "age", sqlite_where=Column("age") > 3, postgresql_where=Column("age") > 3),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column()
    nick: Mapped[str]
    age: Mapped[int]
    tags: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    labels: Mapped[Any] = mapped_column(JSON)
    shout: Mapped[str] = column_property(name + "!")
    addresses: Mapped[list[Address]] = relationship()
    notes: Mapped[list[Note]] = relationship()
    books: Mapped[list[Book]] = relationship(secondary=liking)


def ref(name: str, *, many: bool = False) -> dict[str, Any]:
    one = {"$ref": f"#/components/schemas/{name}"}
    return {"type": "array", "items": one} if many else one


def answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"200": {"description": "fine", "content": {"application/json": {"schema": schema}}}}


def query(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]


def key(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "integer"}}


def schema(**properties: Any) -> dict[str, Any]:
    kinds = {"id": "integer", "age": "integer", "person_id": "integer"}
    own = {name: {"type": kinds.get(name, "string")} for name, one in properties.items() if one is ...}
    return {"type": "object", "properties": properties | own, "required": list(own)}


SORTS = {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["id", "name", "age", "-age", "shout"]}}
CONTRACT = {
    "openapi": "3.1.0",
    "info": {"title": "People", "version": "1"},
    "paths": {
        "/people": {
            "get": {
                "parameters": [
                    *query("name", "name__startswith", "nick__startswith", "name__contains", "email__ne", "q"),
                    *query("tags__contains", "labels__contains"),
                    {"name": "age__gte", "in": "query", "schema": {"type": "integer"}},
                    {"name": "shout", "in": "query", "schema": {"type": "string"}},
                    SORTS,
                ],
                "responses": answer(ref("Person", many=True)),
            }
        },
        "/people/{email}": {
            "get": {
                "parameters": [{"name": "email", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": answer(ref("PersonWithAll")),
            },
        },
        "/persons/{id}": {"delete": {"parameters": [key("id")], "responses": {"204": {"description": "gone"}}}},
        "/people/{person_id}/addresses": {
            "get": {
                "parameters": [key("person_id"), *query("city", "street", "sort")],
                "responses": answer(ref("Address", many=True)),
            }
        },
        "/people/{person_id}/notes": {
            "get": {"parameters": [key("person_id"), *query("text")], "responses": answer(ref("Note", many=True))}
        },
    },
    "components": {
        "schemas": {
            "Person": schema(id=..., email=..., name=..., nick=..., age=..., shout=...),
            "PersonWithAll": {
                **schema(
                    id=...,
                    addresses=ref("Address", many=True),
                    notes=ref("Note", many=True),
                    books=ref("Book", many=True),
                ),
                "x-resource": "Person",
            },
            "Address": schema(id=..., city=..., street=...),
            "Note": schema(id=..., text=...),
            "Book": schema(id=..., title=...),
        }
    },
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Shape]]:
    """Return the shapes of the contract, by database and operation."""
    path = tmp_path_factory.mktemp("contract") / "openapi.yaml"
    path.write_text(yaml.safe_dump(CONTRACT), encoding="utf-8")
    contract = load(path, Settings()).contract
    made: dict[str, dict[str, Shape]] = {}
    for name, url in URLS.items():
        told: list[Any] = []
        found = shapes_of(
            contract,
            read_models([Base]),
            dialect_for(create_engine(url)),
            Settings(),
            lambda *one, told=told: told.append(one),
            lambda *_: None,
        )
        assert told == []
        made[name] = {
            f"{one.operation.method} {one.operation.path}": one for one in found.values() if isinstance(one, Shape)
        }
    return made


def uses(shapes: dict[str, dict[str, Shape]], operation: str, database: Any = "sqlite") -> dict[str, str]:
    """Return the index of each part of an operation, or what is said where there is none."""
    return {use.part: use.index or use.finding for use in explain(shapes[database][operation], database)}


def test_a_list_tells_of_each_filter_and_sort(shapes: dict[str, dict[str, Shape]]) -> None:
    assert uses(shapes, "GET /people") == {
        "filter name": "index ix_person_name",
        "filter name__startswith": "texts that begin so are looked for in every row",
        "filter nick__startswith": "texts that begin so are looked for in every row",
        "filter name__contains": "a text in the middle of name is looked for in every row",
        "filter email__ne": "rows with another email are looked for in all rows",
        "filter tags__contains": "an item of tags is looked for in every row",
        "filter labels__contains": "an item of labels is looked for in every row",
        "filter age__gte": "every row is looked at; add an index on person.age",
        "filter shout": "it is computed for every row",
        "search q": "a text anywhere in email, name, nick and shout is looked for in every row",
        "sort id": "primary key",
        "sort name": "index ix_person_name",
        "sort age": "all rows are sorted; add an index on person.age",
        "sort shout": "it is computed, and all rows are sorted",
    }


def test_what_a_text_begins_with_is_served_as_the_database_can(shapes: dict[str, dict[str, Shape]]) -> None:
    found = uses(shapes, "GET /people", "postgresql")
    assert found["filter nick__startswith"] == "index ix_person_nick"
    assert "text_pattern_ops" in found["filter name__startswith"]
    assert found["filter tags__contains"] == "index ix_person_tags"
    assert "postgresql_using='gin'" in found["filter labels__contains"]
    found = uses(shapes, "GET /people", "mariadb")
    assert found["filter name__startswith"] == "index ix_person_name"
    assert found["filter age__gte"] == "index ix_person_some", "MariaDB knows no index of some rows"


def test_related_items_need_an_index_on_their_foreign_key(shapes: dict[str, dict[str, Shape]]) -> None:
    assert uses(shapes, "GET /people/{email}") == {
        "key email": "unique email",
        "include addresses": "index ix_address_city",
        "include notes": "every row of note is looked at; add an index on note.person_id",
        "include books": "primary key",
    }
    assert uses(shapes, "GET /people/{email}", "mariadb")["include notes"] == "foreign key person_id"


def test_what_lies_below_an_item_is_found_by_it_first(shapes: dict[str, dict[str, Shape]]) -> None:
    assert uses(shapes, "GET /people/{person_id}/addresses") == {
        "below Person": "index ix_address_city",
        "key id of Person": "primary key",
        "filter city": "index ix_address_city",
        "filter street": "index ix_address_city, then every row below the Person",
        "sort id": "primary key",
        "sort city": "index ix_address_city",
        "sort street": "index ix_address_city, then every row below the Person",
    }
    assert uses(shapes, "GET /people/{person_id}/notes") == {
        "below Person": "every row of note is looked at; add an index on note.person_id",
        "key id of Person": "primary key",
        "filter text": "every row is looked at; add an index on note.text",
    }


def test_a_delete_looks_for_what_refers_to_the_item(shapes: dict[str, dict[str, Shape]]) -> None:
    assert uses(shapes, "DELETE /persons/{id}") == {
        "key id": "primary key",
        "rows of address that refer to it": "index ix_address_city",
        "rows of liking that refer to it": "primary key",
        "rows of note that refer to it": "every row of note is looked at; add an index on note.person_id",
    }


def test_a_part_is_served_or_there_is_a_finding(shapes: dict[str, dict[str, Shape]]) -> None:
    for database, own in shapes.items():
        for shape in own.values():
            for use in explain(shape, database):  # type: ignore[arg-type]  # the keys are names of databases
                assert isinstance(use, Use)
                assert bool(use.index) != bool(use.finding)
