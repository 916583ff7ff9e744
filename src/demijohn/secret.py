"""The secret that an application signs with: its own, else one that is made once and kept.

What is signed is worth as much as the secret is hard to guess. So in production (`Settings.environment`) the secret has
to be the application's own and a good one, or nothing starts.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from tempfile import NamedTemporaryFile

from flask import Flask

from demijohn.errors import SettingError
from demijohn.settings import Settings

__all__ = ["FILE_NAME", "VARIABLE", "signing_key", "signing_keys", "weakness"]

FILE_NAME = "demijohn.secret"
VARIABLE = "SECRET_KEY"
_BYTES = 32
_REMEDY = f"allowed in production is one of at least {_BYTES} random bytes: `demijohn secret` prints one"
_WARNED = "demijohn_weak_secret"


def signing_key(app: Flask, purpose: str, settings: Settings) -> bytes:
    """Return 32 bytes to sign with, other ones for each purpose.

    They are made from Flask's `SECRET_KEY`, else from the environment variable of that name. Without one a secret is
    made on first use and kept in the instance folder, readable by its owner only, so that every worker, and the next
    start, has the same. Where nothing can be kept it lasts as long as the process, and the log says so.

    Raises `SettingError` in production where the secret is missing or weak. In development a weak one is a warning.
    """
    return signing_keys(app, purpose, settings)[0]


def signing_keys(app: Flask, purpose: str, settings: Settings) -> tuple[bytes, ...]:
    """Return the key to sign with, then those that are good for checking only: of Flask's `SECRET_KEY_FALLBACKS`."""
    given = app.secret_key or os.environ.get(VARIABLE)
    former = tuple(app.config.get("SECRET_KEY_FALLBACKS") or ())
    weak = [f"{VARIABLE}: found {why}, {_REMEDY}" for why in [weakness(given or "")] if why]
    weak += [f"{VARIABLE}_FALLBACKS: found {why}, {_REMEDY}" for why in map(weakness, former) if why]
    if weak and settings.environment == "production":
        raise SettingError(weak)
    if weak and (given or former) and not app.extensions.setdefault(_WARNED, False):
        app.extensions[_WARNED] = True
        app.logger.warning("%s", "; ".join(weak))
    current = _bytes(given) if given else _kept(app)
    return tuple(hmac.digest(one, f"demijohn {purpose}".encode(), sha256) for one in (current, *map(_bytes, former)))


def _bytes(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else secret


# What stands in tutorials and templates, without what is between the words; whole, or as a part of the secret.
_WELL_KNOWN = {
    *("admin", "changeme", "default", "demo", "dev", "development", "example", "flask", "foo", "key", "mysecret"),
    *("mysecretkey", "password", "secret", "secretkey", "test", "testing", "topsecret", "verysecret"),
}
_PLACEHOLDERS = ("changeme", "changethis", "replaceme", "replacethis", "yoursecret", "supersecret", "insertsecret")
_FEWEST_CHARACTERS = 8


def weakness(secret: str | bytes) -> str | None:
    """Return what makes a secret easy to guess, as in `found one that is well known`; None for a good one.

    No rule can tell that a secret is random. These tell that it is not: shorter than 32 bytes (RFC 7518, 3.2), out of a
    template, a text over and over, hardly any different characters, the alphabet.
    """
    raw = _bytes(secret)
    words = re.sub(r"[^a-z0-9]", "", raw.decode("latin-1").lower())
    if not raw.strip():
        return "none"
    if words in _WELL_KNOWN or any(one in words for one in _PLACEHOLDERS):
        return "one that is well known"
    if len(raw) < _BYTES:
        return f"one of {len(raw)} bytes"
    if raw in (raw + raw)[1:-1]:
        return "one that says the same over and over"
    if len(set(raw)) < _FEWEST_CHARACTERS:
        return f"one of only {len(set(raw))} different characters"
    if sum(abs(after - before) <= 1 for before, after in pairwise(raw)) > len(raw) / 2:
        return "one that is a sequence"
    return None


def _kept(app: Flask) -> bytes:
    file = Path(app.instance_path) / FILE_NAME
    try:
        return _read(file) or _make(file)
    except OSError as error:
        app.logger.warning(
            "No SECRET_KEY is set, and none can be kept in %s (%s): what is signed, such as cursors, is not valid in "
            "another process.",
            file,
            error.strerror,
        )
        return secrets.token_bytes(_BYTES)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _make(file: Path) -> bytes:
    """Write the file whole, and take another process's where it was faster."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=FILE_NAME) as draft:  # mode 0600
        draft.write(secrets.token_bytes(_BYTES))
        draft.flush()
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, file)
    return file.read_bytes()
