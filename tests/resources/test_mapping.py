"""A mapping file makes the rows of somebody else's file into rows of a resource."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demijohn.compile.faults import Fault
from demijohn.contract.limits import Limits
from demijohn.resources.mapping import Mapping, MappingError, RefusedRowError, read_mapping

LIMITS = Limits(10_000, 20, 1000)
KNOWN = ("title", "authors", "year")


def mapping(tmp_path: Path, text: str, name: str = "books.yaml") -> Mapping:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_mapping(path, LIMITS)


def test_its_steps_are_taken_in_their_order(tmp_path: Path, module: Callable[..., None]) -> None:
    def book(row: dict[str, Any]) -> dict[str, Any]:
        assert row == {"title": "Emma", "authors": ["Jane Austen", "Anon"], "year": "1815.0", "isbn": "1"}
        return row | {"year": int(float(row["year"]))}

    module("repairs", book=book)
    made = mapping(
        tmp_path,
        'drop: others\nfunction: repairs:book\nsplit: {authors: ","}\nrename: {original_title: title, who: authors}\n',
    )
    row = {"original_title": "Emma", "who": "Jane Austen, Anon,", "year": "1815.0", "isbn": "1"}
    before = dict(row)
    assert made.apply(row, KNOWN) == {"title": "Emma", "authors": ["Jane Austen", "Anon"], "year": 1815}
    assert row == before, "a report shows the row as it was"


def test_a_list_of_columns_can_be_dropped(tmp_path: Path) -> None:
    assert mapping(tmp_path, "drop: [a]").apply({"a": 1, "b": 2}, KNOWN) == {"b": 2}
    assert mapping(tmp_path, '{"drop": ["a"]}', "books.json").apply({"a": 1}, KNOWN) == {}
    assert Mapping().apply({"a": 1}, KNOWN) == {"a": 1}


def test_a_function_may_leave_a_row_out_or_refuse_it(module: Callable[..., None], tmp_path: Path) -> None:
    def book(row: dict[str, Any]) -> Any:
        if row["a"] == 1:
            return None
        if row["a"] == 2:
            raise ValueError("has no title")
        if row["a"] == 5:
            raise ValueError("title", "is empty")
        return row["nothing"] if row["a"] == 3 else []

    module("repairs", book=book)
    made = mapping(tmp_path, "function: repairs.book")
    assert made.apply({"a": 1}, KNOWN) is None
    for number, path, detail in [
        (2, (), "has no title"),
        (3, (), "the function of the mapping failed: KeyError: 'nothing'"),
        (4, (), "the function of the mapping returned a list and no dict"),
        (5, ("title",), "is empty"),
    ]:
        with pytest.raises(RefusedRowError) as refused:
            made.apply({"a": number}, KNOWN)
        assert refused.value.fault == Fault(path, detail)


def test_the_columns_of_a_file_are_known_before_its_rows_are_read() -> None:
    made = Mapping(rename={"a": "title", "x": "y"}, split={"authors": ",", "z": ","}, drop=frozenset({"b", "c"}))
    assert made.columns(["a", "b", "authors"], KNOWN) == (["title", "authors"], ["c", "x", "z"])
    assert Mapping(drop="others").columns(["a", "title"], KNOWN) == (["title"], [])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("- a", ["books.yaml:1: this is no mapping; allowed is an object with rename, split, function, drop, key, "]),
        (
            "rename: [a]\nsplit: {a: ''}\ndrop: {}\nremove: [b]\nkey: a\ncreate_only: [1]\n",
            [
                "books.yaml:4: there is no `remove` in a mapping; allowed are rename, split, function, drop, key,"
                " create_only",
                "books.yaml:1: `rename` is not an object of texts; write `rename: {column: property}`",
                'books.yaml:2: `split` is not an object of texts; write `split: {column: ","}`, with a separator that'
                " is not empty",
                "books.yaml:3: `drop` is no list of columns; write `drop: [column, column]` or `drop: others`",
                "books.yaml:5: `key` is no list of properties; write `key: [property, property]`",
                "books.yaml:6: `create_only` is no list of properties; write `create_only: [property, property]`",
            ],
        ),
        ("\nfunction: nowhere.book", ["books.yaml:2: `function` 'nowhere.book': there is no module 'nowhere'"]),
        ("{", ["books.yaml:2: this is not YAML"]),
    ],
)
def test_everything_that_is_wrong_with_it_is_told_with_its_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    with pytest.raises(MappingError) as refused:
        mapping(tmp_path, text)
    told = [str(one).replace(f"{tmp_path}/", "") for one in refused.value.problems]
    assert len(told) == len(lines)
    for found, wanted in zip(told, lines, strict=True):
        assert found.startswith(wanted)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="this file does not exist"):
        read_mapping(tmp_path / "nothing.yaml", LIMITS)
