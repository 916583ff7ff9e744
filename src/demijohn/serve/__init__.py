"""Requests to answers: `operation.run` shows the whole of it."""

from demijohn.serve.dispatch import DECISION, REQUEST_ID, Decision, Dispatcher
from demijohn.serve.entrance import Entrance
from demijohn.serve.reply import send_problem
from demijohn.serve.timed import STAGES, TIMES, run_timed

__all__ = [
    "DECISION",
    "REQUEST_ID",
    "STAGES",
    "TIMES",
    "Decision",
    "Dispatcher",
    "Entrance",
    "run_timed",
    "send_problem",
]
