"""Access tokens: what is issued is read, and nothing else is, however it was made (B1, B2, B3, B6, B7)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from forged_tokens import encoded, forged
from moments import FromNow, at_now

from demijohn import Settings
from demijohn.auth.keys import Keys
from demijohn.auth.remembered import Remembered
from demijohn.auth.tokens import Claims, InvalidToken, Tokens

LEEWAY_S = Settings().token_leeway_s


@pytest.fixture(scope="module", params=["HS256", "RS256", "ES256", "EdDSA"])
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    app = Flask("cellar", instance_path=str(tmp_path_factory.mktemp("instance")))
    return Keys.load(app, Settings(token_algorithm=request.param))


@pytest.fixture
def tokens(keys: Keys) -> Tokens:
    return Tokens(keys, Settings())


def claims_of(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token with changes; one that is `...` is left out."""
    now = int(time.time())
    good = {"iss": "cellar", "aud": "cellar", "sub": "7", "sid": "s", "jti": "j", "iat": now, "exp": now + 60}
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def signed(keys: Keys, claims: object, **header: Any) -> str:
    """Return a token with any claims and header, its signature right."""
    head = {"alg": keys.signing.algorithm, "kid": keys.signing.kid, "typ": "at+jwt", **header}
    return forged(head, claims, keys.signing.algorithm, keys.signing.private)


def refuse(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(token)


def test_what_is_issued_is_read(tokens: Tokens) -> None:
    began = int(time.time())
    token, lifetime_s = tokens.issue("7", "session-1")
    claims = tokens.read(token)
    assert (claims.subject, claims.session, claims.scopes, dict(claims.extra)) == ("7", "session-1", frozenset(), {})
    assert began + lifetime_s <= claims.expires_at <= time.time() + lifetime_s
    assert tokens.read(tokens.issue("7", "session-1")[0]).token_id != claims.token_id
    assert jwt.get_unverified_header(token).keys() == {"alg", "kid", "typ"}


def test_the_helper_of_these_tests_makes_good_tokens(tokens: Tokens, keys: Keys) -> None:
    claims = claims_of(scope="read write", name="Anna")
    told = tokens.read(signed(keys, claims))
    assert told == Claims("7", "s", "j", claims["exp"], frozenset(("read", "write")), {"name": "Anna"})


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_without_signature_is_refused(tokens: Tokens, keys: Keys, spelling: str) -> None:
    head = encoded({"alg": spelling, "kid": keys.signing.kid, "typ": "at+jwt"})
    refuse(tokens, f"{head}.{encoded(claims_of())}.")
    refuse(tokens, f"{head}.{encoded(claims_of())}")
    refuse(tokens, f"{head}.{encoded(claims_of())}.AAAA")
    refuse(tokens, signed(keys, claims_of(), alg=spelling))


@pytest.mark.parametrize("keys", ["RS256", "ES256", "EdDSA"], indirect=True)
def test_a_public_key_is_no_secret(tokens: Tokens, keys: Keys) -> None:
    public = keys.signing.public
    jwk = tokens.jwks()["keys"][0]
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk).encode(),
        json.dumps(jwk, separators=(",", ":")).encode(),
    ]
    if isinstance(keys.signing.private, RSAPrivateKey):
        secrets += [public.public_bytes(encoding, PublicFormat.PKCS1) for encoding in (Encoding.PEM, Encoding.DER)]
    for secret in secrets:
        for algorithm in ("HS256", keys.algorithm):
            header = {"alg": algorithm, "kid": keys.signing.kid, "typ": "at+jwt"}
            refuse(tokens, forged(header, claims_of(), "HS256", secret))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"])
def test_the_key_decides_the_algorithm(tokens: Tokens, keys: Keys, algorithm: str) -> None:
    if algorithm != keys.algorithm:
        refuse(tokens, signed(keys, claims_of(), alg=algorithm))


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "/dev/null", "' UNION SELECT 'x", "x" * 6000, ["a"], {"a": 1}, None, 7, True, "", "unknown"],
)
def test_a_key_is_found_by_a_known_name_only(tokens: Tokens, keys: Keys, kid: object) -> None:
    refuse(tokens, signed(keys, claims_of(), kid=kid))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"typ": "AT+JWT"},
        {"typ": ["at+jwt"]},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"jku": "http://127.0.0.1/keys"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5u": "http://127.0.0.1/"},
        {"zip": "DEF"},
    ],
)
def test_a_header_of_another_kind_is_refused(tokens: Tokens, keys: Keys, header: dict[str, Any]) -> None:
    refuse(tokens, signed(keys, claims_of(), **header))


NO_TEXTS: list[Any] = [..., None, "", 7, ["7"], {}, True]


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": ...},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 1e308},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": -1},
        {"exp": 0},
        {"exp": True},
        {"exp": [FromNow(60)]},
        {"exp": FromNow(60.5)},
        {"exp": FromNow(-LEEWAY_S - 1)},
        {"iat": ...},
        {"iat": None},
        {"iat": "now"},
        {"iat": 1e308},
        {"iat": FromNow(3600)},
        {"nbf": FromNow(3600)},
        {"nbf": "now"},
        {"nbf": None},
        *({name: wrong} for name in ("jti", "sid", "sub") for wrong in NO_TEXTS),
        *({name: wrong} for name in ("iss", "aud") for wrong in (*NO_TEXTS, "cell", "cellars", "Cellar")),
        {"iss": ["cellar"]},
        {"aud": ["cellar"]},
        {"aud": ["cellar", "other"]},
        {"aud": {"cellar": 1}},
        {"scope": ["read"]},
        {"scope": None},
    ],
    ids=str,
)
def test_every_claim_is_looked_at(tokens: Tokens, keys: Keys, claims: dict[str, Any]) -> None:
    refuse(tokens, signed(keys, claims_of(**at_now(claims))))


def test_clocks_may_be_apart_by_the_leeway_and_no_more(
    tokens: Tokens, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, lifetime_s = tokens.issue("7", "s", now=time.time() - Settings().access_token_s - 1)
    assert tokens.read(token).subject == "7"
    assert tokens.read(token).subject == "7"
    now = time.time
    monkeypatch.setattr("demijohn.auth.remembered.time.time", lambda: now() + LEEWAY_S)
    assert tokens._remembered.get(token, keys.generation) is None
    monkeypatch.undo()
    refuse(tokens, tokens.issue("7", "s", now=time.time() - lifetime_s - LEEWAY_S - 1)[0])


@pytest.mark.parametrize(
    "body", [b"", b"7", b"[]", b'"text"', b"null", b"{", b"[" * 3000, b'{"a":' * 1000, b"\xff\xfe", b"9" * 5000]
)
def test_a_payload_that_is_no_object_is_refused(tokens: Tokens, keys: Keys, body: bytes) -> None:
    refuse(tokens, signed(keys, body))


@pytest.mark.parametrize(
    "head", [b"", b"7", b"[]", b"null", b"{", b"[" * 3000, b"\xff", b'{"alg":"HS256","alg":"none"}']
)
def test_a_header_that_is_no_object_is_refused(tokens: Tokens, head: bytes) -> None:
    refuse(tokens, f"{encoded(head)}.{encoded(claims_of())}.AAAA")


def test_a_token_has_one_text_only(tokens: Tokens) -> None:
    token, _ = tokens.issue("7", "s")
    head, payload, signature = token.split(".")
    others = [
        token + "=",
        token + "==",
        token + ".",
        "." + token,
        f"{head}..{signature}",
        f" {token}",
        f"{token}\n",
        f"{head}=.{payload}.{signature}",
        f"{head}.{payload}.{signature}.{signature}",
        f"{head}.{payload}.{signature[:-1]}",
        f"{head}.{payload}.{signature}A",
        f"{head}.{payload}.{signature}é",
    ]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others += [f"{head}.{payload}.{signature[:-1]}{char}" for char in alphabet if char != signature[-1]]
    for other in others:
        refuse(tokens, other)


def test_a_token_that_is_too_long_is_not_even_looked_at(
    tokens: Tokens, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = signed(keys, claims_of(name="x" * 8192))
    monkeypatch.setattr("demijohn.auth.tokens.jwt.get_unverified_header", lambda token: pytest.fail("it was decoded"))
    refuse(tokens, long)
    refuse(tokens, "")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_changed_is_refused(tokens: Tokens, part: int) -> None:
    parts = [*tokens.issue("7", "s")[0].split(".")]
    parts[part] = parts[part][::-1]
    refuse(tokens, ".".join(parts))


def test_a_token_of_another_application_is_refused(tmp_path: Path) -> None:
    one, other = (Flask(name, instance_path=str(tmp_path)) for name in ("one", "other"))
    token, _ = Tokens(Keys.load(one, Settings()), Settings()).issue("7", "s")
    refuse(Tokens(Keys.load(other, Settings()), Settings()), token)
    settings = Settings(token_issuer="https://example.org", token_audience="api")
    shared, _ = Tokens(Keys.load(one, settings), settings).issue("7", "s")
    assert Tokens(Keys.load(other, settings), settings).read(shared).subject == "7"


def test_a_token_that_was_read_is_not_verified_again(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = tokens.issue("7", "s")
    first = tokens.read(token)
    monkeypatch.setattr("demijohn.auth.tokens.jwt.decode", lambda *_, **__: pytest.fail("it was verified again"))
    assert tokens.read(token) is first


def test_only_so_many_tokens_are_remembered_and_none_beyond_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: Remembered[int] = Remembered(most=3)
    assert memory.get("0", 1) is None
    for number in range(5):
        memory.put(str(number), 1, time.time() + 60, number)
    assert [memory.get(str(number), 1) for number in range(5)] == [None, None, 2, 3, 4]
    memory.put("late", 0, time.time() + 60, 9)
    assert memory.get("late", 1) is None
    now = time.time
    monkeypatch.setattr("demijohn.auth.remembered.time.time", lambda: now() + 61)
    assert memory.get("4", 1) is None
    assert memory.get("4", 2) is None
    assert memory._known == {}
