"""The request of `operation.run` with a clock beside it, for where somebody wants to know how long each stage takes.

A test compares the two line by line: this one may do nothing else.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

from flask import Response

from demijohn.compile.answers import Answer
from demijohn.compile.plan import Plan
from demijohn.compile.routes import Match
from demijohn.serve.operation import admit, decode, encode, limit
from demijohn.serve.reply import current
from demijohn.serve.request import Request

__all__ = ["STAGES", "TIMES", "run_timed"]

STAGES = ("admit", "limit", "agree", "decode", "act", "encode")
"""What is timed. To look for a kept answer belongs to `agree`, to keep one to `encode`."""
TIMES: Final = "demijohn.times"
"""Where the environ of a request has its times in seconds: when its stages began, and after each that was passed."""


def run_timed(plan: Plan, match: Match, request: Request, max_body_bytes: int) -> Answer | Response:
    """Answer one request to one operation, and note when each stage was passed."""
    times = request.environ[TIMES] = [perf_counter()]
    caller = admit(plan, request)
    times.append(perf_counter())
    limit(plan, caller, request)
    times.append(perf_counter())
    agreed = plan.answers.agree(request.header("Accept"))
    search = None if plan.cache is None else plan.cache.find(caller, agreed, request, request.begun)
    times.append(perf_counter())
    if isinstance(search, Answer):
        return current(search, request)
    arguments = decode(plan, match, request, caller, agreed, max_body_bytes)
    times.append(perf_counter())
    result = plan.action.run(arguments)
    times.append(perf_counter())
    answer = encode(plan, result, caller, agreed, request)
    if search is not None:
        answer = search.keep(answer)
    times.append(perf_counter())
    return current(answer, request) if isinstance(answer, Answer) else answer
