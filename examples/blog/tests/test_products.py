"""Products: read by everybody, kept by administrators; prices are exact, and stock is never negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import IntegrityError

SignIn = Callable[..., dict[str, str]]
Check = Callable[..., dict[str, Any]]
MUG = {"name": "Mug", "price": "12.50", "stock": 40}


@pytest.fixture
def root(sign_in: SignIn) -> dict[str, str]:
    """Give the headers of an administrator."""
    return sign_in("root", role="admin")


def add(client: FlaskClient, root: dict[str, str], name: str, price: str, stock: int = 1) -> dict[str, Any]:
    """Add a product and return it."""
    response = client.post("/products", json={"name": name, "price": price, "stock": stock}, headers=root)
    assert response.status_code == 201, response.text
    return response.get_json()  # type: ignore[no-any-return]


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [product["name"] for product in answer.get_json()["products"]]


def test_an_administrator_keeps_products(client: FlaskClient, root: dict[str, str], problem: Check) -> None:
    response = client.post("/products", json=MUG, headers=root)
    assert (response.status_code, response.headers["Location"]) == (201, "/products/1")
    product = {"id": 1, **MUG}
    assert response.get_json() == product
    assert client.get("/products/1").get_json() == product
    changed = client.patch("/products/1", json={"price": "9.99"}, headers=root)
    assert changed.get_json() == product | {"price": "9.99"}
    assert client.put("/products/1", json=MUG, headers=root).get_json() == product
    assert client.delete("/products/1", headers=root).status_code == 204
    problem(client.get("/products/1"), 404)


def test_nobody_else_does(client: FlaskClient, root: dict[str, str], sign_in: SignIn, problem: Check) -> None:
    product = add(client, root, "Mug", "12.50")
    calls = [("POST", "/products", MUG), ("PUT", "/products/1", MUG), ("PATCH", "/products/1", {"stock": 0})]
    calls.append(("DELETE", "/products/1", {}))
    alice = sign_in("alice")
    for method, path, body in calls:
        problem(client.open(path, method=method, json=body or None), 401)
        problem(client.open(path, method=method, json=body or None, headers=alice), 403)
    assert client.get("/products").get_json() == {"products": [product], "total": 1, "page": 1, "pages": 1}


def test_a_role_that_is_taken_away_is_gone_at_once(
    app: Flask, client: FlaskClient, root: dict[str, str], problem: Check
) -> None:
    add(client, root, "Mug", "12.50")
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.session.execute(db.metadata.tables["users"].update().values(role="member"))
        db.session.commit()
    problem(client.delete("/products/1", headers=root), 403)
    assert client.get("/products/1").status_code == 200


@pytest.mark.parametrize("price", ["0.00", "0.01", "0.10", "0.29", "1.10", "19.99", "1234567.89", "99999999.99"])
def test_a_price_comes_back_as_it_was_sent(client: FlaskClient, root: dict[str, str], price: str) -> None:
    assert add(client, root, "Mug", price)["price"] == price
    assert client.get("/products/1").get_json()["price"] == price
    assert names(client.get(f"/products?price__gte={price}&price__lte={price}")) == ["Mug"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": 12.5}, "#/price"),
        ({"price": "12.5"}, "#/price"),
        ({"price": "12.505"}, "#/price"),
        ({"price": "-1.00"}, "#/price"),
        ({"price": "1e3"}, "#/price"),
        ({"price": "100000000.00"}, "#/price"),
        ({"price": None}, "#/price"),
        ({"stock": -1}, "#/stock"),
        ({"stock": 1.5}, "#/stock"),
        ({"stock": True}, "#/stock"),
        ({"stock": 2**31}, "#/stock"),
        ({"name": ""}, "#/name"),
        ({"id": 7}, "#/id"),
    ],
)
def test_a_product_outside_the_contract_is_refused(
    client: FlaskClient, root: dict[str, str], problem: Check, change: dict[str, Any], pointer: str
) -> None:
    product = add(client, root, "Cup", "1.00")
    for method, path, body in (
        ("POST", "/products", MUG | change),
        ("PUT", "/products/1", MUG | change),
        ("PATCH", "/products/1", change),
    ):
        errors = problem(client.open(path, method=method, json=body, headers=root), 400)["errors"]
        assert {error["pointer"] for error in errors} == {pointer}
    assert client.get("/products").get_json()["products"] == [product]


def test_the_database_refuses_less_than_nothing(app: Flask, client: FlaskClient, root: dict[str, str]) -> None:
    add(client, root, "Mug", "12.50", 1)
    db = app.extensions["sqlalchemy"]
    products = db.metadata.tables["products"]
    with app.app_context():
        with pytest.raises(IntegrityError):
            db.session.execute(products.update().values(stock=products.c.stock - 2))
        db.session.rollback()


def test_a_name_is_taken_once(client: FlaskClient, root: dict[str, str], problem: Check) -> None:
    add(client, root, "Mug", "12.50")
    errors = problem(client.post("/products", json=MUG, headers=root), 409)["errors"]
    assert [error["pointer"] for error in errors] == ["#/name"]


def test_products_are_sorted_and_filtered(client: FlaskClient, root: dict[str, str]) -> None:
    for name, price in (("Mug", "12.50"), ("Pen", "2.05"), ("Mouse pad", "9.99"), ("Book", "100.00")):
        add(client, root, name, price)
    assert names(client.get("/products")) == ["Book", "Mouse pad", "Mug", "Pen"]
    assert names(client.get("/products?sort=-price")) == ["Book", "Mug", "Mouse pad", "Pen"]
    assert names(client.get("/products?sort=price&limit=1&page=2")) == ["Mouse pad"]
    assert names(client.get("/products?price__gte=9.99&price__lte=12.50")) == ["Mouse pad", "Mug"]
    assert names(client.get("/products?name=Mouse%20pad&price__lte=10.00")) == ["Mouse pad"]


@pytest.mark.parametrize("query", ["sort=stock", "price__gte=1", "price__lte=1.5", "stock=1", "name="])
def test_a_query_outside_the_contract_is_refused(client: FlaskClient, problem: Check, query: str) -> None:
    assert problem(client.get(f"/products?{query}"), 400)["errors"]
