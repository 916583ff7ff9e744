"""Keys that tokens are signed with, and those that signed the tokens which are still on their way.

With HS256 the key is made from the application's secret, and former secrets (`SECRET_KEY_FALLBACKS`) verify. With the
other algorithms keys are files: `KID.pem` in one folder, private keys in PEM. The last by name, of the algorithm of the
settings, signs; all of them verify. A process looks into the folder when a token names a key that it does not know, and
twice a second, so that nothing has to be started anew when keys change.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from flask import Flask
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from demijohn.errors import SettingError
from demijohn.secret import signing_keys
from demijohn.settings import Settings

__all__ = ["SYMMETRIC", "Key", "KeyFolder", "Keys"]

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

SYMMETRIC = "HS256"  # one secret signs and verifies
PURPOSE = "access-token"
_SUFFIX = ".pem"
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RSA_BITS = 2048
_RSA_EXPONENT = 65537
# How long a key that others have not noticed yet, or will not use any more, may make no difference.
_LOOK_EVERY_S = 0.5
_NOTICED_AFTER_S = 60
_OTHERS = 0o037  # what the mode of a key may not have: the group may read it, as with mounted secrets, nobody else


@dataclass(frozen=True, slots=True)
class Key:
    """Hold one key: `private` signs, `public` verifies; both are the same secret bytes for HS256."""

    kid: str
    algorithm: str
    private: Any
    public: Any
    since: float = 0.0

    def __repr__(self) -> str:
        return f"<Key {self.kid} {self.algorithm}>"


class Keys:
    """Hold the keys of one application; `owner` is its name.

    `generation` counts the changes: what was verified by the keys of another one has to be verified anew.
    """

    def __init__(self, keys: Sequence[Key], algorithm: str, owner: str, folder: KeyFolder | None = None) -> None:
        self.generation = 0
        self.owner = owner
        self.algorithm = algorithm
        self._folder = folder
        self._lock = Lock()
        self._looked_at = time.monotonic()
        self._take(keys)

    @classmethod
    def load(cls, app: Flask, settings: Settings) -> Keys:
        """Return the keys of an application; the first file is made where there is none.

        Raises `SettingError` for a weak secret in production, and for files that are no keys, with all of them.
        """
        if settings.token_algorithm == SYMMETRIC:
            made = signing_keys(app, PURPOSE, settings)
            return cls([Key(_name_of(one), SYMMETRIC, one, one) for one in reversed(made)], SYMMETRIC, app.name)
        folder = KeyFolder.of(app, settings)
        return cls(folder.read_or_make(), settings.token_algorithm, app.name, folder)

    @property
    def signing(self) -> Key:
        """Return the key that signs."""
        self.look()
        return self._signing

    def find(self, kid: str) -> Key | None:
        """Return the key of that name. The name is only ever compared, never part of a path or a statement."""
        self.look()
        key = self._keys.get(kid)
        if key is None and self._folder is not None:
            self._looked_at = -_LOOK_EVERY_S
            self.look()
            key = self._keys.get(kid)
        return key

    def look(self) -> None:
        """Look for changed keys, twice a second; what is wrong with them is for the log, the known ones stay."""
        if self._folder is None or time.monotonic() - self._looked_at < _LOOK_EVERY_S:
            return
        with self._lock:
            self._looked_at = time.monotonic()
            try:
                if self._folder.has_changed():
                    self._take(self._folder.read())
            except SettingError as error:
                self._folder.log(str(error))

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517, 5); none for HS256, whose key is a secret."""
        self.look()
        return {"keys": [_as_jwk(key) for key in self._keys.values() if key.algorithm != SYMMETRIC]}

    def _take(self, keys: Sequence[Key]) -> None:
        signing = [key for key in keys if key.algorithm == self.algorithm]
        if not signing:
            assert self._folder is not None
            remedy = "`demijohn keys rotate` makes one"
            raise SettingError([f"{self._folder.path}: found no key for {self.algorithm}; {remedy}"])
        self._signing = signing[-1]
        self._keys: Mapping[str, Key] = {key.kid: key for key in keys}
        self.generation += 1


class KeyFolder:
    """Be the folder of an application's private keys; only its owner may look into it."""

    def __init__(self, path: Path, settings: Settings, app: Flask) -> None:
        self.path = path
        self._settings = settings
        self._app = app
        self._seen: object = None

    @classmethod
    def of(cls, app: Flask, settings: Settings) -> KeyFolder:
        """Return the folder of an application: that of the settings, else `keys` in its instance folder."""
        return cls(Path(settings.token_keys or Path(app.instance_path, "keys")), settings, app)

    def read(self) -> list[Key]:
        """Return the keys in the order of their names. Raises `SettingError` with every file that is none."""
        self._seen = self._state()
        keys, wrong = [], []
        for file in self._files():
            try:
                keys.append(_read(file))
            except FileNotFoundError:  # removed just now
                continue
            except (OSError, ValueError) as error:
                wrong.append(f"{file}: {error.strerror if isinstance(error, OSError) else error}")
        if wrong:
            raise SettingError(wrong)
        return keys

    def read_or_make(self) -> list[Key]:
        """Return the keys, and make the first one of the algorithm. Raises `SettingError`."""
        keys = self.read()
        if not any(key.algorithm == self._settings.token_algorithm for key in keys):
            file = self.make()
            if self._settings.environment == "production":
                self.log(f"made the key {file} to sign access tokens; every other machine has to have it, too")
            keys = self.read()
        return keys

    def make(self) -> Path:
        """Write a new key, which signs from now on; return its file. Raises `SettingError`."""
        algorithm = self._settings.token_algorithm
        now = datetime.now(UTC)
        file = self.path / f"{now:%Y%m%dT%H%M%S}-{now:%f}{_SUFFIX}"
        newest = max((key.kid for key in self.read() if key.algorithm == algorithm), default="")
        if file.stem < newest:
            raise SettingError([f"{self.path}: found {newest}, which comes after {file.stem}: the last by name signs"])
        text = _generate(algorithm).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.path, prefix=".") as draft:  # mode 0600
                draft.write(text)
                draft.flush()
                with suppress(FileExistsError):  # another process has made one at the same time
                    os.link(draft.name, file)
        except OSError as error:
            raise SettingError([f"{file}: no key can be written: {error.strerror}"]) from error
        return file

    def remove_old(self, *, at_once: bool = False) -> list[str]:
        """Remove the keys whose last tokens have ended, with `at_once` all but the one that signs; return their names.

        A key signs until the next one is there, and its last token lives for `access_token_s` from then on.
        """
        settings = self._settings
        keys = self.read()
        signing = max((key.kid for key in keys if key.algorithm == settings.token_algorithm), default="")
        lifetime_s = settings.access_token_s + settings.token_leeway_s + _NOTICED_AFTER_S
        removed = []
        for key, following in zip(keys, [*keys[1:], None], strict=True):
            is_over = following is not None and following.since + lifetime_s < time.time()
            if key.kid < signing and (at_once or is_over):
                with suppress(FileNotFoundError):
                    (self.path / (key.kid + _SUFFIX)).unlink()
                removed.append(key.kid)
        return removed

    def has_changed(self) -> bool:
        """Tell whether the folder may hold other keys than those that were read."""
        return self._seen != self._state()

    def log(self, text: str) -> None:
        """Write to the application's log."""
        self._app.logger.warning("%s", text)

    def _state(self) -> object:
        """Return what is different once a file was added, removed or written."""
        return [(file, status.st_ino, status.st_mtime_ns) for file in self._files() if (status := _status(file))]

    def _files(self) -> list[Path]:
        try:
            files = [Path(entry.path) for entry in os.scandir(self.path) if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SettingError([f"{self.path}: {error.strerror}"]) from error
        return sorted((file for file in files if file.suffix == _SUFFIX), key=lambda file: file.stem)


def _status(file: Path) -> os.stat_result | None:
    with suppress(OSError):
        return file.stat()
    return None


def _read(file: Path) -> Key:
    """Return the key in a file; raise `ValueError` with what is wrong with it."""
    if not _KID.fullmatch(file.stem):
        raise ValueError("found another name than letters, digits, `-` and `_`, at most 64, before `.pem`")
    status = file.stat()
    if status.st_mode & _OTHERS:
        raise ValueError("others may read or change this key; `chmod 600` it")
    try:
        private = load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("found no private key in PEM without a password") from None
    match private:
        case RSAPrivateKey() if private.key_size >= _RSA_BITS:
            algorithm = "RS256"
        case EllipticCurvePrivateKey() if isinstance(private.curve, SECP256R1):
            algorithm = "ES256"
        case Ed25519PrivateKey():
            algorithm = "EdDSA"
        case _:
            raise ValueError(f"found another kind of key, allowed are RSA from {_RSA_BITS} bits, P-256 and Ed25519")
    return Key(file.stem, algorithm, private, private.public_key(), status.st_mtime)


def _generate(algorithm: str) -> PrivateKey:
    match algorithm:
        case "RS256":
            return generate_rsa_key(_RSA_EXPONENT, _RSA_BITS)
        case "ES256":
            return generate_private_key(SECP256R1())
    return Ed25519PrivateKey.generate()


def _as_jwk(key: Key) -> dict[str, Any]:
    makers: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
    public = makers[key.algorithm].to_jwk(key.public, as_dict=True)
    return {**public, "kid": key.kid, "alg": key.algorithm, "use": "sig", "key_ops": ["verify"]}


def _name_of(secret: bytes) -> str:
    """Return a name for a secret key that tells nothing of it."""
    return sha256(b"demijohn kid" + secret).hexdigest()[:16]
