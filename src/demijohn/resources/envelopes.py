"""The object around the items of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from demijohn.resources.shape import Envelope

__all__ = ["EnvelopeWriter"]


class EnvelopeWriter:
    """Write lists into one kind of object; `needs` are the facts that it shows."""

    __slots__ = ("_members", "needs")

    def __init__(self, envelope: Envelope) -> None:
        self.needs = frozenset(envelope.others.values())
        self._members = tuple(
            (
                orjson.dumps(name).decode() + ":",
                envelope.others.get(name),
                name not in envelope.nullable and name not in envelope.required,
            )
            for name in envelope.order
            if name == envelope.items or name in envelope.others
        )

    def write(self, items: str, facts: Mapping[str, Any]) -> str:
        """Return the JSON text; a fact that there is none of is null, or left out where it cannot be null."""
        pieces = []
        for name, fact, is_left_out in self._members:
            if fact is None:
                pieces.append(name + items)
                continue
            value = facts.get(fact)
            if value is None:
                if not is_left_out:
                    pieces.append(name + "null")
            elif isinstance(value, int):
                pieces.append(f"{name}{value}")
            else:
                pieces.append(f'{name}"{value}"')
        return "{" + ",".join(pieces) + "}"
