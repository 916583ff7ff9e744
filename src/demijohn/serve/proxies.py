"""Where a request comes from, as the proxies tell it that are known; what others say of it is not believed.

`X-Forwarded-For` grows by an address at each proxy. From its right end, the first address that is no known proxy is the
client's: what stands left of it was sent by the client and may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

__all__ = ["FORWARDED", "Proxies", "read_proxies"]

_Address: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network

_FOR, _PROTO, _HOST = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"
# Everything that tells of a proxy. It is used or dropped, and nothing behind this module can take it for the truth.
FORWARDED = (
    _FOR,
    _PROTO,
    _HOST,
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
)
_SOCKET = "unix"
# 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1]:4711
_WRITTEN = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9A-Fa-f:.]+)").fullmatch
_MOST_REMEMBERED = 1024
_LONGEST_REMEMBERED = 100  # characters: anybody can send a longer chain, and a new one each time


class Proxies:
    """Know the proxies by their networks; `socket` says that who comes through a Unix socket is one."""

    def __init__(self, networks: Iterable[_Network] = (), *, socket: bool = False) -> None:
        self.networks = tuple(networks)
        self.socket = socket
        self._is_known = lru_cache(_MOST_REMEMBERED)(self._look)
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._follow)

    def knows(self, address: str) -> bool:
        """Tell whether who comes from an address is a known proxy; "" is a socket."""
        return self._is_known(address)

    def apply(self, environ: dict[str, Any]) -> None:
        """Set address, scheme and host to what a known proxy says of them; remove what proxies say."""
        if self._is_known(environ.get("REMOTE_ADDR") or ""):
            chain: str = environ.get(_FOR, "")
            follow = self._remembered if len(chain) <= _LONGEST_REMEMBERED else self._follow
            address, hops = follow(chain)
            if address is not None:
                environ["REMOTE_ADDR"] = address
            scheme = _value(environ.get(_PROTO, ""), hops).lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            host = _value(environ.get(_HOST, ""), hops)
            if host:
                environ["HTTP_HOST"] = host
        for name in FORWARDED:
            environ.pop(name, None)

    def _follow(self, chain: str) -> tuple[str | None, int]:
        """Follow the addresses to the client's; return it, and how many were told by a known proxy.

        What is no address ends the chain, at the last proxy that is known by its own.
        """
        found, hops = None, 0
        for text in reversed(chain.split(",")):
            address = _address(text.strip())
            if address is None:
                break
            found, hops = str(address), hops + 1
            if not self._is_known(found):
                break
        return found, max(hops, 1)

    def _look(self, text: str) -> bool:
        if not text:
            return self.socket
        address = _address(text)
        return address is not None and any(address in network for network in self.networks)


def read_proxies(listed: Iterable[str]) -> tuple[Proxies, list[str]]:
    """Return the proxies of the setting, and what in it is none."""
    networks: list[_Network] = []
    wrong = []
    socket = False
    for one in listed:
        if one == _SOCKET:
            socket = True
            continue
        try:
            networks.append(ip_network(one))
        except ValueError:
            wrong.append(one)
    return Proxies(networks, socket=socket), wrong


def _address(text: str) -> _Address | None:
    """Return the address in one entry; an IPv4 address that is written as IPv6 is IPv4."""
    match = _WRITTEN(text)
    if match is None:
        return None
    try:
        address = ip_address(match[1] or match[2] or match[3])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _value(text: str, hops: int) -> str:
    """Return what the proxy next to the client said; one that replaces the header leaves a single value."""
    if "," not in text:
        return text.strip()
    values = text.split(",")
    return values[-min(hops, len(values))].strip()
