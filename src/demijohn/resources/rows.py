"""Files of rows, read and written as a stream: CSV, JSON lines, and a JSON array.

Whatever cannot be read is a `BadRow` with its line, and reading goes on behind it where that is possible. No more
than one row, and a piece of the file, is in memory.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO, Literal, TypeAlias

import orjson

from demijohn.compile.faults import Fault
from demijohn.compile.strict_json import JsonError, load

__all__ = ["FORMATS", "BadRow", "Format", "Reader", "Row", "StreamError", "Writer", "read_rows", "write_rows"]

Format: TypeAlias = Literal["csv", "jsonl", "json"]
FORMATS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"}
"""What the suffix of a file says about its format."""

_CHUNK_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"


class StreamError(Exception):
    """Tell why a file, or the rest of it, cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one row and the line on which it begins, from 1. The values of a CSV row are texts, `raw` is JSON's own."""

    line: int
    values: dict[str, Any]
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class BadRow:
    """Tell what is wrong with the row on a line; `values` is what could be read of it."""

    line: int
    faults: tuple[Fault, ...]
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Be a file that is about to be read; `columns` are those of its header, None where each row has its own."""

    columns: tuple[str, ...] | None
    rows: Iterator[Row | BadRow]


def read_rows(stream: BinaryIO, form: Format, most_bytes: int) -> Reader:
    """Read a file of rows, none of which may take more than `most_bytes`. Raises `StreamError` for a wrong header."""
    if form == "csv":
        return _read_csv(stream, most_bytes)
    return Reader(None, (_read_lines if form == "jsonl" else _read_array)(stream, most_bytes))


def _read_csv(stream: BinaryIO, most_bytes: int) -> Reader:
    csv.field_size_limit(most_bytes)
    # A byte that is no UTF-8 becomes a lone surrogate, by which its row is known; the rest of the file is fine.
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    lines = csv.reader(text, strict=True)
    try:
        columns = tuple(next(lines))
    except StopIteration:
        raise StreamError("the file is empty; its first line has to name the columns") from None
    except csv.Error as error:
        raise StreamError(f"the header is not valid CSV: {error}") from None
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise StreamError(f"the header has {' and '.join(map(repr, twice))} more than once")
    if not _is_utf8("".join(columns)):
        raise StreamError("the header is not valid UTF-8")
    return Reader(columns, _csv_rows(text, lines, columns))


def _csv_rows(text: io.TextIOWrapper, lines: Any, columns: tuple[str, ...]) -> Iterator[Row | BadRow]:
    width = len(columns)
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines)
        except StopIteration:
            text.detach()  # who has opened the file closes it
            return
        except csv.Error as error:
            yield BadRow(line, (Fault((), f"is not valid CSV: {error}"),))
            continue
        if not cells:
            continue
        if len(cells) != width:
            yield BadRow(line, (Fault((), f"has {len(cells)} cells; the header has {width}"),))
        elif _is_utf8("".join(cells)):
            yield Row(line, dict(zip(columns, cells, strict=True)))
        else:
            wrong = [name for name, cell in zip(columns, cells, strict=True) if not _is_utf8(cell)]
            yield BadRow(line, tuple(Fault((name,), "is not valid UTF-8") for name in wrong))


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_lines(stream: BinaryIO, most_bytes: int) -> Iterator[Row | BadRow]:
    number = 0
    while raw := stream.readline(most_bytes + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(_BOM)
        if len(raw) > most_bytes and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(_CHUNK_BYTES)
            yield BadRow(number, (Fault((), f"is longer than {most_bytes} bytes"),))
        elif raw.strip():
            yield _json_row(number, raw, most_bytes)


def _json_row(line: int, raw: bytes, most_bytes: int) -> Row | BadRow:
    if len(raw) > most_bytes + 1:
        return BadRow(line, (Fault((), f"is longer than {most_bytes} bytes"),))
    try:
        value = load(raw.strip())
    except JsonError as error:
        return BadRow(line, tuple(error.faults))
    if isinstance(value, dict):
        return Row(line, value, raw)
    return BadRow(line, (Fault((), "must be an object"),))


# What leads to the next bracket, or between items also comma, that is in no string.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BETWEEN = re.compile(rb"[^\"\[\]{},]*+(?:" + _STRING + rb"[^\"\[\]{},]*+)*+([\[\]{},])", re.DOTALL)
_INSIDE = re.compile(rb"[^\"\[\]{}]*+(?:" + _STRING + rb"[^\"\[\]{}]*+)*+([\[\]{}])", re.DOTALL)
_DEPTHS = {b"{": 1, b"[": 1, b"}": -1, b"]": -1, b",": 0}


def _read_array(stream: BinaryIO, most_bytes: int) -> Iterator[Row | BadRow]:
    """Cut an array into its items by the brackets and commas outside of strings; what is in an item is read later."""
    buffer, line = _opening(stream)
    at, depth, is_first = 0, 0, True
    while True:
        start = 0
        while token := (_INSIDE if depth else _BETWEEN).match(buffer, at):
            at = token.end()
            depth += _DEPTHS[token[1]]
            if depth < 0 or (depth == 0 and token[1] == b","):
                item = buffer[start : at - 1]
                if item.strip() or depth == 0 or not is_first:
                    yield _json_row(line + _blank_lines(item), item, most_bytes)
                line += item.count(b"\n")
                start, is_first = at, False
                if depth < 0:
                    return _closing(stream, buffer[at:], line)
        buffer, at = buffer[start:], at - start
        if len(buffer) > most_bytes:
            raise StreamError(f"line {line}: an item is longer than {most_bytes} bytes, or lacks a quote")
        chunk = stream.read(_CHUNK_BYTES)
        if not chunk:
            line += buffer.count(b"\n")
            raise StreamError(f"line {line}: the file ends inside of its array")
        buffer += chunk


def _opening(stream: BinaryIO) -> tuple[bytes, int]:
    """Return what stands behind the bracket that opens the array, and the line it is on."""
    before = b""
    while not before.strip():
        chunk = stream.read(_CHUNK_BYTES)
        if not chunk:
            raise StreamError("the file is empty; it has to be an array of objects")
        before += chunk
        before = before.removeprefix(_BOM)
    head = before.lstrip()
    if not head.startswith(b"["):
        raise StreamError("the file has to be an array of objects; for an object on each line the format is jsonl")
    return head[1:], 1 + _blank_lines(before)


def _closing(stream: BinaryIO, rest: bytes, line: int) -> None:
    while not rest.strip():
        line += rest.count(b"\n")
        rest = stream.read(_CHUNK_BYTES)
        if not rest:
            return
    raise StreamError(f"line {line + _blank_lines(rest)}: something stands behind the array")


def _blank_lines(text: bytes) -> int:
    """Return how many lines end before anything stands in a text."""
    return text[: len(text) - len(text.lstrip())].count(b"\n")


Writer: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Makes the pieces of a file out of the JSON objects of its rows."""


def write_rows(form: Format, columns: tuple[str, ...]) -> Writer:
    """Return what writes rows, each given as a JSON object, in a format; `columns` are those of a CSV file."""
    if form == "csv":
        return partial(_write_csv, columns)
    return _write_lines if form == "jsonl" else _write_array


def _write_csv(columns: tuple[str, ...], rows: Iterable[bytes]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for count, row in enumerate(rows):
        values = _load_exactly(row.decode())
        writer.writerow([_cell(values.get(name)) for name in columns])
        if count % 1000 == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


# Fractions as `Decimal`: a float has not all the digits of one.
_load_exactly = json.JSONDecoder(parse_float=Decimal).decode


def _cell(value: Any) -> str:
    """Return a value as a cell from which it can be read again: null is an empty one."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return "" if value is None else orjson.dumps(value, default=float).decode()


def _write_lines(rows: Iterable[bytes]) -> Iterator[bytes]:
    for row in rows:
        yield _one_line(row) + b"\n"


def _write_array(rows: Iterable[bytes]) -> Iterator[bytes]:
    before = b"[\n"
    for row in rows:
        yield before + row
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _one_line(row: bytes) -> bytes:
    """Return a JSON text without line breaks; PostgreSQL keeps those that a value of its type `json` came with."""
    return orjson.dumps(orjson.loads(row)) if b"\n" in row else row
