"""Columns whose texts have one spelling that is stored and looked for: `Ann@Example.org` is `ann@example.org`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from demijohn.compile.validators import Validator
from demijohn.resources.codecs import Codec

__all__ = ["Spelling", "spelled"]


@dataclass(frozen=True, slots=True)
class Spelling:
    """Give the spelling of a text: `normal` returns it.

    `check` takes it before it is stored, and raises `ValueError`, with words for the client, for one that must not be.
    """

    normal: Callable[[str], str]
    check: Callable[[str], None]


def spelled(codec: Codec, spelling: Spelling, validator: Validator | None = None) -> Codec:
    """Return the codec of a column with a spelling: of values that are looked for; with a `validator`, stored.

    What is stored has to be valid by its schema in its spelling, too, since that is what answers will show.
    """
    inner = codec.decode

    def decode(value: Any) -> Any:
        if not isinstance(value, str):
            return inner(value)
        text = spelling.normal(value)
        if validator is not None:
            spelling.check(text)
            if text != value:
                wrong = next(iter(validator.faults(text)), None)
                if wrong is not None:
                    raise ValueError(f"{wrong.detail}, spelled as it is stored: {text}")
        return inner(text)

    return replace(codec, decode=decode)
