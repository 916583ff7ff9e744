"""Attack cases C1, C2, C4, C5, C7, C8 and H2: guessing at passwords, and what a login tells of its users."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest
from members import at_once
from served_site import PASSWORD, Member, Site
from target import Reply

# Half of the real cost: long enough for many to be at it at the same time.
SETTINGS = {"DEMIJOHN_PASSWORD_MEMORY_KIB": "19456", "DEMIJOHN_PASSWORD_TIME_COST": "1"}
WRONG = "eight lives of a dog"
OF_AN_ADDRESS = 100


def guess(site: Site, email: str, password: str = WRONG) -> Reply:
    """Try to log in; the answer may be that there are too many at a time."""
    body = f'{{"email":"{email}","password":"{password}"}}'.encode()
    for _ in range(200):
        reply = site._exchange("POST", f"{site.accounts}/login", body, {"Content-Type": "application/json"})
        if reply.status != 503:
            reply.is_sound()
            return reply
        assert reply.headers["retry-after"] == "1"
        assert reply.json["code"] == "service-unavailable"
        time.sleep(0.05)
    raise AssertionError("it was busy for good")


def shown(reply: Reply) -> object:
    """Return all of an answer that does not differ by itself."""
    headers = {name: value for name, value in reply.headers.items() if name not in ("date", "x-request-id")}
    return reply.status, headers, reply.body


# C1


def test_c1_all_who_cannot_log_in_get_the_same_answer(site: Site) -> None:
    alice, gone, shut = site.member(), site.member(), site.member()
    site.set(shut.id, is_disabled=True)
    site.remove(gone)
    guesses = {
        "wrong": (alice.email, WRONG),
        "unknown": ("nobody@example.org", WRONG),
        "disabled": (shut.email, PASSWORD),
        "disabled and wrong": (shut.email, WRONG),
        "deleted": (gone.email, PASSWORD),
        "no address": ("nobody", WRONG),
        "in upper case": (alice.email.upper(), WRONG),
    }
    answers = {name: guess(site.elsewhere(), *one) for name, one in guesses.items()}
    first = answers["wrong"]
    assert first.status == 401
    assert first.headers["cache-control"] == "no-store"
    assert {name: shown(one) for name, one in answers.items()} == dict.fromkeys(answers, shown(first))


def test_c1_an_account_that_is_locked_is_like_one_that_is_not_there(site: Site) -> None:
    alice, shut = site.member(), site.member()
    site.set(shut.id, is_disabled=True)
    there = {email: site.elsewhere() for email in (alice.email, shut.email, "nowhere@example.org")}
    for email, one in there.items():
        assert [guess(one, email).status for _ in range(site.app.login_failures)] == [401] * site.app.login_failures
    answers = {email: guess(one, email, PASSWORD) for email, one in there.items()}
    assert {one.status for one in answers.values()} == {429}
    assert len({one.body for one in answers.values()}) == 1
    assert len({frozenset(one.headers) for one in answers.values()}) == 1
    assert all(0 < int(one.headers["retry-after"]) <= 15 * 60 for one in answers.values())


# C2; what it costs in time is in test_login_times.py


def test_c2_every_login_that_fails_costs_one_hash(site: Site) -> None:
    alice, shut = site.member(), site.member()
    site.set(shut.id, is_disabled=True)
    for email, password in (
        (alice.email, WRONG),
        ("nobody2@example.org", WRONG),
        (shut.email, PASSWORD),
        (shut.email, WRONG),
        (alice.email, "x"),
        (alice.email, "x" * 128),
        ("nobody2@example.org", "x" * 128),
    ):
        before = site.hashes()
        assert guess(site, email, password).status == 401
        assert site.hashes() == before + 1, (email, password)
    before = site.hashes()
    assert guess(site, alice.email, PASSWORD).status == 200
    assert site.hashes() == before + 1


# C4, C5, C7


def test_c4_of_fifty_guesses_at_one_account_few_are_looked_at(site: Site) -> None:
    alice = site.member()
    before = site.hashes()
    statuses = [guess(site, alice.email).status for _ in range(50)]
    assert statuses == [401] * site.app.login_failures + [429] * (50 - site.app.login_failures)
    assert site.hashes() - before == site.app.login_failures
    locked = guess(site, alice.email, PASSWORD)
    assert locked.status == 429
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    assert locked.headers["cache-control"] == "no-store"
    # However it is typed, it is the same account.
    for email in (alice.email.upper(), alice.email.title()):
        assert guess(site, email, PASSWORD).status == 429
    # She is let in from elsewhere, and who is in stays in.
    assert guess(site.elsewhere(), alice.email, PASSWORD).status == 200
    assert site.ask("GET", f"{site.accounts}/me", token=alice.access).status == 200


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "Client_IP", "True_Client_IP"])
def test_c4_f8_no_header_makes_another_address(site: Site, header: str) -> None:
    email = f"{header.lower()}@example.org"
    statuses = []
    for number in range(site.app.login_failures + 5):
        value = f"for=203.0.113.{number}" if header == "Forwarded" else f"203.0.113.{number}"
        body = {"email": email, "password": WRONG}
        statuses.append(site.ask("POST", f"{site.accounts}/login", body, **{header: value}).status)
    assert statuses == [401] * site.app.login_failures + [429] * 5


def test_c5_one_address_has_a_hundred_failures_whomever_they_are_about(site: Site) -> None:
    alice = site.member()
    before = site.hashes()
    statuses = [guess(site, f"sprayed{number}@example.org").status for number in range(200)]
    assert statuses == [401] * OF_AN_ADDRESS + [429] * 100
    assert site.hashes() - before == OF_AN_ADDRESS
    assert guess(site, alice.email, PASSWORD).status == 429
    assert guess(site.elsewhere(), alice.email, PASSWORD).status == 200


def test_c7_of_a_hundred_at_once_few_get_to_the_password(site: Site) -> None:
    alice = site.member()
    before = site.hashes()
    body = f'{{"email":"{alice.email}","password":"{WRONG}"}}'.encode()

    def attempt(_: int) -> int:
        return site._exchange("POST", f"{site.accounts}/login", body, {"Content-Type": "application/json"}).status

    statuses = Counter(at_once(100, attempt))
    assert set(statuses) <= {401, 429, 503}
    assert statuses[401] <= site.app.login_failures
    assert site.hashes() - before == statuses[401]
    # Who was sent away because there were too many at a time found out nothing: that was no attempt.
    left = Counter(guess(site, alice.email).status for _ in range(site.app.login_failures + 1))
    assert statuses[401] + left[401] == site.app.login_failures
    assert guess(site, alice.email, PASSWORD).status == 429


# F9


def test_f9_so_many_may_register_from_one_address_as_the_contract_says(site: Site) -> None:
    before = len(site.rows("users")[0])

    def attempt(_: int) -> int:
        name = f"crowd{next(site.numbers)}"
        body = f'{{"username":"{name}","email":"{name}@example.org","password":"{PASSWORD}"}}'.encode()
        reply = site._exchange("POST", f"{site.accounts}/register", body, {"Content-Type": "application/json"})
        assert reply.status in (201, 503) or (
            reply.status == 429 and 0 < int(reply.headers["retry-after"]) <= site.app.registrations_s
        )
        return reply.status

    allowed = site.app.registrations
    statuses = Counter(at_once(allowed + 50, attempt))
    assert statuses[201] + statuses[503] == allowed
    assert statuses[429] == 50
    assert len(site.rows("users")[0]) - before == statuses[201]


# C8


def register(site: Site, password: object) -> Reply:
    name = f"byte{next(site.numbers)}"
    body = {"username": name, "email": f"{name}@example.org", "password": password}
    return site.elsewhere().ask("POST", f"{site.accounts}/register", body)


@pytest.mark.parametrize("password", ["x" * 129, "x" * 10_000, "", "short 7", "password", "12345678", "\ud800" * 8])
def test_c8_passwords_that_are_refused(site: Site, password: str) -> None:
    before = site.hashes()
    reply = register(site, password)
    assert reply.status == 400
    assert site.hashes() == before


def test_c8_a_password_of_a_mebibyte_is_not_even_read(site: Site) -> None:
    before = site.hashes()
    assert register(site, "x" * (1 << 20)).status == 413
    alice = site.member()
    assert site.ask("POST", f"{site.accounts}/login", {"email": alice.email, "password": "x" * (1 << 20)}).status == 413
    assert site.ask("POST", f"{site.accounts}/login", {"email": alice.email, "password": "x" * 129}).status == 400
    assert site.hashes() == before + 2


PAIRS = [
    ("a" * 72 + "x", "a" * 72 + "y"),
    ("a" * 127 + "x", "a" * 127 + "y"),
    ("ä" * 64 + "x", "ä" * 64 + "y"),
    ("  padded secret  ", "padded secret"),
    ("Letters Of A Case", "letters of a case"),
    ("tab\tand newline\n", "tab and newline "),
    ("😀🍷🐈🐕🎩🔑🌧🎈", "😀🍷🐈🐕🎩🔑🌧🎉"),
    ("zero\u200bwidth here", "zerowidth here"),
]


@pytest.mark.parametrize(("password", "other"), PAIRS)
def test_c8_every_character_of_a_password_counts(site: Site, password: str, other: str) -> None:
    made = register(site, password)
    assert made.status == 201
    email = made.json["email"]
    assert site.ask("POST", f"{site.accounts}/login", {"email": email, "password": other}).status == 401
    reply = site.ask("POST", f"{site.accounts}/login", {"email": email, "password": password})
    assert reply.status == 200
    site.told |= {reply.json["access_token"], reply.json["refresh_token"], password}


def test_c8_a_nul_does_not_end_a_password(site: Site) -> None:
    made = register(site, "a secret\0 and more of it")
    assert made.status in (201, 400)
    if made.status == 201:
        email = made.json["email"]
        for cut in ("a secret", "a secret\0", "a secret\0 and less of it"):
            assert site.ask("POST", f"{site.accounts}/login", {"email": email, "password": cut}).status in (400, 401)


def test_c8_a_password_is_the_same_however_a_keyboard_composes_it(site: Site) -> None:
    made = register(site, "caf\u00e9 au lait et cr\u00e8me")
    assert made.status == 201
    typed = {"email": made.json["email"], "password": "cafe\u0301 au lait et cre\u0300me"}
    reply = site.ask("POST", f"{site.accounts}/login", typed)
    assert reply.status == 200
    site.told |= {reply.json["access_token"], reply.json["refresh_token"]}


# H2: the log has the events of all of this; `leaked_nothing` looks through it when the server has stopped


def test_h2_events_name_the_user_and_no_password(site: Site) -> None:
    alice = site.member()
    there = replace(site, source=site.elsewhere().source)
    assert guess(there, alice.email).status == 401
    # Whoever types the password into the wrong field, or a line of the log into the right one.
    assert guess(there, 'x\\" level=\\"fake\\n2 WARNING demijohn.auth login succeeded').status == 401
    log = site.log().splitlines()
    assert any("login failed" in line and alice.email in line and there.source in line for line in log)
    assert not any(line.startswith("2 WARNING demijohn.auth login succeeded") for line in log)
    assert not any(WRONG in line for line in log)


def test_c4_a_member_who_is_logged_in_is_not_locked_out_by_others(site: Site) -> None:
    alice: Member = site.member()
    for _ in range(site.app.login_failures + 1):
        guess(site, alice.email)
    assert site.again(alice, alice.refresh).status == 200
