"""One file of a contract: read within limits, parsed strictly, able to say on which line a value is.

JSON goes through the standard library, YAML through libyaml. Both refuse what has no JSON value (`NaN`, Python
objects) and what would lose data (a key written twice).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from demijohn.contract import json_text
from demijohn.contract.limits import Limits, refuse
from demijohn.contract.pointers import split
from demijohn.contract.yaml_text import Lines, YamlBuilder

__all__ = ["Source", "decode", "parse", "read"]

MediaTypeName: TypeAlias = Literal["application/json", "application/yaml"]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """Hold what a file says. `lines` are those of YAML, by the identity of the value's containers."""

    value: Any
    nodes: int
    lines: Lines | None


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Hold one file of a contract. `name` is its path relative to the contract's folder, with `/`.

    What it says is parsed once, let go by `release`, and parsed again if somebody asks: a server needs it for a
    form of the document that nobody may ever fetch, and it is three times the size of the file.
    """

    name: str
    raw: bytes = field(repr=False)
    media_type: MediaTypeName
    _limits: Limits = field(repr=False)
    _parsed: list[_Parsed] = field(default_factory=list, repr=False)
    _found: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def value(self) -> Any:
        """Return the parsed file."""
        return self._read().value

    @property
    def nodes(self) -> int:
        """Return how many values there are in it."""
        return self._read().nodes

    def release(self) -> None:
        """Let the parsed file go."""
        self._parsed.clear()

    def line(self, pointer: str) -> int:
        """Return the line, from 1, of the key or list item that a JSON pointer names.

        A pointer that leads nowhere gets the line of the last part of it that exists.
        """
        return self.lines([pointer])[pointer]

    def lines(self, pointers: Iterable[str]) -> dict[str, int]:
        """Return the line of each pointer; one pass over the file, however many are asked for."""
        wanted = set(pointers)
        missing = wanted - self._found.keys()
        if missing:
            if self.media_type == "application/json":
                self._found.update(json_text.lines(decode(self.name, self.raw), missing))
            else:
                self._found.update(self._search_yaml(missing))
        return {pointer: self._found[pointer] for pointer in wanted}

    def _read(self) -> _Parsed:
        if not self._parsed:
            text = decode(self.name, self.raw)
            if self.media_type == "application/json":
                value = json_text.parse(text, self.name, self._limits)
                self._parsed.append(_Parsed(value, json_text.measure(value, self.name, self._limits), None))
            else:
                builder = YamlBuilder(self.name, self._limits)
                self._parsed.append(_Parsed(builder.build(text), builder.nodes, builder.lines))
        return self._parsed[0]

    def _search_yaml(self, pointers: set[str]) -> dict[str, int]:
        parsed = self._read()
        assert parsed.lines is not None
        found: dict[str, int] = {}
        for pointer in pointers:
            value, line = parsed.value, 1
            for token in split(pointer):
                try:
                    index = list(value).index(token) if isinstance(value, dict) else int(token)
                    line = parsed.lines[id(value)][index]
                    value = value[token if isinstance(value, dict) else index]
                except (LookupError, ValueError):
                    break
            found[pointer] = line
        return found


def read(path: Path, name: str, limits: Limits) -> Source:
    """Read and parse the file at `path`; `ContractError` says what is wrong with it, and where.

    The size is looked at before anything is read, so that a huge file or a device costs nothing.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            refuse(name, 1, "this is not a file", "allowed is a JSON or YAML file")
        allowed = f"allowed are {max(limits.bytes, 0):,} (max_contract_bytes)"
        if status.st_size > limits.bytes:
            refuse(name, 1, f"the file has {status.st_size:,} bytes", allowed)
        with path.open("rb") as file:
            raw = file.read(limits.bytes + 1)
        if len(raw) > limits.bytes:
            refuse(name, 1, f"the file has more than {limits.bytes:,} bytes", allowed)
    except FileNotFoundError:
        refuse(name, 1, "this file does not exist", "name a JSON or YAML file")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        refuse(name, 1, f"the file cannot be read: {reason}")
    return parse(raw, name, limits)


def parse(raw: bytes, name: str, limits: Limits) -> Source:
    """Parse the bytes of a file; a name without `.json`, `.yaml` or `.yml` goes by its first character."""
    suffix = name.rpartition(".")[2].lower()
    is_json = suffix == "json" or (suffix not in ("yaml", "yml") and decode(name, raw).lstrip()[:1] in ("{", "["))
    source = Source(name, raw, "application/json" if is_json else "application/yaml", limits)
    source.nodes  # noqa: B018  # parses the file, which finds what is wrong with it
    return source


def decode(name: str, raw: bytes) -> str:
    """Return the text of a file."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        refuse(name, line, "the file is not UTF-8 text", "allowed are UTF-8, and UTF-16 with a byte order mark")
