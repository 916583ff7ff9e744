"""The `Prefer` header (RFC 7240): what a client would like, and what it insists on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from demijohn.errors import BadRequest

__all__ = ["NO_PREFERENCES", "Preferences", "parse_prefer"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """Hold the preferences that Demijohn knows.

    `returns` is what an answer to a write should hold, `count_exact` asks for the total of a list, `strict` tells
    that the client wants unknown preferences refused.
    """

    returns: Literal["minimal", "representation"] | None = None
    count_exact: bool = False
    strict: bool = False

    def applied(self, *names: str) -> list[tuple[str, str]]:
        """Return the header that tells which preferences were followed: those named, and `handling=strict`."""
        told = [*names, *(["handling=strict"] if self.strict else [])]
        return [("Preference-Applied", ", ".join(told))] if told else []


NO_PREFERENCES: Final = Preferences()

# RFC 7240 section 2: token, or token = word, then parameters; a comma begins the next preference.
_WORD_CHARACTERS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD = rf'(?:{_WORD_CHARACTERS}|"(?:[^"\\]|\\.)*")'
_PREFERENCE = re.compile(rf"\s*({_WORD_CHARACTERS})(?:\s*=\s*({_WORD})?)?((?:\s*;[^,]*)?)\s*(?:,|$)")
_MOST_REMEMBERED = 200
_MOST_CHARACTERS = 1000


@lru_cache(maxsize=_MOST_REMEMBERED)
def parse_prefer(text: str) -> Preferences:
    """Read a `Prefer` header; of a preference that is given twice the first counts.

    Raises `BadRequest` where the client says `handling=strict` and prefers what Demijohn does not know.
    """
    found, unknown = _split(text[:_MOST_CHARACTERS])
    for name, value in list(found.items()):
        if value not in _KNOWN.get(name, ()):
            unknown.append(f"{name}={value}" if value else name)
            del found[name]
    strict = found.get("handling") == "strict"
    if strict and unknown:
        named = ", ".join(repr(one) for one in unknown[:5])
        errors = [{"detail": f"has preferences that are not known: {named}", "in": "header", "name": "Prefer"}]
        raise BadRequest(f"header parameter 'Prefer' has preferences that are not known: {named}.", errors=errors)
    returns = found.get("return")
    return Preferences(
        "minimal" if returns == "minimal" else "representation" if returns == "representation" else None,
        found.get("count") == "exact",
        strict,
    )


_KNOWN = {
    "return": ("minimal", "representation"),
    "count": ("exact",),
    "handling": ("strict", "lenient"),
}


def _split(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the preferences by their lower-case names, and what is none by the grammar."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    position = 0
    while position < len(text):
        match = _PREFERENCE.match(text, position)
        if match is None:
            piece, _, _ = text[position:].partition(",")
            position += len(piece) + 1
            if piece.strip():
                wrong.append(piece.strip())
            continue
        position = match.end()
        value = match[2] or ""
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.setdefault(match[1].lower(), value)
    return found, wrong
