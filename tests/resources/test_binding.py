"""Schemas are laid on models: properties on columns and relations, and what does not fit is told."""

from __future__ import annotations

from typing import Any

import pytest
from laying import Laid, lay, tree
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, func
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from demijohn.resources.facts import SchemaReader
from demijohn.resources.view import Embedded, Field

HERE = __name__


class Base(DeclarativeBase): ...


class Country(Base):
    __tablename__ = "country"
    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column("full_name", String(50))
    email: Mapped[str | None] = mapped_column(String(50), unique=True)
    created_at: Mapped[str | None] = mapped_column(String(50))
    shouted: Mapped[str] = column_property(func.upper(name))
    addresses: Mapped[list[Address]] = relationship(back_populates="person")


class Address(Base):
    __tablename__ = "address"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    country_code: Mapped[str | None] = mapped_column(ForeignKey("country.code"))
    person: Mapped[Person] = relationship(back_populates="addresses")
    country: Mapped[Country | None] = relationship()


def read(schemas: str, *things: Any, include: str = "", schema: str = "{$ref: '#/components/schemas/Person'}") -> Laid:
    """Lay the answer of `GET /people/{id}`; `schemas` are the components, written as in YAML."""
    parameters = "{name: id, in: path, required: true, schema: {type: integer}}" + (f", {include}" if include else "")
    return lay(
        f"""
paths:
  /people/{{id}}:
    get:
      parameters: [{parameters}]
      responses: {{"200": {{description: ok, content: {{application/json: {{schema: {schema}}}}}}}}}
components:
  schemas:
{schemas}
""",
        *(things or (Base,)),
    )


def create(body: str) -> Laid:
    return lay(
        f"""
paths:
  /people:
    post:
      requestBody: {{required: true, content: {{application/json: {{schema: {body}}}}}}}
      responses: {{"201": {{description: ok}}, "409": {{description: no}}}}
""",
        Base,
    )


def field_of(laid: Laid, name: str) -> Field:
    view = laid.shape("GET /people/{id}").view
    assert view is not None
    return view.fields[name]


# Properties


def test_a_property_is_an_attribute_a_column_or_what_x_column_names() -> None:
    laid = read("""
    Person:
      type: object
      required: [id]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, maxLength: 50}
        full_name: {type: string, maxLength: 50}
        mail: {type: [string, 'null'], maxLength: 50, x-column: email}
        shouted: {type: string}
""")
    assert laid.problems == []
    sources = {
        name: field_of(laid, name).source.removeprefix(HERE) for name in ("id", "name", "full_name", "mail", "shouted")
    }
    assert sources == {
        "id": ".Person.id",
        "name": ".Person.name",
        "full_name": ".Person.name",
        "mail": ".Person.email",
        "shouted": ".Person.shouted",
    }
    one, mail, shouted = (field_of(laid, name) for name in ("id", "mail", "shouted"))
    assert (one.required, one.nullable, one.read_only, one.column) == (True, False, True, Person.__table__.c.id)
    assert (mail.required, mail.nullable, mail.read_only) == (False, True, False)
    assert shouted.column is None
    assert str(shouted.expression) == "upper(people.full_name)"
    # SQLAlchemy does not know what `upper` returns; the schema does.
    assert isinstance(shouted.expression.type, String)


def test_write_only_is_left_out_of_answers_and_read_only_out_of_bodies() -> None:
    laid = lay(
        """
paths:
  /people:
    post:
      requestBody: {required: true, content: {application/json: {schema: &one {$ref: '#/components/schemas/Person'}}}}
      responses: {"201": {description: ok, content: {application/json: {schema: *one}}}}
components:
  schemas:
    Person:
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, maxLength: 50}
        email: {type: string, maxLength: 50, writeOnly: true}
      required: [name]
""",
        Base,
    )
    shape = laid.shape("POST /people")
    assert (tree(shape.view), tree(shape.body)) == (["id", "name"], ["name", "email"])


def test_members_of_all_of_and_references_are_one_object() -> None:
    laid = read("""
    Named: {type: object, required: [name], properties: {name: {$ref: '#/components/schemas/Name'}}}
    Name: {type: string, maxLength: 50, description: A name.}
    Person:
      allOf:
        - $ref: '#/components/schemas/Named'
        - {type: object, properties: {id: {type: integer}}}
""")
    assert tree(laid.shape("GET /people/{id}").view) == ["name", "id"]
    assert field_of(laid, "name").required


def test_a_required_property_without_a_column_is_an_error_with_its_line() -> None:
    laid = read("""
    Person:
      required: [nmae]
      properties:
        id: {type: integer}
        nmae: {type: string}
""")
    assert laid.of("GET /people/{id}") is None
    assert laid.problems == [
        f"15: `nmae` is no column of {HERE}.Person; did you mean `name`? (`x-column` names another column)"
    ]


def test_an_optional_property_without_a_column_is_left_out_with_a_warning() -> None:
    laid = read("""
    Person:
      properties:
        id: {type: integer}
        moon: {type: string}
""")
    assert tree(laid.shape("GET /people/{id}").view) == ["id"]
    assert laid.warnings == [
        f"14: `moon` is no column of {HERE}.Person, so no answer ever has it; "
        "add the column to the model, name another by `x-column`, or leave it out"
    ]


def test_a_name_in_camel_case_is_not_guessed_but_hinted_at() -> None:
    laid = read("""
    Person:
      required: [createdAt]
      properties:
        createdAt: {type: string}
""")
    assert laid.problems == [f"14: `createdAt` is no column of {HERE}.Person; did you mean `x-column: created_at`?"]


def test_an_x_column_that_names_nothing_is_an_error() -> None:
    laid = read("""
    Person: {properties: {id: {type: integer}, mail: {type: string, x-column: emial}}}
""")
    assert laid.problems == [
        f"11: `x-column: emial` of `mail`: `emial` is no column of {HERE}.Person; "
        "did you mean `email`? (`x-column` names another column)"
    ]


def test_a_type_that_the_column_does_not_have_is_an_error() -> None:
    laid = read("""
    Person: {properties: {id: {type: string}}}
""")
    (problem,) = laid.problems
    assert problem.startswith(f"11: `id` does not go with {HERE}.Person.id: ")


def test_a_property_that_allows_nothing_is_an_error() -> None:
    laid = read("""
    Person: {properties: {id: {type: 'null'}}}
""")
    assert laid.problems == [f"11: `id` allows no value that {HERE}.Person.id could have; correct its `type`"]


def test_a_body_cannot_hold_what_is_computed_unknown_or_related() -> None:
    laid = create(
        "{properties: {name: {type: string, maxLength: 50}, shouted: {type: string}, moon: {type: string}, "
        "addresses: {type: array, items: {type: object}}}, required: [name]}"
    )
    assert laid.of("POST /people") is None
    assert [one.partition(": ")[2] for one in laid.problems] == [
        f"`shouted` is {HERE}.Person.shouted, which is computed and cannot be written; make it `readOnly: true`",
        f"`moon` is no column of {HERE}.Person; "
        "add the column to the model, name another by `x-column`, or leave it out",
        "`addresses` leads to address, and a body writes to one table only; "
        "make it `readOnly: true`, or describe a body without it",
    ]


# Definitions


def test_x_resource_names_the_model_of_a_schema() -> None:
    laid = read(
        """
    Human: {x-resource: Person, properties: {id: {type: integer}}}
""",
        schema="{$ref: '#/components/schemas/Human'}",
    )
    assert laid.shape("GET /people/{id}").model.name == "Person"


def test_a_schema_called_as_the_table_is_bound_to_it() -> None:
    laid = read(
        """
    people: {properties: {id: {type: integer}}}
""",
        schema="{$ref: '#/components/schemas/people'}",
    )
    assert laid.shape("GET /people/{id}").model.name == "Person"


def test_an_x_resource_that_names_no_model_is_an_error() -> None:
    laid = read("""
    Person: {properties: {id: {type: integer}}}
    Human: {x-resource: Persn, properties: {id: {type: integer}}}
""")
    assert laid.problems == ["12: `x-resource: Persn` of the schema `Human` names no model; did you mean `Person`?"]


def test_a_schema_in_line_is_laid_on_the_model_that_x_resource_of_the_schema_names() -> None:
    laid = read("    Other: {type: object}", schema="{x-resource: Person, properties: {id: {type: integer}}}")
    assert tree(laid.shape("GET /people/{id}").view) == ["id"]


# Relations

PEOPLE = """
    Person:
      type: object
      properties:
        id: {type: integer}
        addresses: {type: array, items: {$ref: '#/components/schemas/Address'}}
    Address:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        person: {$ref: '#/components/schemas/Person'}
        country: {oneOf: [{$ref: '#/components/schemas/Country'}, {type: 'null'}]}
    Country: {type: object, properties: {code: {type: string, maxLength: 2}}}
"""


def test_relations_are_embedded_until_they_lead_back() -> None:
    laid = read(PEOPLE)
    assert laid.problems == []
    view = laid.shape("GET /people/{id}").view
    assert view is not None
    assert tree(view) == ["id", ("addresses", ["id", ("country", ["code"])])]
    addresses = view.members[1]
    assert isinstance(addresses, Embedded)
    country = addresses.view.members[1]
    assert isinstance(country, Embedded)
    assert (addresses.path, country.path) == ("addresses", "addresses.country")
    assert (addresses.nullable, country.nullable, country.required) == (False, True, False)


def test_an_include_parameter_makes_optional_relations_wait_for_it() -> None:
    laid = read(PEOPLE, include="{name: include, in: query, schema: {type: string}}")
    assert tree(laid.shape("GET /people/{id}").view) == ["id", ("addresses?", ["id"])]


def test_an_include_parameter_offers_the_paths_in_its_enum() -> None:
    enum = "[addresses, addresses.country, addresses.person]"
    laid = read(
        PEOPLE,
        include=f"{{name: include, in: query, explode: false, schema: {{type: array, items: {{enum: {enum}}}}}}}",
    )
    assert laid.problems == []
    assert tree(laid.shape("GET /people/{id}").view) == [
        "id",
        ("addresses?", ["id", ("person?", ["id"]), ("country?", ["code"])]),
    ]


def test_an_include_that_names_no_relation_is_an_error() -> None:
    laid = read(PEOPLE, include="{name: include, in: query, schema: {enum: [adresses]}}")
    assert [one.partition(": ")[2] for one in laid.problems] == [
        "`include` offers `adresses`, which is no relation of the answers; leave it out"
    ]


def test_a_required_relation_is_always_there() -> None:
    required = PEOPLE.replace("    Person:\n      type: object\n", "    Person:\n      required: [addresses]\n")
    laid = read(required, include="{name: include, in: query, schema: {enum: [addresses.country]}}")
    assert tree(laid.shape("GET /people/{id}").view) == ["id", ("addresses", ["id", ("country?", ["code"])])]


def test_a_required_relation_may_lead_back_where_the_way_round_is_optional() -> None:
    laid = read(PEOPLE.replace("required: [id]", "required: [id, person]"))
    assert laid.problems == []
    assert tree(laid.shape("GET /people/{id}").view) == [
        "id",
        ("addresses", ["id", ("person", ["id"]), ("country", ["code"])]),
    ]


def test_relations_that_require_each_other_are_an_error() -> None:
    laid = read(
        PEOPLE.replace("required: [id]", "required: [id, person]").replace(
            "    Person:\n      type: object\n", "    Person:\n      required: [addresses]\n"
        )
    )
    assert laid.problems == [
        "21: `person` is required and leads back to the schema that it is in, so no answer would ever end; "
        "make it optional"
    ]


def test_an_inline_object_is_laid_on_what_the_relation_leads_to() -> None:
    laid = read("""
    Person:
      properties:
        home: {x-column: addresses, type: array, items: {properties: {id: {type: integer}}}}
""")
    assert tree(laid.shape("GET /people/{id}").view) == [("home", ["id"])]


@pytest.mark.parametrize(
    ("property_", "said"),
    [
        (
            "addresses: {type: object}",
            "`addresses` leads to many rows of address; make it `type: array`, or name a column by `x-column`",
        ),
        (
            "addresses: {type: array, items: {$ref: '#/components/schemas/Country'}}",
            f"`addresses` leads to address, and its schema is of {HERE}.Country; hand over the model, "
            "or correct the schema",
        ),
        (
            "adresses: {type: array, items: {$ref: '#/components/schemas/Address'}}",
            f"`adresses` is no relation of {HERE}.Person; did you mean `addresses`?",
        ),
    ],
)
def test_a_relation_that_does_not_fit_is_an_error(property_: str, said: str) -> None:
    name = property_.partition(":")[0]
    laid = read(f"""
    Person:
      required: [{name}]
      properties:
        id: {{type: integer}}
        {property_}
    Address: {{properties: {{id: {{type: integer}}}}}}
    Country: {{properties: {{code: {{type: string}}}}}}
""")
    assert [one.partition(": ")[2] for one in laid.problems] == [said]


def test_a_relation_to_a_model_that_was_not_handed_over_is_an_error() -> None:
    laid = read("    Person: {properties: {addresses: {type: array, items: {type: object}}}}", Person)
    assert [one.partition(": ")[2] for one in laid.problems] == [
        "`addresses` leads to address, whose model was not handed over; hand over the model, or correct the schema"
    ]


def test_tables_are_embedded_by_their_foreign_keys() -> None:
    metadata = MetaData()
    people = Table("people", metadata, Column("id", Integer, primary_key=True))
    pet = Table("pet", metadata, Column("id", Integer, primary_key=True), Column("owner_id", ForeignKey("people.id")))
    laid = read(
        """
    people:
      properties:
        id: {type: integer}
        pet: {type: array, items: {properties: {id: {type: integer}, owner: {$ref: '#/components/schemas/people'}}}}
""",
        people,
        pet,
        schema="{$ref: '#/components/schemas/people'}",
    )
    assert laid.problems == []
    assert tree(laid.shape("GET /people/{id}").view) == ["id", ("pet", ["id"])]


# What a schema says


def facts_of(schema: Any, **definitions: Any) -> Any:
    return SchemaReader(definitions).facts(schema)


def test_facts_join_references_and_members_of_all_of() -> None:
    facts = facts_of(
        {"allOf": [{"$ref": "#/$defs/Text"}, {"maxLength": 20, "minLength": 2}], "readOnly": True},
        Text={"type": "string", "maxLength": 50, "minLength": 1, "format": "email"},
    )
    assert facts.schema == {"type": "string", "maxLength": 20, "minLength": 2, "format": "email", "readOnly": True}
    assert (facts.kinds, facts.nullable, facts.form, facts.read_only) == ({"string"}, False, "email", True)


def test_facts_look_through_a_choice_with_null() -> None:
    facts = facts_of({"oneOf": [{"$ref": "#/$defs/Text"}, {"type": "null"}]}, Text={"type": "string", "maxLength": 5})
    assert (facts.kinds, facts.nullable, facts.schema["maxLength"]) == ({"string"}, True, 5)


def test_a_choice_of_constants_is_an_enum() -> None:
    facts = facts_of({"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]})
    assert (facts.schema["enum"], facts.kinds) == (["a", "b"], {"string"})


def test_a_schema_that_says_nothing_allows_everything() -> None:
    facts = facts_of({"description": "anything"})
    assert facts.kinds == {"array", "boolean", "integer", "number", "object", "string"}
    assert facts.nullable


def test_a_cycle_of_references_ends() -> None:
    facts = facts_of({"$ref": "#/$defs/A"}, A={"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}], "maxLength": 3})
    assert facts.schema["maxLength"] == 3
