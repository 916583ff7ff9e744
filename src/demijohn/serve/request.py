"""The one place that reads a WSGI environ."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from demijohn.compile.routes import normal_path
from demijohn.errors import BadRequest, ContentTooLarge

if TYPE_CHECKING:
    from flask import Request as FlaskRequest

__all__ = ["Request"]

_HEADERS = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Request:
    """Read one request: nothing is decoded, nothing is believed."""

    __slots__ = ("added", "begun", "environ", "method", "path", "query")

    added: Sequence[tuple[str, str]]
    """Headers that every answer to the request is to have, a problem too."""

    begun: tuple[int, ...] | None
    """The versions of what a cached answer is made from, before any function of the application ran."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path = _path(environ)
        self.query: str = environ.get("QUERY_STRING", "")
        self.added = ()
        self.begun = None

    @property
    def base(self) -> str:
        """Return the path that the application is mounted at, "" for the root."""
        base: str = self.environ.get("SCRIPT_NAME", "")
        return base

    @property
    def scheme(self) -> str:
        """Return `http` or `https`, as the server, or a proxy that is believed, says."""
        scheme: str = self.environ["wsgi.url_scheme"]
        return scheme

    @property
    def address(self) -> str:
        """Return the client's address as the server knows it; no header is believed. "" where there is none."""
        address: str = self.environ.get("REMOTE_ADDR") or ""
        return address

    def header(self, name: str) -> str | None:
        """Return a header as the server gave it, None where it was not sent; any case of `name` will do."""
        value: str | None = self.environ.get(_environ_key(name))
        return value

    def cookie(self, name: str) -> str | None:
        """Return the first cookie of this name."""
        return self.flask_request.cookies.get(name)

    @property
    def flask_request(self) -> FlaskRequest:
        """Return Flask's own request object."""
        from flask import request

        return request._get_current_object()  # type: ignore[attr-defined,no-any-return]  # the proxy's own method

    def read_body(self, limit: int) -> bytes:
        """Return the whole body, and leave it readable for Flask.

        Raises `ContentTooLarge` beyond `limit` bytes: by Content-Length before a byte is read, otherwise after
        `limit + 1` of them. Werkzeug would cut a chunked body off there and go on as if it were whole.
        """
        environ = self.environ
        length = environ.get("CONTENT_LENGTH") or ""
        if length:
            if not (length.isascii() and length.isdigit()):
                raise BadRequest("Content-Length is not a number.")
            size = int(length[:20])
            if size > limit:
                raise _too_large(limit)
            body = _read(environ["wsgi.input"], size) if size else b""
            if len(body) < size:
                raise BadRequest("The body ended before the length that Content-Length gives.")
        elif _is_chunked(environ):
            body = _read(environ["wsgi.input"], limit + 1)
            if len(body) > limit:
                raise _too_large(limit)
        else:
            return b""
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return body


@lru_cache(maxsize=1000)
def _environ_key(name: str) -> str:
    """Return where WSGI keeps a header; the names asked for are those of contracts, so they are few."""
    return _HEADERS.get(name.lower()) or "HTTP_" + name.upper().replace("-", "_")


def _too_large(limit: int) -> ContentTooLarge:
    # The rest of the body is not read, so the connection cannot be used again (RFC 9110, 15.5.14).
    return ContentTooLarge(f"At most {limit} bytes are allowed.", headers={"Connection": "close"})


def _is_chunked(environ: dict[str, Any]) -> bool:
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def _read(stream: Any, size: int) -> bytes:
    """Read up to `size` bytes; a server's stream may give fewer at a time."""
    chunks = []
    while size > 0:
        chunk = stream.read(size)
        if not chunk:
            break
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _path(environ: dict[str, Any]) -> str:
    """Return the path below SCRIPT_NAME, still percent-encoded and in normal form.

    PATH_INFO is decoded, so `%2F` in it is lost. Gunicorn, Werkzeug and uWSGI also give the target as it was
    sent; it is used where it says the same as PATH_INFO, which a middleware may have changed.
    """
    path: str = environ.get("PATH_INFO", "") or "/"
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if "%" in target:
        sent = _target_path(target)
        whole = environ.get("SCRIPT_NAME", "") + path
        if unquote_to_bytes(sent).decode("latin-1") == whole:
            skip = environ.get("SCRIPT_NAME", "").count("/")
            return normal_path("/" + "/".join(sent.split("/")[1 + skip :]))
    if path.isascii() and path.isprintable() and "%" not in path and " " not in path:
        return path
    return normal_path(quote(path.encode("latin-1"), safe="/!$&'()*+,;=:@~"))


def _target_path(target: str) -> str:
    """Return the path of a request target, which may be absolute: `http://host/path?query`."""
    path = target.partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path
