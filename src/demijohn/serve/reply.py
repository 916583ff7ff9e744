"""Finished answers and problems to what Flask and WSGI take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from flask import Response, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_etags

from demijohn.compile.answers import Answer, etag_of
from demijohn.compile.caching import Headers
from demijohn.errors import Problem
from demijohn.serve.protection import SECURITY_HEADERS, SECURITY_NAMES, add_vary
from demijohn.serve.request import Request

__all__ = ["Reply", "current", "problem_of", "reply_problem", "seal", "send_problem"]

PROBLEM_TYPE = "application/problem+json"

_READING = ("GET", "HEAD")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def seal(answer: Answer, request: Request, caching: Headers = ()) -> Answer:
    """Add what every answer carries, and `caching` where it says nothing of that itself.

    The answer to a GET gets a strong ETag.
    """
    status, body, media_type, own = answer
    headers: list[tuple[str, Any]] = [*SECURITY_HEADERS]
    tag: Any = None
    if own:
        names = {name.lower(): value for name, value in own}
        if not SECURITY_NAMES.isdisjoint(names):
            headers = [header for header in headers if header[0].lower() not in names]
        headers += [(name, str(value)) for name, value in own]
        tag = names.get("etag")
        _keep(headers, caching)
    else:
        headers += caching
    if media_type is not None:
        text = media_type.startswith("text/") and "charset" not in media_type
        headers.append(("Content-Type", media_type + "; charset=utf-8" if text else media_type))
    if tag is None and status == 200 and request.method in _READING:
        headers.append(("ETag", etag_of(body)))
    return Answer(status, body, media_type, headers)


def current(answer: Answer, request: Request) -> Answer:
    """Return a sealed answer to a GET as a 304 where the client has it already (RFC 9110, 13.1.2)."""
    known = request.header("If-None-Match")
    if known is None or answer.status != 200 or request.method not in _READING:
        return answer
    tag = next(value for name, value in answer.headers if name.lower() == "etag")
    if not _matches(known, tag):
        return answer
    kept = [header for header in answer.headers if header[0].lower() != "content-type"]
    return Answer(304, b"", None, kept)


def _keep(headers: list[tuple[str, str]], caching: Headers) -> None:
    """Add what an answer says of caching, unless it says something of it itself; `Vary` grows."""
    for name, value in caching:
        if name == "Vary":
            add_vary(headers, value)
        elif all(other.lower() != "cache-control" for other, _ in headers):
            headers.append((name, value))


def _matches(known: str, tag: str) -> bool:
    return known.strip() == "*" or parse_etags(known).contains_raw(tag)


class Reply(NamedTuple):
    """Send a sealed answer: what a WSGI server calls in the place of a Flask response."""

    answer: Answer
    is_head: bool

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Send it."""
        return self.send(start_response)

    def send(self, start_response: Callable[..., Any], *more: tuple[str, str]) -> Iterable[bytes]:
        """Send it with `more` headers."""
        status, body, _, headers = self.answer
        sent = [*headers, *more]
        if status not in (204, 304):
            sent.append(("Content-Length", str(len(body))))
        start_response(_STATUS_LINES.get(status) or f"{status} Unknown", sent)
        return [] if self.is_head else [body]

    def response(self) -> Response:
        """Return the same as a Flask response, for hooks and signals that want one."""
        response = current_app.response_class(self.answer.body, self.answer.status, self.answer.headers)
        if self.answer.media_type is None:
            del response.headers["Content-Type"]
            if self.answer.status in (204, 304):
                response.automatically_set_content_length = False
                response.headers.pop("Content-Length", None)
        return response


def reply_problem(problem: Problem, request_id: str | None = None) -> Response:
    """Return the response of a problem, in the form of RFC 9457."""
    members = problem.document()
    if problem.status == 500 and request_id is not None:
        members["id"] = request_id
    return current_app.response_class(orjson.dumps(members), problem.status, _problem_headers(problem))


def send_problem(problem: Problem, is_head: bool, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Send a problem that was found before Flask was asked."""
    answer = Answer(problem.status, orjson.dumps(problem.document()), PROBLEM_TYPE, _problem_headers(problem))
    return Reply(answer, is_head).send(start_response)


def _problem_headers(problem: Problem) -> list[tuple[str, Any]]:
    return [*SECURITY_HEADERS, *problem.headers, ("Content-Type", PROBLEM_TYPE), ("Cache-Control", "no-store")]


def problem_of(error: HTTPException) -> Problem | Response:
    """Return Flask's and Werkzeug's own errors as problems; `abort(response)` keeps its response."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # Werkzeug names its base class here
    status = error.code or 500
    headers = [(name, value) for name, value in error.get_headers() if name.lower() != "content-type"]
    detail = (error.description or "") if status < 500 else ""
    return Problem(detail, status=status, headers=headers)
