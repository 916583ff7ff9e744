"""Models however they are declared: by Flask-SQLAlchemy, as dataclasses, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask_sqlalchemy
import flask_sqlalchemy_lite
import pytest
from flask import Flask
from resource_support import Serve
from small_apis import INTEGER, contract, crud, obj, whole
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, select
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, registry

from demijohn import Demijohn, Settings

LABEL = {"type": "string", "maxLength": 20}
SCHEMAS = {"Cup": whole(id=INTEGER, label=LABEL), "NewCup": whole(label=LABEL), "CupUpdate": obj(label=LABEL)}
CONTRACT = contract(crud("/cups", "Cup"), SCHEMAS)


def use(client: Any) -> None:
    """Do everything once."""
    assert client.get("/cups").data == b"[]"
    assert client.post("/cups", json={"label": "a"}).data == b'{"id":1,"label":"a"}'
    assert client.patch("/cups/1", json={"label": "b"}).data == b'{"id":1,"label":"b"}'
    assert client.put("/cups/1", json={"label": "c"}).data == b'{"id":1,"label":"c"}'
    assert client.get("/cups").data == b'[{"id":1,"label":"c"}]'
    assert client.delete("/cups/1").status_code == 204
    assert client.get("/cups/1").status_code == 404


def test_a_single_class(serve: Serve) -> None:
    class Base(DeclarativeBase):
        pass

    class Cup(Base):
        __tablename__ = "cups"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        label: Mapped[str] = mapped_column(String(20))

    use(serve(CONTRACT, Base, resources=[Cup]))


def test_a_dataclass(serve: Serve) -> None:
    class Base(MappedAsDataclass, DeclarativeBase):
        pass

    class Cup(Base):
        __tablename__ = "cup"
        id: Mapped[int] = mapped_column(Integer, primary_key=True, init=False)
        label: Mapped[str] = mapped_column(String(20), default="plain")

    use(serve(CONTRACT, Base))


def test_a_class_that_was_mapped_to_a_table(serve: Serve) -> None:
    mapper = registry()
    table = Table(
        "cups", mapper.metadata, Column("id", Integer, primary_key=True), Column("text", String(20), nullable=False)
    )

    class Cup:
        pass

    mapper.map_imperatively(Cup, table, properties={"label": table.c.text})
    use(serve(CONTRACT, mapper.metadata, resources=[Cup]))


def test_a_plain_table(serve: Serve) -> None:
    metadata = MetaData()
    table = Table("Cup", metadata, Column("id", Integer, primary_key=True), Column("label", String(20), nullable=False))
    use(serve(CONTRACT, metadata, resources=[table]))


def test_attributes_that_are_not_named_like_their_columns(serve: Serve) -> None:
    class Base(DeclarativeBase):
        pass

    class Cup(Base):
        __tablename__ = "select"
        id: Mapped[int] = mapped_column("Cup Id", Integer, primary_key=True)
        label: Mapped[str] = mapped_column("order", String(20))

    use(serve(CONTRACT, Base))


def served(app: Flask, api: Demijohn, tmp_path: Path) -> Any:
    import json

    (tmp_path / "openapi.json").write_text(json.dumps(CONTRACT))
    api.add_contract(tmp_path / "openapi.json")
    return app.test_client()


def test_flask_sqlalchemy(database_url: str, tmp_path: Path) -> None:
    app = Flask("small", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db = flask_sqlalchemy.SQLAlchemy(app)

    class Cup(db.Model):  # type: ignore[name-defined,misc]  # made at run time
        id = db.Column(db.Integer, primary_key=True)
        label = db.Column(db.String(20), nullable=False)

    with app.app_context():
        db.create_all()
    api = Demijohn(app)
    api.resource(db)
    client = served(app, api, tmp_path)
    use(client)
    # What one side writes the other side sees.
    client.post("/cups", json={"label": "shared"})
    with app.app_context():
        assert [cup.label for cup in db.session.scalars(select(Cup))] == ["shared"]
        db.session.add(Cup(label="theirs"))
        db.session.commit()
        db.engine.dispose()
    assert [cup["label"] for cup in client.get("/cups").get_json()] == ["shared", "theirs"]
    with app.app_context():
        db.engine.dispose()


def test_flask_sqlalchemy_lite(database_url: str, tmp_path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    class Cup(Base):
        __tablename__ = "cup"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        label: Mapped[str] = mapped_column(String(20))

    app = Flask("small", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_ENGINES"] = {"default": database_url}
    db = flask_sqlalchemy_lite.SQLAlchemy(app)
    with app.app_context():
        Base.metadata.create_all(db.engine)
    api = Demijohn(app)
    api.resource(Base)
    client = served(app, api, tmp_path)
    use(client)
    client.post("/cups", json={"label": "shared"})
    with app.app_context():
        assert [cup.label for cup in db.session.scalars(select(Cup))] == ["shared"]
        db.session.close()
        db.engine.dispose()


def test_an_engine_of_ones_own(database_url: str, plain: Engine, tmp_path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    class Cup(Base):
        __tablename__ = "cup"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        label: Mapped[str] = mapped_column(String(20))

    Base.metadata.create_all(plain)
    app = Flask("small", instance_path=str(tmp_path))
    app.config["DEMIJOHN_DATABASE_URL"] = database_url
    api = Demijohn(app)
    api.resource(Base)
    use(served(app, api, tmp_path))


def test_the_default_database_is_a_file_in_the_instance_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Base(DeclarativeBase):
        pass

    class Cup(Base):
        __tablename__ = "cup"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        label: Mapped[str] = mapped_column(String(20))

    monkeypatch.delenv("DATABASE_URL", raising=False)
    app = Flask("small", instance_path=str(tmp_path / "instance"))
    api = Demijohn(app, settings=Settings())
    api.resource(Base)
    client = served(app, api, tmp_path)
    use(client)
    assert [file.name for file in (tmp_path / "instance").glob("*.sqlite")] == ["small.sqlite"]
