"""Tokens of any header and payload, put together by hand: libraries refuse to make the bad ones."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt

__all__ = ["as_base64", "encoded", "forged"]


def forged(header: object, payload: object, algorithm: str, key: Any) -> str:
    """Return a token that an algorithm signed with a key, whatever its header says."""
    text = f"{encoded(header)}.{encoded(payload)}"
    return f"{text}.{as_base64(jwt.get_algorithm_by_name(algorithm).sign(text.encode(), key))}"


def encoded(value: object) -> str:
    """Return one part of a token: a JSON value, or bytes as they are."""
    return as_base64(value if isinstance(value, bytes) else json.dumps(value).encode())


def as_base64(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(raw).decode().rstrip("=")
