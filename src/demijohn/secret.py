"""The secret that an application signs with: its own, else one that is made once and kept."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from flask import Flask

__all__ = ["FILE_NAME", "signing_key"]

FILE_NAME = "demijohn.secret"
_BYTES = 32


def signing_key(app: Flask, purpose: str) -> bytes:
    """Return 32 bytes to sign with, other ones for each purpose.

    They are made from Flask's `SECRET_KEY`. Without one a secret is made on first use and kept in the instance
    folder, readable by its owner only, so that every worker, and the next start, has the same. Where nothing can be
    kept it lasts as long as the process, and the log says so.
    """
    own = app.secret_key
    secret = own.encode() if isinstance(own, str) else own or _kept(app)
    return hmac.digest(secret, f"demijohn {purpose}".encode(), sha256)


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
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=FILE_NAME) as draft:  # mode 0600
        draft.write(secrets.token_bytes(_BYTES))
        draft.flush()
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, file)
    return file.read_bytes()
