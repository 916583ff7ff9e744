"""The tables that Demijohn keeps beside the application's own user model: sessions, refresh tokens, API keys.

A user is known in them by the text of the primary key. Nothing in them is a credential: tokens and keys are stored as
SHA-256, and what has 256 random bits needs no slower hash. Times are seconds since 1970.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

__all__ = ["KEY_CHARACTERS", "api_keys", "digest", "metadata", "refresh_tokens", "sessions", "stamp_of"]

metadata = MetaData()

KEY_CHARACTERS = 190
"""The most characters of a primary key as a text: what MariaDB can index everywhere."""

_ID = String(32)
_DIGEST = String(64)

sessions = Table(
    "demijohn_session",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("user_key", String(KEY_CHARACTERS), nullable=False),
    Column("stamp", _DIGEST, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("address", String(45), nullable=False),
    Column("agent", String(200), nullable=False),
    Index("demijohn_session_user_key", "user_key"),
    Index("demijohn_session_expires_at", "expires_at"),
)

# One that was used has `used_at`; its successor is made of it and `nonce`, which is there until that is used, too.
refresh_tokens = Table(
    "demijohn_refresh_token",
    metadata,
    Column("hash", _DIGEST, primary_key=True),
    Column("session_id", _ID, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("nonce", _DIGEST),
    Index("demijohn_refresh_token_session_id", "session_id"),
    Index("demijohn_refresh_token_expires_at", "expires_at"),
)

api_keys = Table(
    "demijohn_api_key",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("user_key", String(KEY_CHARACTERS), nullable=False),
    Column("stamp", _DIGEST, nullable=False),
    Column("name", String(100)),
    Column("prefix", String(20), nullable=False),
    Column("hash", _DIGEST, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Index("demijohn_api_key_hash", "hash", unique=True),
    Index("demijohn_api_key_user_key", "user_key"),
)


def digest(credential: str) -> str:
    """Return what a token or key is stored as: SHA-256 in hexadecimal digits."""
    return sha256(credential.encode(errors="surrogatepass")).hexdigest()


def stamp_of(password_hash: str | None) -> str:
    """Return what ties sessions and keys to a user as it is.

    The stored hash has a random salt, so no two users, nor two passwords of one, have the same stamp: a password that
    is changed by whatever means, and a user that was deleted and whose number another one got, end what was open.
    """
    return digest(f"stamp {password_hash}")
