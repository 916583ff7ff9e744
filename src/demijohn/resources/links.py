"""Addresses of the other pages of a list: the request's own, with nothing but the place in the list changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote_plus

from demijohn.compile.plan import Requested
from demijohn.contract import Operation

__all__ = ["Links", "link_header"]

# What stands in a path or a query as it is (RFC 3986, 3.3 and 3.4), besides letters, digits and `-._~`.
_SAFE = "/!$&'()*+,;=:@~%"
_IS_SAFE = re.compile(r"[A-Za-z0-9._~/-]*").fullmatch
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_REMEMBERED = 500


class Links:
    """Make the addresses of the pages of one list.

    Of the query only declared parameters are repeated, as they were sent; those named in `placing`, which say where
    in the list a page begins, are left out.
    """

    __slots__ = ("_declared", "_kept", "_placing")

    def __init__(self, operation: Operation, placing: Iterable[str]) -> None:
        self._placing = frozenset(placing)
        self._declared = frozenset(one.name for one in operation.parameters if one.location == "query")
        self._kept = lru_cache(maxsize=_MOST_REMEMBERED)(self._keep)

    def stem(self, request: Requested) -> str:
        """Return the address of the list up to the parameter that is to be added: `/people?sort=name&`."""
        path = request.base + request.path
        if not _IS_SAFE(path):
            # What WSGI has decoded is text of bytes; what the client sent has no other characters than ASCII.
            path = quote(path.encode("latin-1", "replace"), _SAFE)
        if path.startswith("//"):
            path = "/." + path  # else the first segment would be a host (RFC 3986, 4.2)
        return f"{path}?{self._kept(request.query)}"

    def _keep(self, query: str) -> str:
        kept = []
        for piece in query.split("&"):
            name = unquote_plus(piece.partition("=")[0])
            # `filter[name]=x` belongs to the parameter `filter`.
            if name not in self._placing and (name in self._declared or name.partition("[")[0] in self._declared):
                safe = quote(piece.encode("latin-1", "replace"), _SAFE)
                kept.append(_STRAY_PERCENT.sub("%25", safe) + "&")
        return "".join(kept)


def link_header(links: Iterable[tuple[str, str]]) -> str:
    """Return the value of a `Link` header (RFC 8288) from pairs of relation and address."""
    return ", ".join([f'<{address}>; rel="{relation}"' for relation, address in links])
