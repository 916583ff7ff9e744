"""A mapping file: how the rows of somebody else's file become rows of a resource.

    rename: {original_title: title, language_code: language}
    split: {authors: ","}
    function: repairs.book
    drop: others
    key: [isbn13]
    create_only: [copies]

The steps are taken in this order, whatever the order of the keys. `split` makes a list of the pieces of a text.
`function` takes the row as a dict and returns one, or None to leave the row out; it refuses the row with
`ValueError(reason)`, or `ValueError(property, reason)`. `drop` lists columns, or says `others`: all that are no
property of the resource.

The last two are about rows that are there already: `key` are the properties by which one is known, and `create_only`
are those that it keeps when others are updated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from demijohn.compile.faults import Fault
from demijohn.compile.functions import find_function
from demijohn.contract.limits import Limits
from demijohn.contract.sources import Source, read
from demijohn.errors import ContractError, Finding, StartError

__all__ = ["Mapping", "MappingError", "RefusedRowError", "read_mapping"]

_Function: TypeAlias = Callable[[dict[str, Any]], "dict[str, Any] | None"]


class MappingError(StartError):
    """Refuse a mapping file that is not valid."""

    heading = "The mapping is wrong"


class RefusedRowError(Exception):
    """Carry why a mapping refuses a row."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Mapping:
    """Hold what a mapping file says; without one a row is taken as it is."""

    rename: dict[str, str] = field(default_factory=dict)
    split: dict[str, str] = field(default_factory=dict)
    function: _Function | None = None
    drop: frozenset[str] | Literal["others"] = frozenset()
    key: tuple[str, ...] = ()
    create_only: frozenset[str] = frozenset()

    def columns(self, header: Collection[str], known: Collection[str]) -> tuple[list[str], list[str]]:
        """Return the columns that rows with this header come to, and the names of `rename`, `split` and `drop` that
        the header lacks."""
        dropped = frozenset() if self.drop == "others" else self.drop
        renamed = [self.rename.get(name, name) for name in header]
        lacking = [*(self.rename.keys() - set(header)), *((self.split.keys() | dropped) - set(renamed))]
        kept = [name for name in renamed if (name in known if self.drop == "others" else name not in dropped)]
        return kept, sorted(lacking) if self.function is None else []

    def renamed(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row by the names that it has from then on."""
        return {self.rename.get(name, name): value for name, value in row.items()}

    def apply(self, row: dict[str, Any], known: Collection[str]) -> dict[str, Any] | None:
        """Return a row as the resource wants it, None where it is left out. Raises `RefusedRowError`."""
        if self.rename or self.split or self.function is not None:
            row = self.renamed(row)
        for name, separator in self.split.items():
            if isinstance(text := row.get(name), str):
                row[name] = [piece for one in text.split(separator) if (piece := one.strip())]
        if self.function is not None:
            made = _call(self.function, row)
            if made is None:
                return None
            row = made
        if self.drop == "others":
            return {name: value for name, value in row.items() if name in known}
        return {name: value for name, value in row.items() if name not in self.drop} if self.drop else row


def _call(function: _Function, row: dict[str, Any]) -> dict[str, Any] | None:
    try:
        made = function(row)
    except ValueError as error:
        match error.args:
            case (str(name), str(reason)):
                raise RefusedRowError(Fault((name,), reason)) from error
        raise RefusedRowError(Fault((), str(error))) from error
    except Exception as error:  # a function of the user's may raise anything
        why = f"the function of the mapping failed: {type(error).__name__}: {error}"
        raise RefusedRowError(Fault((), why)) from error
    if made is not None and not isinstance(made, dict):
        raise RefusedRowError(Fault((), f"the function of the mapping returned a {type(made).__name__} and no dict"))
    return made


def read_mapping(path: Path, limits: Limits) -> Mapping:
    """Read a mapping file, YAML or JSON. Raises `MappingError` with everything that is wrong with it."""
    try:
        source = read(path, str(path), limits)
    except ContractError as error:
        raise MappingError(error.problems) from error
    wrong: list[Finding] = []
    value = source.value

    def refuse(pointer: str, found: str, allowed: str) -> None:
        wrong.append(Finding(source.name, source.line(pointer), pointer, found, allowed))

    if not isinstance(value, dict):
        refuse("", "this is no mapping", f"allowed is an object with {', '.join(_KEYS)}")
        raise MappingError(wrong)
    for key in value:
        if key not in _KEYS:
            refuse(f"/{key}", f"there is no `{key}` in a mapping", f"allowed are {', '.join(_KEYS)}")
    for key in ("rename", "split"):
        if not _is_texts(value.get(key, {})):
            refuse(f"/{key}", f"`{key}` is not an object of texts", _EXAMPLES[key])
    drop = value.get("drop", [])
    if drop != "others" and not _is_list(drop):
        refuse("/drop", "`drop` is no list of columns", _EXAMPLES["drop"])
    for key in ("key", "create_only"):
        if not _is_list(value.get(key, [])):
            refuse(f"/{key}", f"`{key}` is no list of properties", f"write `{key}: [property, property]`")
    function = _function(source, value["function"], refuse) if "function" in value else None
    if wrong:
        raise MappingError(wrong)
    return Mapping(
        value.get("rename", {}),
        value.get("split", {}),
        function,
        "others" if drop == "others" else frozenset(drop),
        tuple(value.get("key", [])),
        frozenset(value.get("create_only", [])),
    )


_KEYS = ("rename", "split", "function", "drop", "key", "create_only")
_EXAMPLES = {
    "rename": "write `rename: {column: property}`",
    "split": 'write `split: {column: ","}`, with a separator that is not empty',
    "drop": "write `drop: [column, column]` or `drop: others`",
}


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) and one for one in value.values())


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _function(source: Source, name: Any, refuse: Callable[[str, str, str], None]) -> _Function | None:
    """Return the function that is named `module.function`, or `module:function`."""
    found, why = find_function(str(name).replace(":", "."))
    if found is None:
        refuse("/function", f"`function` {name!r}: {why}", "name a function that can be imported: `module.function`")
    return found
