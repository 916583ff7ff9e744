"""Access tokens: JSON Web Tokens that say who is calling, for a few minutes (RFC 7519, RFC 9068)."""

from __future__ import annotations

import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jwt
from flask import Blueprint, Response, jsonify, request

from demijohn.auth.keys import SYMMETRIC, Keys
from demijohn.auth.remembered import Remembered
from demijohn.settings import Settings

__all__ = ["JWKS_PATH", "Claims", "InvalidToken", "Tokens", "is_well_formed", "jwks_blueprint"]

MAX_TOKEN_CHARACTERS = 8192
JWKS_PATH = "/.well-known/jwks.json"
_JWKS_MAX_AGE_S = 300
_TYPE = "at+jwt"
_HEADER = frozenset(("alg", "kid", "typ"))
_TEXTS = ("iss", "aud", "sub", "sid", "jti")
_TIMES = ("exp", "iat")
_SEGMENTS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Claims:
    """Hold what a verified access token says; `expires_at` is in seconds since 1970, `extra` what is not named here."""

    subject: str
    session: str
    token_id: str
    expires_at: int
    scopes: frozenset[str]
    extra: Mapping[str, Any]


class InvalidToken(Exception):
    """Signal a token that is not valid; `str()` says why, to the log and never to the client."""


class Tokens:
    """Issue access tokens, and read those that were issued here."""

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self._keys = keys
        self._lifetime_s = settings.access_token_s
        self._leeway_s = settings.token_leeway_s
        self._issuer = settings.token_issuer or keys.owner
        self._audience = settings.token_audience or keys.owner
        self._remembered: Remembered[Claims] = Remembered()

    @property
    def is_public(self) -> bool:
        """Tell whether others can verify these tokens, by keys that are not secret."""
        return self._keys.algorithm != SYMMETRIC

    def issue(self, subject: str, session: str, *, now: float | None = None) -> tuple[str, int]:
        """Return an access token for a user in a session, and for how many seconds it is valid."""
        issued_at = int(time.time() if now is None else now)
        key = self._keys.signing
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "sid": session,
            "jti": secrets.token_urlsafe(16),
            "iat": issued_at,
            "exp": issued_at + self._lifetime_s,
        }
        headers = {"typ": _TYPE, "kid": key.kid}
        return jwt.encode(claims, key.private, key.algorithm, headers), self._lifetime_s

    def read(self, token: str) -> Claims:
        """Return what an access token says, once everything about it is right; raise `InvalidToken`.

        The key decides the algorithm, not the token; whatever is not as `issue` writes it is refused. A token that was
        read before costs a look-up until it expires or the keys change.
        """
        self._keys.look()
        generation = self._keys.generation
        known = self._remembered.get(token, generation)
        if known is not None:
            return known
        claims = _claims_of(self._verified(token))
        self._remembered.put(token, generation, claims.expires_at + self._leeway_s, claims)
        return claims

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517, 5); `{"keys": []}` for HS256."""
        return self._keys.jwks()

    def _verified(self, token: str) -> dict[str, Any]:
        if not is_well_formed(token):
            raise InvalidToken("not a compact JWS")
        try:
            header = jwt.get_unverified_header(token)
            if header.keys() != _HEADER or header["typ"] != _TYPE:
                raise InvalidToken("another header than those of our tokens")
            key = self._keys.find(header["kid"])
            if key is None:
                raise InvalidToken("signed by an unknown key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway_s,
                options={"require": [*_TEXTS, *_TIMES], "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidToken(str(error)) from None
        return claims


def _claims_of(claims: dict[str, Any]) -> Claims:
    """Return the claims of a token whose signature is right; raise `InvalidToken` where one is of a wrong type."""
    scope = claims.get("scope", "")
    texts = [*(claims[name] for name in _TEXTS), scope]
    times = [*(claims[name] for name in _TIMES), claims.get("nbf", 0)]
    if not all(isinstance(one, str) for one in texts) or not all(texts[:-1]):
        raise InvalidToken("a claim that is to be text is none")
    if not all(type(one) is int for one in times):  # JSON's true is an int to Python
        raise InvalidToken("a claim that is to be a time is none")
    named = {*_TEXTS, *_TIMES, "scope"}
    extra = {name: value for name, value in claims.items() if name not in named}
    return Claims(
        claims["sub"],
        claims["sid"],
        claims["jti"],
        claims["exp"],
        frozenset(scope.split()),
        MappingProxyType(extra),
    )


def is_well_formed(token: str) -> bool:
    """Tell whether a text may be a signed token: three parts of base64url without padding, each written in one way.

    Decoders let `=` and stray bits at the end pass, so that the same token could have several texts (RFC 7515, 2).
    """
    if len(token) > MAX_TOKEN_CHARACTERS or not _SEGMENTS.fullmatch(token):
        return False
    return all(_is_canonical(part) for part in token.split("."))


def _is_canonical(part: str) -> bool:
    if len(part) % 4 == 1:
        return False
    padded = part + "=" * (-len(part) % 4)
    return urlsafe_b64encode(urlsafe_b64decode(padded)).decode() == padded


def jwks_blueprint(tokens: Tokens) -> Blueprint:
    """Return what serves the public keys at `/.well-known/jwks.json`, for others who verify the tokens."""
    blueprint = Blueprint("demijohn_jwks", __name__, static_folder=None)

    @blueprint.get(JWKS_PATH)
    def jwks() -> Response:
        response = jsonify(tokens.jwks())
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = f"public, max-age={_JWKS_MAX_AGE_S}"
        response.add_etag()
        response.make_conditional(request)
        return response

    return blueprint
