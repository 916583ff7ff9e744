"""`x-cache` at the start: what may be said, where, and what is told of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from small_apis import INTEGER, STRING, Json, answers, contract, listed, query, read, ref, whole, written
from small_apis import path as in_path
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BindingError, Demijohn, Settings
from demijohn.compile.reuse import CachePolicy

Build = Callable[..., FlaskClient]


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(20))


def opened(tmp_path: Path, document: Json, functions: dict[str, Any] | None = None) -> Flask:
    """Return an application with a model, and functions by operationId."""
    (tmp_path / "openapi.json").write_text(json.dumps(document, indent=1))
    app = Flask("small", root_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url="sqlite://"))
    api.resource(Base)
    api.add_contract("openapi.json", resolver=(functions or {}).get)
    return app


def nothing() -> list[Any]:
    return []


def policy(app: Flask, path: str = "/books") -> CachePolicy | None:
    plans = app.extensions["demijohn"].dispatcher.routes.match(path).resource.plans
    found: CachePolicy | None = plans["GET"].cache and plans["GET"].cache.policy
    return found


BOOK = whole(id=INTEGER, owner=STRING | {"maxLength": 20})


def books(said: Any, **more: Any) -> Json:
    return contract(
        {"/books": {"get": listed("Book", query("limit", INTEGER), **{"x-cache": said}, **more)}}, {"Book": BOOK}
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (60, CachePolicy(60, ("book",), False, False)),
        ({"seconds": 5}, CachePolicy(5, ("book",), False, False)),
        ({"seconds": 5, "tables": ["book"], "shared": True}, CachePolicy(5, ("book",), True, False)),
        ({"seconds": 5, "tables": []}, CachePolicy(5, ("book",), False, False)),
        (False, None),
        (None, None),
    ],
)
def test_what_a_list_may_say(tmp_path: Path, said: Any, expected: CachePolicy | None) -> None:
    assert policy(opened(tmp_path, books(said))) == expected


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (0, "found 0, and seconds"),
        (True, "found True"),
        ("60", "found '60'"),
        (1.5, "found 1.5"),
        (10**9, "found 1000000000"),
        ({}, "found None"),
        ({"seconds": 5, "table": ["book"]}, "found the members table"),
        ({"seconds": 5, "tables": "book"}, "found the tables 'book'"),
        ({"seconds": 5, "tables": ["bok"]}, "there is no table `bok`; did you mean `book`?"),
        ({"seconds": 5, "tables": ["quite", "other"]}, "there is no table `other`; it has to be one of the models'"),
        ({"seconds": 5, "shared": "yes"}, "found `shared: yes`"),
    ],
)
def test_what_it_may_not_say_is_told_with_the_line(tmp_path: Path, said: Any, told: str) -> None:
    with pytest.raises(BindingError) as caught:
        opened(tmp_path, books(said))
    (problem,) = map(str, caught.value.problems)
    lines = (tmp_path / "openapi.json").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "x-cache" in text)
    assert problem.startswith(f"openapi.json:{line}: "), problem
    assert told in problem
    assert "write seconds" in problem


def refused(tmp_path: Path, document: Json, functions: dict[str, Any] | None = None) -> str:
    with pytest.raises(BindingError) as caught:
        opened(tmp_path, document, functions)
    return "\n".join(map(str, caught.value.problems))


def test_a_write_cannot_be_kept(tmp_path: Path) -> None:
    post = written("Book", "Book", status=201) | {"x-cache": 60}
    document = contract({"/books": {"post": post}}, {"Book": BOOK})
    assert "`x-cache` on POST, whose answers cannot be kept" in refused(tmp_path, document)


def test_a_path_says_it_for_its_get(tmp_path: Path) -> None:
    document = books(60)
    document["paths"]["/books"] |= {"x-cache": 30, "post": written("Book", "Book", status=201)}
    assert policy(opened(tmp_path, document)) == CachePolicy(60, ("book",), False, False)
    del document["paths"]["/books"]["get"]["x-cache"]
    assert policy(opened(tmp_path, document)) == CachePolicy(30, ("book",), False, False)


def test_a_document_says_nothing(tmp_path: Path) -> None:
    assert "says nothing about a document" in refused(tmp_path, books(60) | {"x-cache": 60})


def test_a_function_has_to_name_its_tables(tmp_path: Path) -> None:
    def document(said: Any, **more: Any) -> Json:
        operation = {"operationId": "read", "responses": answers({}), "x-cache": said, **more}
        return contract({"/books": {"get": operation}}, {})

    assert "name its `tables`, or `[]` for none" in refused(tmp_path, document(60), {"read": nothing})
    for tables in ([], ["book"]):
        app = opened(tmp_path, document({"seconds": 9, "tables": tables}), {"read": nothing})
        assert policy(app) == CachePolicy(9, tuple(tables), False, True)
    body: Json = {"content": {"application/json": {"schema": {}}}}
    with_body = document({"seconds": 9, "tables": []}, requestBody=body)
    assert "on an operation with a body" in refused(tmp_path, with_body, {"read": lambda body: []})


@pytest.mark.parametrize("function", [lambda user: [], lambda token_info: [], lambda context_: []])
def test_what_asks_who_is_calling_is_not_shared(tmp_path: Path, function: Any) -> None:
    operation = {
        "operationId": "read",
        "responses": answers({}),
        "x-cache": {"seconds": 9, "tables": [], "shared": True},
    }
    document = contract({"/books": {"get": operation}}, {})
    assert "answers each caller differently" in refused(tmp_path, document, {"read": function})


def test_rows_that_belong_to_callers_are_not_shared(tmp_path: Path, module: Callable[..., None]) -> None:
    module("doors", who=lambda apikey: {"sub": apikey})
    document = books({"seconds": 60, "shared": True}, security=[{"key": []}])
    scheme = {"type": "apiKey", "in": "header", "name": "X-Key", "x-apikeyInfoFunc": "doors.who"}
    document["components"]["securitySchemes"] = {"key": scheme}
    assert policy(opened(tmp_path, document)) == CachePolicy(60, ("book",), True, False)
    document["components"]["schemas"]["Book"] = BOOK | {"x-owner": "owner"}
    assert "answers each caller differently" in refused(tmp_path, document)


def test_the_same_of_one_item_whatever_it_includes(tmp_path: Path) -> None:
    document = contract(
        {"/books/{id}": {"parameters": [in_path("id")], "get": read("Book", **{"x-cache": 60})}}, {"Book": BOOK}
    )
    assert policy(opened(tmp_path, document), "/books/1") == CachePolicy(60, ("book",), False, False)


def test_examples_are_not_kept(build: Build) -> None:
    operation = {"responses": answers(ref("Book")), "x-cache": 60}
    document = contract({"/a": {"get": operation}}, {"Book": BOOK})
    client = build(document, settings=Settings(unbound="mock"))
    assert "Cache-Status" not in client.get("/a").headers
