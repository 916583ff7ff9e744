"""Passwords: which are taken, how they are hashed, and what verifying one does not tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest
from argon2 import PasswordHasher
from werkzeug.security import generate_password_hash

from demijohn import SettingError, Settings
from demijohn.auth import passwords as module
from demijohn.auth.passwords import Busy, Passwords

QUICK = Settings(password_memory_kib=8, password_time_cost=1)
LONG = "x" * 1024 * 1024


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(QUICK)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "ünïcödé☃",
        "8charact",
        "\0\0nul\0 in it",
        "  spaces  ",
        "x7" * 64,
        "a" * 72 + "x",
        "🦆🦆🦆🦆🦆🦆🦆🦆",
    ],
)
def test_any_characters_make_a_password(passwords: Passwords, password: str) -> None:
    passwords.check(password)
    stored = passwords.hash(password)
    assert passwords.verify(stored, password)
    assert not passwords.verify(stored, password + "!")
    assert not passwords.verify(stored, password[:-1])


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("", "must have at least 8 characters"),
        ("7charac", "must have at least 8 characters"),
        ("e\u0301" * 7, "must have at least 8 characters"),
        ("x7" * 64 + "x", "must have at most 128 characters"),
        (LONG, "must have at most 128 characters"),
        ("half \ud800 half", "must not have half of a surrogate pair"),
        ("password", "is one of the commonest passwords"),
        ("PassWord123", "is one of the commonest passwords"),
        ("1234567890", "is one of the commonest passwords"),
        ("aaaaaaaaaa", "is one of the commonest passwords"),
        ("qwertyuiop", "is one of the commonest passwords"),
        ("Summer2025", "is one of the commonest passwords"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(passwords: Passwords, password: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        passwords.check(password)


def test_no_character_is_cut_off(passwords: Passwords) -> None:
    assert not passwords.verify(passwords.hash("a" * 72 + "x"), "a" * 72 + "y")
    assert not passwords.verify(passwords.hash("secret\0one"), "secret\0two")


def test_a_password_is_the_same_however_it_is_typed(passwords: Passwords) -> None:
    composed, taken_apart = (unicodedata.normalize(form, "Ångström é") for form in ("NFC", "NFD"))
    assert composed != taken_apart
    assert passwords.verify(passwords.hash(composed), taken_apart)
    assert passwords.verify(passwords.hash(taken_apart), composed)


def test_the_parameters_are_those_of_the_settings() -> None:
    assert Passwords(Settings()).hash("correct horse").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    other = Settings(password_memory_kib=32, password_time_cost=3, password_parallelism=2)
    assert Passwords(other).hash("correct horse").startswith("$argon2id$v=19$m=32,t=3,p=2$")
    with pytest.raises(SettingError, match="DEMIJOHN_PASSWORD_MEMORY_KIB: found 8, allowed is at least 16"):
        Passwords(Settings(password_memory_kib=8, password_parallelism=2))


def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    before = Passwords(Settings(password_memory_kib=16, password_time_cost=1)).hash("correct horse")
    assert passwords.verify(before, "correct horse")
    assert passwords.is_outdated(before)
    assert not passwords.is_outdated(passwords.hash("correct horse"))


@pytest.mark.parametrize("method", ["scrypt:256:8:1", "pbkdf2:sha256:10"])
def test_hashes_of_werkzeug_are_verified_and_outdated(passwords: Passwords, method: str) -> None:
    password = "e\u0301 as it was typed"
    stored = generate_password_hash(password, method)
    assert passwords.verify(stored, password)
    assert not passwords.verify(stored, "another one")
    assert passwords.is_outdated(stored)


@pytest.mark.parametrize(
    "stored",
    ["", "!", "plain text", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8", "scrypt:1:2$a$b", "pbkdf2:x:1$a$b"],
)
def test_what_is_no_hash_is_nobodys(passwords: Passwords, stored: str) -> None:
    assert not passwords.verify(stored, "plain text")
    assert not passwords.verify(stored, stored)
    assert passwords.is_outdated(stored)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what is hashed: the parameters, and the text."""
    seen: list[tuple[str, str]] = []
    verify: Callable[..., Any] = PasswordHasher.verify

    def recorded(self: PasswordHasher, stored: str, password: str) -> Any:
        seen.append((stored.rsplit("$", 2)[0], password))
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", recorded)
    return seen


def test_whether_there_is_a_user_makes_no_difference(passwords: Passwords, hashed: list[tuple[str, str]]) -> None:
    stored = passwords.hash("correct horse")
    assert not passwords.verify(stored, "wrong horse")
    assert not passwords.verify(None, "wrong horse")
    assert not passwords.verify("!", "wrong horse")
    assert hashed == [("$argon2id$v=19$m=8,t=1,p=1", "wrong horse")] * 3


def test_a_text_that_is_too_long_is_not_hashed_but_costs_the_same(
    passwords: Passwords, hashed: list[tuple[str, str]]
) -> None:
    stored = passwords.hash("correct horse")
    assert not passwords.verify(stored, LONG)
    assert not passwords.verify(None, LONG)
    assert not passwords.verify(stored, "\ud800")
    assert hashed == [("$argon2id$v=19$m=8,t=1,p=1", "")] * 3
    with pytest.raises(ValueError, match="at most 128 characters"):
        passwords.hash(LONG)


def test_even_the_hash_of_nothing_is_not_found_by_a_text_that_is_too_long(passwords: Passwords) -> None:
    assert not passwords.verify(passwords.hash(""), LONG)


@pytest.mark.parametrize(("threads", "places"), [(0, 3), (64, 3), (4, 3), (3, 2), (2, 1), (1, 1)])
def test_two_hash_one_waits_and_one_more_is_sent_away_and_a_thread_is_kept_free(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch, threads: int, places: int
) -> None:
    if threads:
        passwords.keep_free(threads)
    gate, results, given_up = Event(), Queue[str](), list[bool]()

    def slow(self: PasswordHasher, stored: str, password: str) -> bool:
        assert gate.wait(20)
        return True

    def log_in() -> None:
        try:
            with passwords.place():
                results.put(str(passwords.verify(None, "correct horse")))
        except Busy as busy:
            results.put(f"{busy.status} {dict(busy.headers)['Retry-After']}")

    monkeypatch.setattr(PasswordHasher, "verify", slow)
    monkeypatch.setattr(module, "give_up", lambda: given_up.append(True))
    clients = [Thread(target=log_in) for _ in range(places + 1)]
    for client in clients:
        client.start()
    first = results.get(timeout=20)
    gate.set()
    for client in clients:
        client.join(20)
    assert first == "503 1"
    assert sorted(results.queue) == ["True"] * places
    assert len(given_up) == places


def test_quick_kinds_of_hashes_are_stretched_to_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("demijohn.auth.passwords.time.sleep", slept.append)
    pace = module._Pace()
    for _ in range(3):
        pace.keep("today", 0.02)
    assert slept == []
    lasts = []
    for kind, took_s in (("scrypt", 0.08), ("today", 0.02), ("scrypt", 0.08), ("today", 0.02), ("weak", 0.001)):
        pace.keep(kind, took_s)
        lasts.append(round(took_s + slept[-1], 6))
    assert lasts == [0.1] * 5


def test_one_slow_hash_does_not_slow_down_all_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("demijohn.auth.passwords.time.sleep", slept.append)
    pace = module._Pace()
    pace.keep("old", 60.0)
    pace.keep("today", 0.02)
    assert slept == [0.98]
    for _ in range(100):
        pace.keep("old", 0.08)
    pace.keep("today", 0.02)
    assert slept[-1] < 0.1


def test_both_kinds_are_stretched_when_passwords_are_verified(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []
    monkeypatch.setattr(module._Pace, "keep", lambda self, kind, took_s: kinds.append(kind))
    passwords.verify(None, "correct horse")
    passwords.verify(generate_password_hash("x", "scrypt:256:8:1"), "correct horse")
    assert kinds == ["$argon2id$v=19$m=8,t=1,p=1", "scrypt:256:8:1"]


def test_the_list_of_the_commonest_is_as_it_is_compared(passwords: Passwords) -> None:
    assert len(passwords._commonest) > 5000
    odd = [one for one in passwords._commonest if one != unicodedata.normalize("NFC", one).lower() or len(one) < 8]
    assert odd == []
