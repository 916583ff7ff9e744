"""Marshmallow in handlers and blueprints: it loads and dumps, and the contract is kept all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Blueprint, current_app, request
from flask.testing import FlaskClient
from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from notes import TITLE, Notes
from small_apis import INTEGER, answers, content, problem, whole

from demijohn import BadRequest

DAY = {"type": "string", "format": "date"}


class SpanSchema(Schema):
    """Be a rule that no JSON Schema has: the last day is not before the first."""

    title = fields.String(required=True)
    first = fields.Date(required=True)
    last = fields.Date(required=True)

    @validates_schema
    def in_order(self, data: dict[str, Any], **options: Any) -> None:
        """Compare the two days."""
        if data["last"] < data["first"]:
            raise ValidationError("is before the first day", "last")

    @post_load
    def days(self, data: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Add how many days there are."""
        return {**data, "days": (data["last"] - data["first"]).days + 1}


class AnswerSchema(Schema):
    """Show what was planned."""

    title = fields.String()
    first = fields.Date()
    days = fields.Integer()


def plan(body: dict[str, Any]) -> Any:
    """Be a handler: the body is what the client sent, checked by the contract already."""
    return AnswerSchema().dump(SpanSchema().load(body)), 201


@pytest.fixture
def client(notes: Callable[..., Notes]) -> FlaskClient:
    """Give a client of an application with a handler, a blueprint and an error handler."""
    shop = notes()
    blueprint = Blueprint("spans", __name__)

    @blueprint.get("/days")
    def days() -> dict[str, Any]:
        return {"days": SpanSchema().load(request.args.to_dict())["days"]}

    @shop.app.errorhandler(ValidationError)
    def refuse(error: ValidationError) -> Any:
        found = error.messages_dict
        errors = [{"detail": text, "pointer": f"#/{name}"} for name, texts in found.items() for text in texts]
        return current_app.handle_user_exception(BadRequest("Something is wrong; see errors.", errors=errors))

    shop.app.register_blueprint(blueprint)
    taken = {"required": True, "content": content(whole(title=TITLE, first=DAY, last=DAY))}
    given = answers(whole(title=TITLE, first=DAY, days={**INTEGER, "maximum": 366}), 201)
    paths = {"/plans": {"post": {"operationId": "plan", "requestBody": taken, "responses": given}}}
    return shop.serve(paths, plan=plan)


def body(first: str, last: str) -> dict[str, str]:
    return {"title": "Away", "first": first, "last": last}


def test_a_handler_loads_and_dumps(client: FlaskClient) -> None:
    response = client.post("/plans", json=body("2026-01-30", "2026-02-02"))
    assert (response.status_code, response.get_json()) == (201, {"title": "Away", "first": "2026-01-30", "days": 4})
    assert date.fromisoformat(response.get_json()["first"]) == date(2026, 1, 30)


def test_the_contract_speaks_first_and_marshmallow_after_it(client: FlaskClient) -> None:
    errors = problem(client.post("/plans", json=body("soon", "2026-02-02")), 400)["errors"]
    assert [error["pointer"] for error in errors] == ["#/first"]
    errors = problem(client.post("/plans", json=body("2026-02-02", "2026-01-30")), 400)["errors"]
    assert errors == [{"detail": "is before the first day", "pointer": "#/last"}]


def test_what_is_dumped_has_to_keep_the_contract(client: FlaskClient) -> None:
    problem(client.post("/plans", json=body("2026-01-01", "2027-12-31")), 500)


def test_a_blueprint_answers_errors_in_the_same_form(client: FlaskClient) -> None:
    assert client.get("/days?title=x&first=2026-01-01&last=2026-01-03").get_json() == {"days": 3}
    errors = problem(client.get("/days?title=x&first=2026-01-01&last=never"), 400)["errors"]
    assert errors == [{"detail": "Not a valid date.", "pointer": "#/last"}]
    assert client.post("/notes", json={"title": "Still there"}).status_code == 201
