"""Formats that the application checks itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, Settings


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(String(10))


CODE = {"type": ["string", "null"], "format": "even", "maxLength": 10}
CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Small", "version": "1"},
    "paths": {
        "/things": {
            "get": {
                "parameters": [
                    {"name": "code", "in": "query", "schema": {"type": "string", "format": "even"}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                ],
                "responses": {
                    "200": {
                        "description": "Things.",
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
                            }
                        },
                    }
                },
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"type": "object", "additionalProperties": False, "properties": {"code": CODE}}
                        }
                    },
                },
                "responses": {
                    "201": {
                        "description": "The thing.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    }
                },
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "code"],
                "properties": {"id": {"type": "integer", "readOnly": True}, "code": CODE},
            }
        }
    },
}


def is_even(text: str) -> bool:
    return int(text) % 2 == 0


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """Return a client of an application with a format of its own; what is no number is a `ValueError`."""
    (tmp_path / "openapi.json").write_text(json.dumps(CONTRACT), encoding="utf-8")
    app = Flask("small", root_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url="sqlite://"))
    api.resource(Base)
    api.add_format("even", is_even)
    api.add_contract("openapi.json")
    return app.test_client()


@pytest.mark.parametrize("code", ["13", "twelve"])
def test_a_text_that_is_wrong_is_refused(client: FlaskClient, code: str) -> None:
    response = client.post("/things", json={"code": code})
    assert response.status_code == 400
    assert response.get_json()["errors"] == [{"detail": "must be text in the format even", "pointer": "#/code"}]
    assert client.get(f"/things?code={code}").get_json()["errors"][0]["name"] == "code"


def test_a_text_that_is_right_is_taken(client: FlaskClient) -> None:
    assert client.post("/things", json={"code": "12"}).status_code == 201
    assert client.post("/things", json={"code": None}).status_code == 201
    assert [one["code"] for one in client.get("/things?code=12").get_json()] == ["12"]


def test_a_function_of_the_model_checks_it_too(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(CONTRACT), encoding="utf-8")
    api = Demijohn(settings=Settings(database_url="sqlite://"))
    things = api.resource(Thing)
    api.add_format("even", is_even)
    api.add_contract("openapi.json")
    app = Flask("small", root_path=str(tmp_path))
    api.init_app(app)
    with app.app_context():
        with pytest.raises(Exception, match="must be text in the format even"):
            things.create({"code": "13"})
        assert things.create({"code": "14"})["code"] == "14"


def test_another_application_does_not_know_the_format(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(CONTRACT), encoding="utf-8")
    app = Flask("small", root_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url="sqlite://"))
    api.resource(Base)
    api.add_contract("openapi.json")
    assert app.test_client().post("/things", json={"code": "13"}).status_code == 201
    stored = app.extensions["demijohn"].resources.database
    assert stored.write(lambda transaction: transaction.connection.scalar(select(Thing.code))) == "13"
