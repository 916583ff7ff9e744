"""Every error of Demijohn, by the stage that finds it.

    DemijohnError
    ├── StartError             the application cannot start; lists every problem
    │   ├── SettingError       a setting has a value that it cannot have
    │   ├── ContractError      contract/: the document is wrong
    │   ├── BindingError       compile/: the contract and the code do not fit
    │   └── MismatchError      resources/: the database and the models do not fit
    └── Problem                serve/: a request gets an error answer (RFC 9457)
        ├── BadRequest         400  the request breaks the contract
        ├── Unauthorized       401  no credentials, or wrong ones
        ├── Forbidden          403  the caller may not do this
        ├── NotFound           404  there is no such item, or not for this caller
        ├── NotAcceptable      406  no declared media type is acceptable to the client
        ├── Conflict           409  the request does not go with what is stored
        ├── PreconditionFailed 412  the item is not, or no longer, what the client takes it for
        ├── ContentTooLarge    413  the body is larger than the limit
        ├── UnsupportedMediaType 415  the body's media type is not declared
        ├── UnprocessableContent 422  the same Idempotency-Key came with another request
        ├── PreconditionRequired 428  the request has to say which version it is about
        ├── TooManyRequests    429  the caller has used up what a rate limit allows
        ├── BrokenPromise      500  a handler broke its own contract
        ├── NotImplementedYet  501  the operation has no function behind it
        └── Unavailable        503  the database is away

Each class has a stable `code`; `docs/reference/errors.md` lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

__all__ = [
    "BadRequest",
    "BindingError",
    "BrokenPromise",
    "Conflict",
    "ContentTooLarge",
    "ContractError",
    "DemijohnError",
    "Finding",
    "Forbidden",
    "MismatchError",
    "NotAcceptable",
    "NotFound",
    "NotImplementedYet",
    "PreconditionFailed",
    "PreconditionRequired",
    "Problem",
    "ProblemException",
    "SettingError",
    "StartError",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "problem",
]


class DemijohnError(Exception):
    """Be the root of every error that Demijohn raises on purpose."""


class Finding:
    """State one problem of a contract: where, what was found, what is allowed.

    `str()` gives `file:line: found; allowed`. `pointer` is the JSON pointer in that file. `wrinkle` marks
    what harms nobody: a warning, and an error only under `strict`.
    """

    __slots__ = ("allowed", "file", "found", "line", "pointer", "wrinkle")

    def __init__(
        self, file: str, line: int, pointer: str, found: str, allowed: str = "", *, wrinkle: bool = False
    ) -> None:
        self.file = file
        self.line = line
        self.pointer = pointer
        self.found = found
        self.allowed = allowed
        self.wrinkle = wrinkle

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.found}" + (f"; {self.allowed}" if self.allowed else "")

    def __repr__(self) -> str:
        return f"<Finding {self}>"


class StartError(DemijohnError):
    """Refuse to start, with every problem at once; `problems` holds them, `str()` shows one a line."""

    heading = "The application cannot start"

    def __init__(self, problems: Sequence[Finding | str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        super().__init__("\n".join([f"{self.heading}: {count}", *map(str, problems)]))


class SettingError(StartError):
    """Refuse settings with values that they cannot have."""

    heading = "The settings are wrong"


class ContractError(StartError):
    """Refuse a contract that is not valid."""

    heading = "The contract is wrong"


class BindingError(StartError):
    """Refuse to bind a contract to code that does not fit it."""

    heading = "The contract and the code do not fit"


class MismatchError(StartError):
    """Refuse to serve models from a database that is not, or no longer, as they say."""

    heading = "The database and the models do not fit"


class Problem(DemijohnError):
    """Answer a request with an error in the form of RFC 9457, `application/problem+json`.

    Raise it in a handler, or subclass it with your own `status`, `code` and `title`. `errors` holds one
    object per fault: `{"detail", "pointer"}` for a body, `{"detail", "in", "name"}` for a parameter.
    `extra` members are added to the answer as they are.
    """

    status: int = 500
    code: str = "error"
    title: str = ""

    def __init__(
        self,
        detail: str = "",
        *,
        status: int | None = None,
        title: str | None = None,
        code: str | None = None,
        type: str = "about:blank",
        instance: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        if status is not None:
            self.status = int(status)
        if code is not None:
            self.code = code
        elif status is not None and self.code == "error":
            self.code = re.sub(r"[^a-z]+", "-", _phrase(self.status).lower().replace("'", ""))
        self.title = title if title is not None else self.title or _phrase(self.status)
        self.detail = detail
        self.type = type
        self.instance = instance
        self.errors = tuple(errors)
        self.headers = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        self.extra = dict(extra or {})

    def document(self) -> dict[str, Any]:
        """Return the members of the answer, in the order in which they are read best."""
        members: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.instance is not None:
            members["instance"] = self.instance
        if self.errors:
            members["errors"] = [dict(error) for error in self.errors]
        return {**members, **self.extra}


# RFC 9110 renamed these two; Python followed in 3.13.
_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


def _phrase(status: int) -> str:
    """Return the name of a status; the title of a problem whose type says nothing (RFC 9457, 4.2.1)."""
    if status in _RENAMED:
        return _RENAMED[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class BadRequest(Problem):
    """Tell a client that its request breaks the contract; `errors` names every fault."""

    status, code = 400, "bad-request"


class Unauthorized(Problem):
    """Tell a client that it has to say who it is; carries `WWW-Authenticate`."""

    status, code = 401, "unauthorized"


class Forbidden(Problem):
    """Tell a caller that it may not do this."""

    status, code = 403, "forbidden"


class NotFound(Problem):
    """Tell a client that there is no such item, or not for this caller."""

    status, code = 404, "not-found"


class NotAcceptable(Problem):
    """Tell a client that none of the media types it accepts is on offer."""

    status, code = 406, "not-acceptable"


class Conflict(Problem):
    """Tell a client that its request does not go with what is stored; `errors` names the properties at fault."""

    status, code = 409, "conflict"


class PreconditionFailed(Problem):
    """Tell a client that the item is not, or no longer, what it takes it for."""

    status, code = 412, "precondition-failed"


class ContentTooLarge(Problem):
    """Tell a client that its body is larger than the limit."""

    status, code = 413, "content-too-large"


class UnsupportedMediaType(Problem):
    """Tell a client that the operation does not take bodies of this media type."""

    status, code = 415, "unsupported-media-type"


class UnprocessableContent(Problem):
    """Tell a client that it sent an `Idempotency-Key` again, with another request."""

    status, code = 422, "unprocessable-content"


class PreconditionRequired(Problem):
    """Tell a client that it has to say, by `If-Match`, which version of the item it means."""

    status, code = 428, "precondition-required"


class TooManyRequests(Problem):
    """Tell a client that it has used up what a rate limit allows, and when to come again."""

    status, code = 429, "rate-limited"

    def __init__(
        self,
        detail: str = "Too many requests.",
        *,
        retry_after_s: int = 1,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(detail, headers=[("Retry-After", str(retry_after_s)), *headers])


class BrokenPromise(Problem):
    """Tell a client, and the log, that a handler answered something that the contract does not allow."""

    status, code = 500, "internal-error"


class NotImplementedYet(Problem):
    """Tell a client that nothing stands behind this operation."""

    status, code = 501, "not-implemented"


class Unavailable(Problem):
    """Tell a client that the database is away, and when to come again."""

    status, code = 503, "service-unavailable"

    def __init__(self, detail: str = "The database is not available at the moment.", *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class ProblemException(Problem):  # Connexion's name, so that its handlers run unchanged
    """Answer a problem, with Connexion's arguments."""

    def __init__(
        self,
        *,
        status: int = 500,
        title: str | None = None,
        detail: str | None = None,
        type: str | None = None,
        instance: str | None = None,
        headers: Mapping[str, str] | None = None,
        ext: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            detail or "",
            status=status,
            title=title,
            type=type or "about:blank",
            instance=instance,
            headers=headers or {},
            extra=ext,
        )


def problem(
    status: int,
    title: str | None,
    detail: str | None,
    type: str | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    ext: Mapping[str, Any] | None = None,
) -> ProblemException:
    """Return a problem for a handler to return; the same as raising it."""
    return ProblemException(
        status=status, title=title, detail=detail, type=type, instance=instance, headers=headers, ext=ext
    )
