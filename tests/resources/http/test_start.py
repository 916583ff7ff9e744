"""What keeps an application from starting: whatever would make its contract a lie, with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from small_apis import INTEGER, STRING, Json, array, contract, crud, listed, obj, path, query, read, whole, written
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BindingError, Demijohn, Settings


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    nick: Mapped[str | None] = mapped_column(String(20))
    age: Mapped[int | None]
    email: Mapped[str] = mapped_column(String(20), unique=True)


def written_out(small: dict[str, Any]) -> str:
    """Return a contract as YAML, without the anchors that equal parts would get."""
    return yaml.safe_dump(json.loads(json.dumps(small)), sort_keys=False)


def problems(tmp_path: Path, small: dict[str, Any] | str, **settings: Any) -> list[str]:
    """Return why an application does not start, each with the line that it points to."""
    text = small if isinstance(small, str) else written_out(small)
    (tmp_path / "openapi.yaml").write_text(text)
    api = Demijohn(Flask("small", root_path=str(tmp_path)), settings=Settings(database_url="sqlite://", **settings))
    api.resource(Base)
    try:
        api.add_contract("openapi.yaml")
    except BindingError as error:
        return [str(one) for one in error.problems]
    return []


def people(schema: dict[str, Any], *parameters: dict[str, Any], new: dict[str, Any] | None = None) -> dict[str, Any]:
    paths: dict[str, Json] = {
        "/people": {"get": listed("Person", *parameters)},
        "/people/{id}": {"parameters": [path("id")], "get": read("Person")},
    }
    schemas = {"Person": schema}
    if new is not None:
        paths["/people"]["post"] = written("Person", "NewPerson", status=201)
        schemas["NewPerson"] = new
    return contract(paths, schemas)


TEXT = {"type": "string", "maxLength": 20}
GOOD = whole(id=INTEGER, name=STRING)


def test_a_contract_that_fits_starts(tmp_path: Path) -> None:
    assert (
        problems(tmp_path, people(GOOD, query("limit", INTEGER), new=obj("name", "email", name=TEXT, email=TEXT))) == []
    )


@pytest.mark.parametrize(
    ("small", "words"),
    [
        # A promise that the table does not keep.
        (people(whole(id=INTEGER, nick=STRING)), ["nick", "null"]),
        (people(whole(id=INTEGER, name=INTEGER)), ["name"]),
        (people(whole(id=STRING, name=STRING)), ["id"]),
        # A promise that a body of the same contract breaks.
        (
            people(whole(id=INTEGER, name=TEXT | {"maxLength": 5}), new=obj("name", "email", name=TEXT, email=TEXT)),
            ["name"],
        ),
        (
            people(whole(id=INTEGER, name={"enum": ["a", "b"]}), new=obj("name", "email", name=TEXT, email=TEXT)),
            ["name"],
        ),
        (people(whole(id=INTEGER, age={"type": "boolean"})), ["age"]),
        (people(whole(id=INTEGER, colour=STRING)), ["colour"]),
        (people(whole(id=INTEGER, friends=array(STRING))), ["friends"]),
        # Parameters that would do nothing.
        (people(GOOD, query("colour")), ["colour"]),
        (people(GOOD, query("name__like")), ["name__like"]),
        (people(GOOD, query("nam")), ["nam", "name"]),
        # A body that cannot be stored.
        (people(GOOD, new=whole(name=TEXT)), ["email"]),
        (people(GOOD, new=whole(name=TEXT, email=TEXT, colour=STRING)), ["colour"]),
    ],
)
def test_a_contract_that_lies_does_not_start(tmp_path: Path, small: dict[str, Any], words: list[str]) -> None:
    told = problems(tmp_path, small)
    assert told
    assert all(one.startswith("openapi.yaml:") for one in told)
    assert any(all(word in one for word in words) for one in told), told


def test_the_line_is_that_of_the_property(tmp_path: Path) -> None:
    text = written_out(people(whole(id=INTEGER, name=STRING, nick=STRING)))
    line = next(number for number, one in enumerate(text.splitlines(), 1) if one.strip() == "nick:")
    told = problems(tmp_path, text)
    assert [one.split(": ")[0] for one in told] == [f"openapi.yaml:{line}"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    told = problems(tmp_path, people(whole(id=STRING, name=INTEGER, nick=STRING, colour=STRING), query("size")))
    assert len(told) >= 5


def test_an_operation_that_fits_no_model_is_named(tmp_path: Path) -> None:
    paths: dict[str, Json] = {
        "/robots": {"get": listed("Robot")},
        "/people/{id}/wave": {"parameters": [path("id")], "post": written("Person", "Wave")},
    }
    told = problems(tmp_path, contract(paths, {"Robot": whole(id=INTEGER), "Person": GOOD, "Wave": obj(hand=STRING)}))
    assert len(told) == 2
    assert any("GET /robots" in one for one in told)
    assert any("POST /people/{id}/wave" in one for one in told)


def test_a_path_parameter_that_names_no_column_is_told(tmp_path: Path) -> None:
    paths: dict[str, Json] = {"/people/{slug}": {"parameters": [path("slug", STRING)], "get": read("Person")}}
    assert any("slug" in one for one in problems(tmp_path, contract(paths, {"Person": GOOD})))


def test_a_path_parameter_that_names_many_rows_is_told(tmp_path: Path) -> None:
    paths: dict[str, Json] = {"/people/{name}": {"parameters": [path("name", STRING)], "get": read("Person")}}
    told = problems(tmp_path, contract(paths, {"Person": GOOD}))
    assert any("name" in one and "unique" in one for one in told), told


def test_an_x_resource_that_names_no_model_is_told(tmp_path: Path) -> None:
    schema = GOOD | {"x-resource": "Persn"}
    told = problems(tmp_path, contract({"/people": {"get": listed("Human")}}, {"Human": schema}))
    assert any("Persn" in one and "Person" in one for one in told), told


def test_a_looseness_is_a_warning_only(tmp_path: Path) -> None:
    loose = people(whole(id=INTEGER, name=STRING), new=obj("name", "email", name=STRING, email=STRING))
    assert problems(tmp_path, loose) == []


def test_nothing_needs_the_database_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(contract(crud("/people", "Person"), {
        "Person": whole(id=INTEGER, name=STRING),
        "NewPerson": obj("name", "email", name=TEXT, email=TEXT),
        "PersonUpdate": obj(name=TEXT, email=TEXT),
    })))  # fmt: skip
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    api = Demijohn(Flask("small", root_path=str(tmp_path)), settings=Settings(database_url=url))
    api.resource(Base)
    api.add_contract("openapi.json")
    app = api.app
    assert app is not None
    for method, address in (("GET", "/people"), ("GET", "/people/1"), ("DELETE", "/people/1")):
        response = app.test_client().open(address, method=method)
        assert response.status_code == 503, response.text
        assert response.headers["Retry-After"]
        assert "127.0.0.1" not in response.text
