"""POST: rows, their defaults, their addresses, what is refused."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from members import ADDRESSES, ANN, BOB, MEMBERS, SCHEMAS, Members, at_once, without
from small_apis import Json, contract, obj, path, pointers, problem, read, whole, written
from sqlalchemy import JSON, DateTime, Enum, ForeignKey, Numeric, String, create_engine, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import Demijohn, Settings
from demijohn.compile.answers import etag_of


@pytest.fixture
def members(database_url: str, tmp_path: Path) -> Iterator[Members]:
    made = Members(database_url, tmp_path, {**MEMBERS, **ADDRESSES}, base_path="/api/v1")
    yield made
    made.close()


def test_a_row_is_stored_and_shown(members: Members) -> None:
    response = members("POST", "/api/v1/members", ANN | {"nick": "annie", "role": "boss", "state": "old"})
    assert response.status_code == 201
    item = response.get_json()
    assert without(item, ["created_at", "updated_at"]) == {
        "id": 1,
        "email": "ann@example.org",
        "name": "Ann",
        "nick": "annie",
        "balance": None,
        "notes": None,
        "role": "boss",
        "state": "old",
    }
    assert members("GET", "/api/v1/members/1").data == response.data


def test_what_is_not_sent_has_its_default_or_none(members: Members) -> None:
    item = members.made("/api/v1/members", ANN)
    assert (item["role"], item["state"], item["nick"]) == ("guest", "new", None)


def test_the_address_is_below_the_base_path_and_where_the_application_is_mounted(members: Members) -> None:
    response = members("POST", "/api/v1/members", ANN, environ_overrides={"SCRIPT_NAME": "/shop"})
    assert response.headers["Location"] == "/shop/api/v1/members/1"


def test_the_address_is_encoded(database_url: str, tmp_path: Path) -> None:
    schemas = {"NewWord": whole(key=SCHEMAS["Word"]["properties"]["key"], value=SCHEMAS["Word"]["properties"]["value"])}
    words: dict[str, Json] = {
        "/words": {"post": written("Word", "NewWord", status=201)},
        "/words/{key}": {"parameters": [path("key", {"type": "string"})], "get": read("Word")},
    }
    members = Members(database_url, tmp_path, words, schemas)
    response = members("POST", "/words", {"key": "a/b ü?#%", "value": None})
    assert response.headers["Location"] == "/words/a%2Fb%20%C3%BC%3F%23%25"
    members.close()


def test_the_answer_has_the_tag_of_the_item(members: Members) -> None:
    response = members("POST", "/api/v1/members", ANN)
    assert response.headers["ETag"] == etag_of(response.data)
    assert members("GET", response.headers["Location"]).headers["ETag"] == response.headers["ETag"]


def test_the_times_are_the_present(members: Members) -> None:
    item = members.made("/api/v1/members", ANN)
    assert item["created_at"] == item["updated_at"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(item["created_at"])).total_seconds() < 30


def test_read_only_properties_are_refused(members: Members) -> None:
    sent = ANN | {"id": 7, "created_at": "2001-01-01T00:00:00Z"}
    document = problem(members("POST", "/api/v1/members", sent), 400)
    assert pointers(document) == ["#/created_at", "#/id"]


def test_a_property_that_nothing_is_stored_of_is_refused(database_url: str, tmp_path: Path) -> None:
    open_schema = {key: value for key, value in SCHEMAS["NewMember"].items() if key != "additionalProperties"}
    members = Members(database_url, tmp_path, MEMBERS, {"NewMember": open_schema})
    document = problem(members("POST", "/members", ANN | {"x": 1, "owner": "me", "id": 9}), 400)
    assert sorted(pointers(document)) == ["#/id", "#/owner", "#/x"]
    assert members.value("SELECT count(*) FROM member") == 0
    members.close()


def test_decimals_keep_their_digits(members: Members) -> None:
    body = b'{"email": "a@example.org", "name": "A", "balance": 9999999999.99}'
    assert b'"balance":9999999999.99' in members("POST", "/api/v1/members", body).data
    body = b'{"email": "b@example.org", "name": "B", "balance": 0.1000000000000000055511151231257827}'
    assert pointers(problem(members("POST", "/api/v1/members", body), 400)) == ["#/balance"]


def test_every_value_that_its_column_cannot_hold_is_told(database_url: str, tmp_path: Path) -> None:
    text = {"type": "string"}
    members = Members(database_url, tmp_path, MEMBERS, {"NewMember": obj("email", "name", email=text, name=text)})
    document = problem(members("POST", "/members", {"email": "x" * 41, "name": "y\u0000"}), 400)
    assert sorted(pointers(document)) == ["#/email", "#/name"]
    members.close()


def test_a_row_below_another_refers_to_it(members: Members) -> None:
    members.made("/api/v1/members", ANN)
    response = members("POST", "/api/v1/members/1/addresses", {"kind": "home", "city": "Ulm"})
    assert response.get_json() == {
        "id": 1,
        "member_id": 1,
        "kind": "home",
        "city": "Ulm",
        "floor": None,
        "friend_id": None,
    }
    assert response.headers["Location"] == "/api/v1/members/1/addresses/1"


def test_what_the_path_says_may_be_said_again_but_not_otherwise(database_url: str, tmp_path: Path) -> None:
    post = written("Address", "OwnAddress", path("member_id"), status=201)
    addresses: dict[str, Json] = {"/members/{member_id}/addresses": {"post": post}}
    members = Members(database_url, tmp_path, {**MEMBERS, **addresses})
    members.made("/members", ANN)
    members.made("/members", BOB)
    members.made("/members/1/addresses", {"kind": "work", "city": "Ulm", "member_id": 1})
    other = members("POST", "/members/1/addresses", {"kind": "sea", "city": "Ulm", "member_id": 2})
    assert pointers(problem(other, 409)) == ["#/member_id"]
    members.close()


def test_a_row_below_nothing_is_not_found(members: Members) -> None:
    problem(members("POST", "/api/v1/members/7/addresses", {"kind": "home", "city": "Ulm"}), 404)
    assert members.value("SELECT count(*) FROM address") == 0


def test_every_set_of_properties_is_stored(members: Members) -> None:
    optional: dict[str, Any] = {"nick": "n", "balance": 1.5, "notes": {"size": 1}, "role": "r", "state": "s"}
    for index in range(2 ** len(optional)):
        chosen = {name: value for bit, (name, value) in enumerate(optional.items()) if index >> bit & 1}
        item = members.made("/api/v1/members", {"email": f"{index}@example.org", "name": "x", **chosen})
        assert {name: item[name] for name in chosen} == chosen


def test_names_may_be_in_any_order(members: Members) -> None:
    body = dict(reversed(list((ANN | {"nick": "a", "role": "b"}).items())))
    item = members.made("/api/v1/members", body)
    assert (item["nick"], item["role"], item["name"]) == ("a", "b", "Ann")


def test_fifty_at_once_make_one_row_of_an_address(members: Members) -> None:
    statuses = at_once(50, lambda index: members("POST", "/api/v1/members", ANN | {"name": str(index)}).status_code)
    assert sorted(statuses) == [201] + [409] * 49
    assert members.value("SELECT count(*) FROM member") == 1


class Own(DeclarativeBase):
    pass


class Shop(Own):
    __tablename__ = "shop"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(20), unique=True)


class Size(enum.Enum):
    small = "S"
    large = "L"


class Offer(Own):
    __tablename__ = "offer"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    weight: Mapped[float | None]
    is_new: Mapped[bool | None]
    since: Mapped[date | None]
    seen: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    picture: Mapped[bytes | None]
    more: Mapped[Any] = mapped_column(JSON, nullable=True)
    size: Mapped[Size | None] = mapped_column(Enum(Size))
    rank: Mapped[int] = mapped_column(default=lambda context: len(context.get_current_parameters()))


OFFER: Json = {
    "price": {"type": ["number", "null"]},
    "weight": {"type": ["number", "null"]},
    "is_new": {"type": ["boolean", "null"]},
    "since": {"type": ["string", "null"], "format": "date"},
    "seen": {"type": ["string", "null"], "format": "date-time"},
    "picture": {"type": ["string", "null"], "contentEncoding": "base64"},
    "more": {},
    "size": {"type": ["string", "null"], "enum": ["small", "large", None]},
}


def test_every_type_is_stored_below_an_item_that_is_found_by_another_key(database_url: str, tmp_path: Path) -> None:
    identity = {"type": "string", "format": "uuid"}
    offers = "/shops/{slug}/offers"
    slug = path("slug", {"type": "string"})
    paths: dict[str, Json] = {
        offers: {"post": written("Offer", "NewOffer", slug, status=201)},
        offers + "/{id}": {"get": read("Offer", slug, path("id", identity))},
    }
    number = {"type": "integer", "format": "int32"}
    schemas = {"Offer": whole(id=identity, shop_id=number, **OFFER, rank=number), "NewOffer": obj(**OFFER)}
    engine = create_engine(database_url)
    Own.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Shop), [{"slug": "corner"}, {"slug": "a b"}])
    engine.dispose()
    (tmp_path / "openapi.json").write_text(json.dumps(contract(paths, schemas)))
    app = Flask("shops", root_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url=database_url))
    api.resource(Own)
    api.add_contract("openapi.json")
    client = app.test_client()
    sent = {
        "price": 12.5,
        "weight": 0.1,
        "is_new": True,
        "since": "2026-02-28",
        "seen": "2026-02-28T12:00:00Z",
        "picture": "AAEC",
        "more": {"a": [1, None, "x"]},
        "size": "large",
    }
    response = client.post("/shops/a%20b/offers", json=sent)
    assert response.status_code == 201, response.text
    item = response.get_json()
    assert {name: item[name] for name in sent} == sent
    assert (item["shop_id"], item["rank"] > 0) == (2, True)
    assert response.headers["Location"] == f"/shops/a%20b/offers/{item['id']}"
    assert client.get(response.headers["Location"]).data == response.data
    empty = client.post("/shops/corner/offers", json={}).get_json()
    assert {empty[name] for name in sent} == {None}
    problem(client.post("/shops/none/offers", json=sent), 404)
