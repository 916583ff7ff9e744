"""Tokens of the running site, changed and signed again with its own key."""

from __future__ import annotations

import time
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from forged_tokens import forged
from served_site import Site

__all__ = ["ABSENT", "Forger"]

ABSENT: Final = object()
"""Stands for a claim or a member of the header that is to be left out."""


class Forger:
    """Sign what the running application would sign, and what it would not."""

    def __init__(self, site: Site) -> None:
        file = max((site.folder / "keys").glob("*.pem"))  # the last by name signs
        self.kid = file.stem
        self.key: Any = load_pem_private_key(file.read_bytes(), None)
        self.algorithm = "RS256" if site.kind == "sqlite" else "ES256"
        self._told = site.told

    @staticmethod
    def now() -> int:
        return int(time.time())

    def changed(self, token: str, **claims: Any) -> str:
        """Return a token with other claims, and the right signature."""
        return self.signed(jwt.get_unverified_header(token), _claims(token), claims)

    def headed(self, token: str, **header: Any) -> str:
        """Return a token with another header, and the right signature."""
        return self.signed(_without(jwt.get_unverified_header(token) | header), _claims(token), {})

    def signed(self, header: Any, claims: dict[str, Any], changes: dict[str, Any]) -> str:
        made = forged(header, _without(claims | changes), self.algorithm, self.key)
        self._told.add(made)
        return made


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def _without(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not ABSENT}
