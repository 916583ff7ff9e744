"""Attack cases B1 to B3, B6 to B8 and B11 to B14: tokens that were made up, stolen, or are not good any more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forged_tokens import encoded, forged
from members import at_once
from served_site import PASSWORD, WORKERS, Member, Server, Site
from target import Reply
from token_forger import ABSENT, Forger

LEEWAY_S = 5
MARGIN_S = 60  # how much a test may dawdle between making a token and sending it


def refuse(site: Site, tokens: Iterable[str]) -> None:
    """Check that none of the tokens shows anybody, that all are answered alike, and that nothing was written."""
    tokens = list(tokens)
    there = [site.elsewhere() for _ in range(len(tokens) // 50 + 1)]
    before = site.rows()
    replies = [there[number // 50].ask("GET", site.app.me, token=token) for number, token in enumerate(tokens)]
    assert [(tokens[number], one.status) for number, one in enumerate(replies) if one.status != 401] == []
    assert len({one.body for one in replies}) == 1
    challenges = {one.headers["www-authenticate"] for one in replies}
    assert challenges == {f'Bearer realm="{site.app.realm}", error="invalid_token"'}
    assert site.rows() == before


def claims_of(member: Member) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(member.access, options={"verify_signature": False})
    return claims


def files_of(site: Site) -> list[str]:
    """Return the files of the application, without those that its database makes as it likes."""
    return sorted(str(one) for one in site.folder.rglob("*") if not one.name.startswith("demijohn.db"))


def test_the_forger_makes_good_tokens(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    good = [forger.changed(alice.access), forger.changed(alice.access, jti="other"), forger.headed(alice.access)]
    assert [site.ask("GET", site.app.me, token=token).status for token in good] == [200, 200, 200]


# B1, B2, B3


def test_b1_a_token_without_a_signature(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    payload = encoded(claims_of(alice))
    heads = [
        encoded({"alg": spelling, "typ": "at+jwt", **kid})
        for spelling in ("none", "None", "NONE", "nOnE", "", None)
        for kid in ({"kid": forger.kid}, {})
    ]
    right = alice.access.rpartition(".")[2]
    cut = [alice.access.rpartition(".")[0], alice.access.rpartition(".")[0] + ".", f"{alice.access}="]
    refuse(site, [f"{head}.{payload}.{end}" for head in heads for end in ("", "AAAA", right)] + cut)


def test_b2_the_public_key_as_a_secret(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    # The attacker has what everybody has.
    jwks = site.ask("GET", "/.well-known/jwks.json").json
    assert "d" not in jwks["keys"][0]
    jwk = jwks["keys"][0]
    public = forger.key.public_key()
    assert jwt.PyJWK(jwk).key.public_numbers() == public.public_numbers()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = [pem, pem.strip(), pem.replace(b"\n", b"\r\n"), json.dumps(jwk).encode()]
    secrets += [json.dumps(one, separators=(",", ":")).encode() for one in (jwk, jwks)]
    secrets.append(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if isinstance(forger.key, RSAPrivateKey):
        secrets += [public.public_bytes(encoding, PublicFormat.PKCS1) for encoding in (Encoding.PEM, Encoding.DER)]
    secrets += [b"", b"secret", b"\0"]
    refuse(
        site,
        [
            forged({"alg": said, "kid": forger.kid, "typ": "at+jwt"}, claims_of(alice), algorithm, secret)
            for secret in secrets
            for algorithm in ("HS256", "HS512")
            for said in dict.fromkeys([algorithm, forger.algorithm])
        ],
    )


def test_b2_another_algorithm_is_said(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    names = ("HS256", "HS384", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", ["RS256"], 7, None)
    refuse(site, [forger.headed(alice.access, alg=name) for name in names if name != forger.algorithm])


def test_b3_a_key_that_is_not_there(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    assert site.on_both_workers("GET", site.app.me, alice.access) == {200}
    files, opened, statements = files_of(site), len(site.opened()), len(site.statements())
    kid = forger.kid
    names: list[Any] = ["../../dev/null", "/dev/null", f"../keys/{kid}", f"{kid}.pem", f"./{kid}", f"{kid}\0", "no"]
    # Gunicorn itself refuses a line of a header beyond 8190 bytes.
    names += ["' UNION SELECT 'x", "';DROP TABLE users;--", "x" * (6000 if site.server == "granian" else 5000), [kid]]
    names += [{"kid": kid}, 7, True, None, "", ABSENT]
    names += [f"http://127.0.0.1:{site.port}/", "file:///dev/null", "\n{}"]
    refuse(site, [forger.headed(alice.access, kid=name) for name in names])
    null = {"alg": "HS256", "kid": "../../../../../../dev/null", "typ": "at+jwt"}
    refuse(site, [forged(null, claims_of(alice), "HS256", b"")])
    here = f"http://127.0.0.1:{site.port}"
    heads: list[dict[str, Any]] = [{"jku": f"{here}/.well-known/jwks.json"}, {"x5u": here}, {"crit": ["exp"]}]
    heads += [{"jwk": {"kty": "oct", "k": "AAAA"}}, {"typ": "JWT"}, {"typ": ABSENT}, {"b64": False}, {"zip": "DEF"}]
    refuse(site, [forger.headed(alice.access, **head) for head in heads])
    # Nothing was looked for by such a name, in the folders or in the database, and nothing was made.
    assert files_of(site) == files
    known = {ascii(str(site.folder / "keys" / f"{kid}.pem"))}
    assert {name for name in site.opened()[opened:] if str(site.folder) in name} <= known
    for text in (*site.opened()[opened:], site.statements()[statements:], site.log()):
        assert not re.search(r"dev/null|UNION SELECT|DROP TABLE|xxxxxxxx|file:|127\.0\.0\.1:\d+/", text)
    # Those that were looked for: the session of a good token, by a parameter.
    assert site.ask("GET", site.app.me, token=alice.access).status == 200
    found = site.statements()[statements:]
    assert "demijohn_session" in found
    assert claims_of(alice)["sid"] not in site.statements()


# B6, B7


def test_b6_times_that_are_none_or_over(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    now = Forger.now()
    changes: list[dict[str, Any]] = [
        {"exp": value}
        for value in (
            ABSENT, None, "", str(now + 900), 1e308, float("inf"), float("nan"), -1, 0, True, [now + 900], {},
            now + 900.5, now - MARGIN_S, now - LEEWAY_S - 1, -(2**63),
        )
    ]  # fmt: skip
    changes += [{"iat": value} for value in (ABSENT, None, "now", now + 3600, 1e308, True)]
    changes += [{"nbf": value} for value in (None, "now", now + 3600, 1e308)]
    refuse(site, [forger.changed(alice.access, **one) for one in changes])
    far = {"iat": now - 3600, "nbf": now - 3600, "exp": now + 900}
    assert site.ask("GET", site.app.me, token=forger.changed(alice.access, **far)).status == 200


def test_b6_a_time_beyond_all_numbers_breaks_nothing(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    for name in ("exp", "iat", "nbf"):
        for value in (2**63, 2**64, -(2**63), 10**400, -(10**400)):
            reply = site.ask("GET", site.app.me, token=forger.changed(alice.access, **{name: value}))
            assert reply.status in (200, 401)


def test_b6_the_leeway_is_for_clocks_only(site: Site) -> None:
    alice, forger = site.member(), Forger(site)
    statuses = {}
    for ago_s in range(LEEWAY_S + 3):
        began = Forger.now()
        token = forger.changed(alice.access, exp=began - ago_s)
        status = site.ask("GET", site.app.me, token=token).status
        statuses[ago_s, Forger.now() - began] = status
    for (ago_s, took_s), status in statuses.items():
        if ago_s >= LEEWAY_S:
            assert status == 401
        elif ago_s + took_s < LEEWAY_S:
            assert status == 200
    assert 401 in statuses.values()


@pytest.mark.parametrize("claim", ["iss", "aud"])
def test_b7_tokens_of_others_and_for_others(site: Site, claim: str) -> None:
    alice, forger = site.member(), Forger(site)
    own = site.app.name
    assert claims_of(alice)[claim] == own
    values = [ABSENT, None, "", own.title(), own[:-1], f"{own}s", f"{own} ", "evil", [own], [own, "evil"], {own: 1}, 7]
    refuse(site, [forger.changed(alice.access, **{claim: value}) for value in values])


# B8


def test_b8_a_token_is_good_for_its_purpose_only(site: Site) -> None:
    alice = site.member()
    key = site.ask("POST", "/more/keys", token=alice.access).json["key"]
    site.told.add(key)
    assert site.ask("GET", "/more/me", X_API_Key=key).status == 200
    refuse(site, [alice.refresh, key, PASSWORD.replace(" ", ""), f"djr_{'0' * 64}", f"{alice.access}.{alice.refresh}"])
    for token in (alice.access, key, "", " ", "djr_", f"djr_{'0' * 64}", alice.refresh.upper(), alice.refresh[:-1]):
        assert site.ask("POST", f"{site.accounts}/refresh", token=token).status == 401
        body = {"refresh_token": token[:200] or "-"}
        assert site.ask("POST", f"{site.accounts}/refresh", body).status == 401
    for token in (alice.access, alice.refresh, key[:-1], key.upper(), "-"):
        assert site.ask("GET", "/more/me", X_API_Key=token).status == 401
    # None of it has used anything up.
    assert site.ask("GET", site.app.me, token=alice.access).status == 200
    assert site.again(alice, alice.refresh).status == 200


def test_b8_a_key_cannot_begin_what_only_a_login_may(site: Site) -> None:
    alice = site.member()
    made = site.ask("POST", "/more/keys", token=alice.access).json
    site.told.add(made["key"])
    for path in (f"{site.accounts}/me", f"{site.accounts}/logout", "/more/keys", "/more/sessions"):
        method = "GET" if path in (f"{site.accounts}/me", "/more/sessions") else "POST"
        assert site.ask(method, path, X_API_Key=made["key"]).status == 401


# F9


def test_f9_who_sends_a_hundred_wrong_tokens_is_not_listened_to(site: Site) -> None:
    alice = site.member()
    statuses = [site.ask("GET", site.app.me, token=f"wrong.{number}.0").status for number in range(120)]
    # Each worker but the one that counted the last of them lets one more in before it knows.
    assert set(statuses) == {401, 429}
    assert 100 <= statuses.count(401) <= 100 + WORKERS
    assert {site.ask("GET", site.app.me, token=alice.access).status for _ in range(8)} == {429}
    assert site.ask("GET", site.app.public[0]).status == 200
    assert site.elsewhere().ask("GET", site.app.me, token=alice.access).status == 200


# B11, B12


def test_b11_a_token_that_is_used_again_ends_the_family(site: Site) -> None:
    alice = site.member()
    other = site.log_in(alice.id, alice.name)
    second = site.again(alice, alice.refresh).json
    third = site.again(alice, second["refresh_token"]).json
    replayed = site.again(alice, alice.refresh)
    assert replayed.status == 401
    for refresh in (third["refresh_token"], second["refresh_token"], alice.refresh):
        assert site.again(alice, refresh).body == replayed.body
    for access in (alice.access, second["access_token"], third["access_token"]):
        assert site.on_both_workers("GET", site.app.me, access) == {401}
    # Another login of hers is another family.
    assert site.ask("GET", site.app.me, token=other.access).status == 200
    (event,) = [line for line in site.log().splitlines() if "replayed" in line and f'user="{alice.id}"' in line]
    assert "WARNING demijohn.auth" in event
    assert site.source in event


def test_b12_of_many_at_once_one_chain_goes_on(site: Site) -> None:
    alice = site.member()

    def present(_: int) -> Reply:
        return site.again(alice, alice.refresh)

    replies = at_once(20, present)
    assert {one.status for one in replies} <= {200, 401}
    good = {one.json["refresh_token"] for one in replies if one.status == 200}
    assert len(good) == 1
    (second,) = good
    third = site.again(alice, second)
    assert third.status == 200
    assert site.on_both_workers("GET", site.app.me, third.json["access_token"]) == {200}
    assert site.again(alice, alice.refresh).status == 401
    assert site.again(alice, third.json["refresh_token"]).status == 401
    assert site.on_both_workers("GET", site.app.me, third.json["access_token"]) == {401}


def test_b12_thieves_who_race_with_all_they_have_are_left_with_one_family_at_most(site: Site) -> None:
    alice = site.member()
    second = site.again(alice, alice.refresh).json["refresh_token"]
    third = site.again(alice, second).json["refresh_token"]
    stolen = [alice.refresh, second, third]
    replies = at_once(18, lambda number: site.again(alice, stolen[number % 3]))
    alive = {one.json["refresh_token"] for one in replies if one.status == 200}
    # The oldest of them was used twice: whatever was given meanwhile is worth nothing.
    assert {site.again(alice, one).status for one in alive | {third}} == {401}


# B13


def test_b13_a_logout_ends_both_tokens_on_both_workers(site: Site) -> None:
    alice = site.member()
    other = site.log_in(alice.id, alice.name)
    assert site.on_both_workers("GET", site.app.me, alice.access) == {200}
    assert site.ask("POST", f"{site.accounts}/logout", token=alice.access).status == 204
    assert site.on_both_workers("GET", site.app.me, alice.access) == {401}
    assert site.again(alice, alice.refresh).status == 401
    assert site.on_both_workers("GET", site.app.me, other.access) == {200}


def test_b13_a_new_password_ends_every_other_session(site: Site) -> None:
    alice = site.member()
    thief = site.log_in(alice.id, alice.name)
    assert site.on_both_workers("GET", site.app.me, thief.access) == {200}
    new = "eight lives of a dog"
    site.told.add(new)
    body = {"current_password": PASSWORD, "new_password": new}
    assert site.ask("POST", "/more/password", body, token=alice.access).status == 204
    assert site.on_both_workers("GET", site.app.me, thief.access) == {401}
    assert site.again(thief, thief.refresh).status == 401
    assert site.on_both_workers("GET", site.app.me, alice.access) == {200}
    assert site.again(alice, alice.refresh).status == 200
    assert site.ask("POST", f"{site.accounts}/login", alice.credentials).status == 401
    assert site.ask("POST", f"{site.accounts}/login", alice.credentials | {"password": new}).status == 200


def test_b13_a_password_that_an_administrator_changes_ends_everything(site: Site) -> None:
    alice, bob = site.member(), site.member()
    made = site.ask("POST", "/more/keys", token=alice.access).json
    site.told.add(made["key"])
    assert site.on_both_workers("GET", site.app.me, alice.access) == {200}
    (hashed,) = [row.password_hash for row in site.rows("users")[0] if row.id == bob.id]
    site.set(alice.id, password_hash=hashed)
    assert site.on_both_workers("GET", site.app.me, alice.access) == {401}
    assert site.again(alice, alice.refresh).status == 401
    assert site.ask("GET", "/more/me", X_API_Key=made["key"]).status == 401


def test_b13_a_session_that_is_revoked_elsewhere_ends(site: Site) -> None:
    alice, bob = site.member(), site.member()
    thief = site.log_in(alice.id, alice.name)
    listed = site.ask("GET", "/more/sessions", token=alice.access).json
    (other,) = [one["id"] for one in listed if not one["current"]]
    assert site.ask("DELETE", f"/more/sessions/{other}", token=bob.access).status == 404
    assert site.on_both_workers("GET", site.app.me, thief.access) == {200}
    assert site.ask("DELETE", f"/more/sessions/{other}", token=alice.access).status == 204
    assert site.on_both_workers("GET", site.app.me, thief.access) == {401}
    assert site.again(thief, thief.refresh).status == 401
    assert site.on_both_workers("GET", site.app.me, alice.access) == {200}


def test_b13_a_key_that_is_revoked_is_good_for_nothing(site: Site) -> None:
    alice, bob = site.member(), site.member()
    made = site.ask("POST", "/more/keys", token=alice.access).json
    site.told.add(made["key"])
    assert site.ask("DELETE", f"/more/keys/{made['id']}", token=bob.access).status == 404
    assert site.on_both_workers("GET", "/more/me", X_API_Key=made["key"]) == {200}
    assert site.ask("DELETE", f"/more/keys/{made['id']}", token=alice.access).status == 204
    assert site.on_both_workers("GET", "/more/me", X_API_Key=made["key"]) == {401}


def test_b13_a_user_who_is_disabled_is_out_with_token_and_key(site: Site) -> None:
    alice = site.member()
    key = site.ask("POST", "/more/keys", token=alice.access).json["key"]
    site.told.add(key)
    assert site.on_both_workers("GET", "/more/me", X_API_Key=key) == {200}
    site.set(alice.id, is_disabled=True)
    assert site.on_both_workers("GET", "/more/me", X_API_Key=key) == {401}
    assert site.on_both_workers("GET", site.app.me, alice.access) == {401}


def test_b13_a_key_of_the_signer_that_is_withdrawn_signs_nobody_in(site: Site) -> None:
    """Within a second: a worker looks at its folder of keys that often."""
    alice = site.member()
    assert site.on_both_workers("GET", site.app.me, alice.access) == {200}
    command = [sys.executable, "-m", "demijohn", "keys", "rotate", "app:create_app", "--revoke"]
    done = subprocess.run(command, cwd=site.folder, env=os.environ | site.variables, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    withdrawn_at = time.monotonic()
    statuses = {200}
    with site.workers() as workers:
        while statuses != {401}:
            assert time.monotonic() - withdrawn_at < 1, statuses
            statuses = {
                one.ask("GET", site.app.me, Authorization=f"Bearer {alice.access}").status for one in workers.values()
            }
            time.sleep(0.05)
    # The session goes on, by a token of the new key, which each of them knows at once.
    reply = site.again(alice, alice.refresh)
    assert reply.status == 200
    assert site.on_both_workers("GET", site.app.me, reply.json["access_token"]) == {200}


# B14


SHORT = "Vh7Qw0mJ4sT9xK2pL6rN8bC3dF5gZ1y"
WEAK = {"empty": "", "known": "secret", "template": "changeme", "word": "dev", "31 bytes": SHORT}


@pytest.mark.parametrize(
    ("application", "server"), [("blog", "granian"), ("library", "granian"), ("library", "gunicorn")]
)
def test_b14_nothing_starts_in_production_with_a_secret_that_can_be_guessed(
    tmp_path: Path, application: str, server: Server
) -> None:
    example = str(Path(__file__).parents[2] / "examples" / application)
    command = ["demijohn", "run", example, "--port", "0"]
    if server == "gunicorn":
        command = ["gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", f"{application}:create_app()"]
    variables = {"DEMIJOHN_ENVIRONMENT": "production", "DATABASE_URL": f"sqlite:///{tmp_path}/b14.sqlite"}
    variables["PYTHONPATH"] = os.pathsep.join([example, *filter(None, [os.environ.get("PYTHONPATH")])])
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=os.environ | variables | {"SECRET_KEY": secret},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, secret in WEAK.items()
    }
    for name, process in started.items():
        try:
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode != 0, name
        assert "SECRET_KEY" in output, (name, output)
        assert "demijohn secret" in output
        assert "Traceback" not in output or server == "gunicorn"  # which shows where a worker could not start
        assert "Serving" not in output
        assert SHORT not in output
    assert not list(tmp_path.iterdir())
