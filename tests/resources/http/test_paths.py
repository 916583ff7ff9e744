"""Which row a path names: by its key, by a unique column, by several columns, below other items."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import (
    INTEGER,
    STRING,
    Json,
    Rows,
    contract,
    crud,
    deleted,
    ids,
    listed,
    obj,
    patched,
    path,
    problem,
    query,
    read,
    whole,
    written,
)
from sqlalchemy import ForeignKey, ForeignKeyConstraint, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "country"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    cities: Mapped[list[City]] = relationship(back_populates="country")


class City(Base):
    __tablename__ = "city"

    country_code: Mapped[str] = mapped_column(ForeignKey("country.code"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40))
    country: Mapped[Country] = relationship(back_populates="cities")


class Street(Base):
    __tablename__ = "street"
    __table_args__ = (ForeignKeyConstraint(["country_code", "city_number"], ["city.country_code", "city.number"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    country_code: Mapped[str] = mapped_column(String(2))
    city_number: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(40))
    city: Mapped[City] = relationship()


CODE = {"type": "string", "minLength": 2, "maxLength": 2}
NAME = {"type": "string", "maxLength": 40}
COUNTRY = whole(code=CODE, name=NAME)
CITY = whole(country_code=CODE, number=INTEGER, name=NAME)
STREET = whole(id=INTEGER, name=NAME)
ROWS: Rows = [
    (Country, [{"code": "de", "name": "Germany"}, {"code": "fr", "name": "France"}]),
    (
        City,
        [
            {"country_code": "de", "number": 1, "name": "Berlin"},
            {"country_code": "de", "number": 2, "name": "Bonn"},
            {"country_code": "fr", "number": 1, "name": "Paris"},
        ],
    ),
    (
        Street,
        [
            {"id": 1, "country_code": "de", "city_number": 1, "name": "Linden"},
            {"id": 2, "country_code": "fr", "city_number": 1, "name": "Rivoli"},
        ],
    ),
]
SCHEMAS = {
    "Country": COUNTRY,
    "NewCountry": COUNTRY,
    "CountryUpdate": obj(name=NAME),
    "City": CITY,
    "NewCity": CITY,
    "CityUpdate": obj(name=NAME),
    "CityBelow": whole(number=INTEGER, name=NAME),
    "CityName": whole(name=NAME),
    "Street": STREET,
    "NewStreet": whole(name=NAME),
    "StreetUpdate": obj(name=NAME),
}


def test_an_item_may_be_named_by_a_text_that_is_its_key(serve: Serve) -> None:
    client = serve(contract(crud("/countries", "Country", key="code", by=STRING), SCHEMAS), Base, rows=ROWS)
    assert client.get("/countries/fr").data == b'{"code":"fr","name":"France"}'
    assert client.get("/countries").data == b'[{"code":"de","name":"Germany"},{"code":"fr","name":"France"}]'
    created = client.post("/countries", json={"code": "ø1", "name": "Nowhere"})
    assert created.headers["Location"] == "/countries/%C3%B81"
    assert client.get(created.headers["Location"]).data == created.data
    assert client.patch("/countries/fr", json={"name": "La France"}).get_json() == {"code": "fr", "name": "La France"}
    problem(client.get("/countries/FR"), 404)
    problem(client.get("/countries/f"), 404)


def test_an_item_may_be_named_by_a_unique_column(serve: Serve) -> None:
    client = serve(contract(crud("/countries", "Country", key="name", by=STRING), SCHEMAS), Base, rows=ROWS)
    assert client.get("/countries/France").get_json() == {"code": "fr", "name": "France"}
    created = client.post("/countries", json={"code": "pl", "name": "Po land"})
    assert created.headers["Location"] == "/countries/Po%20land"
    assert client.delete("/countries/Po%20land").status_code == 204


def test_several_columns_may_name_an_item(serve: Serve) -> None:
    paths: dict[str, Json] = {
        "/cities": {"get": listed("City"), "post": written("City", "NewCity", status=201)},
        "/cities/{country_code}/{number}": {
            "parameters": [path("country_code", STRING), path("number")],
            "get": read("City"),
            "patch": patched("City", "CityUpdate"),
            "delete": deleted(),
        },
    }
    client = serve(contract(paths, SCHEMAS), Base, rows=ROWS)
    assert client.get("/cities/de/2").data == b'{"country_code":"de","number":2,"name":"Bonn"}'
    problem(client.get("/cities/fr/2"), 404)
    created = client.post("/cities", json={"country_code": "fr", "number": 7, "name": "Nice"})
    assert created.headers["Location"] == "/cities/fr/7"
    assert client.patch("/cities/fr/1", json={"name": "Lutetia"}).get_json()["name"] == "Lutetia"
    assert client.get("/cities/de/1").get_json()["name"] == "Berlin"
    assert client.delete("/cities/fr/7").status_code == 204
    assert [city["name"] for city in client.get("/cities").get_json()] == ["Berlin", "Bonn", "Lutetia"]


@pytest.fixture
def nested(serve: Serve) -> FlaskClient:
    code = path("country_code", STRING)
    paths: dict[str, Json] = {
        "/countries/{country_code}/cities": {
            "parameters": [code],
            "get": listed("City", query("limit", INTEGER)),
            "post": written("City", "CityBelow", status=201),
        },
        "/countries/{country_code}/cities/{number}": {
            "parameters": [code, path("number")],
            "get": read("City"),
            "put": written("City", "CityName"),
            "patch": patched("City", "CityUpdate"),
            "delete": deleted(),
        },
    }
    return serve(contract(paths, SCHEMAS), Base, rows=ROWS)


def test_a_list_below_an_item_has_its_own_only(nested: FlaskClient) -> None:
    assert [city["name"] for city in nested.get("/countries/de/cities").get_json()] == ["Berlin", "Bonn"]


def test_a_list_below_nothing_is_not_found(nested: FlaskClient) -> None:
    problem(nested.get("/countries/xx/cities"), 404)


def test_an_item_is_created_below_another(nested: FlaskClient) -> None:
    created = nested.post("/countries/fr/cities", json={"number": 2, "name": "Lyon"})
    assert created.status_code == 201
    assert created.get_json() == {"country_code": "fr", "number": 2, "name": "Lyon"}
    assert created.headers["Location"] == "/countries/fr/cities/2"
    assert nested.get("/countries/fr/cities/2").data == created.data


def test_nothing_is_created_below_nothing(nested: FlaskClient) -> None:
    problem(nested.post("/countries/xx/cities", json={"number": 2, "name": "Lyon"}), 404)


def test_the_item_below_belongs_to_the_item_above(nested: FlaskClient) -> None:
    assert nested.get("/countries/fr/cities/1").get_json()["name"] == "Paris"
    for method in ("get", "delete"):
        problem(getattr(nested, method)("/countries/fr/cities/2"), 404)
    problem(nested.patch("/countries/fr/cities/2", json={"name": "x"}), 404)
    assert nested.get("/countries/de/cities/2").get_json()["name"] == "Bonn"


def test_writes_below_touch_that_one_row(nested: FlaskClient) -> None:
    assert nested.put("/countries/fr/cities/1", json={"name": "Lutetia"}).get_json()["name"] == "Lutetia"
    assert nested.patch("/countries/de/cities/1", json={"name": "Cölln"}).get_json()["name"] == "Cölln"
    assert nested.delete("/countries/de/cities/2").status_code == 204
    assert [city["name"] for city in nested.get("/countries/de/cities").get_json()] == ["Cölln"]
    assert [city["name"] for city in nested.get("/countries/fr/cities").get_json()] == ["Lutetia"]


def test_paths_may_be_three_items_deep(serve: Serve) -> None:
    above = [path("country_code", STRING), path("city_number")]
    paths: dict[str, Json] = {
        "/countries/{country_code}/cities/{city_number}/streets": {
            "parameters": above,
            "get": listed("Street"),
            "post": written("Street", "NewStreet", status=201),
        },
        "/countries/{country_code}/cities/{city_number}/streets/{street_id}": {
            "parameters": [*above, path("street_id")],
            "get": read("Street"),
            "delete": deleted(),
        },
        # The items above are of models that other paths show.
        "/countries/{code}": {"parameters": [path("code", STRING)], "get": read("Country")},
        "/countries/{country_code}/cities/{city_number}": {"parameters": above, "get": read("City")},
    }
    client = serve(contract(paths, SCHEMAS), Base, rows=ROWS)
    assert ids(client.get("/countries/de/cities/1/streets")) == [1]
    assert ids(client.get("/countries/de/cities/2/streets")) == []
    problem(client.get("/countries/de/cities/9/streets"), 404)
    problem(client.get("/countries/fr/cities/1/streets/1"), 404)
    created = client.post("/countries/de/cities/2/streets", json={"name": "Am Hof"})
    assert created.headers["Location"] == "/countries/de/cities/2/streets/3"
    assert client.get("/countries/de/cities/2/streets/3").get_json() == {"id": 3, "name": "Am Hof"}


def test_x_resource_names_the_model_of_a_schema(serve: Serve) -> None:
    state = COUNTRY | {"x-resource": "Country"}
    schemas = {"State": state, "NewState": COUNTRY, "StateUpdate": obj(name=NAME)}
    client = serve(contract(crud("/states", "State", key="code", by=STRING), schemas), Base, rows=ROWS)
    assert client.get("/states/fr").get_json() == {"code": "fr", "name": "France"}
    assert client.post("/states", json={"code": "pl", "name": "Poland"}).status_code == 201


def test_x_resource_names_the_action_of_an_operation(serve: Serve) -> None:
    paths: dict[str, Json] = {
        "/countries": {"get": listed("Country")},
        "/countries/{code}": {"parameters": [path("code", STRING)], "get": read("Country")},
        "/countries/{code}/rename": {
            "parameters": [path("code", STRING)],
            "post": written("Country", "CountryUpdate") | {"x-resource": "Country.patch"},
        },
    }
    client = serve(contract(paths, SCHEMAS), Base, rows=ROWS)
    assert client.post("/countries/fr/rename", json={"name": "Gallia"}).get_json() == {"code": "fr", "name": "Gallia"}


def test_x_column_names_the_column_of_a_property(serve: Serve) -> None:
    renamed = whole(iso=CODE | {"x-column": "code"}, title=NAME | {"x-column": "name"})
    schemas = {"Country": renamed, "NewCountry": renamed, "CountryUpdate": obj(title=NAME | {"x-column": "name"})}
    paths = crud("/countries", "Country", key="iso", by=STRING | {"x-column": "code"})
    client = serve(contract(paths, schemas), Base, rows=ROWS)
    assert client.get("/countries/fr").data == b'{"iso":"fr","title":"France"}'
    created = client.post("/countries", json={"iso": "pl", "title": "Poland"})
    assert created.headers["Location"] == "/countries/pl"
    assert client.patch("/countries/pl", json={"title": "Polska"}).get_json() == {"iso": "pl", "title": "Polska"}
