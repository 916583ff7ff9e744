"""Contract and model are compared: what could make an answer untrue is an error, what is merely loose a warning."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import pytest
from laying import Laid, lay
from sqlalchemy import (
    Column,
    DateTime,
    Enum,
    FetchedValue,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

HERE = __name__


class Mood(enum.Enum):
    GLAD = "glad"
    SAD = "sad"


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), default="")
    nick: Mapped[str | None] = mapped_column(String(50))
    size: Mapped[int | None]
    text: Mapped[str | None]
    mood: Mapped[str | None] = mapped_column(Enum("glad", "sad"))
    moody: Mapped[Mood | None] = mapped_column(Enum(Mood))
    at: Mapped[datetime | None]
    price: Mapped[Any] = mapped_column(Numeric(20, 2), nullable=True)
    other_id: Mapped[int | None] = mapped_column(ForeignKey("other.id"))
    best_id: Mapped[int] = mapped_column(ForeignKey("other.id"), default=1)
    both: Mapped[str] = column_property(name + nick)
    safe: Mapped[str] = column_property(func.coalesce(nick, name))
    other: Mapped[Other | None] = relationship(foreign_keys=other_id)
    best: Mapped[Other] = relationship(foreign_keys=best_id)


class Other(Base):
    __tablename__ = "other"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(10))
    things: Mapped[list[Thing]] = relationship(foreign_keys=Thing.other_id, viewonly=True)
    first: Mapped[Thing | None] = relationship(foreign_keys=Thing.best_id, viewonly=True, uselist=False)


def prove(answer: str = "", body: str = "", *, act: str = "post", model: str = "Thing", things: Any = (Base,)) -> Laid:
    """Lay an operation that answers, and one that takes, an object; both are written as in YAML."""
    text = "paths:\n"
    if answer:
        text += f"""  /things/{{id}}:
    get:
      x-resource: {model}
      parameters: [{{name: id, in: path, required: true, schema: {{type: integer}}}}]
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema:
                {answer}
"""
    if body:
        path = "/bodies" if act == "post" else "/bodies/{id}"
        parameters = "" if act == "post" else "{name: id, in: path, required: true, schema: {type: integer}}"
        text += f"""  {path}:
    {act}:
      x-resource: {model}
      parameters: [{parameters}]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              {body}
      responses: {{"{201 if act == "post" else 204}": {{description: ok}}, default: {{description: no}}}}
"""
    return lay(text, *things)


def told(lines: list[str]) -> list[str]:
    return [one.partition(": ")[2] for one in lines]


def test_a_contract_that_says_what_the_model_does_has_no_findings() -> None:
    laid = prove(
        "{properties: {id: {type: integer}, name: {type: string, maxLength: 50}, nick: {type: [string, 'null']}, "
        "mood: {enum: [sad, glad, null]}, moody: {enum: [glad, sad]}, at: {type: string, format: date-time}, "
        "other: {type: [object, 'null'], properties: {id: {type: integer}}}, "
        "best: {properties: {label: {type: string}}, required: [label]}}, required: [id, name, nick, other, best]}",
        "{properties: {name: {type: string, maxLength: 40}, mood: {enum: [glad]}, moody: {enum: [GLAD]}, "
        "at: {type: string, format: date-time}}}",
        things=(Thing, Other),
    )
    assert (laid.problems, laid.warnings) == ([], [])


# Answers


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            "{properties: {nick: {type: string}}, required: [nick]}",
            f"`nick` is required and never null, and {HERE}.Thing.nick may be NULL; "
            "let it be null, make it optional, or make the column NOT NULL",
        ),
        (
            "{properties: {other: {type: object}}, required: [other]}",
            "`other` is required and never null, and there may be no such other; let it be null, or make it optional",
        ),
        (
            "{properties: {mood: {enum: [glad]}}}",
            f"{HERE}.Thing.mood may be `sad`, which `mood` does not list; list every value of the column",
        ),
        (
            "{oneOf: [{properties: {id: {type: integer}}}, {properties: {name: {type: string}}}]}",
            f"the answer is one of several (`oneOf`), and {HERE}.Thing is always the same; "
            "describe one object, or write a function",
        ),
        (
            "{properties: {id: {type: integer}}, not: {required: [id]}}",
            f"`not` is nothing that {HERE}.Thing can promise; leave it out, or write a function",
        ),
        (
            "{properties: {price: {type: number}}}",
            f"`price` does not go with {HERE}.Thing.price: ",
        ),
    ],
)
def test_an_answer_that_could_be_untrue_is_an_error(answer: str, problem: str) -> None:
    (found,) = told(prove(answer).problems)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("answer", "warning"),
    [
        (
            "{properties: {text: {type: string, maxLength: 9}}}",
            f"`text` has at most 9 characters, and nothing keeps {HERE}.Thing.text to it; limit the column",
        ),
        (
            "{properties: {text: {enum: [a]}}}",
            f"`text` is one of `a`, and nothing keeps {HERE}.Thing.text to it; limit the column",
        ),
        (
            "{properties: {both: {type: string}}, required: [both]}",
            f"`both` is required and never null, and {HERE}.Thing.both is computed from what may be NULL; "
            "let it be null, or use `coalesce`",
        ),
        (
            "{properties: {at: {type: string}}}",
            f"`at` is any text, and {HERE}.Thing.at a date-time; write `format: date-time`",
        ),
    ],
)
def test_an_answer_that_is_loose_is_a_warning(answer: str, warning: str) -> None:
    laid = prove(answer)
    assert (laid.problems, told(laid.warnings)) == ([], [warning])


def test_what_coalesce_makes_is_never_null() -> None:
    laid = prove("{properties: {safe: {type: string}}, required: [safe]}")
    assert (laid.problems, laid.warnings) == ([], [])


def test_an_optional_property_may_be_left_out_where_the_column_is_null() -> None:
    assert prove("{properties: {nick: {type: string}}}").problems == []


def test_a_finding_names_the_line_of_the_property() -> None:
    answer = """
                type: object
                required: [nick]
                properties:
                  id: {type: integer}
                  nick: {type: string}"""
    (problem,) = prove(answer.lstrip()).problems
    assert problem.startswith("18: `nick` is required")


def test_what_is_embedded_is_proven_too() -> None:
    laid = prove(
        "{properties: {things: {type: array, minItems: 1, items: {properties: {nick: {type: string}}, "
        "required: [nick]}}, first: {type: object}}}",
        model="Other",
        things=(Thing, Other),
    )
    assert told(laid.problems) == [
        f"`nick` is required and never null, and {HERE}.Thing.nick may be NULL; "
        "let it be null, make it optional, or make the column NOT NULL",
        "`things` has `minItems`, and there may be no rows; leave `minItems` out",
        "`first` holds one row, and the relation may lead to several of thing; "
        "make the columns that it leads to unique",
    ]


def test_a_list_promises_no_rows() -> None:
    laid = lay(
        """
paths:
  /things:
    get:
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema:
                properties:
                  items:
                    type: array
                    minItems: 1
                    items: {x-resource: Thing, required: [nick], properties: {nick: {type: string}}}
""",
        Base,
    )
    assert [one.partition(";")[0] for one in laid.problems] == [
        "14: the list has `minItems`, and there may be no rows",
        f"17: `nick` is required and never null, and {HERE}.Thing.nick may be NULL",
    ]


def test_a_table_without_a_key_is_an_error() -> None:
    table = Table("thing", MetaData(), Column("name", String(9)))
    laid = lay(
        """
paths:
  /things:
    get:
      x-resource: thing
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses:
        "200":
          description: ok
          content: {application/json: {schema: {type: array, items: {properties: {name: {type: string}}}}}}
""",
        table,
    )
    assert told(laid.problems) == [
        "thing has no primary key, so its rows have neither an order nor an address; give it one"
    ]


# Bodies


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "{properties: {name: {type: string, maxLength: 51}}}",
            f"`name` may have 51 characters, and {HERE}.Thing.name takes 50; "
            "write `maxLength: 50`, or make the column longer",
        ),
        (
            "{properties: {name: {type: [string, 'null'], maxLength: 50}}}",
            f"`name` may be null, and {HERE}.Thing.name may not; make the two agree",
        ),
        (
            "{properties: {mood: {enum: [glad, bored]}}}",
            f"`mood` does not go with {HERE}.Thing.mood: ",
        ),
        (
            "{properties: {size: {type: number}}}",
            f"`size` may have a fraction, and {HERE}.Thing.size holds integers; write `type: integer`",
        ),
    ],
)
@pytest.mark.parametrize("act", ["post", "put", "patch"])
def test_a_body_that_lets_in_what_the_column_cannot_hold_is_an_error(body: str, problem: str, act: str) -> None:
    (found,) = told(prove("", body, act=act).problems)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        (
            "{properties: {name: {type: string}}}",
            f"`name` has no `maxLength`, and {HERE}.Thing.name takes 50 characters; a longer text is refused; "
            "write `maxLength: 50`",
        ),
        (
            "{properties: {mood: {type: string}}}",
            f"`mood` takes any text, and {HERE}.Thing.mood is an enum; write an `enum`",
        ),
        (
            "{properties: {at: {type: string}}}",
            f"`at` is any text, and {HERE}.Thing.at a date-time; write `format: date-time`",
        ),
    ],
)
def test_a_body_that_is_loose_is_a_warning(body: str, warning: str) -> None:
    laid = prove("", body)
    assert (laid.problems, told(laid.warnings)) == ([], [warning])


def test_a_create_has_to_give_what_has_no_default() -> None:
    laid = prove("", "{properties: {id: {type: integer}}}", model="Other")
    assert told(laid.problems) == [
        f"{HERE}.Other.label must be there and has no default, and the body of a create does not hold it; "
        "add `label` to the body, or give the column a default"
    ]
    laid = prove("", "{properties: {label: {type: string, maxLength: 10}}}", model="Other")
    assert told(laid.problems) == [
        f"`label` is optional, and {HERE}.Other.label must be there and has no default; "
        "require it, or give the column a default"
    ]
    laid = prove("", "{properties: {label: {type: string, maxLength: 10}}, required: [label]}", model="Other")
    assert laid.problems == []


def test_a_replace_that_leaves_out_what_has_no_default_is_an_error() -> None:
    laid = prove("", "{properties: {label: {type: string, maxLength: 10}}}", model="Other", act="put")
    assert told(laid.problems) == [
        f"`label` is optional, and {HERE}.Other.label must be there and has no default; require it"
    ]


def test_a_patch_may_leave_anything_out() -> None:
    body = "{properties: {label: {type: string, maxLength: 10}}}"
    assert prove("", body, model="Other", act="patch").problems == []


def test_what_the_database_or_the_path_gives_need_not_be_in_a_body() -> None:
    metadata = MetaData()
    Table("owner", metadata, Column("id", Integer, primary_key=True))
    Table(
        "pet",
        metadata,
        Column("id", Integer, Identity(always=True), primary_key=True),
        Column("owner_id", ForeignKey("owner.id"), nullable=False),
        Column("made", String(9), server_default="now", nullable=False),
        Column("fetched", String(9), FetchedValue(), nullable=False),
        Column("size", Integer, default=1, nullable=False),
        Column("created_at", DateTime, nullable=False),
        Column("name", String(9), nullable=False),
    )
    laid = lay(
        """
paths:
  /owners/{id}/pets:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    post:
      x-resource: pet
      requestBody:
        required: true
        content: {application/json: {schema: &pet {$ref: '#/components/schemas/pet'}}}
      responses:
        "201": {description: ok, content: {application/json: {schema: *pet}}}
        "4XX": {description: no}
components:
  schemas:
    pet:
      required: [name]
      properties:
        name: {type: string, maxLength: 9}
        created_at: {type: string, format: date-time, readOnly: true}
""",
        metadata,
    )
    assert (laid.problems, laid.warnings) == ([], [])


class Animal(Base):
    __tablename__ = "animal"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(9))


class Dog(Animal):
    __mapper_args__ = {"polymorphic_identity": "dog"}


def test_the_column_that_tells_the_class_need_not_be_in_its_body() -> None:
    assert prove("", "{properties: {id: {type: integer}}}", model="Dog", things=(Animal, Dog)).problems == []
    (problem,) = prove("", "{properties: {id: {type: integer}}}", model="Animal", things=(Animal, Dog)).problems
    assert f"{HERE}.Animal.kind must be there" in problem


# Bodies and answers


def test_a_body_that_lets_in_more_than_an_answer_promises_is_an_error() -> None:
    laid = prove(
        "{properties: {text: {type: string, maxLength: 9}, nick: {enum: [a, b]}}}",
        "{properties: {text: {type: string, maxLength: 10}, nick: {enum: [a, c]}}}",
    )
    assert told(laid.problems) == [
        f"`text` has at most 9 characters, and POST /bodies lets more into {HERE}.Thing.text; give both the same limit",
        f"`nick` is one of `a`, `b`, and POST /bodies lets more into {HERE}.Thing.nick; give both the same limit",
    ]


def test_a_body_within_what_an_answer_promises_is_none() -> None:
    laid = prove(
        "{properties: {text: {type: string, maxLength: 9}, nick: {enum: [a, b]}, size: {type: integer, minimum: 0}}}",
        "{properties: {text: {enum: [x]}, nick: {enum: [b]}, size: {type: integer, minimum: 1}}}",
    )
    assert (laid.problems, laid.warnings) == ([], [])


@pytest.mark.parametrize(
    ("keyword", "shown", "taken"),
    [("minimum", 0, -1), ("maximum", 10, 11), ("multipleOf", 2, 3), ("exclusiveMinimum", 1, None)],
)
def test_another_bound_that_a_body_does_not_keep_is_a_warning(keyword: str, shown: int, taken: int | None) -> None:
    limit = f", {keyword}: {taken}" if taken is not None else ""
    laid = prove(
        f"{{properties: {{size: {{type: integer, {keyword}: {shown}}}}}}}",
        f"{{properties: {{size: {{type: integer{limit}}}}}}}",
    )
    assert laid.problems == []
    assert told(laid.warnings) == [
        f"`size` has `{keyword}: {shown}`, and POST /bodies does not keep to it for {HERE}.Thing.size; "
        "give both the same"
    ]
