"""WHO: who is calling: passwords, keys, tokens."""

from __future__ import annotations

__all__: list[str] = []
