"""A cache between clients and the server, as greedy as RFC 9111 lets one be: it tells who would get whose answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from target import Reply

__all__ = ["SharedCache"]

# RFC 9110, 15.1: what may be kept although nothing says for how long.
_KEPT = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
_FORBIDDING = frozenset(("no-store", "private"))
_ALLOWING = frozenset(("public", "must-revalidate", "s-maxage"))


class SharedCache:
    """Keep every answer that may be kept; `ask` sends a GET for a path with headers to the server."""

    def __init__(self, ask: Callable[[str, Mapping[str, str]], Reply]) -> None:
        self._ask = ask
        self._kept: list[tuple[str, dict[str, str | None], Reply]] = []

    def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Return an answer that was kept for such a request, else the server's."""
        sent = {name.lower(): value for name, value in headers.items()}
        for kept_path, chosen_by, reply in self._kept:
            if kept_path == path and all(sent.get(name) == value for name, value in chosen_by.items()):
                return reply
        reply = self._ask(path, headers)
        varies = [one.strip().lower() for one in reply.headers.get("vary", "").split(",") if one.strip()]
        if "*" not in varies and _may_keep(reply, sent):
            self._kept.append((path, {name: sent.get(name) for name in varies}, reply))
        return reply

    def __len__(self) -> int:
        return len(self._kept)


def _may_keep(reply: Reply, sent: Mapping[str, str]) -> bool:
    """Tell whether a shared cache may keep an answer (RFC 9111, 3 and 3.5)."""
    directives = {one.strip().partition("=")[0] for one in reply.headers.get("cache-control", "").split(",")}
    if reply.status not in _KEPT or directives & _FORBIDDING:
        return False
    return "authorization" not in sent or bool(directives & _ALLOWING)
