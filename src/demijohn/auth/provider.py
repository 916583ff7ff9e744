"""The public keys of an identity provider: fetched when they are needed, kept, and looked up.

A request only ever waits for the provider where no key of it is known yet, or, at most once a minute, where a token
names a key that is not. All else happens beside the requests; while the provider is away its last keys stay good.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from threading import Lock, Thread
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from demijohn.errors import Unavailable
from demijohn.turns import give_up

__all__ = ["DISCOVERY", "Provider", "PublicKey", "Published", "url_problem"]

DISCOVERY = "/.well-known/openid-configuration"
_TIMEOUT_S = 2.0
_MAX_BYTES = 1024 * 1024
_MAX_KEYS = 100
# After these times the keys are fetched anew beside the requests, because of an unknown one, where the provider did not
# answer; and after the last one they are good for nothing any more, should it stay away.
_FRESH_S = 600
_UNKNOWN_EVERY_S = 60
_RETRY_S = 5
_STALE_S = 24 * 3600

_RSA_BITS = 2048
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
    "Ed448": ("EdDSA",),
}
_PUBLIC_MEMBERS = frozenset(("kty", "n", "e", "crv", "x", "y"))
_LOCAL = frozenset(("127.0.0.1", "localhost", "::1"))

_log = logging.getLogger("demijohn.auth")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Hold a key that verifies, and the algorithms that it is for."""

    key: Any
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """Hold what a provider has published: its name, as it stands in `iss`, and its keys by `kid`.

    It is the same object until something else is published.
    """

    issuer: str
    keys: Mapping[str | None, PublicKey]
    source: Any

    def find(self, kid: str | None) -> PublicKey | None:
        """Return the key of that name; a token may leave the name out where there is only one key."""
        if kid is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get(kid)


class Provider:
    """Be an identity provider, by its discovery document, or by its name and the address of its keys."""

    def __init__(self, *, issuer: str = "", jwks_url: str = "", discovery_url: str = "") -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._discovery_url = discovery_url or issuer.rstrip("/") + DISCOVERY
        self._published: Published | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = Lock()

    def published(self) -> Published:
        """Return what is known of the provider; raise `Unavailable` where nothing is, because it does not answer."""
        age_s = monotonic() - self._fetched_at
        if age_s > _STALE_S:
            self._fetch_first()
        elif age_s > _FRESH_S and self._may_try(_UNKNOWN_EVERY_S):
            Thread(target=self._fetch, name="demijohn-jwks", daemon=True).start()
        if self._published is None or monotonic() - self._fetched_at > _STALE_S:
            raise Unavailable("The identity provider does not answer at the moment.", retry_after_s=_RETRY_S)
        return self._published

    def find(self, kid: str | None) -> PublicKey | None:
        """Return the key of that name, and ask the provider for one that is not known, once a minute."""
        key = self.published().find(kid)
        if key is None and self._may_try(_UNKNOWN_EVERY_S):
            give_up()
            self._fetch()
            key = self.published().find(kid)
        return key

    def _may_try(self, every_s: float) -> bool:
        """Tell whether the provider may be asked; who is told so has to ask it."""
        with self._lock:
            may = monotonic() - self._tried_at >= every_s
            if may:
                self._tried_at = monotonic()
            return may

    def _fetch_first(self) -> None:
        """Fetch the keys while all wait for them; who has waited finds them."""
        give_up()
        with self._lock:
            missing = monotonic() - self._fetched_at > _STALE_S
            if missing and monotonic() - self._tried_at >= _RETRY_S:
                self._tried_at = monotonic()
                self._fetch()

    def _fetch(self) -> None:
        """Ask the provider; what it does not answer well is for the log."""
        try:
            issuer, jwks_url = self._issuer, self._jwks_url
            if not jwks_url:
                issuer, jwks_url = self._discover()
            document = _get_json(jwks_url)
            keys = _read_keys(document)
        except (OSError, ValueError, HTTPException) as error:
            _log.warning("the identity provider %s does not answer as it should: %s", self._name, error)
            return
        if self._published is None or self._published.source != document:
            self._published = Published(issuer, keys, document)
        self._fetched_at = monotonic()

    @property
    def _name(self) -> str:
        return self._issuer or self._discovery_url

    def _discover(self) -> tuple[str, str]:
        """Return the name of the provider and where its keys are (OpenID Connect Discovery 1.0, 4)."""
        document = _get_json(self._discovery_url)
        issuer, jwks_url = document.get("issuer"), document.get("jwks_uri")
        if not isinstance(issuer, str) or not isinstance(jwks_url, str):
            raise ValueError("its discovery document lacks issuer or jwks_uri")
        told = self._discovery_url.removesuffix(DISCOVERY)
        if self._issuer and issuer != self._issuer:
            raise ValueError(f"its discovery document is of another issuer: {issuer!r}")
        if not self._issuer and told != self._discovery_url and issuer.rstrip("/") != told.rstrip("/"):
            raise ValueError(f"its discovery document is of another issuer: {issuer!r}")
        problem = url_problem(jwks_url)
        # Who is elsewhere has no business with this machine's own services.
        is_inside = urlsplit(jwks_url).hostname in _LOCAL and urlsplit(self._discovery_url).hostname not in _LOCAL
        if problem or is_inside:
            raise ValueError(f"its discovery document names {jwks_url!r}: {problem or 'this machine'}")
        return issuer, jwks_url


def url_problem(url: str) -> str:
    """Return what is wrong with the address of a provider; "" for a good one: `https`, or this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it cannot be read"
    if parts.username is not None or not host:
        return "it has to be scheme, host and path"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOCAL):
        return "it has to be https, or http to 127.0.0.1 or localhost"
    return ""


class _SameHost(HTTPRedirectHandler):
    """Follow a redirect only to where the request went."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get_json(url: str) -> dict[str, Any]:
    """Return a JSON object of a provider; raise `OSError`, `HTTPException` or `ValueError`."""
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  # the scheme was looked at
    try:
        with build_opener(_SameHost).open(request, timeout=_TIMEOUT_S) as response:
            body = _read_all(response)
    except HTTPError as error:
        error.close()
        raise OSError(f"it answers {error.code}") from None
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("it answers no JSON object")
    return document


def _read_all(response: HTTPResponse) -> bytes:
    """Return a body, unless it is too large or takes too long as a whole."""
    body = bytearray()
    until = monotonic() + 2 * _TIMEOUT_S
    while chunk := response.read1(65536):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise ValueError(f"it answers more than {_MAX_BYTES} bytes")
        if monotonic() > until:
            raise TimeoutError("it takes too long")
    return bytes(body)


def _read_keys(document: dict[str, Any]) -> dict[str | None, PublicKey]:
    """Return the keys of a JWK set that verify signatures; others are left out. Raises `ValueError` without any."""
    entries = document.get("keys")
    keys: dict[str | None, PublicKey] = {}
    for entry in entries[:_MAX_KEYS] if isinstance(entries, list) else ():
        key = _read_key(entry) if isinstance(entry, dict) else None
        if key is not None:
            kid = entry.get("kid")
            keys.setdefault(kid if isinstance(kid, str) else None, key)
    if not keys:
        raise ValueError("its key set has no key that verifies signatures")
    return keys


def _read_key(entry: dict[str, Any]) -> PublicKey | None:
    """Return the key of a JWK, the algorithms that it is for fixed; None for one that does not verify, or is weak."""
    operations = entry.get("key_ops")
    if entry.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    possible: tuple[str, ...] = ()
    with suppress(TypeError):  # what cannot be looked up is no curve
        possible = _RSA if entry.get("kty") == "RSA" else _CURVES.get(entry.get("crv", ""), ())
    named = entry.get("alg")
    algorithms = tuple(one for one in possible if named is None or one == named)
    if not algorithms:
        return None
    public = {name: value for name, value in entry.items() if name in _PUBLIC_MEMBERS}
    try:
        key = jwt.PyJWK(public, algorithm=algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        return None
    return PublicKey(key, algorithms)
