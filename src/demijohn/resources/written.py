"""Which tables a statement writes to, read off its text: whoever sent it, and however it was made.

What is found may be more than what is written, never less, for any statement that names the table it writes to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from sqlalchemy import MetaData

__all__ = ["Watched"]

_Verb: TypeAlias = Literal["insert", "update", "delete"]

# `FOR UPDATE` locks, and `DO UPDATE SET` is part of an INSERT.
_VERB = re.compile(
    r"\b(insert|replace|merge|copy|load|(?<!for\s)(?<!key\s)(?<!do\s)update|delete|truncate)\b", re.IGNORECASE
)
# Whoever calls a procedure cannot know what it writes to.
_CALL = re.compile(r"\s*(call|do|exec|execute)\b", re.IGNORECASE)
# What stands behind the tables that a verb is about.
_ENDS: Mapping[str, re.Pattern[str]] = {
    "insert": re.compile(r"\(|\b(values|select|set|default|using|from|with)\b", re.IGNORECASE),
    "update": re.compile(r"\bset\b", re.IGNORECASE),
    "delete": re.compile(r"\b(where|returning|order|limit)\b", re.IGNORECASE),
}
_KINDS: Mapping[str, _Verb] = {"update": "update", "delete": "delete", "truncate": "delete"}
_IS_UPSERT = re.compile(r"\bon\s+(conflict|duplicate)\b", re.IGNORECASE)
_IS_REPLACE = re.compile(r"\breplace\b", re.IGNORECASE)
# No list of tables is longer.
_LONGEST = 2000

_ACTIONS = frozenset(("CASCADE", "SET NULL", "SET DEFAULT"))
_MOST_REMEMBERED = 2000
_LONGEST_REMEMBERED = 10_000


class Watched:
    """Hold the tables whose changes somebody wants to know of, and find them in statements."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._patterns: list[tuple[re.Pattern[str], Mapping[_Verb, frozenset[str]]]] = []
        self._found: dict[str, frozenset[str]] = {}
        self._metadatas: tuple[MetaData, ...] = ()

    def watch(self, names: Iterable[str], metadatas: Iterable[MetaData]) -> None:
        """Watch more tables; `metadatas` have the foreign keys by which a write to one table changes another."""
        self.names |= frozenset(names)
        self._metadatas = tuple(dict.fromkeys((*self._metadatas, *metadatas)))
        reached = _reached(self._metadatas)
        self._patterns = []
        for name in sorted({*self.names, *reached}):
            kinds: dict[_Verb, frozenset[str]] = {"insert": self.names & {name}}
            for verb in ("update", "delete"):
                kinds[verb] = self.names & {name, *reached.get(name, {}).get(verb, ())}
            if any(kinds.values()):
                self._patterns.append((_word(name), kinds))
        self._found = {}

    def written(self, sql: str) -> frozenset[str]:
        """Return the watched tables that a statement may write to, itself or by a foreign key's action."""
        found = self._found.get(sql)
        if found is None:
            found = frozenset(self._find(sql)) if self.names else frozenset()
            if len(sql) <= _LONGEST_REMEMBERED:
                if len(self._found) >= _MOST_REMEMBERED:
                    self._found = {}
                self._found[sql] = found
        return found

    def _find(self, sql: str) -> Iterator[str]:
        if _CALL.match(sql):
            yield from self.names
        for match in _VERB.finditer(sql):
            word = match[1].lower()
            kind: _Verb = _KINDS.get(word, "insert")
            zone = sql[match.end() : match.end() + _LONGEST]
            end = None if word == "truncate" else _ENDS[kind].search(zone)
            zone = zone if end is None else zone[: end.start()]
            kinds = [kind]
            if kind == "insert" and (word == "replace" or _IS_REPLACE.search(zone)):
                kinds = ["delete"]
            elif kind == "insert" and (word == "merge" or _IS_UPSERT.search(sql)):
                kinds = ["insert", "update"]
            if word == "merge":
                kinds.append("delete")
            for pattern, changed in self._patterns:
                if pattern.search(zone):
                    for one in kinds:
                        yield from changed[one]


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])", re.IGNORECASE)


def _reached(metadatas: Iterable[MetaData]) -> dict[str, dict[_Verb, set[str]]]:
    """Return, by table and verb, the tables that the database itself changes with it."""
    edges: dict[_Verb, dict[str, set[str]]] = {"update": {}, "delete": {}}
    for metadata in metadatas:
        for table in metadata.tables.values():
            for key in table.foreign_key_constraints:
                referred = {_referred(element.target_fullname) for element in key.elements}
                for name in referred:
                    if (key.onupdate or "").upper() in _ACTIONS:
                        edges["update"].setdefault(name, set()).add(table.name)
                    if (key.ondelete or "").upper() in _ACTIONS:
                        edges["delete"].setdefault(name, set()).add(table.name)
    found: dict[str, dict[_Verb, set[str]]] = {}
    for verb, first in edges.items():
        for name in first:
            found.setdefault(name, {})[verb] = _closure(first[name], edges)
    return found


def _referred(column: str) -> str:
    """Return the name of the table of `schema.table.column`."""
    return column.rsplit(".", 2)[-2]


def _closure(first: Iterable[str], edges: Mapping[_Verb, Mapping[str, set[str]]]) -> set[str]:
    seen, waiting = set[str](), list(first)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            # A row that is set to NULL is updated, one that goes takes others along.
            waiting += [*edges["update"].get(name, ()), *edges["delete"].get(name, ())]
    return seen
