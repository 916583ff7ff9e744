"""Cursors: sealed, in either direction, through ties and missing values, while rows come and go."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cmp_to_key
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import KEY, Reading, open_reading
from sqlalchemy import Connection, Index, String, delete, insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BadRequest
from demijohn.resources.cursors import CursorError, Position, open_cursor, seal_cursor


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    __table_args__ = (Index("item_by_name", "name", "id"), Index("item_by_rank", "rank", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(
        String(20)
        .with_variant(String(20, collation="C"), "postgresql")
        .with_variant(String(20, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
    )
    rank: Mapped[int | None]
    size: Mapped[float | None]


CONTRACT = """
openapi: 3.1.0
info: {title: Items, version: "1"}
paths:
  /items:
    get:
      parameters:
        - {name: cursor, in: query, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer, minimum: 0, maximum: 5000}}
        - {name: sort, in: query, schema: {type: string}}
        - {name: name, in: query, schema: {type: string}}
        - {name: name__in, in: query, schema: {type: array, items: {type: string}}}
      responses:
        "200":
          description: Items.
          content:
            application/json:
              schema:
                type: object
                required: [items, next_cursor]
                properties:
                  items: {type: array, items: {$ref: "#/components/schemas/Item"}}
                  next_cursor: {type: [string, "null"]}
                  prev_cursor: {type: string}
                  next: {type: string}
  /others:
    get:
      x-resource: Item
      parameters:
        - {name: cursor, in: query, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer, minimum: 0, maximum: 5000}}
      responses:
        "200":
          description: Items.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Item"}}}}
components:
  schemas:
    Item:
      type: object
      required: [id]
      properties: {id: {type: integer}, name: {type: string}, rank: {type: integer}, size: {type: number}}
"""

FEW = [(1, "b", 2), (2, "a", None), (3, "b", 1), (4, "a", 2), (5, "c", None)]


def fill(connection: Connection) -> None:
    connection.execute(insert(Item), [{"id": id, "name": name, "rank": rank} for id, name, rank in FEW])


@pytest.fixture
def reading(database_url: str, tmp_path: Path) -> Iterator[Reading]:
    with open_reading(CONTRACT, Base, database_url, tmp_path, fill) as made:
        yield made


def keys(pages: list[Any]) -> list[int]:
    return [item["id"] for item in chain.from_iterable(pages)]


# The seal

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)


@given(st.booleans(), st.lists(VALUES, max_size=4))
def test_a_cursor_gives_back_what_the_driver_gave(backward: bool, values: list[Any]) -> None:
    position = Position(backward, tuple(values))
    opened = open_cursor(seal_cursor(position, KEY, b"list"), KEY, b"list")
    assert opened == position
    assert [type(value) for value in opened.values or ()] == [type(value) for value in values]


def test_a_cursor_may_stand_for_an_end_of_the_list() -> None:
    for backward in (False, True):
        assert open_cursor(seal_cursor(Position(backward, None), KEY, b""), KEY, b"") == Position(backward, None)


def test_only_values_with_an_order_make_a_cursor() -> None:
    with pytest.raises(TypeError, match="sorted by values of the type dict"):
        seal_cursor(Position(False, ({},)), KEY, b"")


def test_nobody_else_makes_a_cursor_or_uses_it_elsewhere() -> None:
    cursor = seal_cursor(
        Position(False, (1, "a", date(2026, 1, 1), time(1), timedelta(1), Decimal("1.10"))), KEY, b"one"
    )
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    forged = [cursor[:place] + other + cursor[place + 1 :] for place in range(len(cursor)) for other in alphabet[::7]]
    forged += [cursor[:-4], cursor + "AAAA", cursor + "!", "", "x", "é", "A" * 100_000, cursor[:22]]
    for other in set(forged) - {cursor}:
        with pytest.raises(CursorError):
            open_cursor(other, KEY, b"one")
    for key, belongs_to in ((b"other" * 8, b"one"), (KEY, b"two"), (KEY, b"")):
        with pytest.raises(CursorError):
            open_cursor(cursor, key, belongs_to)


def test_a_cursor_tells_its_kind_of_values_by_name() -> None:
    values = (datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1), b"\x00", float("inf"), None)
    assert open_cursor(seal_cursor(Position(True, values), KEY, b""), KEY, b"") == Position(True, values)


# The walk


def test_links_lead_through_a_list_and_back(reading: Reading) -> None:
    first = reading.get("/items?limit=2")
    assert sorted(first.links) == ["first", "next"]
    assert first.links["first"] == "/items?limit=2"
    second = reading.get(first.links["next"])
    assert sorted(second.links) == ["first", "next", "prev"]
    third = reading.get(second.links["next"])
    assert sorted(third.links) == ["first", "prev"]
    assert keys([answer.json["items"] for answer in (first, second, third)]) == [1, 2, 3, 4, 5]
    assert reading.get(third.links["prev"]).json["items"] == second.json["items"]
    assert reading.get(second.links["prev"]).json["items"] == first.json["items"]


def test_the_envelope_has_the_same_cursors(reading: Reading) -> None:
    first = reading.get("/items?limit=3")
    assert first.json["next"] == first.links["next"] == f"/items?limit=3&cursor={first.json['next_cursor']}"
    assert "prev_cursor" not in first.json
    last = reading.get(first.links["next"]).json
    assert last["next_cursor"] is None
    assert "next" not in last
    assert reading.get(f"/items?limit=3&cursor={last['prev_cursor']}").json["items"] == first.json["items"]


def test_the_way_back_begins_where_the_way_there_ended(reading: Reading) -> None:
    last = reading.get("/items?sort=rank&limit=4").links["next"]
    with reading.database.engine.begin() as connection:
        connection.execute(delete(Item).where(Item.id == 5))
    empty = reading.get(last)
    assert empty.json["items"] == []
    assert sorted(empty.links) == ["first", "prev"]
    assert keys([reading.get(empty.links["prev"]).json["items"]]) == [3, 1, 4, 2]
    with reading.database.engine.begin() as connection:
        connection.execute(delete(Item))
    nothing = reading.get(reading.get(last).links["prev"])
    assert nothing.json["items"] == []
    assert sorted(nothing.links) == ["first"]


def test_the_way_there_begins_where_the_way_back_ended(reading: Reading) -> None:
    first = reading.get("/items?limit=2")
    back = reading.get(first.links["next"]).links["prev"]
    with reading.database.engine.begin() as connection:
        connection.execute(delete(Item).where(Item.id < 3))
    empty = reading.get(back)
    assert empty.json["items"] == []
    assert sorted(empty.links) == ["first", "next"]
    assert keys([reading.get(empty.links["next"]).json["items"]]) == [3, 4]


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_page_without_room_has_no_neighbours(reading: Reading) -> None:
    answer = reading.get("/items?limit=0")
    assert answer.json == {"items": [], "next_cursor": None}
    assert list(answer.links) == ["first"]


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("other", ["&sort=-id", "&sort=name", "&name=a", "&name__in=a", "&name__in=a&name__in=b"])
def test_a_cursor_fits_only_the_list_that_it_is_of(reading: Reading, other: str) -> None:
    cursor = reading.get("/items?limit=2").json["next_cursor"]
    assert keys([reading.get(f"/items?cursor={cursor}").json["items"]]) == [3, 4, 5]
    for target in (f"/items?cursor={cursor}{other}", f"/others?cursor={cursor}", f"/items?cursor={cursor[:-1]}"):
        with pytest.raises(BadRequest) as caught:
            reading.get(target)
        assert [(one["in"], one["name"]) for one in caught.value.errors] == [("query", "cursor")]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "B", "b", "é"]),
        st.one_of(st.none(), st.integers(-2, 2)),
        st.one_of(st.none(), st.sampled_from([0.1, -2.5, 1e10, 3.0])),
    ),
    max_size=12,
)
TERMS = st.lists(
    st.builds(
        lambda name, direction, nulls: f"{name}:{direction}:{nulls}",
        st.sampled_from(["name", "rank", "size", "id"]),
        st.sampled_from(["asc", "desc"]),
        st.sampled_from(["nullsfirst", "nullslast"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda term: term.partition(":")[0],
)


def in_order(rows: list[dict[str, Any]], terms: list[str]) -> list[int]:
    """Return the keys of rows in an order, as Python sorts them."""

    def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
        parts = [term.split(":") for term in terms]
        for name, direction, nulls in [*parts, ["id", parts[-1][1], "nullslast"]]:
            left, right = one[name], other[name]
            if left == right:
                continue
            if left is None or right is None:
                return 1 if (left is None) == (nulls == "nullslast") else -1
            return (1 if left > right else -1) * (-1 if direction == "desc" else 1)
        return 0

    return [row["id"] for row in sorted(rows, key=cmp_to_key(compare))]


def test_a_walk_is_the_sorted_list_in_either_direction(reading: Reading) -> None:
    engine = reading.database.engine

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ROWS, TERMS, st.integers(1, 4))
    def check(rows: list[tuple[str, int | None, float | None]], terms: list[str], limit: int) -> None:
        values = [{"id": id, "name": n, "rank": r, "size": s} for id, (n, r, s) in enumerate(rows, 1)]
        with engine.begin() as connection:
            connection.execute(delete(Item))
            if values:
                connection.execute(insert(Item), values)
        target = f"/items?limit={limit}&sort={','.join(terms)}"
        pages = reading.walk(target)
        assert keys(pages) == in_order(values, terms)
        assert all(len(page) == limit for page in pages[:-1])
        answer = reading.get(target)
        while "next" in answer.links:
            answer = reading.get(answer.links["next"])
        back = [answer.json["items"]]
        while "prev" in answer.links:
            answer = reading.get(answer.links["prev"])
            back.append(answer.json["items"])
        assert back[::-1] == pages

    check()


# A large table

SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {0}) SELECT n FROM s",
    "postgresql": "SELECT n FROM generate_series(1, {0}) AS s(n)",
    "mariadb": "SELECT seq AS n FROM seq_1_to_{0}",
}


def grow(reading: Reading, count: int) -> None:
    """Put rows with the keys from 10 on into the table, for each of 1,000 names as many; a third has a rank."""
    series = SERIES[reading.database.dialect.name].format(count)
    name = {"sqlite": "printf('%04d', n * 7 % 1000)", "postgresql": "lpad((n * 7 % 1000)::text, 4, '0')"}
    made = name.get(reading.database.dialect.name, "lpad(n * 7 % 1000, 4, '0')")
    analyze = "ANALYZE TABLE item" if reading.database.dialect.name == "mariadb" else "ANALYZE item"
    with reading.database.engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO item (id, name, rank, size) SELECT n * 10, {made},"
                f" CASE WHEN n % 3 = 0 THEN n % 100 END, n FROM ({series}) AS t"
            )
        )
        connection.execute(text(analyze))


@pytest.mark.parametrize(("sort", "count"), [("", 20_000), ("name", 100_000), ("-rank", 20_000)])
def test_rows_that_stay_are_seen_once_while_others_come_and_go(reading: Reading, sort: str, count: int) -> None:
    if reading.database.dialect.name == "mariadb":
        count //= 5
    grow(reading, count)
    with reading.database.engine.begin() as connection:
        connection.execute(delete(Item).where(Item.id < 10))
    chosen = random.Random(1)
    gone: set[int] = set()
    seen: list[int] = []
    target = f"/items?limit={count // 40}" + (f"&sort={sort}" if sort else "")
    while target:
        answer = reading.get(target)
        seen += [item["id"] for item in answer.json["items"]]
        target = answer.links.get("next", "")
        leaving = {10 * chosen.randint(1, count) for _ in range(50)} - gone
        leaving |= {seen[-1]} - gone  # the very row that the cursor stands on
        gone |= leaving
        coming = {10 * chosen.randint(1, count) + chosen.randint(1, 9) for _ in range(50)}
        with reading.database.engine.begin() as connection:
            connection.execute(delete(Item).where(Item.id.in_(leaving | coming)))
            rows = [{"id": id, "name": f"{id % 1000:04}", "rank": id % 50 or None, "size": 1} for id in coming]
            connection.execute(insert(Item), rows)
    assert len(seen) == len(set(seen))
    stayed = {10 * number for number in range(1, count + 1)} - gone
    assert stayed <= set(seen)


# What each database says of a statement that walks an index, and what of one that sorts or reads from the beginning.
WALKS = {"sqlite": "SEARCH item", "postgresql": "Index Cond", "mariadb": " range "}
SORTS = {"sqlite": "TEMP B-TREE", "postgresql": "Sort", "mariadb": "filesort"}
FROM_THE_START = {"sqlite": "SCAN item", "postgresql": "Seq Scan", "mariadb": " ALL "}


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name", "rank", "-rank", "rank:nullsfirst"])
def test_a_page_deep_in_the_list_is_found_in_an_index(reading: Reading, sort: str) -> None:
    grow(reading, 20_000)
    name = reading.database.dialect.name
    cursor = reading.get(f"/items?limit=3000&sort={sort}").json["next_cursor"]
    ran: list[tuple[str, Any]] = []
    read = reading.database.read

    def spy(statement: Any, values: Any) -> Any:
        ran.append((statement.sql, statement.bind(values)))
        return read(statement, values)

    forward = reading.get(f"/items?limit=100&sort={sort}&cursor={cursor}")
    reading.database.read = spy  # type: ignore[method-assign]  # to see what is run
    reading.get(forward.links["next"])
    reading.get(forward.links["prev"])
    plans = [reading.plan(sql, values) for sql, values in ran]
    if name == "sqlite" and not sort.endswith("id"):  # the rest of one name, and where the page is not full then, more
        assert 2 <= len(ran) <= 4
        assert re.search(r"(name|rank)=\? AND (id|rowid)[<>]\?", "".join(plans))
    else:
        assert len(ran) == 2
    for (sql, _), plan in zip(ran, plans, strict=True):
        assert re.search(WALKS[name], plan), f"{sql}\n{plan}"
        assert SORTS[name] not in plan, f"{sql}\n{plan}"
        assert FROM_THE_START[name] not in plan, f"{sql}\n{plan}"
