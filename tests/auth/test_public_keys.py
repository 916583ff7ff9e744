"""The public keys of an application have an address of their own, whatever paths its contract has."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask
from small_apis import STRING, contract, path
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, Settings


def test_a_path_with_parameters_does_not_hide_them(tmp_path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "user"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(String(50), unique=True)
        password_hash: Mapped[str] = mapped_column(String(200))

    both = [path("folder", STRING), path("name", STRING)]
    answers = {"200": {"description": "", "content": {"application/json": {"schema": STRING}}}}
    paths = {"/{folder}/{name}": {"get": {"operationId": "read", "parameters": both, "responses": answers}}}
    (tmp_path / "openapi.json").write_text(json.dumps(contract(paths, {})), encoding="utf-8")
    app = Flask("keys", instance_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(token_algorithm="EdDSA", database_url=f"sqlite:///{tmp_path}/keys.sqlite"))
    api.accounts(User)
    api.add_contract(tmp_path / "openapi.json", resolver=lambda name: lambda folder, name: name)
    client = app.test_client()
    assert client.get("/a/b").get_json() == "b"
    assert len(client.get("/.well-known/jwks.json").get_json()["keys"]) == 1
