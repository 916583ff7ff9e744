"""The filters of a list: what each operator means, on every database, and what a client cannot do by them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from reading import Reading, open_reading
from sqlalchemy import JSON, Connection, DateTime, Numeric, String, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BadRequest
from demijohn.resources.filters import MOST_VALUES, MOST_WORDS


class Base(DeclarativeBase):
    pass


def exact(length: int) -> String:
    """Return a text that is compared by code point, and whose letters all have two cases, everywhere."""
    return (
        String(length)
        .with_variant(String(length, collation="pg_c_utf8"), "postgresql")
        .with_variant(String(length, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
    )


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(exact(40))
    note: Mapped[str | None] = mapped_column(exact(40))
    rank: Mapped[int | None]
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    weight: Mapped[float]
    is_new: Mapped[bool]
    made: Mapped[date]
    seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    code: Mapped[UUID]
    tags: Mapped[list[Any]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))


ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Ann", "note": "50% off", "rank": 1},
    {"id": 2, "name": "ann lee", "note": "50 off", "rank": 2},
    {"id": 3, "name": "Émile Noël", "note": None, "rank": None},
    {"id": 4, "name": "a_b", "note": "back\\slash", "rank": 2},
    {"id": 5, "name": "axb", "note": 'it\'s "quoted"', "rank": 5},
]


def fill(connection: Connection) -> None:
    rows = []
    for row in ROWS:
        number = row["id"]
        more = {
            "price": Decimal(f"{number}.10"),
            "weight": number + 0.1,
            "is_new": number % 2 == 1,
            "made": date(2026, 1, number),
            "seen": datetime.fromisoformat(f"2026-01-0{number}T10:00:00+00:00"),
            "code": UUID(int=number),
            "tags": [["red", "Größe, 50%"], ["Red", number], [], ["blue"], ["dark red", 'a "b"', None]][number - 1],
        }
        rows.append(row | more)
    connection.execute(insert(Thing), rows)


def parameters() -> Iterator[str]:
    kinds = {
        "id": "integer",
        "name": "string",
        "note": "string",
        "rank": '[integer, "null"]',
        "price": "number",
        "weight": "number",
        "is_new": "boolean",
        "made": "string, format: date",
        "seen": "string, format: date-time",
        "code": "string, format: uuid",
    }
    for name, kind in kinds.items():
        operators = ["", "__ne"]
        operators += [] if name == "is_new" else ["__gt", "__gte", "__lt", "__lte"]
        operators += ["__contains", "__icontains", "__startswith"] if name in ("name", "note") else []
        for operator in operators:
            yield f"{{name: {name}{operator}, in: query, schema: {{type: {kind}}}}}"
        yield (
            f"{{name: {name}__in, in: query, explode: false, "
            f"schema: {{type: array, items: {{type: {kind}}}}}, allowEmptyValue: true}}"
        )
        yield f"{{name: {name}__isnull, in: query, schema: {{type: boolean}}}}"


CONTRACT = """
openapi: 3.1.0
info: {title: Things, version: "1"}
paths:
  /things:
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
        - {name: q, in: query, schema: {type: string}, x-columns: [name, note]}
        - {name: tags__contains, in: query, schema: {type: string}}
        - PARAMETERS
      responses:
        "200": &things
          description: Things.
          content:
            application/json:
              schema:
                type: object
                required: [items, total]
                properties:
                  items: {type: array, items: {$ref: "#/components/schemas/Thing"}}
                  total: {type: integer}
  /tagged:
    x-resource: Thing
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
        - {name: q, in: query, schema: {type: string, x-columns: [name, tags]}}
        - {name: number__contains, in: query, schema: {type: integer, x-column: tags}}
      responses: {"200": *things}
components:
  schemas:
    Thing: {type: object, required: [id], properties: {id: {type: integer}, name: {type: string}, note: {type: string}}}
""".replace("PARAMETERS", "\n        - ".join(parameters()))


@pytest.fixture
def reading(database_url: str, tmp_path: Path) -> Iterator[Reading]:
    with open_reading(CONTRACT, Base, database_url, tmp_path, fill) as made:
        yield made


def ids(reading: Reading, query: str, path: str = "/things") -> list[int]:
    """Return the keys of what is found; the total counts the same."""
    found = reading.get(f"{path}?" + quote(query, safe="=&,")).json
    keys = [item["id"] for item in found["items"]]
    assert found["total"] == len(keys)
    return sorted(keys)


CASES: dict[str, list[int]] = {
    "name=Ann": [1],
    "name__ne=Ann": [2, 3, 4, 5],
    "name__gt=ann lee": [3, 5],
    "name__in=Ann,axb,nobody": [1, 5],
    "name__in=Ann": [1],
    "name__in=Ann,Ann,Ann,axb,a_b": [1, 4, 5],
    "name__contains=nn": [1, 2],
    "name__contains=ANN": [],
    "name__icontains=ANN": [1, 2],
    "name__startswith=a": [2, 4, 5],
    "name__startswith=A": [1],
    "rank=2": [2, 4],
    "rank__ne=2": [1, 5],
    "rank__gt=1": [2, 4, 5],
    "rank=": [3],
    "rank__ne=": [1, 2, 4, 5],
    "rank__gt=": [],
    "rank__gte=2&rank__lt=5": [2, 4],
    "rank__lte=1": [1],
    "rank__isnull=true": [3],
    "rank__isnull=false": [1, 2, 4, 5],
    "rank__in=1,5,7": [1, 5],
    "note__isnull=true": [3],
    "price=2.1": [2],
    "price__gte=4.1": [4, 5],
    "price__in=1.10,5.1": [1, 5],
    "weight=3.1": [3],
    "weight__lt=2.1": [1],
    "is_new=true": [1, 3, 5],
    "is_new__ne=true": [2, 4],
    "is_new__in=false": [2, 4],
    "made=2026-01-03": [3],
    "made__lt=2026-01-03": [1, 2],
    "seen=2026-01-03T11:00:00+01:00": [3],
    "seen__gte=2026-01-04T10:00:00Z": [4, 5],
    "code=00000000-0000-0000-0000-000000000004": [4],
    "code__in=00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000005": [1, 5],
    "id__gt=1&id__lt=4&name__icontains=NN": [2],
}


def test_an_operator_means_the_same_on_every_database(reading: Reading) -> None:
    assert {query: ids(reading, query) for query in CASES} == CASES


ARRAYS: dict[str, list[int]] = {
    "tags__contains=red": [1],
    "tags__contains=RED": [],
    "tags__contains=Größe, 50%": [1],
    'tags__contains=a "b"': [5],
    "tags__contains=nobody": [],
    "tags__contains=": [],
    "tags__contains=red&name__icontains=a": [1],
}
SEARCHED: dict[str, list[int]] = {
    "q=RED": [1, 2, 5],
    "q=ann red": [1, 2],
    "q=größe": [1],
    "q=50%": [1],
    "q=GRÖSSE": [],
    'q="': [5],
    "q=[": [],
    "q=red,": [],
    "q=nn": [1, 2],
    "number__contains=2": [2],
    "number__contains=3": [],
}


def test_arrays_are_filtered_and_searched_by_what_is_in_them(reading: Reading) -> None:
    assert {query: ids(reading, query) for query in ARRAYS} == ARRAYS
    assert {query: ids(reading, query, "/tagged") for query in SEARCHED} == SEARCHED


def test_an_item_that_no_text_can_be_is_refused(reading: Reading) -> None:
    with pytest.raises(BadRequest):
        reading.get("/things?tags__contains=%00")


# In LIKE these characters are special, in a filter they are themselves.
LITERAL = {
    "note__contains=%": [1],
    "note__contains=0%": [1],
    "name__contains=_": [4],
    "name__startswith=a_": [4],
    "note__contains=\\": [4],
    "note__contains=k\\s": [4],
    "note__contains='": [5],
    'note__icontains="QUOTED"': [5],
    "q=%": [1],
    "q=_": [4],
}


def test_what_is_special_in_like_is_itself(reading: Reading) -> None:
    assert {query: ids(reading, query) for query in LITERAL} == LITERAL


def test_case_is_ignored_beyond_ascii_and_accents_are_not(reading: Reading) -> None:
    cases = {"émile": [3], "NOËL": [3], "Émile": [3], "emile": []}
    assert {text: ids(reading, f"name__icontains={text}") for text in cases} == cases
    assert {text: ids(reading, f"q={text}") for text in cases} == cases


def test_a_search_finds_what_has_every_word_somewhere(reading: Reading) -> None:
    cases = {"off": [1, 2], "ann off": [1, 2], "off 50% ANN": [1], "ann nobody": [], "  ": [1, 2, 3, 4, 5]}
    assert {text: ids(reading, f"q={text}") for text in cases} == cases


def test_a_list_of_no_values_finds_nothing(reading: Reading) -> None:
    assert ids(reading, "name__in=&id__in=1,2") == []


def test_many_values_and_words_are_found_as_few_are(reading: Reading) -> None:
    many = ",".join(map(str, range(2, 2 + MOST_VALUES)))
    assert ids(reading, f"id__in={many}") == [2, 3, 4, 5]
    words = " ".join(f"{'a' * (number % 2)}nn"[-2:] for number in range(200))
    assert ids(reading, f"q={words}") == [1, 2]
    assert ids(reading, "q=" + " ".join(["a", "n", "nn", "ann", "an"] + ["l" + "e" * n for n in range(3)])) == [2]


@pytest.mark.parametrize("database", ["sqlite"])
def test_the_number_of_values_and_words_is_bounded(reading: Reading) -> None:
    many = ",".join(map(str, range(MOST_VALUES + 1)))
    words = " ".join(map(str, range(MOST_WORDS + 1)))
    with pytest.raises(BadRequest) as caught:
        ids(reading, f"id__in={many}&q={words}")
    assert [(error["name"], error["detail"]) for error in caught.value.errors] == [
        ("id__in", "has 1001 values; at most 1000 are allowed"),
        ("q", "has 51 words; at most 50 are allowed"),
    ]


def test_every_value_that_its_column_cannot_hold_is_refused(reading: Reading) -> None:
    with pytest.raises(BadRequest) as caught:
        ids(reading, f"name={'x' * 41}&name__in=a,{'y' * 41}")
    assert [error["name"] for error in caught.value.errors] == ["name", "name__in"]


def test_a_character_that_no_text_can_have_is_refused_everywhere(reading: Reading) -> None:
    for query in ("name=%00", "name__contains=%00", "q=a%00b", "name__in=a,%00"):
        with pytest.raises(BadRequest):
            reading.get(f"/things?{query}")


def test_a_value_is_never_sql(reading: Reading) -> None:
    attacks = (
        "1 OR 1=1",
        "'; DROP TABLE thing; --",
        "\\'; DROP TABLE thing; --",
        "%' OR '1'='1",
        "(select 1)",
        "%s",
        "?",
    )
    for attack in attacks:
        for name in ("name", "name__contains", "name__in", "q"):
            assert reading.get(f"/things?{name}={quote(attack)}").json["items"] == []
    assert ids(reading, "") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("database", ["sqlite"])
def test_few_statements_serve_any_number_of_values(reading: Reading) -> None:
    ran: set[str] = set()
    read = reading.database.read

    def spy(statement: Any, values: Any) -> Any:
        ran.add(statement.sql)
        return read(statement, values)

    reading.database.read = spy  # type: ignore[method-assign]  # to see what is run
    for count in range(1, 101):
        ids(reading, "id__in=" + ",".join(map(str, range(1, count + 1))))
    assert len(ran) == 8
