"""Tokens of an identity provider elsewhere: Keycloak, Entra ID, Auth0 and whatever else speaks OpenID Connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from demijohn.auth.provider import DISCOVERY, Provider, url_problem
from demijohn.auth.remembered import Remembered
from demijohn.auth.tokens import InvalidToken, is_well_formed
from demijohn.errors import SettingError
from demijohn.settings import Settings

__all__ = ["OutsideIssuer"]

_TYPES = frozenset(("jwt", "at+jwt", "application/at+jwt"))
_TEXTS = ("iss", "sub")
_REQUIRED = ("exp", "iss", "aud", "sub")
_TIMES = ("exp", "iat", "nbf")


class OutsideIssuer:
    """Read the tokens of one identity provider, that are for this API.

    `openid_url` is the address of its discovery document, as a scheme of the type `openIdConnect` has it; without one
    `oidc_issuer` of the settings says where it is, or, with `oidc_jwks_url`, that none is needed. Nothing is fetched
    before the first token comes.

    Raises `SettingError` with everything that is missing or wrong. The audience has to be set: a token that the same
    provider made for another API must not be good for this one.
    """

    def __init__(self, settings: Settings, openid_url: str | None = None) -> None:
        issuer, jwks_url = settings.oidc_issuer, settings.oidc_jwks_url
        discovery_url = openid_url or (issuer.rstrip("/") + DISCOVERY if issuer else "")
        needed = {"DEMIJOHN_OIDC_JWKS_URL": jwks_url} if jwks_url else {"openIdConnectUrl": discovery_url}
        wrong = [f"{name}: found {url!r}: {why}" for name, url in needed.items() if url and (why := url_problem(url))]
        if not issuer and (jwks_url or not openid_url):
            wrong.append("DEMIJOHN_OIDC_ISSUER: found none, allowed is the name of the identity provider, an address")
        if not settings.oidc_audience:
            wrong.append("DEMIJOHN_OIDC_AUDIENCE: found none, allowed is what stands for this API in `aud` of tokens")
        if wrong:
            raise SettingError(wrong)
        self._provider = Provider(issuer=issuer, jwks_url=jwks_url, discovery_url=discovery_url)
        self._audience = settings.oidc_audience
        self._roles_claim = settings.oidc_roles_claim
        self._leeway_s = settings.token_leeway_s
        self._remembered: Remembered[Mapping[str, Any]] = Remembered()

    def read(self, token: str) -> Mapping[str, Any]:
        """Return what a token says: its claims, and in `scope` the list of its scopes and roles.

        Raises `InvalidToken`, and `Unavailable` where the provider has never answered.
        """
        published = self._provider.published()
        known = self._remembered.get(token, published)
        if known is None:
            known = self._verified(token)
            self._remembered.put(token, published, known["exp"] + self._leeway_s, known)
        return dict(known)

    def _verified(self, token: str) -> dict[str, Any]:
        if not is_well_formed(token):
            raise InvalidToken("not a compact JWS")
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "JWT")).lower() not in _TYPES:
                raise InvalidToken("a token of another kind")
            key = self._provider.find(header.get("kid"))
            if key is None:
                raise InvalidToken("signed by an unknown key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(key.algorithms),
                audience=self._audience,
                issuer=self._provider.published().issuer,
                leeway=self._leeway_s,
                options={"require": list(_REQUIRED)},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidToken(str(error)) from None
        times = [claims[name] for name in _TIMES if name in claims]
        if any(type(one) not in (int, float) for one in times) or not claims["sub"]:
            raise InvalidToken("a claim of another type than it has to have")
        return {**claims, "scope": _scopes_of(claims, self._roles_claim)}


def _scopes_of(claims: Mapping[str, Any], roles_claim: str) -> list[str]:
    """Return scopes (`scope`, or `scp` as Entra ID and Okta name it) and roles, each once."""
    found: Any = claims.get(roles_claim)
    if found is None:
        found = claims
        for name in roles_claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    held = [*_texts(claims.get("scope")), *_texts(claims.get("scp")), *_texts(found)]
    return list(dict.fromkeys(held))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
