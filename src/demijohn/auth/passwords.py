"""Passwords: what is taken, how they are hashed, how one is verified without telling whose it is."""

from __future__ import annotations

import secrets
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, VerifyMismatchError
from werkzeug.security import check_password_hash

from demijohn.errors import SettingError, Unavailable
from demijohn.settings import Settings
from demijohn.turns import give_up

__all__ = ["MAX_CHARACTERS", "MIN_CHARACTERS", "Busy", "Passwords"]

MIN_CHARACTERS: Final = 8
MAX_CHARACTERS: Final = 128

_SALT_BYTES = 16
_HASH_BYTES = 32
_WERKZEUG = ("scrypt:", "pbkdf2:")


class Busy(Unavailable):
    """Tell a client that more passwords are to be hashed at the moment than the process can do."""

    def __init__(self) -> None:
        super().__init__("Too many logins at a time.")


class Passwords:
    """Hash and verify passwords with argon2id, at OWASP's parameters unless the settings say otherwise.

    A hash takes 20 ms of a processor and 19 MiB, on purpose. So only `password_threads` of them run at a time in a
    process. A request takes a `place` before it does anything for a password: `password_queue` more have one than can
    hash, and what comes then is `Busy`, at next to no cost. A request gives up its turn before it waits.

    How long `verify` takes tells nothing about the account, nor even whether there is one. Where there is none, a hash
    of today's parameters is verified all the same. A hash of other parameters, or of Werkzeug's, takes another time,
    which would tell that this user exists and has not logged in for long. Once the process has met a second kind of
    hash, every `verify` is therefore stretched, by sleeping, to the time that the slowest kind takes, and a quarter
    more for what varies. With one kind only, which is the normal case, nothing is stretched.
    """

    def __init__(self, settings: Settings) -> None:
        memory_kib, lanes = settings.password_memory_kib, settings.password_parallelism
        if memory_kib < 8 * lanes:  # RFC 9106, 3.1
            raise SettingError([f"DEMIJOHN_PASSWORD_MEMORY_KIB: found {memory_kib}, allowed is at least {8 * lanes}"])
        self._hasher = PasswordHasher(
            time_cost=settings.password_time_cost,
            memory_cost=memory_kib,
            parallelism=lanes,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
        )
        # Nobody's hash: no password is known that has it. It is put together and not hashed, to spare the start 20 ms.
        parameters = f"$argon2id$v=19$m={memory_kib},t={settings.password_time_cost},p={lanes}"
        self._nobody = f"{parameters}${_random(_SALT_BYTES)}${_random(_HASH_BYTES)}"
        self._commonest = _read_commonest()
        self._threads, self._queue = settings.password_threads, settings.password_queue
        self._hashing = BoundedSemaphore(self._threads)
        self._places = BoundedSemaphore(self._threads + self._queue)
        self._pace = _Pace()

    def keep_free(self, threads: int) -> None:
        """Take no more than all but one of the `threads` that answer requests: others than logins wait for one, too."""
        places = min(self._threads + self._queue, max(threads - 1, 1))
        self._places = BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have one of the few places of those who hash or wait for it; raise `Busy` where all are taken."""
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            yield
        finally:
            self._places.release()

    def check(self, password: str) -> None:
        """Check a new password: 8 to 128 characters and none of the commonest; any character will do.

        Raises `ValueError` with a sentence for the client. The rules are those of NIST SP 800-63B, 3.1.1.2.
        """
        if len(password) > MAX_CHARACTERS:
            raise ValueError(f"must have at most {MAX_CHARACTERS} characters")
        normal = _normal(password)
        if normal is None:
            raise ValueError("must not have half of a surrogate pair")
        if len(normal) < MIN_CHARACTERS:
            raise ValueError(f"must have at least {MIN_CHARACTERS} characters")
        if normal.lower() in self._commonest:
            raise ValueError("is one of the commonest passwords; choose one that nobody would guess")

    def hash(self, password: str) -> str:
        """Return a hash to store, a PHC string of about 100 characters.

        Raises `ValueError` for what `check` refuses for its length or characters.
        """
        normal = _normal(password)
        if normal is None:
            raise ValueError(f"must be text of at most {MAX_CHARACTERS} characters")
        give_up()
        with self._hashing:
            return self._hasher.hash(normal)

    def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` is the one of a stored hash; None, for a user that does not exist, is False.

        Takes the same time whatever the answer is (see above). A password that is too long to be anyone's is not
        hashed, but costs what one costs.
        """
        normal = _normal(password)
        kind, compare = self._comparison(stored)
        give_up()
        with self._hashing:
            began = time.perf_counter()
            if normal is None:
                compare("")
                matches = False
            else:
                # Werkzeug hashed the characters as they came.
                matches = compare(password if kind.startswith(_WERKZEUG) else normal)
            took_s = time.perf_counter() - began
        self._pace.keep(kind, took_s)
        return matches

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a stored hash has other parameters than today's: hash the password anew at the next login."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except ValueError:  # none of argon2
            return True

    def _comparison(self, stored: str | None) -> tuple[str, Callable[[str], bool]]:
        """Return of which kind a stored hash is (algorithm and parameters), and what compares a password with it."""
        if stored is not None and stored.startswith(_WERKZEUG):
            return stored.partition("$")[0], lambda password: self._is_werkzeug(stored, password)
        known = stored is not None and stored.startswith("$argon2")
        hashed = stored if stored is not None and known else self._nobody
        return hashed.rsplit("$", 2)[0], lambda password: self._is_argon2(hashed, password)

    def _is_argon2(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False
        except (Argon2Error, ValueError):  # damaged, so nobody's
            return stored != self._nobody and self._is_argon2(self._nobody, password)

    def _is_werkzeug(self, stored: str, password: str) -> bool:
        try:
            return check_password_hash(stored, password)
        except ValueError:  # it says scrypt and is none
            return self._is_argon2(self._nobody, password)


class _Pace:
    """Hold how long the kinds of hashes take, and stretch the quick ones."""

    # Of a moving average: twenty hashes ago counts for a tenth.
    _WEIGHT = 0.1
    _MARGIN = 1.25
    _MOST_S = 1.0
    _MOST_KINDS = 32

    def __init__(self) -> None:
        self._average_s: dict[str, float] = {}

    def keep(self, kind: str, took_s: float) -> None:
        """Note how long a hash took, and sleep for what it lacks to the slowest kind."""
        before_s = self._average_s.get(kind)
        if before_s is not None:
            self._average_s[kind] = before_s + self._WEIGHT * (took_s - before_s)
        elif len(self._average_s) < self._MOST_KINDS:
            self._average_s[kind] = took_s
        if len(self._average_s) > 1:
            slowest_s = max([*self._average_s.values()])
            time.sleep(max(0.0, min(slowest_s * self._MARGIN, self._MOST_S) - took_s))


def _normal(password: str) -> str | None:
    """Return a password in NFC, so that every keyboard types the same; None for what cannot be one."""
    if len(password) > MAX_CHARACTERS:
        return None
    normal = unicodedata.normalize("NFC", password)
    try:
        normal.encode()
    except UnicodeEncodeError:
        return None
    return normal


def _random(length_bytes: int) -> str:
    return b64encode(secrets.token_bytes(length_bytes)).decode().rstrip("=")


def _read_commonest() -> frozenset[str]:
    text = files(__package__).joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("# "))
