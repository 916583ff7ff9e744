"""Lists: parts of them, their order, what they are narrowed to, and what stands around them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import (
    INTEGER,
    STRING,
    array,
    contract,
    ids,
    links,
    listed,
    names,
    obj,
    problem,
    query,
    ref,
    whole,
    words,
)
from sqlalchemy import DateTime, Integer, String, delete
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    size: Mapped[int | None]
    ready: Mapped[bool]
    at: Mapped[datetime] = mapped_column(DateTime)


TIME = {"type": "string", "format": "date-time"}
ITEM = whole(
    id=INTEGER, name=STRING | {"maxLength": 40}, size={"type": ["integer", "null"]}, ready={"type": "boolean"}, at=TIME
)
# The names differ in case, in accents, and in what LIKE makes of them.
NAMES = ["apple", "Banana", "banana split", "100% pear", "a_b", "axb", "Éclair", "back\\slash", "zucchini"]
SIZES = [3, None, 1, 2, 3, None, 1, 2, 9]
ROWS = [
    {"id": index, "name": name, "size": size, "ready": index % 2 == 0, "at": datetime(2026, 1, index, 12)}
    for index, (name, size) in enumerate(zip(NAMES, SIZES, strict=True), 1)
]
ALL = list(range(1, 10))


def items(serve: Serve, *parameters: dict[str, Any], schema: Any = "Item", **settings: Any) -> FlaskClient:
    """Serve `GET /items` with those parameters."""
    small = contract({"/items": {"get": listed(schema, *parameters)}}, {"Item": ITEM})
    return serve(small, Base, rows=[(Item, ROWS)], **settings)


def around(**others: Any) -> dict[str, Any]:
    """Describe an object around the list that has these properties, too."""
    return whole(items=array(ref("Item")), **others)


def follow(client: FlaskClient, address: str, relation: str = "next") -> list[list[int]]:
    """Return the ids of each page, from the first on, as the links lead."""
    pages = []
    while address:
        response = client.get(address)
        pages.append(ids(response))
        address = links(response).get(relation, "")
        assert len(pages) <= 10
    return pages


# Parts


def test_a_list_without_paging_has_no_more_than_the_settings_allow(serve: Serve) -> None:
    assert ids(items(serve, default_limit=2, max_limit=4).get("/items")) == [1, 2, 3, 4]


def test_a_limit_that_is_not_sent_is_that_of_the_settings(serve: Serve) -> None:
    assert ids(items(serve, query("limit", INTEGER), default_limit=2).get("/items")) == [1, 2]


def test_limit_and_offset(serve: Serve) -> None:
    client = items(serve, query("limit", INTEGER | {"default": 4}), query("offset", INTEGER))
    assert ids(client.get("/items")) == [1, 2, 3, 4]
    assert ids(client.get("/items?limit=2&offset=3")) == [4, 5]
    assert ids(client.get("/items?offset=8")) == [9]
    assert ids(client.get("/items?offset=9")) == []
    assert follow(client, "/items") == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert follow(client, "/items?limit=3&offset=6", "prev") == [[7, 8, 9], [4, 5, 6], [1, 2, 3]]
    assert set(links(client.get("/items?limit=4&offset=4"))) >= {"first", "prev", "next"}
    assert "next" not in links(client.get("/items?limit=9"))


def test_the_limit_has_a_limit(serve: Serve) -> None:
    client = items(serve, query("limit", INTEGER), max_limit=5)
    assert len(client.get("/items?limit=5").get_json()) == 5
    assert names(problem(client.get("/items?limit=6"), 400)) == [("query", "limit")]


@pytest.mark.parametrize("value", ["0", "-1"])
def test_no_number_makes_a_server_fail(serve: Serve, value: str) -> None:
    client = items(serve, query("limit", INTEGER), query("offset", INTEGER))
    for name in ("limit", "offset"):
        assert client.get(f"/items?{name}={value}").status_code in (200, 400)


@pytest.mark.parametrize("value", [2**31, 2**63 - 1, -(2**63)])
def test_a_huge_number_does_not_either(serve: Serve, value: int) -> None:
    client = items(serve, query("limit", INTEGER), query("offset", INTEGER))
    for name in ("limit", "offset"):
        assert client.get(f"/items?{name}={value}").status_code in (200, 400)


@pytest.mark.parametrize("size", ["per_page", "page_size", "limit"])
def test_pages_have_numbers(serve: Serve, size: str) -> None:
    client = items(serve, query("page", INTEGER | {"minimum": 1}), query(size, INTEGER | {"minimum": 1}))
    assert ids(client.get(f"/items?page=2&{size}=4")) == [5, 6, 7, 8]
    assert follow(client, f"/items?{size}=4") == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert ids(client.get(f"/items?page=4&{size}=4")) == []


def test_links_keep_the_rest_of_the_query(serve: Serve) -> None:
    client = items(serve, query("page", INTEGER), query("per_page", INTEGER), query("name__ne"), query("sort"))
    response = client.get("/items?name__ne=a%20%26b&sort=-id&per_page=4")
    target = urlsplit(links(response)["next"])
    assert target.path == "/items"
    assert sorted(target.query.split("&")) == ["name__ne=a%20%26b", "page=2", "per_page=4", "sort=-id"]
    assert ids(client.get(links(response)["next"])) == [5, 4, 3, 2]


def test_a_cursor_leads_through_the_list(serve: Serve) -> None:
    nullable = {"type": ["string", "null"]}
    client = items(serve, query("limit", INTEGER), query("cursor"), query("sort"), schema=around(next_cursor=nullable))
    for sort in ("", "sort=-id&", "sort=size&", "sort=-size&", "sort=ready,-name&", "sort=-at&"):
        whole_list = ids(client.get(f"/items?{sort}limit=100"))
        assert sorted(whole_list) == ALL
        seen, cursor = [], ""
        while True:
            page = client.get(f"/items?{sort}limit=2{cursor}").get_json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == whole_list, sort
        assert [one for page in follow(client, f"/items?{sort}limit=4") for one in page] == whole_list


def test_a_cursor_is_not_led_astray_by_writes(serve: Serve, plain: Any) -> None:
    client = items(
        serve, query("limit", INTEGER), query("cursor"), schema=around(next_cursor={"type": ["string", "null"]})
    )
    page = client.get("/items?limit=3").get_json()
    with plain.begin() as connection:
        connection.execute(delete(Item).where(Item.id.in_([1, 2, 3, 5])))
    assert ids(client.get(f"/items?limit=3&cursor={page['next_cursor']}")) == [4, 6, 7]


@pytest.mark.parametrize(
    "change", [lambda text: text[:-2], lambda text: "x" + text, lambda text: text[::-1], lambda _: "e30"]
)
def test_a_cursor_that_was_not_given_out_is_refused(serve: Serve, change: Any) -> None:
    client = items(
        serve, query("limit", INTEGER), query("cursor"), schema=around(next_cursor={"type": ["string", "null"]})
    )
    cursor = client.get("/items?limit=3").get_json()["next_cursor"]
    assert names(problem(client.get(f"/items?cursor={change(cursor)}"), 400)) == [("query", "cursor")]


def test_a_cursor_of_another_order_is_refused(serve: Serve) -> None:
    nullable = {"type": ["string", "null"]}
    client = items(serve, query("limit", INTEGER), query("cursor"), query("sort"), schema=around(next_cursor=nullable))
    cursor = client.get("/items?limit=3&sort=name").get_json()["next_cursor"]
    problem(client.get(f"/items?limit=3&sort=-size&cursor={cursor}"), 400)


# Around


def test_a_page_tells_where_it_stands(serve: Serve) -> None:
    schema = around(total=INTEGER, page=INTEGER, pages=INTEGER, per_page=INTEGER)
    client = items(serve, query("page", INTEGER), query("per_page", INTEGER), schema=schema)
    response = client.get("/items?page=2&per_page=4")
    assert response.data.endswith(b'],"total":9,"page":2,"pages":3,"per_page":4}')
    assert ids(response) == [5, 6, 7, 8]
    assert sorted(urlsplit(links(response)["last"]).query.split("&")) == ["page=3", "per_page=4"]
    empty = client.get("/items?page=9&per_page=4").get_json()
    assert (empty["items"], empty["total"], empty["page"], empty["pages"]) == ([], 9, 9, 3)


def test_a_part_tells_where_it_stands(serve: Serve) -> None:
    nullable = {"type": ["string", "null"]}
    schema = around(limit=INTEGER, offset=INTEGER, total=INTEGER, next=nullable, prev=nullable)
    client = items(serve, query("limit", INTEGER), query("offset", INTEGER), schema=schema)
    part = client.get("/items?limit=4&offset=4").get_json()
    assert (part["limit"], part["offset"], part["total"]) == (4, 4, 9)
    assert ids(client.get(part["next"])) == [9]
    assert ids(client.get(part["prev"])) == [1, 2, 3, 4]
    assert client.get(part["next"]).get_json()["next"] is None
    assert client.get(part["prev"]).get_json()["prev"] is None


def test_what_may_be_absent_is_left_out(serve: Serve) -> None:
    schema = obj("items", items=array(ref("Item")), next=STRING, prev=STRING)
    client = items(serve, query("limit", INTEGER), query("offset", INTEGER), schema=schema)
    assert set(client.get("/items?limit=4").get_json()) == {"items", "next"}
    assert set(client.get("/items?limit=4&offset=8").get_json()) == {"items", "prev"}


def test_the_array_may_have_any_name(serve: Serve) -> None:
    schema = whole(total=INTEGER, results=array(ref("Item")))
    response = items(serve, schema=schema).get("/items")
    assert response.data.startswith(b'{"total":9,"results":[{"id":1,')


def test_the_total_counts_what_the_filters_leave(serve: Serve) -> None:
    client = items(serve, query("limit", INTEGER), query("size", INTEGER), schema=around(total=INTEGER))
    assert client.get("/items?limit=1&size=3").get_json()["total"] == 2
    assert client.get("/items?limit=1&size=77").get_json() == {"items": [], "total": 0}


def test_a_client_may_ask_for_the_total(serve: Serve) -> None:
    client = items(serve, query("limit", INTEGER), query("offset", INTEGER))
    assert "X-Total-Count" not in client.get("/items?limit=2").headers
    response = client.get("/items?limit=2", headers={"Prefer": "count=exact"})
    assert response.headers["X-Total-Count"] == "9"
    assert response.headers["Preference-Applied"] == "count=exact"
    assert response.headers["Vary"] == client.get("/items?limit=2").headers["Vary"] == "Prefer"
    assert "last" in links(response)


# Order


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-id", ALL[::-1]),
        ("size,-id", [7, 3, 8, 4, 5, 1, 9, 6, 2]),
        ("size:nullsfirst,id", [2, 6, 3, 7, 4, 8, 1, 5, 9]),
        ("-size:nullslast,id", [9, 1, 5, 4, 8, 3, 7, 2, 6]),
        ("size:desc:nullslast,id", [9, 1, 5, 4, 8, 3, 7, 2, 6]),
        ("ready,id", [1, 3, 5, 7, 9, 2, 4, 6, 8]),
        ("-at", ALL[::-1]),
        ("id,id,-id", ALL),
    ],
)
def test_a_list_is_sorted_as_asked(serve: Serve, sort: str, expected: list[int]) -> None:
    assert ids(items(serve, query("sort")).get(f"/items?sort={sort}")) == expected


def test_equal_rows_come_by_their_key(serve: Serve) -> None:
    client = items(serve, query("sort"), query("limit", INTEGER), query("offset", INTEGER))
    found = [one for page in follow(client, "/items?sort=ready&limit=2") for one in page]
    assert found == [1, 3, 5, 7, 9, 2, 4, 6, 8]


def test_a_default_of_the_contract_sorts(serve: Serve) -> None:
    assert ids(items(serve, query("sort", STRING | {"default": "-id"})).get("/items")) == ALL[::-1]


@pytest.mark.parametrize(
    "sort", ["colour", "id;", "id desc", "(select 1)", "name COLLATE x", "id:down", ",", "--", "id,"]
)
def test_an_unknown_order_is_refused(serve: Serve, sort: str) -> None:
    response = items(serve, query("sort")).get("/items", query_string={"sort": sort})
    assert names(problem(response, 400)) == [("query", "sort")]


def test_the_contract_may_allow_some_orders_only(serve: Serve) -> None:
    some = query("sort", array({"enum": ["name", "-name"]}), style="form", explode=False)
    client = items(serve, some)
    assert client.get("/items?sort=-name").status_code == 200
    problem(client.get("/items?sort=size"), 400)


# Filters


@pytest.mark.parametrize(
    ("name", "schema", "value", "expected"),
    [
        ("name", STRING, "apple", [1]),
        ("name", STRING, "Apple", []),
        ("name", STRING, "' OR '1'='1", []),
        ("name__ne", STRING, "apple", ALL[1:]),
        ("size", INTEGER, "3", [1, 5]),
        ("size__gt", INTEGER, "2", [1, 5, 9]),
        ("size__gte", INTEGER, "2", [1, 4, 5, 8, 9]),
        ("size__lt", INTEGER, "2", [3, 7]),
        ("size__lte", INTEGER, "2", [3, 4, 7, 8]),
        ("size__isnull", {"type": "boolean"}, "true", [2, 6]),
        ("size__isnull", {"type": "boolean"}, "false", [1, 3, 4, 5, 7, 8, 9]),
        ("ready", {"type": "boolean"}, "true", [2, 4, 6, 8]),
        ("at__gte", TIME, "2026-01-08T00:00:00Z", [8, 9]),
        ("at__lt", TIME, "2026-01-02T14:00:00+02:00", [1]),
        ("name__contains", STRING, "anana", [2, 3]),
        ("name__contains", STRING, "Banana", [2]),
        ("name__contains", STRING, "0%", [4]),
        ("name__contains", STRING, "a_b", [5]),
        ("name__contains", STRING, "k\\s", [8]),
        ("name__icontains", STRING, "BANANA", [2, 3]),
        ("name__startswith", STRING, "ba", [3, 8]),
        ("name__startswith", STRING, "%", []),
        ("name__startswith", STRING, "_", []),
    ],
)
def test_a_filter_narrows_the_list(serve: Serve, name: str, schema: Any, value: str, expected: list[int]) -> None:
    client = items(serve, query(name, schema))
    assert ids(client.get("/items", query_string={name: value})) == expected


def test_ne_leaves_out_rows_without_a_value_or_not_the_same_everywhere(serve: Serve) -> None:
    assert ids(items(serve, query("size__ne", INTEGER)).get("/items?size__ne=3")) in (
        [2, 3, 4, 6, 7, 8, 9],
        [3, 4, 7, 8, 9],
    )


@pytest.mark.parametrize(("value", "expected"), [("1,9", [3, 7, 9]), ("77", []), ("3", [1, 5])])
def test_in_takes_several(serve: Serve, value: str, expected: list[int]) -> None:
    several = query("size__in", array(INTEGER), style="form", explode=False)
    assert ids(items(serve, several).get(f"/items?size__in={value}")) == expected


def test_in_takes_repeated_parameters(serve: Serve) -> None:
    several = query("name__in", array(STRING), style="form", explode=True)
    assert ids(items(serve, several).get("/items?name__in=apple&name__in=a_b")) == [1, 5]


def test_all_filters_hold_at_once(serve: Serve) -> None:
    client = items(serve, query("size", INTEGER), query("ready", {"type": "boolean"}))
    assert ids(client.get("/items?size=2&ready=true")) == [4, 8]


def test_a_value_that_no_row_can_have_matches_none(serve: Serve) -> None:
    client = items(serve, query("name"), query("size", INTEGER), query("size__gt", INTEGER))
    for wanted in ("name=" + "x" * 400, f"size={2**62}", f"size__gt={2**62}"):
        response = client.get(f"/items?{wanted}")
        assert response.status_code == 400 or ids(response) == []


def test_a_null_character_never_fails_the_server(serve: Serve) -> None:
    client = items(serve, query("name"), query("name__icontains"), query("q"), query("name__in", array(STRING)))
    for name in ("name", "name__icontains", "q", "name__in"):
        response = client.get(f"/items?{name}=a%00b")
        assert response.status_code in (200, 400)
        assert response.status_code == 400 or ids(response) == []


# Search


def test_a_search_looks_into_the_texts(serve: Serve) -> None:
    client = items(serve, query("q"))
    assert ids(client.get("/items?q=BANANA")) == [2, 3]
    assert ids(client.get("/items?q=0%25")) == [4]
    assert ids(client.get("/items?q=nothing")) == []


# Fields


def test_a_client_chooses_the_properties(serve: Serve) -> None:
    loose = {"Item": ITEM | {"required": []}}
    small = contract({"/items": {"get": listed("Item", words("fields"), query("limit", INTEGER))}}, loose)
    client = serve(small, Base, rows=[(Item, ROWS)])
    assert client.get("/items?fields=name,id&limit=1").data == b'[{"id":1,"name":"apple"}]'
    assert names(problem(client.get("/items?fields=name,colour"), 400)) == [("query", "fields")]
