"""What the database makes of a row: members, nulls, and what is embedded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import Reading, open_reading
from sqlalchemy import Column, Connection, ForeignKey, String, Table, func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from demijohn.resources.json_sql import is_flat


class Base(DeclarativeBase):
    pass


person_skill = Table(
    "person_skill",
    Base.metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("skill_id", ForeignKey("skill.id"), primary_key=True),
)


class Skill(Base):
    __tablename__ = "skill"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    people: Mapped[list[Person]] = relationship(secondary=person_skill, back_populates="skills")


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    members: Mapped[list[Person]] = relationship(back_populates="team")


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    nick: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None] = mapped_column(String(20))
    password: Mapped[str] = mapped_column(String(20))
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    boss: Mapped[Person | None] = relationship(remote_side=[id], back_populates="reports")
    reports: Mapped[list[Person]] = relationship(back_populates="boss", order_by=name.desc())
    team: Mapped[Team | None] = relationship(back_populates="members")
    skills: Mapped[list[Skill]] = relationship(
        secondary=person_skill, back_populates="people", order_by=person_skill.c.skill_id.desc()
    )


_report = Person.__table__.alias()
Person.report_count = column_property(
    select(func.count(_report.c.id)).where(_report.c.boss_id == Person.id).scalar_subquery()
)
_members = select(func.count(Person.id)).where(Person.team_id == Team.id).scalar_subquery()
Team.size = column_property(func.coalesce(_members, 0))


PEOPLE = [
    # id, name, nick, note, boss, team
    (1, "Ann", "annie", "first", None, 1),
    (2, "Bob", None, None, 1, 1),
    (3, "Cyd", "c", None, 1, None),
    (4, "Dan", None, "last", 2, 2),
]


def fill(connection: Connection) -> None:
    connection.execute(insert(Team), [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}])
    names = ("id", "name", "nick", "note", "boss_id", "team_id")
    for row in PEOPLE:
        connection.execute(insert(Person), [{**dict(zip(names, row, strict=True)), "password": "secret"}])
    connection.execute(insert(Skill), [{"id": 1, "name": "sew"}, {"id": 2, "name": "sing"}])
    pairs = [(1, 2), (1, 1), (4, 2)]
    connection.execute(insert(person_skill), [{"person_id": one, "skill_id": other} for one, other in pairs])


CONTRACT = """
openapi: 3.1.0
info: {title: People, version: "1"}
paths:
  /people/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: fields, in: query, schema: {type: string}}
        - {name: include, in: query, explode: false, schema: {type: array, items: {type: string}}}
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}}
  /bosses/{id}:
    get:
      x-resource: Person
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - name: include
          in: query
          explode: false
          schema: {type: array, items: {enum: [reports, reports.reports, reports.boss, boss, boss.team]}}
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Boss"}}}}
  /teams/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Team"}}}}
  /skills/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        "200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Skill"}}}}
components:
  schemas:
    Person:
      type: object
      required: [id]
      properties:
        nick: {type: [string, "null"]}
        id: {type: integer}
        note: {type: string}
        password: {type: string, writeOnly: true}
        name: {type: string}
        boss: {oneOf: [{$ref: "#/components/schemas/Name"}, {type: "null"}]}
        team: {$ref: "#/components/schemas/Group"}
        skills: {type: array, items: {$ref: "#/components/schemas/Word"}}
    Name: {x-resource: Person, type: object, properties: {name: {type: string}}}
    Group: {x-resource: Team, type: object, properties: {name: {type: string}, size: {type: integer}}}
    Word: {x-resource: Skill, type: object, properties: {name: {type: string}}}
    Boss:
      x-resource: Person
      type: object
      properties:
        name: {type: string}
        report_count: {type: integer}
        reports: {type: array, items: {$ref: "#/components/schemas/Boss"}}
        boss: {oneOf: [{$ref: "#/components/schemas/Boss"}, {type: "null"}]}
        team: {$ref: "#/components/schemas/Group"}
    Team:
      type: object
      required: [id, name, members]
      properties:
        id: {type: integer}
        name: {type: string}
        members: {type: array, items: {$ref: "#/components/schemas/Name"}}
    Skill:
      type: object
      required: [name, people]
      properties:
        name: {type: string}
        people: {type: array, items: {$ref: "#/components/schemas/Holder"}}
    Holder:
      x-resource: Person
      type: object
      required: [name, skills]
      properties:
        name: {type: string}
        skills: {type: array, items: {$ref: "#/components/schemas/Word"}}
"""


@pytest.fixture
def reading(database_url: str, tmp_path: Path) -> Iterator[Reading]:
    with open_reading(CONTRACT, Base, database_url, tmp_path, fill) as made:
        yield made


def test_members_come_in_the_order_of_the_schema_and_nulls_by_its_rules(reading: Reading) -> None:
    assert reading.get("/people/1").text == '{"nick":"annie","id":1,"note":"first","name":"Ann"}'
    assert reading.get("/people/2").text == '{"nick":null,"id":2,"name":"Bob"}'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fields=name", {"id": 2, "name": "Bob"}),
        ("fields=", {"id": 2}),
        ("fields=nick,note", {"id": 2, "nick": None}),
        ("fields=name,skills", {"id": 2, "name": "Bob", "skills": []}),
        ("fields=name&include=team", {"id": 2, "name": "Bob", "team": {"name": "red", "size": 2}}),
    ],
)
def test_fields_leaves_out_what_is_neither_named_nor_required(
    reading: Reading, query: str, expected: dict[str, Any]
) -> None:
    assert reading.get(f"/people/2?{query}").json == expected


@pytest.mark.parametrize(
    ("person", "boss", "team", "skills"),
    [
        (1, {"name": None}, "red", ["sing", "sew"]),
        (3, {"name": "Ann"}, None, []),
        (4, {"name": "Bob"}, "blue", ["sing"]),
    ],
)
def test_what_is_related_is_embedded_on_request(
    reading: Reading, person: int, boss: dict[str, Any], team: str | None, skills: list[str]
) -> None:
    item = reading.get(f"/people/{person}?include=boss,team,skills").json
    assert item["boss"] == (boss if boss["name"] else None)
    assert item.get("team", {}).get("name") == team
    assert [one["name"] for one in item["skills"]] == skills


def test_a_table_meets_itself_at_any_depth(reading: Reading) -> None:
    item = reading.get("/bosses/1?include=reports.reports,reports.boss").json
    assert item == {
        "name": "Ann",
        "report_count": 2,
        "reports": [
            {"name": "Cyd", "report_count": 0, "reports": [], "boss": {"name": "Ann", "report_count": 2}},
            {
                "name": "Bob",
                "report_count": 1,
                "reports": [{"name": "Dan", "report_count": 0}],
                "boss": {"name": "Ann", "report_count": 2},
            },
        ],
    }


def test_a_path_brings_what_lies_on_the_way(reading: Reading) -> None:
    item = reading.get("/bosses/4?include=boss.team").json
    assert item["boss"] == {"name": "Bob", "report_count": 1, "team": {"name": "red", "size": 2}}


def test_what_is_required_is_embedded_always(reading: Reading) -> None:
    assert reading.get("/teams/1").json == {"id": 1, "name": "red", "members": [{"name": "Ann"}, {"name": "Bob"}]}
    both = [
        {"name": "Ann", "skills": [{"name": "sing"}, {"name": "sew"}]},
        {"name": "Dan", "skills": [{"name": "sing"}]},
    ]
    assert reading.get("/skills/2").json == {"name": "sing", "people": both}


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_row_that_shows_more_than_itself_is_not_flat(reading: Reading) -> None:
    views = {shape.operation.path: shape.view for shape in reading.shapes.values()}
    assert {path: view is not None and is_flat(view) for path, view in views.items()} == {
        "/people/{id}": True,
        "/bosses/{id}": False,
        "/teams/{id}": False,
        "/skills/{id}": False,
    }
    people = views["/people/{id}"]
    assert people is not None
    assert not is_flat(people, frozenset(["team"]))
