"""The whole request on one page: `run` names the stages in order.

Routing came before (`serve/dispatch.py`); Flask stands around it, with its hooks and error handlers.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app
from werkzeug.exceptions import HTTPException

from demijohn.compile.answers import Answer
from demijohn.compile.bodies import NO_BODY
from demijohn.compile.caching import Headers
from demijohn.compile.guards import ANONYMOUS, CALLER, Caller, NoCredentials
from demijohn.compile.parameters import REQUIRED, Incoming
from demijohn.compile.plan import Arguments, Plan
from demijohn.compile.routes import Match
from demijohn.errors import BadRequest, BrokenPromise, PreconditionRequired, Problem
from demijohn.serve.reply import current, seal
from demijohn.serve.request import Request

__all__ = ["run"]

_PRECONDITIONS = frozenset(("if-match", "if-none-match"))


def run(plan: Plan, match: Match, request: Request, max_body_bytes: int) -> Answer | Response:
    """Answer one request to one operation; every stage may end it by raising a `Problem`.

    A `Response` is one that the handler made itself; all else is an `Answer`.
    """
    caller = admit(plan, request)
    limit(plan, caller, request)
    agreed = plan.answers.agree(request.header("Accept"))
    search = None if plan.cache is None else plan.cache.find(caller, agreed, request, request.begun)
    if isinstance(search, Answer):
        return current(search, request)
    arguments = decode(plan, match, request, caller, agreed, max_body_bytes)
    result = plan.action.run(arguments)
    answer = encode(plan, result, caller, agreed, request)
    if search is not None:
        answer = search.keep(answer)
    return current(answer, request) if isinstance(answer, Answer) else answer


def admit(plan: Plan, request: Request) -> Caller:
    """Decide who is calling, before anything of the body is read; who guesses at credentials is soon not heard."""
    guard, failures = plan.guard, plan.failures
    if guard is None:
        return ANONYMOUS
    if failures is not None:
        failures.check(request.address)
    try:
        caller = request.environ[CALLER] = guard.admit(request)
        return caller
    except (Problem, HTTPException) as refusal:  # a hook may refuse in its own way
        status = refusal.status if isinstance(refusal, Problem) else refusal.code
        if status in (401, 403):
            limit(plan, ANONYMOUS, request)
        if status == 401 and failures is not None and not isinstance(refusal, NoCredentials):
            failures.count(request.address)
        raise


def limit(plan: Plan, caller: Caller, request: Request) -> None:
    """Count the request, where the contract limits how many there may be; raise `TooManyRequests` beyond that."""
    if plan.limit is not None:
        request.added = plan.limit.take(caller, request.address)


def decode(plan: Plan, match: Match, request: Request, caller: Caller, agreed: str, max_body_bytes: int) -> Arguments:
    """Decode and validate parameters and body; raise `BadRequest` with every fault of both."""
    faults: list[dict[str, str]] = []
    values: list[Any] = []
    if plan.parameters is not None:
        path = dict(zip(plan.names, match.captures, strict=True))
        values, faults = plan.parameters.decode(Incoming(path, request.query, request.header))
    body, raw = NO_BODY, b""
    if plan.body is not None:
        raw = request.read_body(max_body_bytes)
        body = plan.body.decode(request.header("Content-Type"), raw)
        faults += body.faults
    if faults:
        raise _refusal(faults)
    prefer = request.header("Prefer") or ""
    return Arguments(values, body.value, dict(body.files), caller, prefer, request, agreed, raw)


def encode(plan: Plan, result: Any, caller: Caller, agreed: str, request: Request) -> Answer | Response:
    """Turn a handler's result into an answer, and check it against the contract."""
    if isinstance(result, Problem):
        raise result
    caching = () if plan.caching is None else plan.caching.headers(caller)
    try:
        if isinstance(result, Answer):  # of a resource: the proof at start-up stands for a check of each
            return seal(result, request, caching)
        if isinstance(result, Response):
            return _checked(plan, result, caching)
        return seal(plan.answers.finish(result, agreed), request, caching)
    except BrokenPromise as broken:
        current_app.logger.error(
            "operation %s (%s) broke its contract: %s [%s]",
            plan.operation.operation_id or plan.endpoint,
            plan.action.name,
            broken.detail,
            request.environ.get("demijohn.request_id", "-"),
        )
        raise BrokenPromise from broken


def _refusal(faults: list[dict[str, str]]) -> Problem:
    """Return the problem of a request with faults; one that only lacks its precondition is 428 (RFC 6585, 3)."""
    if all(fault.get("in") == "header" and _lacks_precondition(fault) for fault in faults):
        names = " and ".join(fault["name"] for fault in faults)
        return PreconditionRequired(f"Send {names} with the entity tag that the item had when it was read.")
    return BadRequest(_summary(faults), errors=faults)


def _lacks_precondition(fault: dict[str, str]) -> bool:
    return fault["name"].lower() in _PRECONDITIONS and fault["detail"] == REQUIRED.detail


def _summary(faults: list[dict[str, str]]) -> str:
    """Return the first fault as a sentence, and how many there are besides."""
    first = faults[0]
    place = f"{first['in']} parameter {first['name']!r}" if "in" in first else f"body {first['pointer']}"
    more = f" (and {len(faults) - 1} more, see errors)" if len(faults) > 1 else ""
    detail = first["detail"].rstrip("?.")
    return f"{place} {detail}{more}."


def _checked(plan: Plan, response: Response, caching: Headers) -> Response:
    """Check a response object that a handler made itself; a stream is left alone."""
    if plan.answers.validate:
        body = None if response.is_streamed else response.get_data()
        headers = {name.lower(): value for name, value in response.headers.items()}
        plan.answers.check(response.status_code, body, response.mimetype or "", headers)
    for name, value in caching:
        if name == "Vary":
            response.vary.update(value.split(", "))
        else:
            response.headers.setdefault(name, value)
    return response
