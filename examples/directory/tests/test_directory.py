"""The Directory over HTTP, each test on a database file of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

MERGE = "application/merge-patch+json"
STEPS = "application/json-patch+json"
ELM = {"street": "12 Elm Street", "city": "Springfield", "postcode": "62701", "country": "US"}
ROAD = {"street": "4 Queen's Road", "city": "Hong Kong", "country": "HK"}


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """Check that the answer is a problem of that status, and return it."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    document: dict[str, Any] = response.get_json()
    assert document["status"] == status
    return document


def pointers(document: dict[str, Any]) -> set[str]:
    return {error["pointer"] for error in document["errors"]}


def add(client: FlaskClient, name: str, email: str | None = None) -> int:
    """Add a person and return the number."""
    response = client.post("/api/people", json={"name": name, "email": email or f"{name.lower()}@example.org"})
    assert response.status_code == 201, response.text
    return int(response.get_json()["id"])


def give(client: FlaskClient, person: int, **more: Any) -> dict[str, Any]:
    """Give a person an address and return it."""
    response = client.post(f"/api/people/{person}/addresses", json=ELM | more)
    assert response.status_code == 201, response.text
    return response.get_json()  # type: ignore[no-any-return]


def names(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    return [person["name"] for person in response.get_json()]


def cities(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    return [address["city"] for address in response.get_json()["items"]]


# People


def test_a_person_is_added_at_a_location(client: FlaskClient) -> None:
    response = client.post("/api/people", json={"name": "Ann Lee", "email": "ann@example.org"})
    assert response.status_code == 201
    assert response.headers["Location"] == "/api/people/1"
    person = response.get_json()
    assert list(person) == ["id", "name", "email", "created_at"]
    assert (person["id"], person["name"], person["email"]) == (1, "Ann Lee", "ann@example.org")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(person["created_at"])).total_seconds()) < 60
    assert client.get("/api/people/1").data == response.data
    assert client.get("/api/people").get_json() == [person]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"#/name", "#/email"}),
        ({"name": "", "email": "x"}, {"#/name", "#/email"}),
        ({"name": "x" * 101, "email": "ann@example.org"}, {"#/name"}),
        ({"name": "Ann", "email": "x" * 110 + "@example.org"}, {"#/email"}),
        ({"name": "Ann", "email": "Ann@example.org"}, {"#/email"}),
        ({"name": "Ann", "email": "ann@example.org", "id": 7}, {"#/id"}),
        ({"name": "Ann", "email": "ann@example.org", "created_at": "2026-01-01T00:00:00Z"}, {"#/created_at"}),
        ({"name": "Ann\u0000", "email": "ann@example.org"}, {"#/name"}),
        ({"name": " Ann", "email": "ann@example.org"}, {"#/name"}),
    ],
)
def test_a_person_outside_the_contract_is_refused(client: FlaskClient, body: Any, wrong: set[str]) -> None:
    assert pointers(problem(client.post("/api/people", json=body), 400)) == wrong
    assert client.get("/api/people").get_json() == []


def test_an_email_address_is_taken_once(client: FlaskClient) -> None:
    add(client, "Ann")
    add(client, "Bob")
    for response in (
        client.post("/api/people", json={"name": "Other", "email": "ann@example.org"}),
        client.put("/api/people/2", json={"name": "Bob", "email": "ann@example.org"}),
        client.patch("/api/people/2", json={"email": "ann@example.org"}),
    ):
        assert pointers(problem(response, 409)) == {"#/email"}
    assert [person["email"] for person in client.get("/api/people").get_json()] == [
        "ann@example.org",
        "bob@example.org",
    ]


def test_a_person_is_replaced_but_for_number_and_time(client: FlaskClient) -> None:
    add(client, "Ann")
    before = client.get("/api/people/1").get_json()
    after = client.put("/api/people/1", json={"name": "Eve", "email": "eve@example.org"})
    assert after.status_code == 200
    assert after.get_json() == before | {"name": "Eve", "email": "eve@example.org"}
    problem(client.put("/api/people/1", json={"name": "Eve"}), 400)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", {"name": "Eve"}),
        (MERGE, {"name": "Eve"}),
        (STEPS, [{"op": "test", "path": "/name", "value": "Ann"}, {"op": "replace", "path": "/name", "value": "Eve"}]),
    ],
)
def test_a_person_is_changed_in_each_form(client: FlaskClient, media_type: str, body: Any) -> None:
    add(client, "Ann")
    before = client.get("/api/people/1").get_json()
    response = client.patch("/api/people/1", json=body, content_type=media_type)
    assert (response.status_code, response.get_json()) == (200, before | {"name": "Eve"})


def test_a_step_that_fails_is_a_conflict(client: FlaskClient) -> None:
    add(client, "Ann")
    steps = [{"op": "replace", "path": "/name", "value": "Eve"}, {"op": "test", "path": "/name", "value": "Ann"}]
    problem(client.patch("/api/people/1", json=steps, content_type=STEPS), 409)
    assert client.get("/api/people/1").get_json()["name"] == "Ann"


def test_a_deleted_person_takes_the_addresses_along(client: FlaskClient) -> None:
    give(client, add(client, "Ann"))
    give(client, add(client, "Bob"), city="Bonn")
    response = client.delete("/api/people/1")
    assert (response.status_code, response.data) == (204, b"")
    problem(client.get("/api/people/1"), 404)
    problem(client.delete("/api/people/1"), 404)
    assert cities(client.get("/api/addresses")) == ["Bonn"]


def test_a_number_is_never_given_twice(client: FlaskClient) -> None:
    give(client, add(client, "Ann"))
    client.delete("/api/people/1")
    assert add(client, "Ann") == 2
    assert give(client, 2)["id"] == 2


def test_people_are_sorted_searched_and_filtered(client: FlaskClient) -> None:
    for name in ("Ann", "Zoë", "Bob", "Annabel"):
        add(client, name, f"{name[0].lower()}{len(name)}@example.org")
    assert names(client.get("/api/people")) == ["Ann", "Zoë", "Bob", "Annabel"]
    assert names(client.get("/api/people?sort=-name")) == ["Zoë", "Bob", "Annabel", "Ann"]
    assert names(client.get("/api/people?sort=created_at,-id")) == ["Annabel", "Bob", "Zoë", "Ann"]
    assert names(client.get("/api/people?name__icontains=ANN")) == ["Ann", "Annabel"]
    assert names(client.get("/api/people?q=z3@")) == ["Zoë"]
    assert names(client.get("/api/people?email=b3@example.org")) == ["Bob"]
    assert names(client.get("/api/people?created_at__gte=2020-01-01T00:00:00Z&limit=2&offset=1")) == ["Zoë", "Bob"]
    assert names(client.get("/api/people?created_at__lt=2020-01-01T00:00:00Z")) == []


def test_links_lead_through_the_people(client: FlaskClient) -> None:
    for name in ("Ann", "Bob", "Eve"):
        add(client, name)
    response = client.get("/api/people?limit=2")
    assert '</api/people?limit=2&offset=2>; rel="next"' in response.headers["Link"]
    assert 'rel="next"' not in client.get("/api/people?limit=2&offset=2").headers["Link"]


def test_a_client_chooses_the_properties(client: FlaskClient) -> None:
    give(client, add(client, "Ann"))
    assert client.get("/api/people?fields=name").get_json() == [{"id": 1, "name": "Ann"}]
    assert client.get("/api/addresses?fields=city,country").get_json()["items"] == [
        {"id": 1, "city": "Springfield", "country": "US"}
    ]


def test_addresses_are_embedded_on_request(client: FlaskClient) -> None:
    address = give(client, add(client, "Ann"))
    add(client, "Bob")
    assert "addresses" not in client.get("/api/people/1").get_json()
    assert client.get("/api/people/1?include=addresses").get_json()["addresses"] == [address]
    embedded = client.get("/api/people?include=addresses").get_json()
    assert [person["addresses"] for person in embedded] == [[address], []]
    problem(client.get("/api/people/1?include=friends"), 400)


# Addresses


def test_an_address_belongs_to_a_person(client: FlaskClient) -> None:
    ann, bob = add(client, "Ann"), add(client, "Bob")
    response = client.post(f"/api/people/{ann}/addresses", json=ROAD)
    assert response.headers["Location"] == "/api/people/1/addresses/1"
    assert response.get_json() == {"id": 1, "person_id": 1, **ROAD, "postcode": None} | ROAD
    assert list(response.get_json()) == ["id", "person_id", "street", "city", "postcode", "country"]
    assert client.get(f"/api/people/{ann}/addresses/1").data == response.data
    assert client.get("/api/addresses/1").data == response.data
    problem(client.get(f"/api/people/{bob}/addresses/1"), 404)
    problem(client.delete(f"/api/people/{bob}/addresses/1"), 404)
    problem(client.get("/api/people/9/addresses"), 404)
    problem(client.post("/api/people/9/addresses", json=ROAD), 404)


def test_an_address_may_be_added_by_its_person(client: FlaskClient) -> None:
    ann = add(client, "Ann")
    response = client.post("/api/addresses", json={"person_id": ann, **ELM})
    assert (response.status_code, response.headers["Location"]) == (201, "/api/addresses/1")
    assert pointers(problem(client.post("/api/addresses", json={"person_id": 9, **ELM}), 409)) == {"#/person_id"}
    assert pointers(problem(client.post("/api/addresses", json=ELM), 400)) == {"#/person_id"}


@pytest.mark.parametrize("path", ["/api/addresses/1", "/api/people/1/addresses/1"])
def test_an_address_is_changed_under_both_of_its_paths(client: FlaskClient, path: str) -> None:
    address = give(client, add(client, "Ann"))
    owner = {} if "people" in path else {"person_id": 1}
    assert client.put(path, json=ROAD | owner).get_json() == address | ROAD | {"postcode": None}
    assert client.put(path, json=ELM | owner).get_json() == address
    assert client.patch(path, json={"city": "Shelbyville"}).get_json() == address | {"city": "Shelbyville"}
    assert client.patch(path, json={"postcode": None}, content_type=MERGE).get_json()["postcode"] is None
    steps = [{"op": "test", "path": "/postcode", "value": None}, {"op": "replace", "path": "/postcode", "value": "1"}]
    assert client.patch(path, json=steps, content_type=STEPS).get_json()["postcode"] == "1"
    problem(client.patch(path, json={"country": None}), 400)
    problem(client.patch(path, json={"country": "usa"}), 400)
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404)


def test_an_address_is_given_to_somebody_else(client: FlaskClient) -> None:
    give(client, add(client, "Ann"))
    add(client, "Bob")
    assert client.put("/api/addresses/1", json={"person_id": 2, **ELM}).get_json()["person_id"] == 2
    assert cities(client.get("/api/people/1/addresses")) == []
    assert cities(client.get("/api/people/2/addresses")) == ["Springfield"]


def test_the_addresses_of_a_person_come_in_pages(client: FlaskClient) -> None:
    ann = add(client, "Ann")
    for city in ("Aachen", "Bonn", "Celle", "Dessau", "Erfurt"):
        give(client, ann, city=city)
    page = client.get(f"/api/people/{ann}/addresses?page=2&per_page=2")
    assert cities(page) == ["Celle", "Dessau"]
    assert {key: page.get_json()[key] for key in ("page", "pages", "per_page", "total")} == {
        "page": 2,
        "pages": 3,
        "per_page": 2,
        "total": 5,
    }
    assert client.get(f"/api/people/{add(client, 'Bob')}/addresses").get_json() == {
        "items": [],
        "page": 1,
        "pages": 0,
        "per_page": 20,
        "total": 0,
    }


def test_all_addresses_are_read_from_cursor_to_cursor(client: FlaskClient) -> None:
    ann = add(client, "Ann")
    for index, city in enumerate(("Bonn", "Aachen", "Celle", "Bonn", "Dessau")):
        give(client, ann, city=city, postcode=None if index % 2 else str(index))
    for sort in ("", "&sort=city", "&sort=-city", "&sort=postcode,-id", "&sort=-postcode"):
        every = client.get(f"/api/addresses?limit=100{sort}").get_json()
        assert every["next_cursor"] is None
        seen, cursor = [], ""
        while True:
            page = client.get(f"/api/addresses?limit=2{sort}{cursor}").get_json()
            seen += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == every["items"]


def test_addresses_are_filtered(client: FlaskClient) -> None:
    ann = add(client, "Ann")
    give(client, ann)
    give(client, ann, city="Bonn", country="DE", postcode="53111")
    give(client, ann, city="Wien", country="AT", postcode=None)
    for query, expected in [
        ("country=DE", ["Bonn"]),
        ("country__in=DE,AT", ["Bonn", "Wien"]),
        ("city=Springfield", ["Springfield"]),
        ("postcode__startswith=627", ["Springfield"]),
        ("postcode__isnull=true", ["Wien"]),
        ("q=elm", ["Springfield", "Bonn", "Wien"]),
        ("q=531", ["Bonn"]),
    ]:
        assert cities(client.get(f"/api/addresses?{query}")) == expected, query


# Requests that are made with care


def test_a_change_may_be_bound_to_what_was_seen(client: FlaskClient) -> None:
    add(client, "Ann")
    tag = client.get("/api/people/1").headers["ETag"]
    assert client.get("/api/people/1", headers={"If-None-Match": tag}).status_code == 304
    changed = client.patch("/api/people/1", json={"name": "Eve"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    for method, body in (("PUT", {"name": "x", "email": "x@example.org"}), ("PATCH", {"name": "x"}), ("DELETE", None)):
        problem(client.open("/api/people/1", method=method, json=body, headers={"If-Match": tag}), 412)
    assert client.get("/api/people/1").get_json()["name"] == "Eve"
    assert client.delete("/api/people/1", headers={"If-Match": changed.headers["ETag"]}).status_code == 204


def test_a_request_that_is_repeated_makes_one_person(client: FlaskClient) -> None:
    body, key = {"name": "Ann", "email": "ann@example.org"}, {"Idempotency-Key": "a-key-of-my-own"}
    first = client.post("/api/people", json=body, headers=key)
    again = client.post("/api/people", json=body, headers=key)
    assert (again.status_code, again.data) == (201, first.data)
    assert names(client.get("/api/people")) == ["Ann"]
    problem(client.post("/api/people", json=body | {"name": "Eve"}, headers=key), 422)


def test_a_query_outside_the_contract_is_refused(client: FlaskClient) -> None:
    for path in (
        "/api/people?colour=red",
        "/api/people?sort=colour",
        "/api/people?limit=0",
        "/api/people?limit=101",
        "/api/people?fields=password",
        "/api/addresses?country=usa",
        "/api/addresses?cursor=e30",
        "/api/people/0",
        "/api/people/2147483648",
    ):
        assert problem(client.get(path), 400)["errors"], path


def test_a_body_of_another_type_or_size_is_refused(client: FlaskClient) -> None:
    problem(client.post("/api/people", data={"name": "Ann"}), 415)
    problem(client.post("/api/people", json={"name": "x" * 70_000}), 413)
    problem(client.get("/api/people", headers={"Accept": "text/html"}), 406)


def test_the_contract_and_its_page_are_served(client: FlaskClient) -> None:
    assert client.get("/api/openapi.json").get_json()["openapi"] == "3.0.3"
    assert client.get("/api/ui/").status_code == 200


# The database


def test_people_survive_a_restart(create_app: Callable[..., Flask], database: Path) -> None:
    url = f"sqlite:///{database}"
    add(create_app(url).test_client(), "Ann")
    assert names(create_app(url).test_client().get("/api/people")) == ["Ann"]


def test_the_environment_chooses_the_database(
    create_app: Callable[..., Flask], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{database}")
    add(create_app().test_client(), "Ann")
    assert database.is_file()


def test_the_database_is_in_the_instance_folder_otherwise(
    create_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(Flask, "auto_find_instance_path", lambda self: str(tmp_path / "var" / "instance"))
    add(create_app().test_client(), "Ann")
    assert list((tmp_path / "var" / "instance").iterdir())
