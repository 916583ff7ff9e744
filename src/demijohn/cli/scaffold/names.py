"""Names of a contract to names of Python: classes, attributes, tables, functions."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container

__all__ = ["class_name", "forms", "free", "singular", "snake"]

_MOST_CHARACTERS = 60  # of the 63 that PostgreSQL's names may have


# What a class or a module of ours would lose if something in it had this name.
_NEEDED = frozenset(("bool", "bytes", "dict", "dt", "float", "int", "list", "new_key", "now", "sa", "str", "uuid"))
_OURS = frozenset(("Any", "Base", "Decimal", "DeclarativeBase", "Mapped", "NEVER_TWICE"))


def snake(name: str) -> str:
    """Return a name for an attribute or function: `createdAt` is `created_at`, `get-trips` `get_trips`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    plain = re.sub(r"\W+", "_", parted, flags=re.ASCII).strip("_").lower()
    plain = re.sub(r"__+", "_", plain)[:_MOST_CHARACTERS].rstrip("_")
    if not plain or plain[0].isdigit():
        plain = f"n_{plain}".rstrip("_")
    return f"{plain}_" if keyword.iskeyword(plain) or plain in _NEEDED else plain


def class_name(name: str) -> str:
    """Return a name for a class: one that can be it stays, `order-line` becomes `OrderLine`."""
    if name.isascii() and name.isidentifier() and name[0].isupper():
        return f"{name}Row" if name in _OURS or keyword.iskeyword(name) else name
    words = [word for word in re.split(r"\W+|_+", name, flags=re.ASCII) if word]
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return class_name(joined if joined and not joined[0].isdigit() else f"N{joined}")


def singular(word: str) -> str:
    """Return what may be the singular of a word: `categories` is `category`."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def forms(word: str) -> frozenset[str]:
    """Return a word without signs, and what may be its singular."""
    plain = re.sub(r"[\W_]", "", word).lower()
    return frozenset((plain, singular(plain)))


def free(name: str, taken: Container[str]) -> str:
    """Return a name that nobody has: itself, or with a number."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name.rstrip('_')}_{number}"
    return found
