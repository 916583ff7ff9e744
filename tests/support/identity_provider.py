"""A small identity provider on 127.0.0.1: a discovery document, a key set that changes, and tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm

__all__ = ["IdentityProvider", "identity_provider"]

DISCOVERY = "/realm/.well-known/openid-configuration"
JWKS = "/realm/keys"


@dataclass
class IdentityProvider:
    """Be a provider. `answers` holds what it says, by path: a JSON value, bytes, or a status with a Location."""

    origin: str
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    keys: dict[str, EllipticCurvePrivateKey] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"{self.origin}/realm"

    @property
    def discovery_url(self) -> str:
        return self.origin + DISCOVERY

    @property
    def jwks_url(self) -> str:
        return self.origin + JWKS

    def publish(self, *kids: str, **more: Any) -> None:
        """Publish these keys, and no other; `more` goes into each JWK."""
        for kid in kids:
            self.keys.setdefault(kid, generate_private_key(SECP256R1()))
        published = [
            {**ECAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True), "kid": kid, **more} for kid in kids
        ]
        self.answers[DISCOVERY] = {"issuer": self.issuer, "jwks_uri": self.jwks_url}
        self.answers[JWKS] = {"keys": published}

    def token(self, kid: str = "one", header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return a token with changed claims; one that is `...` is left out."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": ["cellar", "other"], "sub": "anna", "iat": now, "exp": now + 60}
        claims = {name: value for name, value in {**good, **changes}.items() if value is not ...}
        return jwt.api_jws.encode(json.dumps(claims).encode(), self.keys[kid], "ES256", {"kid": kid, **(header or {})})


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Serve one until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            answer = provider.answers.get(self.path, (404, ""))
            status, location = answer if isinstance(answer, tuple) else (200, "")
            body = answer if isinstance(answer, bytes) else json.dumps("" if location else answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = IdentityProvider(f"http://127.0.0.1:{server.server_port}")
    provider.publish("one")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
