"""A small application on a database, written to a folder for the commands that are about models."""

from __future__ import annotations

from pathlib import Path

__all__ = ["APP", "CONTRACT", "MODELS", "write_app"]

MODELS = """\
from datetime import datetime, timezone
from decimal import Decimal

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, JSON, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (CheckConstraint("age >= 0", name="person_age"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(60), unique=True)
    age: Mapped[int | None]
    wealth: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    active: Mapped[bool] = mapped_column(default=True)
    nick: Mapped[str] = mapped_column(String(20), default="", server_default="")
    tags: Mapped[list[str] | None] = mapped_column(JSON)
    secret: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(timezone.utc).replace(microsecond=0)
    )
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    addresses: Mapped[list["Address"]] = relationship(order_by="Address.id")
    shout: Mapped[str] = column_property(name + "!")


class Address(Base):
    __tablename__ = "address"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    city: Mapped[str] = mapped_column(String(50))
"""

CONTRACT = """\
openapi: 3.1.0
info: {title: People, version: "1"}
paths:
  /people:
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}
        - {name: name__contains, in: query, schema: {type: string}}
        - {name: sort, in: query, schema: {type: string, enum: [id, email, age]}}
      responses:
        "200":
          description: fine
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Person"}}}}
    post:
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/NewPerson"}}}
      responses:
        "201":
          description: made
          content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}
  /people/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: fine
          content: {application/json: {schema: {$ref: "#/components/schemas/PersonWithAddresses"}}}
  /people/{person_id}/addresses:
    parameters: [{name: person_id, in: path, required: true, schema: {type: integer}}]
    get:
      parameters: [{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}]
      responses:
        "200":
          description: fine
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Address"}}}}
    post:
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Address"}}}
      responses:
        "201":
          description: made
          content: {application/json: {schema: {$ref: "#/components/schemas/Address"}}}
components:
  schemas:
    NewPerson:
      x-resource: Person
      type: object
      additionalProperties: false
      required: [name, email]
      properties:
        name: {type: string, minLength: 1, maxLength: 20}
        email: {type: string, format: email, maxLength: 60}
        age: {type: [integer, "null"], maximum: 150}
        wealth: {type: [number, "null"]}
        active: {type: boolean}
        nick: {type: string, maxLength: 20}
        tags: {type: [array, "null"], items: {type: string}}
        secret: {type: [string, "null"], maxLength: 20, writeOnly: true}
        boss_id: {type: [integer, "null"]}
    Person:
      type: object
      required: [id, name, email, active, nick, created_at]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string}
        email: {type: string}
        age: {type: [integer, "null"]}
        wealth: {type: [number, "null"]}
        active: {type: boolean}
        nick: {type: string}
        tags: {type: [array, "null"], items: {type: string}}
        created_at: {type: string, format: date-time, readOnly: true}
        boss_id: {type: [integer, "null"]}
        shout: {type: string, readOnly: true}
    PersonWithAddresses:
      x-resource: Person
      allOf:
        - {$ref: "#/components/schemas/Person"}
        - type: object
          properties: {addresses: {type: array, items: {$ref: "#/components/schemas/Address"}}}
    Address:
      type: object
      required: [city]
      properties:
        id: {type: integer, readOnly: true}
        city: {type: string, maxLength: 50}
"""

APP = """\
from flask import Flask

from demijohn import Demijohn
from models import Base


def create_app():
    app = Flask(__name__)
    api = Demijohn(app)
    api.resource(Base)
    api.add_contract("openapi.yaml")
    return app
"""


def write_app(folder: Path, *, models: str = MODELS, contract: str = CONTRACT, app: str = APP) -> None:
    """Write the application to a folder, where `.` or `app:create_app` is it."""
    (folder / "models.py").write_text(models, encoding="utf-8")
    (folder / "openapi.yaml").write_text(contract, encoding="utf-8")
    (folder / "app.py").write_text(app, encoding="utf-8")
