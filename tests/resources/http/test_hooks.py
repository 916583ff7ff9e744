"""Functions of the application around the writes, and the operations as functions."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g, request
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import INTEGER, contract, crud, ids, obj, pointers, problem, whole
from sqlalchemy import Integer, String, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn
from demijohn.errors import Conflict, NotFound


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(String(20), unique=True)


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    said: Mapped[str] = mapped_column(String(40))


TEXT = {"type": "string", "maxLength": 20}
SMALL = contract(
    crud("/notes", "Note"),
    {"Note": whole(id=INTEGER, text=TEXT), "NewNote": whole(text=TEXT), "NoteUpdate": obj(text=TEXT)},
)
ROWS = [(Note, [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}])]
WRITES = [
    ("POST", "/notes", {"text": "new"}),
    ("PUT", "/notes/1", {"text": "new"}),
    ("PATCH", "/notes/1", {"text": "new"}),
]


def notes(serve: Serve, prepare: Any, **more: Any) -> FlaskClient:
    return serve(SMALL, Base, rows=ROWS, prepare=lambda api: prepare(api.resource(Note)), **more)


def upper(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"text": data["text"].upper()}


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_function_may_change_what_is_written(serve: Serve, method: str, path: str, body: Any) -> None:
    def prepare(resource: Any) -> None:
        resource.before_create(upper)
        resource.before_replace(upper)
        resource.before_patch(upper)

    client = notes(serve, prepare)
    made = client.open(path, method=method, json=body).get_json()
    assert made["text"] == "NEW"
    assert client.get(f"/notes/{made['id']}").get_json() == made


def test_a_function_may_refuse(serve: Serve) -> None:
    def refuse(*_: Any) -> None:
        raise Conflict("Not today.", errors=[{"detail": "not today", "pointer": "#/text"}])

    def prepare(resource: Any) -> None:
        for when in ("before_create", "after_replace", "after_patch", "before_delete"):
            getattr(resource, when)(refuse)

    client = notes(serve, prepare)
    for method, path, body in WRITES:
        assert pointers(problem(client.open(path, method=method, json=body), 409)) == ["#/text"]
    problem(client.delete("/notes/1"), 409)
    assert client.get("/notes").get_json() == [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}]


def test_what_a_function_writes_is_part_of_the_write(serve: Serve) -> None:
    def say(item: dict[str, Any], _: Any, connection: Any) -> None:
        connection.execute(insert(Line), {"said": item["text"]})

    client = notes(serve, lambda resource: resource.after_create(say))
    assert client.post("/notes", json={"text": "three"}).status_code == 201
    problem(client.post("/notes", json={"text": "two"}), 409)
    assert client.get("/notes").get_json()[-1] == {"id": 3, "text": "three"}


def test_it_is_undone_with_the_write(serve: Serve, plain: Any) -> None:
    def say(data: dict[str, Any], _: Any, connection: Any) -> None:
        connection.execute(insert(Line), {"said": data["text"]})

    client = notes(serve, lambda resource: resource.before_create(say))
    problem(client.post("/notes", json={"text": "two"}), 409)
    client.post("/notes", json={"text": "three"})
    with plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT said FROM line").scalars().all() == ["three"]


def test_functions_are_called_in_order_with_what_is_stored(serve: Serve) -> None:
    seen: list[Any] = []

    def prepare(resource: Any) -> None:
        resource.before_create(lambda data: seen.append(("before", data)))
        resource.after_create(lambda item: seen.append(("after", item)))
        resource.before_delete(lambda key: seen.append(("delete", key)))
        resource.after_delete(lambda item: seen.append(("deleted", item)))

    client = notes(serve, prepare)
    client.post("/notes", json={"text": "three"})
    client.delete("/notes/3")
    assert [name for name, _ in seen] == ["before", "after", "delete", "deleted"]
    assert seen[0][1] == {"text": "three"}
    assert seen[1][1] == {"id": 3, "text": "three"}
    assert seen[3][1] == {"id": 3, "text": "three"}


def test_a_function_that_fails_is_an_error_that_undoes_the_write(serve: Serve) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret")

    client = notes(serve, lambda resource: resource.after_create(fail))
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    response = client.post("/notes", json={"text": "three"})
    assert "secret" not in str(problem(response, 500))
    assert ids(client.get("/notes")) == [1, 2]


def test_a_function_has_flask_around_it(serve: Serve) -> None:
    app = Flask("small")
    app.before_request(lambda: setattr(g, "who", request.headers.get("X-Who")))
    client = notes(serve, lambda one: one.before_create(lambda data: data | {"text": g.who}), app=app)
    assert client.post("/notes", json={"text": "x"}, headers={"X-Who": "ann"}).get_json()["text"] == "ann"


def test_the_operations_are_functions(serve: Serve) -> None:
    made: dict[str, Any] = {}

    def prepare(api: Demijohn) -> None:
        made["notes"] = api.resource(Note)

    client = serve(SMALL, Base, rows=ROWS, prepare=prepare)
    resource = made["notes"]
    assert resource.create({"text": "three"}) == {"id": 3, "text": "three"}
    assert resource.read(3) == {"id": 3, "text": "three"}
    assert resource.read(text="two") == {"id": 2, "text": "two"}
    assert resource.patch(3, {"text": "drei"}) == {"id": 3, "text": "drei"}
    assert resource.replace(3, {"text": "trois"}) == {"id": 3, "text": "trois"}
    assert resource.list(sort="-id", limit=2) == [{"id": 3, "text": "trois"}, {"id": 2, "text": "two"}]
    assert resource.list(id__in=[1, 9]) == [{"id": 1, "text": "one"}]
    resource.delete(1)
    with pytest.raises(NotFound):
        resource.read(1)
    assert ids(client.get("/notes")) == [2, 3]
