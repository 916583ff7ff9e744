"""Client addresses to what is counted: one client must not have as many counts as it can have addresses."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

__all__ = ["network_of"]

# What one customer gets of an Internet provider at the least (RFC 6177, 2).
IPV6_PREFIX = 64


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and the /64 network of an IPv6 address; any other text is itself.

    >>> network_of("192.0.2.1"), network_of("2001:db8::1:2:3:4"), network_of("::ffff:192.0.2.1")
    ('192.0.2.1', '2001:db8::/64', '192.0.2.1')
    """
    return _network_of(address) if ":" in address else address


@lru_cache(maxsize=10_000)
def _network_of(address: str) -> str:
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, IPV6_PREFIX), strict=False))
