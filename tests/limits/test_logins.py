"""Logins are limited before a password is looked at, and the owner is never locked out for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from clocks import Clock
from members import at_once

from demijohn.errors import TooManyRequests
from demijohn.limits import Limiter, LoginLimits
from demijohn.limits.counts import Counts, MemoryCounts
from demijohn.limits.logins import KNOWN_S
from demijohn.settings import Settings

HOME, OFFICE = "192.0.2.1", "198.51.100.1"
MINUTES = 60
DAY_S = 24 * 3600


@pytest.fixture
def logins(clock: Clock) -> LoginLimits:
    return LoginLimits(Limiter(MemoryCounts(clock)), Settings())


def passed(work: Callable[[], None]) -> bool:
    try:
        work()
    except TooManyRequests:
        return False
    return True


def tried(logins: LoginLimits, times: int, account: str = "anna", address: str = HOME) -> int:
    """Return how many of so many attempts get to the password, which is wrong."""
    return sum(passed(lambda: logins.before(account, address)) for _ in range(times))


def test_ten_may_fail_to_one_account_from_one_address(logins: LoginLimits, clock: Clock) -> None:
    assert tried(logins, 50) == 10
    assert tried(logins, 1, address=OFFICE) == 1
    assert tried(logins, 1, account="bert") == 1
    clock.now += 15 * MINUTES
    assert tried(logins, 50) == 10


def test_the_refusal_says_when_to_come_again_and_not_whose_account_it_is(logins: LoginLimits, clock: Clock) -> None:
    tried(logins, 10)
    clock.now += 5 * MINUTES
    with pytest.raises(TooManyRequests) as caught:
        logins.before("anna", HOME)
    assert caught.value.headers == (("Retry-After", str(10 * MINUTES)),)
    assert caught.value.document() == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate-limited",
        "detail": "Too many logins have failed.",
    }


def test_a_login_that_succeeds_does_not_count(logins: LoginLimits) -> None:
    for _ in range(300):
        logins.before("anna", HOME)
        logins.succeeded("anna", HOME)
    assert tried(logins, 50) == 10


def test_a_login_that_succeeds_takes_back_no_failure(logins: LoginLimits) -> None:
    for number in range(200):
        if passed(lambda: logins.before("anna", HOME)) and number % 2 == 0:
            logins.succeeded("anna", HOME)
    assert tried(logins, 1) == 0


def test_of_many_at_the_same_time_no_more_than_the_limit_get_to_the_password(counts: Counts) -> None:
    logins = LoginLimits(Limiter(counts), Settings())
    assert sum(at_once(8, lambda _: tried(logins, 5))) == 10


def test_spraying_passwords_over_accounts_is_limited_by_address(logins: LoginLimits) -> None:
    assert sum(tried(logins, 1, account=f"user {number}") for number in range(200)) == 100
    assert tried(logins, 1, account="anna", address=OFFICE) == 1


def test_refused_attempts_to_one_account_do_not_use_up_what_the_address_may(logins: LoginLimits) -> None:
    tried(logins, 500)
    assert tried(logins, 1, account="bert") == 1


@pytest.mark.parametrize("other", [" anna\t", "ANNA", "Anna", "anNa"])
def test_an_account_is_one_however_it_is_typed(logins: LoginLimits, other: str) -> None:
    tried(logins, 10)
    assert tried(logins, 1, account=other) == 0


def test_letters_that_look_the_same_are_the_same(logins: LoginLimits) -> None:
    tried(logins, 10, account="Ren\u00e9")
    assert tried(logins, 1, account="rene\u0301") == 0
    assert tried(logins, 1, account="\ud800") == 1  # half a character, which is somebody's attempt as well


def test_addresses_of_one_network_are_one(logins: LoginLimits) -> None:
    found = [tried(logins, 1, address=f"2001:db8::{number:x}") for number in range(50)]
    assert sum(found) == 10


def attack(logins: LoginLimits) -> int:
    """Guess at anna's password from a thousand addresses; return how many guesses get to the password."""
    return sum(tried(logins, 1, address=f"10.0.{number // 250}.{number % 250}") for number in range(1000))


def test_many_addresses_have_a_hundred_guesses_a_day_at_one_account(logins: LoginLimits, clock: Clock) -> None:
    assert attack(logins) == 100
    assert attack(logins) == 0
    clock.now += DAY_S
    assert attack(logins) == 100


def test_the_owner_comes_in_from_where_he_was_before_while_many_guess(logins: LoginLimits, clock: Clock) -> None:
    logins.before("anna", HOME)
    logins.succeeded("anna", HOME)
    for _ in range(20):
        attack(logins)
        logins.before("Anna", HOME)
        logins.succeeded("Anna", HOME)
        clock.now += DAY_S
    attack(logins)
    assert tried(logins, 1, address=OFFICE) == 0
    assert tried(logins, 50) == 10


def test_an_address_is_forgotten_after_a_while(logins: LoginLimits, clock: Clock) -> None:
    logins.before("anna", HOME)
    logins.succeeded("anna", HOME)
    clock.now += KNOWN_S
    attack(logins)
    assert tried(logins, 1) == 0


def test_an_attack_does_not_lock_for_longer_than_a_day_whatever_is_tried(logins: LoginLimits, clock: Clock) -> None:
    attack(logins)
    for _ in range(24):
        clock.now += 3600
        last = tried(logins, 1, address=OFFICE)
    assert last == 1


@pytest.mark.parametrize("name", ["rate_limit_login", "rate_limit_login_address", "rate_limit_login_account"])
def test_each_limit_may_be_other_or_none(clock: Clock, name: str) -> None:
    none: dict[str, Any] = dict.fromkeys(
        ("rate_limit_login", "rate_limit_login_address", "rate_limit_login_account"), ""
    )
    limiter = Limiter(MemoryCounts(clock))
    assert tried(LoginLimits(limiter, Settings(**none)), 500) == 500
    assert tried(LoginLimits(limiter, Settings(**(none | {name: "3/minute"}))), 500) == 3
