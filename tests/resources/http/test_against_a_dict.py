"""Random sequences of requests on each database, against a plain dict that keeps the same book."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from resource_support import Serve
from small_apis import (
    INTEGER,
    STRING,
    array,
    contract,
    deleted,
    listed,
    obj,
    patched,
    path,
    query,
    read,
    ref,
    whole,
    written,
)
from sqlalchemy import Engine, Integer, String, delete
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

EXAMPLES = 30
STEPS_EACH = 25


class Base(DeclarativeBase):
    pass


def text(length: int) -> String:
    """Return a text that is compared by code point everywhere."""
    return (
        String(length)
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(String(length, collation="utf8mb4_nopad_bin"), "mariadb")
    )


class Card(Base):
    __tablename__ = "card"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(text(12), unique=True)
    size: Mapped[int | None]
    kind: Mapped[str] = mapped_column(text(8), default="plain")


NAME = {"type": "string", "minLength": 1, "maxLength": 12}
SIZE = {"type": ["integer", "null"], "minimum": -5, "maximum": 5}
KIND = {"type": "string", "enum": ["plain", "odd", "Änd"]}
FILTERS = (
    query("sort"),
    query("name__startswith"),
    query("name__icontains"),
    query("size__gte", INTEGER),
    query("size__isnull", {"type": "boolean"}),
    query("kind__in", array(STRING), style="form", explode=False),
)
SMALL = contract(
    {
        "/cards": {
            "get": listed(
                whole(items=array(ref("Card")), total=INTEGER),
                query("limit", INTEGER | {"minimum": 1, "maximum": 100}),
                query("offset", INTEGER | {"minimum": 0}),
                *FILTERS,
            ),
            "post": written("Card", "NewCard", status=201),
        },
        "/cards/{id}": {
            "parameters": [path("id")],
            "get": read("Card"),
            "put": written("Card", "NewCard"),
            "patch": patched("Card", "CardUpdate"),
            "delete": deleted(),
        },
        "/stack": {
            "get": listed(
                whole(items=array(ref("Card")), next_cursor={"type": ["string", "null"]}),
                query("limit", INTEGER | {"minimum": 1, "maximum": 100}),
                query("cursor"),
                *FILTERS,
            )
            | {"x-resource": "Card"},
        },
    },
    {
        "Card": whole(id=INTEGER, name=NAME, size=SIZE, kind=KIND),
        "NewCard": obj("name", name=NAME, size=SIZE, kind=KIND),
        "CardUpdate": obj(name=NAME, size=SIZE, kind=KIND),
    },
)

Item = dict[str, Any]
names = st.text(alphabet="aAbB%_\\' é😀", min_size=1, max_size=3)
sizes = st.none() | st.integers(-5, 5)
kinds = st.sampled_from(["plain", "odd", "Änd"])
numbers = st.integers(0, 12)
queries = st.fixed_dictionaries(
    {},
    optional={
        "sort": st.lists(
            st.sampled_from(["id", "-id", "name", "-name", "kind", "-kind", "size:nullsfirst", "-size:nullslast"]),
            min_size=1,
            max_size=3,
        ),
        "name__startswith": st.sampled_from(["a", "A", "%", "_", "\\", "é", "'"]),
        "name__icontains": st.sampled_from(["a", "B", "%", "_", "\\", "😀"]),
        "size__gte": st.integers(-5, 5),
        "size__isnull": st.booleans(),
        "kind__in": st.lists(kinds, min_size=1, max_size=2),
    },
)


def as_query(wanted: Item) -> dict[str, str]:
    """Write values as a query string has them."""
    return {name: ",".join(map(plain, one)) if isinstance(one, list) else plain(one) for name, one in wanted.items()}


def plain(value: Any) -> str:
    """Write one value as a query string has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def lower(value: str) -> str:
    """Turn what every database takes for letters into small ones."""
    return "".join(one.lower() if one.isascii() else one for one in value)


def chosen(cards: dict[int, Item], wanted: Item) -> list[Item]:
    """Do what the database is to do: narrow and sort."""
    found = sorted(cards.values(), key=lambda card: card["id"])
    if (start := wanted.get("name__startswith")) is not None:
        found = [card for card in found if card["name"].startswith(start)]
    if (part := wanted.get("name__icontains")) is not None:
        found = [card for card in found if lower(part) in lower(card["name"])]
    if (least := wanted.get("size__gte")) is not None:
        found = [card for card in found if card["size"] is not None and card["size"] >= least]
    if (missing := wanted.get("size__isnull")) is not None:
        found = [card for card in found if (card["size"] is None) == missing]
    if (some := wanted.get("kind__in")) is not None:
        found = [card for card in found if card["kind"] in some]
    for term in reversed(wanted.get("sort", [])):
        name, _, _ = term.lstrip("-").partition(":")
        down = term.startswith("-")
        last = -10 if down or "nullsfirst" in term else 10
        found.sort(key=lambda card: last if card[name] is None else card[name], reverse=down)  # used at once
    return found


class Against(RuleBasedStateMachine):
    """Ask the API and the dict the same."""

    client: FlaskClient
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.cards: dict[int, Item] = {}
        self.known: list[int] = []

    @initialize()
    def empty(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(Card))

    def number(self, index: int) -> int:
        """Return the id of a card that is, or was, there; or one that never was."""
        return self.known[index] if index < len(self.known) else 10**6 + index

    def taken(self, name: str, besides: int | None = None) -> bool:
        return any(card["name"] == name for card in self.cards.values() if card["id"] != besides)

    def answered(self, response: Any, status: int) -> Any:
        assert response.status_code == status, (response.status_code, response.text)
        if status >= 400:
            assert response.mimetype == "application/problem+json"
        return response.get_json() if response.data else None

    def written(self, response: Any, number: int, card: Item | None, name: str) -> None:
        """Check what a write answered, `card` being what is there afterwards."""
        if card is None:
            self.answered(response, 404)
        elif self.taken(name, number):
            assert self.answered(response, 409)["errors"][0]["pointer"] == "#/name"
        else:
            assert self.answered(response, 200) == card
            self.cards[number] = card

    @rule(name=names, more=st.fixed_dictionaries({}, optional={"size": sizes, "kind": kinds}))
    def create(self, name: str, more: Item) -> None:
        response = self.client.post("/cards", json={"name": name, **more})
        if self.taken(name):
            assert self.answered(response, 409)["errors"][0]["pointer"] == "#/name"
            return
        card = self.answered(response, 201)
        assert card == {"id": card["id"], "name": name, "size": None, "kind": "plain"} | more
        assert card["id"] not in self.known
        assert response.headers["Location"] == f"/cards/{card['id']}"
        self.cards[card["id"]] = card
        self.known.append(card["id"])

    @rule(index=numbers, name=names, more=st.fixed_dictionaries({}, optional={"size": sizes, "kind": kinds}))
    def replace(self, index: int, name: str, more: Item) -> None:
        number = self.number(index)
        card = {"id": number, "name": name, "size": None, "kind": "plain"} | more if number in self.cards else None
        self.written(self.client.put(f"/cards/{number}", json={"name": name, **more}), number, card, name)

    @rule(index=numbers, change=st.fixed_dictionaries({}, optional={"name": names, "size": sizes, "kind": kinds}))
    def patch(self, index: int, change: Item) -> None:
        number = self.number(index)
        card = self.cards[number] | change if number in self.cards else None
        name = card["name"] if card else ""
        self.written(self.client.patch(f"/cards/{number}", json=change), number, card, name)

    @rule(index=numbers, size=sizes, guess=sizes)
    def patch_in_steps(self, index: int, size: int | None, guess: int | None) -> None:
        number = self.number(index)
        steps = [{"op": "test", "path": "/size", "value": guess}, {"op": "replace", "path": "/size", "value": size}]
        response = self.client.patch(f"/cards/{number}", json=steps, content_type="application/json-patch+json")
        card = self.cards.get(number)
        if card is not None and card["size"] != guess:
            self.answered(response, 409)
        else:
            self.written(response, number, card and card | {"size": size}, card["name"] if card else "")

    @rule(index=numbers)
    def delete(self, index: int) -> None:
        number = self.number(index)
        self.answered(self.client.delete(f"/cards/{number}"), 204 if number in self.cards else 404)
        self.cards.pop(number, None)

    @rule(index=numbers)
    def read(self, index: int) -> None:
        number = self.number(index)
        card = self.cards.get(number)
        found = self.answered(self.client.get(f"/cards/{number}"), 404 if card is None else 200)
        assert card is None or found == card

    @rule(wanted=queries, limit=st.integers(1, 5), offset=st.integers(0, 8))
    def list_part(self, wanted: Item, limit: int, offset: int) -> None:
        response = self.client.get("/cards", query_string={"limit": limit, "offset": offset, **as_query(wanted)})
        cards = chosen(self.cards, wanted)
        assert self.answered(response, 200) == {"items": cards[offset : offset + limit], "total": len(cards)}

    @rule(wanted=queries, limit=st.integers(1, 3))
    def walk(self, wanted: Item, limit: int) -> None:
        seen: list[Item] = []
        cursor: dict[str, str] = {}
        while True:
            response = self.client.get("/stack", query_string={"limit": limit, **as_query(wanted), **cursor})
            page = self.answered(response, 200)
            assert len(page["items"]) <= limit
            seen += page["items"]
            if page["next_cursor"] is None:
                break
            assert len(page["items"]) == limit
            cursor = {"cursor": page["next_cursor"]}
        assert seen == chosen(self.cards, wanted)

    @invariant()
    def nothing_is_lost(self) -> None:
        if self.known:
            listed = self.client.get("/cards?limit=100").get_json()["items"]
            assert listed == chosen(self.cards, {})


def test_the_same_book_is_kept(serve: Serve, plain: Engine) -> None:
    client = serve(SMALL, Base)

    class Machine(Against):
        pass

    Machine.client, Machine.engine = client, plain
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS_EACH,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
