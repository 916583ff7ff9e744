"""What a request passes before it is routed: whom it came through, and which host it is for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from demijohn.compile.cors import read_origins
from demijohn.errors import BadRequest, Problem, SettingError
from demijohn.serve.proxies import FORWARDED, read_proxies
from demijohn.settings import PREFIX, Settings

__all__ = ["Entrance"]

# RFC 3986 section 3.2.2, as far as hosts of the web go; names in a network of containers may have an underscore.
_HOST = re.compile(r"([a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE).fullmatch
_TRUSTED = re.compile(r"\.?[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]").fullmatch
_HSTS = re.compile(r"max-age=[0-9]+(?:; ?includeSubDomains)?(?:; ?preload)?", re.IGNORECASE).fullmatch
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)").match
_MOST_REMEMBERED = 256


class Entrance:
    """Let requests in that are for this host, with the client's address as known proxies tell it."""

    def __init__(self, settings: Settings, hosts: Sequence[str] | None = None) -> None:
        """Read the settings; `hosts` are those of Flask, for where the settings name none.

        Raises `SettingError` with every one that is wrong.
        """
        self.hosts = [host.lower() for host in _listed(settings.trusted_hosts) or hosts or ()]
        self.proxies, strange = read_proxies(_listed(settings.trusted_proxies))
        wrong = {
            "cors_origins": (read_origins(settings.cors_origins)[1], "origins such as https://app.example.org, or *"),
            "trusted_hosts": (
                [host for host in self.hosts if not _TRUSTED(host)],
                "hosts such as api.example.org or .example.org, without a port",
            ),
            "trusted_proxies": (strange, "addresses, networks such as 10.0.0.0/8, or unix"),
            "hsts": (
                [settings.hsts] if settings.hsts and not _HSTS(settings.hsts) else [],
                "a policy such as max-age=31536000; includeSubDomains",
            ),
        }
        problems = [
            f"{PREFIX}{name.upper()}: found {one!r}, allowed is {allowed}"
            for name, (found, allowed) in wrong.items()
            for one in found
        ]
        if problems:
            raise SettingError(problems)
        self._known: set[str] = set()

    def refuse(self, environ: dict[str, Any]) -> Problem | None:
        """Return why a request may not come in; set right where it comes from.

        Almost every request passes with three look-ups.
        """
        if not environ.keys().isdisjoint(FORWARDED):
            self.proxies.apply(environ)
        target = environ.get("RAW_URI")
        host = environ.get("HTTP_HOST")
        if host in self._known and (target is None or target.startswith("/")):
            return None
        return self._examine(host, target or "")

    def _examine(self, host: str | None, target: str) -> Problem | None:
        match = _HOST(host or "")
        if host is None or match is None:
            return BadRequest("Host has to name one host (RFC 9110, 7.2).")
        if self.hosts and not self._is_trusted(match[1].lower()):
            return BadRequest("This host is not served here.")
        absolute = _ABSOLUTE(target)
        if absolute is not None and absolute[1].lower() != host.lower():
            return BadRequest("Host has to be that of the address (RFC 9112, 3.2.2).")
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known.add(host)
        return None

    def _is_trusted(self, name: str) -> bool:
        return any(f".{name}".endswith(host) if host.startswith(".") else name == host for host in self.hosts)


def _listed(text: str) -> list[str]:
    return [one for one in map(str.strip, text.split(",")) if one]
