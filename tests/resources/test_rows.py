"""Files of rows are read a piece at a time, with the line of each row, and what is wrong with one harms no other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from demijohn.resources.rows import BadRow, Format, Reader, Row, StreamError, read_rows, write_rows

LIMIT = 1000


def reader(text: str | bytes, form: Format, limit: int = LIMIT) -> Reader:
    return read_rows(io.BytesIO(text.encode() if isinstance(text, str) else text), form, limit)


def read(text: str | bytes, form: Format, limit: int = LIMIT) -> list[tuple[int, Any]]:
    """Return line and values of each row; of a bad one, what is wrong with it."""
    return [
        (row.line, row.values if isinstance(row, Row) else [f"{fault.pointer} {fault.detail}" for fault in row.faults])
        for row in reader(text, form, limit).rows
    ]


class Trickle(io.RawIOBase):
    """Be a file that gives few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._size)


# CSV


def test_csv_names_its_columns_in_the_first_line() -> None:
    assert reader("a,b\n1,2\n", "csv").columns == ("a", "b")
    assert read("a,b\n1,2\n\n3,\n", "csv") == [(2, {"a": "1", "b": "2"}), (4, {"a": "3", "b": ""})]


def test_csv_may_begin_with_a_byte_order_mark() -> None:
    assert read(b"\xef\xbb\xbfa\r\n\xc3\xa9\r\n", "csv") == [(2, {"a": "é"})]


def test_a_quoted_cell_may_have_lines_of_its_own() -> None:
    assert read('a,b\n"one\ntwo",x\n3,y\n', "csv") == [(2, {"a": "one\ntwo", "b": "x"}), (4, {"a": "3", "b": "y"})]


def test_a_csv_row_with_too_many_or_too_few_cells_is_refused_alone() -> None:
    assert read("a,b\n1\n1,2,3\n1,2\n", "csv") == [
        (2, ["# has 1 cells; the header has 2"]),
        (3, ["# has 3 cells; the header has 2"]),
        (4, {"a": "1", "b": "2"}),
    ]


def test_bytes_that_are_no_utf8_are_refused_with_their_column() -> None:
    assert read(b"a,b\n1,caf\xe9\n2,ok\n", "csv") == [
        (2, ["#/b is not valid UTF-8"]),
        (3, {"a": "2", "b": "ok"}),
    ]


def test_csv_that_is_quoted_wrongly_is_refused_alone() -> None:
    found = read('a,b\n"x"y,1\n2,3\n', "csv")
    assert found[0][0] == 2
    assert found[0][1][0].startswith("# is not valid CSV: ")
    assert found[1] == (3, {"a": "2", "b": "3"})


def test_a_cell_without_end_is_no_reason_to_read_everything_into_memory() -> None:
    found = read('a\n"' + "x" * 5000, "csv")
    assert len(found) == 1
    assert "field larger than field limit" in found[0][1][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the file is empty; its first line has to name the columns"),
        (b"a,b,a\n", "the header has 'a' more than once"),
        (b'"a"b\n', "the header is not valid CSV"),
        (b"caf\xe9\n", "the header is not valid UTF-8"),
    ],
)
def test_a_header_that_is_wrong_ends_it_all(text: bytes, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        reader(text, "csv")


# JSON lines


def test_json_lines_have_an_object_on_each_line() -> None:
    text = b'\xef\xbb\xbf{"a": 1}\n\n[1]\n{"a": NaN}\n{"a": 1, "a": 2}\n{"a": 3}'
    found = read(text, "jsonl")
    assert found[0] == (1, {"a": 1})
    assert found[1] == (3, ["# must be an object"])
    assert found[2][0] == 4
    assert found[2][1][0].startswith("# is not valid JSON")
    assert found[3] == (5, ["#/a is given more than once"])
    assert found[4] == (6, {"a": 3})


def test_a_line_that_is_too_long_is_refused_alone() -> None:
    text = '{"a": "' + "x" * 200_000 + '"}\n{"a": 1}\n'
    assert read(text, "jsonl", 100) == [(1, ["# is longer than 100 bytes"]), (2, {"a": 1})]


# A JSON array


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 16])
def test_an_array_is_cut_into_its_items_wherever_the_pieces_end(size: int) -> None:
    text = b'\n[{"a": "]\\"},{"},\n\n{"b": [{}, [1, 2]],\n "c": "\\\\"} , 3]\n\n'
    rows = list(read_rows(Trickle(text, size), "json", LIMIT).rows)  # type: ignore[arg-type]  # it can be read
    assert [row.line for row in rows] == [2, 4, 5]
    assert [row.values for row in rows] == [{"a": ']"},{'}, {"b": [{}, [1, 2]], "c": "\\"}, None]


@pytest.mark.parametrize("text", ["[]", " [ \n ] \n", "\ufeff[]"])
def test_an_array_may_be_empty(text: str) -> None:
    assert read(text, "json") == []


def test_an_item_that_is_no_json_is_refused_alone() -> None:
    found = read('[{"a": 1 "b"}, {"a": 2},]', "json")
    assert found[0][1][0].startswith("# is not valid JSON")
    assert found[1] == (1, {"a": 2})
    assert found[2][1] == ["# is not valid JSON: it is empty"]


def test_an_item_that_is_too_long_is_refused_alone() -> None:
    assert read('[{"a": "' + "x" * 2000 + '"}, {"a": 1}]', "json") == [
        (1, ["# is longer than 1000 bytes"]),
        (1, {"a": 1}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ('{"a": 1}\n{"a": 2}', "the format is jsonl"),
        ('[{"a": 1},\n{"a"', "line 2: the file ends inside of its array"),
        ('[\n{"a": "x}]', "line 2: the file ends inside of its array"),
        ("[]\n\n{}", "line 3: something stands behind the array"),
        ('[1,\n{"a": "' + "x" * 200_000, "line 1: an item is longer than 1000 bytes, or lacks a quote"),
    ],
)
def test_an_array_that_is_none_ends_it_all(text: str, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        read(text, "json")


def test_a_long_array_is_never_in_memory_as_a_whole() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += 1
            return b'[{"a": 1}' if self.given == 1 else b', {"a": 1}' * 1000

    stream = Endless()
    rows: Iterator[Row | BadRow] = read_rows(stream, "json", LIMIT * 100).rows  # type: ignore[arg-type]  # it can be read
    assert [next(rows).values for _ in range(100)] == [{"a": 1}] * 100
    assert stream.given < 5


# Writing


def written(form: Format, *rows: bytes, columns: tuple[str, ...] = ("a", "b")) -> str:
    return b"".join(write_rows(form, columns)(rows)).decode()


def test_json_lines_are_written_a_line_each() -> None:
    assert written("jsonl", b'{"a":1}', b'{"a":[\n2]}') == '{"a":1}\n{"a":[2]}\n'


def test_an_array_is_written_a_line_an_item() -> None:
    assert written("json", b'{"a":1}', b'{"a":2}') == '[\n{"a":1},\n{"a":2}\n]\n'
    assert written("json") == "[]\n"


def test_csv_is_written_so_that_it_can_be_read_again() -> None:
    text = written(
        "csv", b'{"b":"x,\\"y\\"\\nz","a":null}', b'{"a":true,"b":[1,{"c":2.5}]}', b'{"a":12345678901234567.891}'
    )
    assert text == 'a,b\n,"x,""y""\nz"\ntrue,"[1,{""c"":2.5}]"\n12345678901234567.891,\n'
    assert read(text, "csv")[0] == (2, {"a": "", "b": 'x,"y"\nz'})
    assert Decimal(read(text, "csv")[2][1]["a"]) == Decimal("12345678901234567.891")


def test_many_rows_are_written_in_pieces() -> None:
    pieces = list(write_rows("csv", ("a",))(b'{"a":%d}' % number for number in range(5000)))
    assert len(pieces) == 6
    assert b"".join(pieces).count(b"\n") == 5001
