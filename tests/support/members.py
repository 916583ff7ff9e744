"""A small application whose writes are tested: members, their addresses, and words under keys of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from small_apis import INTEGER, STRING, Json, contract, crud, deleted, listed, obj, path, read, whole, written
from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Engine,
    ForeignKey,
    Numeric,
    String,
    UniqueConstraint,
    create_engine,
    insert,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from werkzeug.test import TestResponse

from demijohn import Demijohn, Settings
from demijohn.resources import idempotency
from demijohn.resources.functions import ModelResource

__all__ = [
    "ADDRESSES",
    "ANN",
    "BOB",
    "MEMBERS",
    "SCHEMAS",
    "WORDS",
    "Address",
    "Base",
    "Member",
    "Members",
    "Word",
    "at_once",
    "without",
]

T = TypeVar("T")


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "member"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(20))
    nick: Mapped[str | None] = mapped_column(String(20))
    balance: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)
    role: Mapped[str] = mapped_column(String(10), default="guest")
    state: Mapped[str] = mapped_column(String(10), server_default=text("'new'"))
    secret: Mapped[str | None] = mapped_column(String(20))
    owner: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(DateTime)
    updated_at: Mapped[datetime] = mapped_column(DateTime)


class Address(Base):
    __tablename__ = "address"
    __table_args__ = (UniqueConstraint("member_id", "kind"), CheckConstraint("floor < 200", name="not_in_the_sky"))

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    kind: Mapped[str] = mapped_column(String(10))
    city: Mapped[str] = mapped_column(String(20))
    floor: Mapped[int | None]
    friend_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))

    member: Mapped[Member] = relationship(foreign_keys=member_id)
    friend: Mapped[Member | None] = relationship(foreign_keys=friend_id)


class Word(Base):
    __tablename__ = "word"

    key: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str | None] = mapped_column(String(20))


SHORT = {"type": "string", "maxLength": 20}
EMAIL = {"type": "string", "maxLength": 40}
MAYBE = {"type": ["string", "null"], "maxLength": 20}
NUMBER = {"type": ["number", "null"]}
COUNT = {"type": ["integer", "null"], "format": "int32"}
KEY = INTEGER | {"format": "int32"}
NOTES = {
    "type": ["object", "null"],
    "properties": {"size": {"type": "integer"}, "tags": {"type": "array", "items": STRING}, "deep": {"type": "object"}},
}
TEN = {"type": "string", "maxLength": 10}
MOMENT = {"type": "string", "format": "date-time", "readOnly": True}
FIELDS: Json = {
    "email": EMAIL,
    "name": SHORT,
    "nick": MAYBE,
    "balance": NUMBER,
    "notes": NOTES,
    "role": TEN,
    "state": TEN,
}
SCHEMAS: Json = {
    "Member": whole(id=KEY | {"readOnly": True}, **FIELDS, created_at=MOMENT, updated_at=MOMENT),
    "NewMember": obj("email", "name", **FIELDS, secret=MAYBE | {"writeOnly": True}),
    "MemberUpdate": obj(**FIELDS, secret=MAYBE | {"writeOnly": True}),
    "Address": whole(id=KEY, member_id=KEY, kind=TEN, city=SHORT, floor=COUNT, friend_id=COUNT),
    "NewAddress": obj("kind", "city", kind=TEN, city=SHORT, floor=COUNT, friend_id=COUNT),
    "OwnAddress": obj("member_id", "kind", "city", member_id=KEY, kind=TEN, city=SHORT),
    "AddressUpdate": obj(member_id=KEY, kind=TEN, city=SHORT, floor=COUNT, friend_id=COUNT),
    "Word": whole(key=SHORT, value=MAYBE),
    "NewWord": obj("key", key=SHORT, value=MAYBE),
    "WordValue": obj(key=SHORT, value=MAYBE),
    "WordUpdate": obj(key=SHORT, value=MAYBE),
}
MEMBERS = crud("/members", "Member")
ADDRESSES: dict[str, Json] = {
    "/members/{member_id}/addresses": {
        "parameters": [path("member_id", KEY)],
        "get": listed("Address"),
        "post": written("Address", "NewAddress", status=201),
    },
    "/members/{member_id}/addresses/{id}": {
        "parameters": [path("member_id", KEY), path("id", KEY)],
        "get": read("Address"),
        "put": written("Address", "NewAddress"),
        "patch": written("Address", "AddressUpdate"),
        "delete": deleted(),
    },
}
WORDS = crud("/words", "Word", key="key", by=SHORT)
WORDS["/words/{key}"]["put"] = written("Word", "WordValue")
WORDS["/words/{key}"]["put"]["responses"]["201"] = WORDS["/words/{key}"]["put"]["responses"]["200"]

ANN = {"email": "ann@example.org", "name": "Ann"}
BOB = {"email": "bob@example.org", "name": "Bob"}


class Members:
    """Serve the paths that a test is about; `member`, `address` and `word` are what `api.resource` returns."""

    member: ModelResource
    address: ModelResource
    word: ModelResource

    def __init__(
        self,
        url: str,
        folder: Path,
        paths: Mapping[str, Json],
        schemas: Mapping[str, Json] | None = None,
        *,
        base_path: str | None = None,
        **settings: Any,
    ) -> None:
        self.engine: Engine = create_engine(url)
        Base.metadata.create_all(self.engine)
        idempotency.metadata.create_all(self.engine)
        file = folder / "openapi.json"
        file.write_text(json.dumps(contract(paths, SCHEMAS | dict(schemas or {}))), encoding="utf-8")
        self.app = Flask("members", root_path=str(folder))
        api = Demijohn(self.app, settings=Settings(database_url=url, **settings))
        self.member, self.address, self.word = api.resource(Member), api.resource(Address), api.resource(Word)
        api.add_contract(file, base_path=base_path)

    def __call__(
        self, method: str, address: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> TestResponse:
        """Send a request; a body that is bytes is sent as it is."""
        given = {"data": body, "content_type": "application/json"} if isinstance(body, bytes) else {"json": body}
        given = {} if body is None else given
        return self.app.test_client().open(address, method=method, headers=headers, **(given | more))

    def made(self, address: str, body: Any) -> Any:
        """Create an item and return it."""
        response = self("POST", address, body)
        assert response.status_code == 201, response.text
        return response.get_json()

    def put(self, model: type[Base], *rows: dict[str, Any]) -> None:
        """Store rows without Demijohn."""
        with self.engine.begin() as connection:
            connection.execute(insert(model), list(rows))

    def execute(self, sql: str) -> None:
        """Change something without Demijohn."""
        with self.engine.begin() as connection:
            connection.execute(text(sql))

    def value(self, sql: str) -> Any:
        """Return the only value of a query."""
        with self.engine.connect() as connection:
            return connection.execute(text(sql)).scalar_one()

    def close(self) -> None:
        """Close the connections of the test itself."""
        self.engine.dispose()


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Do the same `count` times, as far as possible at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def without(item: Json, names: Iterable[str]) -> Json:
    """Return an item without some of its properties."""
    return {name: value for name, value in item.items() if name not in names}
