"""The bounds on what may be read, and how a file that cannot be read is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from demijohn.errors import ContractError, Finding

__all__ = ["Limits", "refuse", "twice"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bound what may be read: size in bytes, nesting, and values once aliases are expanded."""

    bytes: int
    depth: int
    nodes: int

    def check_depth(self, name: str, line: int, depth: int) -> None:
        """Refuse a file that is nested too deeply."""
        if depth > self.depth:
            refuse(
                name,
                line,
                f"the file is nested deeper than {self.depth} levels",
                "flatten it (max_contract_depth)",
            )

    def check_nodes(self, name: str, line: int, nodes: int) -> None:
        """Refuse a contract that has too many values."""
        if nodes > self.nodes:
            refuse(
                name,
                line,
                f"the contract has more than {self.nodes:,} values once its aliases are expanded",
                "write less, or use `$ref` (max_contract_nodes)",
            )


def refuse(name: str, line: int, found: str, allowed: str = "") -> NoReturn:
    """Raise `ContractError` with one finding about the file `name`."""
    raise ContractError([Finding(name, line, "", found, allowed)])


def twice(name: str, line: int, pointer: str, key: str, first: int) -> Finding:
    """Return the finding about a key that a mapping holds twice."""
    return Finding(name, line, pointer, f"the key `{key}` was already written on line {first}", "write each key once")
