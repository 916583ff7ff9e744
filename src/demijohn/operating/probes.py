"""The paths that tell how the process is: for balancers, for whoever starts it anew, for Prometheus."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from demijohn.compile.answers import Answer
from demijohn.errors import Problem, SettingError, Unauthorized, Unavailable
from demijohn.operating.readiness import Readiness
from demijohn.serve import send_problem
from demijohn.serve.protection import SECURITY_HEADERS
from demijohn.serve.reply import Reply
from demijohn.settings import PREFIX, Settings

__all__ = ["Probes"]

_FEWEST_CHARACTERS = 16
_READY_AGAIN_S = 2
_METHODS = ("GET", "HEAD")

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Probes:
    """Answer the paths that the settings name.

    `metrics` returns the metrics for an `Accept`, as bytes and media type; None where nothing is counted.
    Raises `SettingError` for a path that is none, for two that are the same, and for a token that can be guessed.
    """

    def __init__(
        self, settings: Settings, readiness: Readiness, metrics: Callable[[str], tuple[bytes, str]] | None
    ) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._token = settings.metrics_token
        _check(settings)
        self.address = _address(settings.operating_address)
        probes: list[tuple[str, _Wsgi]] = [(settings.live_path, self._live), (settings.ready_path, self._ready)]
        if metrics is not None:
            probes.append((settings.metrics_path, self._tell_metrics))
        self.paths: dict[str, _Wsgi] = {path: probe for path, probe in probes if path}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Be an application that has these paths and no others."""
        probe = self.paths.get(environ.get("PATH_INFO", ""))
        if probe is None:
            return send_problem(Problem(status=404), environ["REQUEST_METHOD"] == "HEAD", start_response)
        return probe(environ, start_response)

    def _live(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return _send(environ, start_response, lambda: (orjson.dumps({"status": "live"}), "application/json"))

    def _ready(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return _send(environ, start_response, self._tell_ready)

    def _tell_ready(self) -> tuple[bytes, str]:
        if not self._readiness.is_ready():
            raise Unavailable("Not ready at the moment.", retry_after_s=_READY_AGAIN_S)
        return orjson.dumps({"status": "ready"}), "application/json"

    def _tell_metrics(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def tell() -> tuple[bytes, str]:
            assert self._metrics is not None
            if self._token:
                sent = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
                if not hmac.compare_digest(sent, f"Bearer {self._token}".encode()):
                    raise Unauthorized(headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
            return self._metrics(environ.get("HTTP_ACCEPT", ""))

        return _send(environ, start_response, tell)


def _send(
    environ: dict[str, Any], start_response: Callable[..., Any], tell: Callable[[], tuple[bytes, str]]
) -> Iterable[bytes]:
    method = environ["REQUEST_METHOD"]
    try:
        if method not in _METHODS:
            raise Problem(status=405, headers={"Allow": ", ".join(_METHODS)})
        body, media_type = tell()
    except Problem as problem:
        return send_problem(problem, method == "HEAD", start_response)
    headers = [*SECURITY_HEADERS, ("Content-Type", media_type), ("Cache-Control", "no-store")]
    return Reply(Answer(200, body, media_type, headers), method == "HEAD").send(start_response)


_ADDRESS = re.compile(r"(?:([\w.-]+|\[[0-9A-Fa-f:.]+\])?:)?([0-9]{1,5})").fullmatch


def _address(text: str) -> tuple[str, int] | None:
    """Return host and port of `127.0.0.1:9100`, `[::1]:9100`, or `:9100` and `9100` on this machine only."""
    if not text:
        return None
    found = _ADDRESS(text)
    if found is None or int(found[2]) > 65535:
        allowed = "a host and a port such as 127.0.0.1:9100, or nothing"
        raise SettingError([f"{PREFIX}OPERATING_ADDRESS: found {text!r}, allowed is {allowed}"])
    return (found[1] or "127.0.0.1").strip("[]"), int(found[2])


def _check(settings: Settings) -> None:
    paths = {name: getattr(settings, name) for name in ("live_path", "ready_path", "metrics_path")}
    wrong = [
        f"{PREFIX}{name.upper()}: found {path!r}, allowed is a path such as /{name.partition('_')[0]}, or nothing"
        for name, path in paths.items()
        if path and (not path.startswith("/") or not path.isascii() or any(one in path for one in " ?#%{}"))
    ]
    given = [path for path in paths.values() if path]
    if len(set(given)) < len(given):
        wrong.append(f"{PREFIX}LIVE_PATH, READY_PATH, METRICS_PATH: found the same path twice, allowed are three paths")
    if 0 < len(settings.metrics_token) < _FEWEST_CHARACTERS:
        allowed = f"at least {_FEWEST_CHARACTERS} characters, or nothing"
        wrong.append(
            f"{PREFIX}METRICS_TOKEN: found one of {len(settings.metrics_token)} characters, allowed are {allowed}"
        )
    if not settings.metrics_token.isascii():
        wrong.append(f"{PREFIX}METRICS_TOKEN: found one with letters that no header has, allowed is ASCII")
    if wrong:
        raise SettingError(wrong)
