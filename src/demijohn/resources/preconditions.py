"""`If-Match` and `If-None-Match` on writes (RFC 9110, 13.1): against the item as a GET would show it now."""

from __future__ import annotations

import re
from dataclasses import dataclass

from demijohn.compile.answers import etag_of
from demijohn.compile.plan import Requested
from demijohn.errors import PreconditionFailed, PreconditionRequired

__all__ = ["Preconditions", "read_preconditions"]


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Hold what a client says about the item before it is changed, None where it says nothing."""

    if_match: str | None
    if_none_match: str | None

    def check(self, current: bytes | None) -> None:
        """Raise `PreconditionFailed` unless all of it holds for the representation; None where there is no item.

        What is no entity tag matches nothing.
        """
        if self.if_match is not None and not _matches(self.if_match, current, weak=False):
            found = "there is no such item" if current is None else "the item is another version"
            raise PreconditionFailed(f"If-Match does not hold: {found}.")
        if self.if_none_match is not None and _matches(self.if_none_match, current, weak=True):
            raise PreconditionFailed("If-None-Match does not hold: there is such an item.")


def read_preconditions(request: Requested, *, required: bool) -> Preconditions | None:
    """Return the preconditions of a request, None where it has none.

    Raises `PreconditionRequired` where the contract demands `If-Match` and the client does not send it.
    """
    if_match, if_none_match = request.header("If-Match"), request.header("If-None-Match")
    if if_match is None:
        if required:
            raise PreconditionRequired("Send If-Match with the ETag of the item that you mean to change.")
        if if_none_match is None:
            return None
    return Preconditions(if_match, if_none_match)


# RFC 9110, 8.8.3.
_TAGS = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"').findall


def _matches(text: str, current: bytes | None, *, weak: bool) -> bool:
    """Compare tags strongly for `If-Match`: a weak one never matches (RFC 9110, 8.8.3.2)."""
    if current is None:
        return False
    if text.strip() == "*":
        return True
    tag = etag_of(current)
    return any(tag == (one.removeprefix("W/") if weak else one) for one in _TAGS(text))
