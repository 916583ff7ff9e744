"""Add keys to a contract and leave everything else of it as it is written, comments included."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

from demijohn.contract.limits import Limits
from demijohn.contract.pointers import split
from demijohn.contract.sources import Source, decode, parse
from demijohn.errors import ContractError
from demijohn.settings import Settings

__all__ = ["Additions", "amend"]

Additions: TypeAlias = Mapping[str, Mapping[str, str]]
"""Maps the JSON pointer of an object to the keys, and their values, that it is to have."""


def amend(source: Source, additions: Additions) -> bytes:
    """Return the text of a file with more keys.

    A line is added above the first key of each object. Where that does not give what it should (an object in one line,
    a key that is there already), the whole file is written anew, which costs a YAML file its comments.
    """
    additions = {pointer: keys for pointer, keys in additions.items() if keys}
    if not additions:
        return source.raw
    wanted = json.loads(json.dumps(source.value))
    for pointer, keys in additions.items():
        _at(wanted, pointer).update(keys)
    if source.media_type == "application/json":
        return (json.dumps(wanted, indent=2, ensure_ascii=False) + "\n").encode()
    text = _with_lines(source, additions).encode()
    if _value_of(source.name, text) == wanted:
        return text
    return yaml.safe_dump(wanted, allow_unicode=True, sort_keys=False, width=120).encode()


def _with_lines(source: Source, additions: Additions) -> str:
    lines = decode(source.name, source.raw).splitlines(keepends=True)
    more: dict[int, list[str]] = {}
    for pointer, keys in additions.items():
        first = next(iter(_at(source.value, pointer)), None)
        if first is None:
            continue
        number = source.line(f"{pointer}/{first.replace('~', '~0').replace('/', '~1')}")
        indent = re.match(r"\s*", lines[number - 1])
        assert indent is not None
        more[number] = [f"{indent[0]}{key}: {json.dumps(value)}\n" for key, value in keys.items()]
    # Before the first key: what it holds may go on for many lines.
    return "".join(part for number, line in enumerate(lines, 1) for part in (*more.get(number, ()), line))


def _value_of(name: str, raw: bytes) -> Any:
    default = Settings()
    limits = Limits(default.max_contract_bytes, default.max_contract_depth, default.max_contract_nodes)
    try:
        return parse(raw, name, limits).value
    except ContractError:
        return None


def _at(value: Any, pointer: str) -> Any:
    for token in split(pointer):
        value = value[int(token) if isinstance(value, list) else token]
    return value
