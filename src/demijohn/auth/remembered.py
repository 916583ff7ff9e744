"""Verified tokens, remembered until they expire: verifying the same one again costs a look-up."""

from __future__ import annotations

import time
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Remembered"]

T = TypeVar("T")

# With their claims some 20 MiB.
_MOST = 10_000


class Remembered(Generic[T]):
    """Hold what was verified, by the text of the token: at most so many, of which the oldest go first."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: dict[str, tuple[float, T]] = {}
        self._generation: object = None
        self._lock = Lock()

    def get(self, token: str, generation: object) -> T | None:
        """Return what a token was found to say; None where it has to be verified.

        All is forgotten with another `generation` of keys.
        """
        if generation != self._generation:
            with self._lock:
                self._known, self._generation = {}, generation
        found = self._known.get(token)
        if found is None:
            return None
        if found[0] > time.time():
            return found[1]
        with self._lock:
            self._known.pop(token, None)
        return None

    def put(self, token: str, generation: object, until: float, value: T) -> None:
        """Remember a token until a time, in seconds since 1970."""
        with self._lock:
            if generation != self._generation:
                return
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[token] = (until, value)
