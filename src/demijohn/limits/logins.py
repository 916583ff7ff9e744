"""How many logins may fail, before a password is even looked at."""

from __future__ import annotations

from math import ceil
from unicodedata import normalize

from demijohn.compile.rates import Window, windows_of_setting
from demijohn.errors import TooManyRequests
from demijohn.limits.addresses import network_of
from demijohn.limits.counts import Counter
from demijohn.limits.limiter import Limiter, prefix_of
from demijohn.settings import Settings

__all__ = ["KNOWN_S", "LoginLimits"]

KNOWN_S = 30 * 24 * 3600
"""How long an address is known to an account after a login, in seconds."""


class LoginLimits:
    """Limit the failed logins to one account from one address, of one address, and to one account.

    The last of them counts what comes from everywhere, so that many addresses cannot guess at one account. It must not
    lock the owner out as long as somebody goes on guessing: an address from which the account was logged into in the
    last `KNOWN_S` seconds is let through, where the other two limits hold. Whoever is logged in stays so, and the
    limit is over with its time: no attempt makes it longer. The same answer is given to accounts that do not exist.

    Every attempt counts when it begins, and is taken back when it succeeds: of many at the same time, no more get to
    the password than one after the other. It is taken back, too, where the database was away, so that nobody is locked
    out by an outage. Call none of these methods within a transaction.
    """

    def __init__(self, limiter: Limiter, settings: Settings) -> None:
        self._counts = limiter.counts
        self._pair = _rules(settings, "rate_limit_login")
        self._address = _rules(settings, "rate_limit_login_address")
        self._account = _rules(settings, "rate_limit_login_account")

    def before(self, account: str, address: str) -> None:
        """Count an attempt; raise `TooManyRequests` where there were too many, before anything is hashed.

        `account` is the name as it was sent, of any case; `address` that of the client.
        """
        name, network = _name_of(account), network_of(address)
        pair = f"{network} {name}"
        self._hit(self._pair, pair)
        self._hit(self._address, network)
        try:
            self._hit(self._account, name)
        except TooManyRequests:
            if not self._counts.get(_known(pair)):
                raise

    def take_back(self, account: str, address: str) -> None:
        """Take back what `before` counted: nothing was learned about the password."""
        name, network = _name_of(account), network_of(address)
        pair = f"{network} {name}"
        for rules, key in ((self._pair, pair), (self._address, network), (self._account, name)):
            for window, prefix in rules:
                self._counts.take_back(Counter(prefix + key, window.window_s, must_hold=True))

    def succeeded(self, account: str, address: str) -> None:
        """Take back what `before` counted, and know the address from now on."""
        self.take_back(account, address)
        self._counts.hit(_known(f"{network_of(address)} {_name_of(account)}"))

    def _hit(self, rules: list[tuple[Window, str]], key: str) -> None:
        for window, prefix in rules:
            hits, left_s = self._counts.hit(Counter(prefix + key, window.window_s, must_hold=True))
            if hits > window.quota:
                raise TooManyRequests("Too many logins have failed.", retry_after_s=max(ceil(left_s), 1))


def _rules(settings: Settings, name: str) -> list[tuple[Window, str]]:
    return [(window, prefix_of(name, window)) for window in windows_of_setting(settings, name)]


def _known(pair: str) -> Counter:
    return Counter(f"known {pair}", KNOWN_S, must_hold=True)


def _name_of(account: str) -> str:
    """Return an account's name as it is counted: however it is typed, it is one account."""
    return normalize("NFC", normalize("NFC", account.strip()).lower())
