"""What the application declares, in each of its styles, becomes models."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    and_,
    create_engine,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    column_property,
    declarative_base,
    foreign,
    mapped_column,
    registry,
    relationship,
    synonym,
)

from demijohn.errors import BindingError
from demijohn.resources.model import Model
from demijohn.resources.models import Models, engine_of, read_models


def only(models: Models) -> Model:
    (model,) = models.all
    return model


def problems_of(*things: Any) -> list[str]:
    with pytest.raises(BindingError) as caught:
        read_models(things)
    return [str(one) for one in caught.value.problems]


def names(columns: Any) -> list[str]:
    return [column.name for column in columns]


# Styles


def test_a_declarative_class_is_a_model_named_by_class_and_module() -> None:
    class Base(DeclarativeBase): ...

    class Person(Base):
        __tablename__ = "people"
        id: Mapped[int] = mapped_column(primary_key=True)
        first: Mapped[str] = mapped_column("first_name")

    model = only(read_models([Person]))
    assert (model.name, model.source) == ("Person", f"{__name__}.{Person.__qualname__}")
    assert model.table is Person.__table__
    assert {name: column.name for name, column in model.columns.items()} == {"id": "id", "first": "first_name"}
    assert model.key == (Person.__table__.c.id,)
    assert model.attribute(Person.__table__.c.first_name) == "first"


def test_a_mapped_dataclass_is_a_model() -> None:
    class Base(MappedAsDataclass, DeclarativeBase): ...

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        name: Mapped[str] = mapped_column(default="")

    assert list(only(read_models([Person])).columns) == ["id", "name"]


def test_a_class_that_is_mapped_to_a_table_by_hand_is_a_model() -> None:
    mapped = registry()
    table = Table("person", mapped.metadata, Column("id", Integer, primary_key=True), Column("name", String(10)))

    class Person: ...

    mapped.map_imperatively(Person, table, properties={"label": table.c.name})
    assert list(only(read_models([mapped])).columns) == ["id", "label"]


def test_a_base_stands_for_all_of_its_classes() -> None:
    class Base(DeclarativeBase): ...

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Address(Base):
        __tablename__ = "address"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert [one.name for one in read_models([Base]).all] == ["Address", "Person"]
    assert [one.name for one in read_models([Person, Base, Person]).all] == ["Person", "Address"]


def test_a_base_of_the_old_style_does_too() -> None:
    base: Any = declarative_base()

    class Person(base):  # type: ignore[misc]  # the old base has no type
        __tablename__ = "person"
        id = Column(Integer, primary_key=True)

    assert only(read_models([base])).name == "Person"


def test_a_table_and_all_tables_of_a_metadata_are_models() -> None:
    metadata = MetaData()
    table = Table("people", metadata, Column("id", Integer, primary_key=True))
    Table("pets", metadata, Column("id", Integer, primary_key=True))
    assert (only(read_models([table])).name, only(read_models([table])).source) == ("people", "people")
    assert [one.name for one in read_models([metadata]).all] == ["people", "pets"]


def test_a_database_of_flask_sqlalchemy_stands_for_its_models() -> None:
    database = SQLAlchemy()

    class Person(database.Model):  # type: ignore[name-defined, misc]  # made at run time
        id = database.Column(database.Integer, primary_key=True)

    assert only(read_models([database])).table is Person.__table__


def test_a_model_is_found_by_class_table_and_dotted_name() -> None:
    metadata = MetaData()
    table = Table("people", metadata, Column("id", Integer, primary_key=True))

    class Base(DeclarativeBase): ...

    class Pet(Base):
        __tablename__ = "pets"
        id: Mapped[int] = mapped_column(primary_key=True)

    models = read_models([table, Pet])
    pet, people = models.all
    assert [models.named(one) for one in ("people", "Pet", "pets", pet.source, "Cat")] == [people, pet, pet, pet, None]
    assert models.of_class(Pet) is pet
    assert models.of_table(table) == (people,)
    assert (models.thing_of(pet), models.thing_of(people)) == (Pet, table)
    assert models.hint("Pett") == "did you mean `Pet`?"
    assert models.hint("X") == "allowed are `Pet`, `people`"


def test_what_is_no_model_is_told_all_at_once() -> None:
    class Base(DeclarativeBase): ...

    allowed = "hand over mapped classes, a declarative base, tables, or the db of an extension"
    assert problems_of(3, int, Base) == [
        f"3 is no model; {allowed}",
        f"builtins.int is no model; {allowed}",
        f"{__name__}.{Base.__qualname__} has no models yet; import the module that declares them first",
    ]


def test_two_models_of_one_name_are_refused() -> None:
    tables = [Table("person", MetaData(), Column("id", Integer, primary_key=True)) for _ in range(2)]
    assert problems_of(*tables) == ["person and person have the same name; hand over one of them"]


def test_a_relationship_that_leads_nowhere_is_told() -> None:
    class Base(DeclarativeBase): ...

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        pets: Mapped[list[Any]] = relationship("Pet")

    (problem,) = problems_of(Base)
    assert problem.startswith(f"{__name__}.{Person.__qualname__} cannot be read: ")


# Attributes


def test_expressions_and_hybrids_are_computed() -> None:
    class Base(DeclarativeBase): ...

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column()
        shouted: Mapped[str] = column_property(func.upper(name))
        alias: Mapped[str] = synonym("name")
        loud: Mapped[str] = synonym("shouted")
        ids = association_proxy("pets", "id")

        @hybrid_property
        def quiet(self) -> str:
            return func.lower(self.name)  # type: ignore[return-value]  # of the class it is SQL

        @hybrid_property
        def in_python(self) -> str:
            return self.name[0].upper() + f"{self.name}!"

        @hybrid_property
        def of_an_instance(self) -> str:
            raise AttributeError("a class has none")

        pets: Mapped[list[Pet]] = relationship()

    class Pet(Base):
        __tablename__ = "pet"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[int] = mapped_column(ForeignKey("person.id"))

    (model,) = [one for one in read_models([Person]).all if one.name == "Person"]
    computed = {name: str(one) for name, one in model.computed.items()}
    lower, upper = "lower(person.name)", "upper(person.name)"
    assert computed == {"shouted": upper, "loud": upper, "quiet": lower}
    assert list(model.columns) == ["id", "name", "alias"]
    assert list(model.relations) == ["pets"]
    # Nothing of the ORM is left in them: a statement on the table stays one on the table.
    assert str(select(model.computed["quiet"])) == "SELECT lower(person.name) AS lower_1 \nFROM person"
    assert not select(model.computed["quiet"])._propagate_attrs


def test_unique_are_primary_key_constraints_and_whole_indexes() -> None:
    table = Table(
        "t",
        MetaData(),
        *(Column(name, Integer) for name in ("d", "e", "f", "g")),
        Column("a", Integer, primary_key=True),
        Column("b", Integer, unique=True),
        Column("c", Integer, unique=True, index=True),
        UniqueConstraint("d", "e"),
        Index("partial", "f", unique=True, sqlite_where=text("f > 0")),
        Index("plain", "g"),
    )
    Index("computed", func.abs(table.c.g), unique=True)
    assert [names(one) for one in only(read_models([table])).unique] == [["a"], ["d", "e"], ["b"], ["c"]]


# Relations


class Base(DeclarativeBase): ...


tagged = Table(
    "tagged",
    Base.metadata,
    Column("node_id", ForeignKey("node.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)
linked = Table(
    "linked",
    Base.metadata,
    Column("one_id", ForeignKey("node.id"), primary_key=True),
    Column("other_id", ForeignKey("node.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Node(Base):
    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    parent: Mapped[Node | None] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list[Node]] = relationship(back_populates="parent", order_by="Node.name.desc()")
    tags: Mapped[list[Tag]] = relationship(secondary=tagged)
    links: Mapped[list[Node]] = relationship(
        secondary=linked,
        primaryjoin=lambda: Node.id == linked.c.one_id,
        secondaryjoin=lambda: Node.id == linked.c.other_id,
    )
    odd: Mapped[list[Tag]] = relationship(
        primaryjoin=lambda: and_(Node.id == foreign(Tag.id), Tag.name == literal("odd")), viewonly=True
    )


def pairs(on: Any) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one, other in on]


def test_a_relation_to_itself_knows_its_two_sides() -> None:
    (node,) = read_models([Node]).all
    parent, children = node.relations["parent"], node.relations["children"]
    assert (parent.many, pairs(parent.on)) == (False, [("node.parent_id", "node.id")])
    assert (children.many, pairs(children.on)) == (True, [("node.id", "node.parent_id")])
    assert [str(one) for one in children.order_by] == ["node.name DESC"]


def test_a_relation_through_a_table_has_the_pairs_of_both_steps() -> None:
    (node,) = read_models([Node]).all
    tags, links = node.relations["tags"], node.relations["links"]
    assert tags.secondary is tagged
    assert (pairs(tags.on), pairs(tags.secondary_on)) == (
        [("node.id", "tagged.node_id")],
        [("tagged.tag_id", "tag.id")],
    )
    assert (pairs(links.on), pairs(links.secondary_on)) == (
        [("node.id", "linked.one_id")],
        [("linked.other_id", "node.id")],
    )


def test_a_relation_with_a_condition_of_its_own_is_left_out_and_remembered() -> None:
    models = read_models([Node])
    (node,) = models.all
    assert "odd" not in node.relations
    assert models.unusable == {f"{__name__}.Node.odd": "it joins by a condition of its own"}


def test_relations_of_tables_are_their_foreign_keys() -> None:
    metadata = MetaData()
    person = Table("person", metadata, Column("id", Integer, primary_key=True))
    address = Table(
        "address",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("person_id", ForeignKey("person.id")),
        Column("country", ForeignKey("country.code")),
    )
    country = Table("country", metadata, Column("code", String(2), primary_key=True))
    passport = Table("passport", metadata, Column("person_id", ForeignKey("person.id"), primary_key=True))
    letter = Table(
        "letter",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("from_id", ForeignKey("person.id")),
        Column("to_id", ForeignKey("person.id")),
    )
    models = read_models([person, address, country, passport, letter])
    told = {
        one.name: {name: (relation.target.name, relation.many) for name, relation in one.relations.items()}
        for one in models.all
    }
    assert told == {
        "person": {"address": ("address", True), "passport": ("passport", False)},
        # The column `country` has the name already.
        "address": {"person": ("person", False)},
        "country": {"address": ("address", True)},
        "passport": {"person": ("person", False)},
        "letter": {"from": ("person", False), "to": ("person", False)},
    }
    assert models.unusable == {"person.letter": "several foreign keys lead there"}


# Inheritance


class Animal(Base):
    __tablename__ = "animal"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Dog(Animal):
    __mapper_args__ = {"polymorphic_identity": "dog"}
    barks: Mapped[bool | None]


class Puppy(Dog):
    __mapper_args__ = {"polymorphic_identity": "puppy"}


class Fish(Animal):
    __tablename__ = "fish"
    __mapper_args__ = {"polymorphic_identity": "fish"}
    id: Mapped[int] = mapped_column(ForeignKey("animal.id"), primary_key=True)


def test_classes_that_share_a_table_are_models_with_a_criterion() -> None:
    models = read_models([Animal, Dog, Puppy])
    animal, dog, puppy = models.all
    assert animal.criterion is None
    assert str(dog.criterion) == "animal.kind IN (__[POSTCOMPILE_kind_1])"
    assert str(puppy.criterion) == "animal.kind = :kind_1"
    assert dog.criterion is not None
    assert dog.criterion.compile().params == {"kind_1": ["dog", "puppy"]}
    assert ("barks" in animal.columns, "barks" in dog.columns) == (False, True)
    assert models.of_table(Animal.__table__)[0] is animal  # type: ignore[arg-type]  # it is a Table


def test_joined_tables_are_refused() -> None:
    assert problems_of(Fish) == [
        f"{__name__}.Fish inherits by joined tables, which a resource cannot; hand over a view of them as a Table"
    ]


def test_concrete_tables_are_refused() -> None:
    class Own(DeclarativeBase): ...

    class Shape(Own):
        __tablename__ = "shape"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Circle(Shape):
        __tablename__ = "circle"
        __mapper_args__ = {"concrete": True}
        id: Mapped[int] = mapped_column(primary_key=True)

    (problem,) = problems_of(Circle)
    assert "inherits by concrete tables" in problem


def test_a_class_on_a_join_is_refused() -> None:
    mapped = registry()
    one = Table("one", mapped.metadata, Column("id", Integer, primary_key=True))
    two = Table("two", mapped.metadata, Column("one_id", ForeignKey("one.id"), primary_key=True))

    class Both: ...

    mapped.map_imperatively(Both, one.join(two), properties={"id": [one.c.id, two.c.one_id]})
    (problem,) = problems_of(Both)
    assert "is mapped to a join or a select" in problem


# Engines


def url(engine: Engine | None) -> str | None:
    return engine.url.database if engine is not None else None


def test_an_engine_is_its_own_and_brings_no_models() -> None:
    engine = create_engine("sqlite://")
    assert engine_of(engine, Flask("a")) is engine
    assert read_models([engine]).all == ()


def test_what_says_nothing_of_an_engine_has_none() -> None:
    table = Table("person", MetaData(), Column("id", Integer, primary_key=True))
    app = Flask("a")
    assert [engine_of(one, app) for one in (Tag, Base, table, MetaData())] == [None] * 4


def test_flask_sqlalchemy_is_asked_for_the_bind_of_a_model(tmp_path: Any) -> None:
    database = SQLAlchemy()

    class Here(database.Model):  # type: ignore[name-defined, misc]  # made at run time
        id = database.Column(database.Integer, primary_key=True)

    class There(database.Model):  # type: ignore[name-defined, misc]  # made at run time
        __bind_key__ = "other"
        id = database.Column(database.Integer, primary_key=True)

    app = Flask("a", instance_path=str(tmp_path))
    with pytest.raises(BindingError, match=r"has no engine: .*init_app"):
        engine_of(database, app)
    app.config |= {"SQLALCHEMY_DATABASE_URI": "sqlite:///one.db", "SQLALCHEMY_BINDS": {"other": "sqlite:///two.db"}}
    database.init_app(app)
    found = [url(engine_of(one, app)) for one in (database, Here, Here.__table__, There, There.__table__)]
    one, two = str(tmp_path / "one.db"), str(tmp_path / "two.db")
    assert found == [one, one, one, two, two]
    # It has no engine for models of others.
    assert engine_of(Tag, app) is None


def test_flask_sqlalchemy_lite_is_asked_for_any_model(tmp_path: Any) -> None:
    database = Lite(session_options={"binds": {Tag: "other"}})
    app = Flask("a", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_ENGINES"] = {"default": "sqlite:///one.db", "other": "sqlite:///two.db"}
    database.init_app(app)
    one, two = str(tmp_path / "one.db"), str(tmp_path / "two.db")
    assert [url(engine_of(thing, app)) for thing in (database, Node, Base, Tag)] == [one, one, one, two]
    assert "Node" in [model.name for model in read_models([database, Node]).all]
