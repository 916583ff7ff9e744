"""Tokens of an identity provider: verified by keys that are fetched seldom and kept while it is away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from forged_tokens import forged
from identity_provider import DISCOVERY, JWKS, IdentityProvider, identity_provider
from jwt.algorithms import RSAAlgorithm
from moments import FromNow, at_now

from demijohn import SettingError, Settings
from demijohn.auth import provider as module
from demijohn.auth.outside import OutsideIssuer
from demijohn.auth.provider import url_problem
from demijohn.auth.tokens import InvalidToken
from demijohn.errors import Unavailable

SETTINGS = Settings(oidc_audience="cellar")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityProvider]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def outside(provider: IdentityProvider) -> OutsideIssuer:
    return OutsideIssuer(SETTINGS, provider.discovery_url)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets time pass for the provider's keys."""
    passed = [0.0]
    now = time.monotonic
    monkeypatch.setattr(module, "monotonic", lambda: now() + passed[0])

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    return pass_by


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Return what would run beside the requests."""
    waiting: list[Callable[[], None]] = []

    class Waiting:
        def __init__(self, target: Callable[[], None], **_: Any) -> None:
            self.start = lambda: waiting.append(target)

    monkeypatch.setattr(module, "Thread", Waiting)
    return waiting


def refuse(outside: OutsideIssuer, token: str) -> None:
    with pytest.raises(InvalidToken):
        outside.read(token)


def test_a_token_is_read_and_nothing_is_asked_twice(provider: IdentityProvider, outside: OutsideIssuer) -> None:
    assert provider.asked == []
    token = provider.token(scope="read write", roles=["admin"], name="Anna")
    info = outside.read(token)
    assert (info["sub"], info["name"], info["scope"]) == ("anna", "Anna", ["read", "write", "admin"])
    assert outside.read(token) == info
    outside.read(provider.token())
    assert provider.asked == [DISCOVERY, JWKS]


@pytest.mark.parametrize(
    ("claims", "claim", "scopes"),
    [
        ({}, "roles", []),
        ({"scp": "a b"}, "roles", ["a", "b"]),
        ({"scp": ["a", "b"], "scope": "b c"}, "roles", ["b", "c", "a"]),
        ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", ["x"]),
        ({"https://example.com/roles": ["y"]}, "https://example.com/roles", ["y"]),
        ({"realm_access": ["x"]}, "realm_access.roles", []),
        ({"roles": {"x": 1}}, "roles", []),
        ({"roles": ["x", 7, None]}, "roles", ["x"]),
    ],
)
def test_scopes_and_roles_are_found(
    provider: IdentityProvider, claims: dict[str, Any], claim: str, scopes: list[str]
) -> None:
    settings = Settings(oidc_audience="cellar", oidc_roles_claim=claim)
    assert OutsideIssuer(settings, provider.discovery_url).read(provider.token(**claims))["scope"] == scopes


def test_settings_alone_will_do(provider: IdentityProvider) -> None:
    by_name = OutsideIssuer(Settings(oidc_issuer=provider.issuer, oidc_audience="cellar"))
    assert by_name.read(provider.token())["sub"] == "anna"
    provider.asked.clear()
    settings = Settings(oidc_issuer=provider.issuer, oidc_jwks_url=provider.jwks_url, oidc_audience="other")
    assert OutsideIssuer(settings).read(provider.token())["sub"] == "anna"
    assert provider.asked == [JWKS]


@pytest.mark.parametrize(
    ("settings", "url", "problems"),
    [
        (Settings(), None, ["DEMIJOHN_OIDC_ISSUER", "DEMIJOHN_OIDC_AUDIENCE"]),
        (SETTINGS, "http://example.com/x", ["openIdConnectUrl: found 'http://example.com/x': it has to be https"]),
        (SETTINGS, "file:///etc/passwd", ["openIdConnectUrl"]),
        (Settings(oidc_jwks_url="ftp://example.com"), "https://example.com", ["JWKS_URL", "ISSUER", "AUDIENCE"]),
    ],
)
def test_what_is_missing_is_told_at_the_start(settings: Settings, url: str | None, problems: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        OutsideIssuer(settings, url)
    assert len(caught.value.problems) == len(problems)
    for problem, wanted in zip(caught.value.problems, problems, strict=True):
        assert wanted in str(problem)


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://example.com/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://[::1]/x", True),
        ("http://127.0.0.1.example.com/", False),
        ("http://169.254.169.254/", False),
        ("https://user:password@example.com/", False),
        ("https:///x", False),
        ("https://example.com:x/", False),
        ("/realm", False),
        ("", False),
    ],
)
def test_an_address_is_https_or_of_this_machine(url: str, is_good: bool) -> None:
    assert (url_problem(url) == "") is is_good


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": FromNow(-60)},
        {"iat": "now"},
        {"iat": FromNow(3600)},
        {"nbf": FromNow(3600)},
        {"iss": ...},
        {"iss": "http://127.0.0.1"},
        {"iss": ["x"]},
        {"aud": ...},
        {"aud": "cell"},
        {"aud": ["other"]},
        {"aud": [7]},
        {"aud": {"cellar": 1}},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
    ],
    ids=str,
)
def test_every_claim_is_looked_at(provider: IdentityProvider, outside: OutsideIssuer, changes: dict[str, Any]) -> None:
    refuse(outside, provider.token(**at_now(changes)))


@pytest.mark.parametrize(
    "header", [{"kid": "two"}, {"kid": ["one"]}, {"typ": "logout+jwt"}, {"typ": 7}, {"crit": ["x"], "x": 1}], ids=str
)
def test_a_header_of_another_kind_is_refused(
    provider: IdentityProvider, outside: OutsideIssuer, header: dict[str, Any]
) -> None:
    good = provider.token()
    claims = jwt.decode(good, options={"verify_signature": False})
    refuse(outside, forged({"alg": "ES256", "kid": "one", **header}, claims, "ES256", provider.keys["one"]))
    refuse(outside, good + "=")
    assert outside.read(good)


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_types_of_access_tokens_are_taken(provider: IdentityProvider, outside: OutsideIssuer, typ: str) -> None:
    assert outside.read(provider.token(header={"typ": typ}))["sub"] == "anna"


def test_the_key_decides_the_algorithm(provider: IdentityProvider, outside: OutsideIssuer) -> None:
    public = provider.answers[JWKS]["keys"][0]
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    for algorithm in ("HS256", "ES256", "none"):
        refuse(outside, forged({"alg": algorithm, "kid": "one"}, claims, "HS256", json.dumps(public).encode()))


def test_a_key_without_a_name_is_the_one_where_there_is_only_one(provider: IdentityProvider) -> None:
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    nameless = jwt.encode(claims, provider.keys["one"], "ES256")
    assert OutsideIssuer(SETTINGS, provider.discovery_url).read(nameless)["sub"] == "anna"
    provider.publish("one", "two")
    refuse(OutsideIssuer(SETTINGS, provider.discovery_url), nameless)


def test_an_rsa_key_verifies_and_other_keys_beside_it_are_left_out(provider: IdentityProvider) -> None:
    private, weak = (generate_private_key(65537, bits) for bits in (2048, 1024))
    jwk = {**RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": "rsa"}
    provider.answers[JWKS] = {
        "keys": [
            7,
            {"kty": "oct", "k": "c2VjcmV0", "kid": "oct", "alg": "HS256"},
            {"kty": "oct", "crv": "P-256", "kid": "mixed"},
            {"kty": "EC", "crv": ["P-256"], "kid": "list"},
            {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "broken"},
            {**jwk, "kid": "encrypts", "use": "enc"},
            {**jwk, "kid": "oaep", "alg": "RSA-OAEP"},
            {**jwk, "kid": "signs", "key_ops": ["sign"]},
            {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "weak"},
            jwk,
        ]
    }
    outside = OutsideIssuer(SETTINGS, provider.discovery_url)
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    for algorithm in ("RS256", "PS512"):
        assert outside.read(jwt.encode(claims, private, algorithm, {"kid": "rsa"}))["sub"] == "anna"
    assert outside._provider.published().keys.keys() == {"rsa"}


def test_a_new_key_is_fetched_once_a_minute_at_most(
    provider: IdentityProvider, outside: OutsideIssuer, later: Callable[[float], None]
) -> None:
    outside.read(provider.token())
    provider.publish("one", "two")
    for _ in range(3):
        refuse(outside, provider.token("two"))
    assert len(provider.asked) == 2
    later(61)
    assert outside.read(provider.token("two"))["sub"] == "anna"
    provider.keys["three"] = provider.keys["one"]
    for _ in range(3):
        refuse(outside, provider.token("three"))
    assert len(provider.asked) == 4


def test_keys_are_refreshed_beside_the_requests_and_a_withdrawn_one_is_forgotten(
    provider: IdentityProvider,
    outside: OutsideIssuer,
    later: Callable[[float], None],
    beside: list[Callable[[], None]],
) -> None:
    token = provider.token()
    outside.read(token)
    provider.publish("two")
    later(601)
    assert outside.read(token)["sub"] == "anna"
    assert outside.read(token)["sub"] == "anna"
    (fetch,) = beside
    fetch()
    refuse(outside, token)
    assert outside.read(provider.token("two"))["sub"] == "anna"


def test_a_refresh_that_finds_the_same_keys_forgets_no_token(
    provider: IdentityProvider,
    outside: OutsideIssuer,
    later: Callable[[float], None],
    beside: list[Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = provider.token()
    outside.read(token)
    later(601)
    outside.read(token)
    beside[0]()
    monkeypatch.setattr("demijohn.auth.outside.jwt.decode", lambda *_, **__: pytest.fail("it was verified again"))
    assert outside.read(token)["sub"] == "anna"


def test_the_last_keys_are_good_while_the_provider_is_away_for_a_day(
    provider: IdentityProvider,
    outside: OutsideIssuer,
    later: Callable[[float], None],
    beside: list[Callable[[], None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    outside.read(provider.token())
    published = dict(provider.answers)
    provider.answers.clear()
    later(3600)
    assert outside.read(provider.token())["sub"] == "anna"
    beside[0]()
    assert "it answers 404" in caplog.text
    assert outside.read(provider.token(name="x"))["sub"] == "anna"
    later(24 * 3600)
    with pytest.raises(Unavailable):
        outside.read(provider.token())
    provider.answers |= published
    later(6)
    assert outside.read(provider.token())["sub"] == "anna"


def test_a_provider_that_never_answered_is_503_and_asked_again_after_seconds(
    provider: IdentityProvider, outside: OutsideIssuer, later: Callable[[float], None]
) -> None:
    provider.answers.clear()
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            outside.read(provider.token())
    assert (caught.value.status, dict(caught.value.headers)) == (503, {"Retry-After": "5"})
    assert provider.asked == [DISCOVERY]
    provider.publish("one")
    later(6)
    assert outside.read(provider.token())["sub"] == "anna"


def test_a_port_where_nobody_listens_is_a_provider_that_is_away(
    outside: OutsideIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = Settings(oidc_issuer="http://127.0.0.1:9", oidc_jwks_url="http://127.0.0.1:9/", oidc_audience="cellar")
    with pytest.raises(Unavailable):
        OutsideIssuer(nobody).read("a.b.c")
    assert "http://127.0.0.1:9 does not answer" in caplog.text


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        (DISCOVERY, {"issuer": "http://127.0.0.1/other", "jwks_uri": "https://example.com/"}, "another issuer"),
        (DISCOVERY, {"issuer": 7, "jwks_uri": "https://example.com/"}, "lacks issuer or jwks_uri"),
        (DISCOVERY, ["issuer"], "no JSON object"),
        (DISCOVERY, b"<html>", "unexpected character"),
        (DISCOVERY, (302, "http://localhost:9/"), "it answers 302"),
        (DISCOVERY, (302, "file:///etc/passwd"), "it answers 302"),
        (JWKS, {"keys": []}, "no key"),
        (JWKS, {"keys": "none"}, "no key"),
        (JWKS, {}, "no key"),
        (JWKS, b"[" * 100_000, ""),
        (JWKS, b" " * (1024 * 1024 + 1), "more than 1048576 bytes"),
    ],
    ids=range(11),
)
def test_what_a_provider_must_not_answer_is_for_the_log(
    provider: IdentityProvider,
    outside: OutsideIssuer,
    path: str,
    answer: Any,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.answers[path] = answer
    with pytest.raises(Unavailable):
        outside.read(provider.token())
    assert why in caplog.text
    assert "does not answer as it should" in caplog.text


@pytest.mark.parametrize("url", ["http://example.com/keys", "file:///etc/passwd", "https://user@example.com/"])
def test_a_key_set_is_looked_for_where_it_may_be_only(
    provider: IdentityProvider, outside: OutsideIssuer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answers[DISCOVERY] = {"issuer": provider.issuer, "jwks_uri": url}
    with pytest.raises(Unavailable):
        outside.read(provider.token())
    assert f"names {url!r}" in caplog.text


def test_a_provider_elsewhere_leads_nobody_to_this_machine(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    document = {"issuer": "https://example.com", "jwks_uri": provider.jwks_url}
    monkeypatch.setattr(module, "_get_json", lambda url: document)
    outside = OutsideIssuer(Settings(oidc_issuer="https://example.com", oidc_audience="cellar"))
    with pytest.raises(Unavailable):
        outside.read(provider.token())
    assert "this machine" in caplog.text


def test_a_redirect_on_the_same_host_is_followed(provider: IdentityProvider, outside: OutsideIssuer) -> None:
    provider.answers["/moved"] = provider.answers[JWKS]
    provider.answers[JWKS] = (302, "/moved")
    assert outside.read(provider.token())["sub"] == "anna"
