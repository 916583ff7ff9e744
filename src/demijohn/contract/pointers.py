"""JSON pointers (RFC 6901), the names of places in a document."""

from __future__ import annotations

__all__ = ["escape", "split"]


def split(pointer: str) -> list[str]:
    """Return the unescaped tokens of a JSON pointer."""
    if not pointer:
        return []
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def escape(token: str) -> str:
    """Write one key as a token of a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")
