"""Log records to lines: one for each, as text or as a JSON object, without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import orjson
from flask import Flask
from flask.globals import request_ctx
from flask.logging import default_handler

from demijohn.compile.guards import CALLER, Caller
from demijohn.operating.current import TRACE, current
from demijohn.operating.masks import Masks, is_secret_name, own_secrets
from demijohn.serve import DECISION, REQUEST_ID
from demijohn.settings import PREFIX, Settings

__all__ = ["JsonLines", "LineHandler", "caller_of", "logging_config", "mask", "one_line", "set_up_logging", "timestamp"]

_masks = Masks()

# What every record has; all else was given as `extra`.
_EMPTY = logging.LogRecord("", 0, "", 0, "", (), None)
_USUAL = frozenset((*vars(_EMPTY), "message", "asctime", "taskName"))
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PLAIN = (str, int, float, bool, type(None))


def timestamp(seconds: float) -> str:
    """Return a time in UTC as RFC 3339 writes it, in milliseconds."""
    whole = int(seconds)
    return f"{_date(whole)}.{int((seconds - whole) * 1000):03d}Z"


_last: tuple[int, str] = (0, "")


def _date(whole: int) -> str:
    """Return date and time; most records come within the second of the last one."""
    global _last
    last = _last
    if last[0] != whole:
        last = _last = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return last[1]


def caller_of(caller: Caller | None) -> str | int | None:
    """Return the number or name of a caller; one that is an e-mail address is left out: logs are kept by many."""
    user = None if caller is None else caller.user
    if isinstance(user, int):
        return user
    return user if isinstance(user, str) and len(user) <= 200 and not _EMAIL.search(user) else None


class JsonLines(logging.Formatter):
    """Write a record as one line that is a JSON object.

    A record of a request says which it is. What was given as `extra` stands beside the rest.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        members: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "pid": record.process,
            **_request_members(),
        }
        for name, value in vars(record).items():
            if name not in _USUAL and name not in members:
                members[name] = "***" if is_secret_name(name) else _plain(value)
        if record.exc_info and record.exc_info[0] is not None:
            members["exception"] = _masks.text(self.formatException(record.exc_info))
        elif record.exc_text:
            members["exception"] = _masks.text(record.exc_text)
        if record.stack_info:
            members["stack"] = _masks.text(self.formatStack(record.stack_info))
        return one_line(_encodable(members))


def one_line(members: dict[str, Any]) -> str:
    """Return JSON that a terminal can show: what is not printable ASCII is escaped, as `\\u009b` for example."""
    line = orjson.dumps(members)
    if line.isascii() and b"\x7f" not in line:
        return line.decode()
    return json.dumps(members, separators=(",", ":")).replace("\x7f", "\\u007f")


def _message(record: logging.LogRecord) -> str:
    """Return the message with its arguments, which are masked before: `%(password)s` leaves no name to go by."""
    arguments = record.args
    if arguments:
        masked = _masks.value(arguments)
        try:
            return _masks.text(str(record.msg) % masked)
        except (TypeError, ValueError):  # `%d` of what is no number any more, or a mistake of the caller's
            pass
        try:
            return _masks.text(record.getMessage())
        except (TypeError, ValueError, KeyError):
            return _masks.text(f"{record.msg} {masked!r}")
    return _masks.text(str(record.msg))


def _plain(value: Any) -> Any:
    value = _masks.value(value)
    return value if isinstance(value, (*_PLAIN, dict, list, tuple)) else _masks.text(str(value))


def _encodable(value: Any) -> Any:
    """Return what can be written as JSON: no lone surrogates, no numbers beyond 64 bits, nothing of other types."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool | float | type(None)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, Mapping):
        return {_encodable(str(key)): _encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(one) for one in value]
    return _encodable(_masks.text(str(value)))


def _request_members() -> dict[str, Any]:
    environ = request_ctx.request.environ if request_ctx else current.environ
    if environ is None:
        return {}
    decision = environ.get(DECISION)
    plan = None if decision is None else decision.plan
    members = {
        "request_id": environ.get(REQUEST_ID),
        "operation": None if plan is None else plan.operation.operation_id or f"{plan.operation.method} {plan.path}",
        "method": environ.get("REQUEST_METHOD"),
        "path": None if decision is None else _masks.text(decision.request.path[:1000]),
        "caller": caller_of(environ.get(CALLER)),
        "trace_id": environ.get(TRACE),
    }
    return {name: value for name, value in members.items() if value is not None}


class _Masked(logging.Filter):
    """Mask the records that a handler is given whose lines somebody else writes."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; handlers that come later see it so, too."""
        record.msg, record.args = _message(record), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = _masks.text(logging.Formatter().formatException(record.exc_info))
        return True


class LineHandler(logging.StreamHandler[TextIO]):
    """Write lines, and nothing instead where there is no room for one: a full disk is no reason to tell of its writer.

    Python would write the whole record and where it came from, over many lines and with its secrets.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Tell of what is wrong with a record, and not of what is wrong with the stream."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


_OF_FILES = (LineHandler, logging.StreamHandler, logging.FileHandler)


def set_up_logging(app: Flask, settings: Settings) -> None:
    """Let the records of this process be written as the settings say.

    As text they are Flask's, with secrets masked. As JSON they go to standard error: the handlers of the root logger
    that write to a terminal or file are told to write so, and there is one where there was none.
    """
    global _masks
    given = {**app.config, **{PREFIX + name: getattr(settings, name) for name in settings.__slots__}}
    _masks = Masks(own_secrets(given, os.environ))
    if settings.log_format == "text":
        for handler in (default_handler, logging.lastResort):
            if handler is not None and not any(isinstance(one, _Masked) for one in handler.filters):
                handler.addFilter(_Masked())
        return
    root = logging.getLogger()
    handlers = [one for one in root.handlers if type(one) in _OF_FILES]
    if not handlers:
        handlers = [LineHandler(sys.stderr)]
        root.addHandler(handlers[0])
    for handler in handlers:
        handler.setFormatter(JsonLines())
    if root.level == logging.WARNING and not app.debug:
        root.setLevel(logging.INFO)
    app.logger.removeHandler(default_handler)
    for name in ("gunicorn.error", "gunicorn.access"):
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(JsonLines())
    logging.captureWarnings(True)


def mask(text: str) -> str:
    """Return a text without the secrets that this process knows of."""
    return _masks.text(text)


def logging_config() -> dict[str, Any]:
    """Return the configuration, for `logging.config.dictConfig`, of a server whose own lines are to be JSON, too.

    A server's own lines of requests are left out: Demijohn's have more in them, and mask secrets in the query.
    """
    handler = {"class": "demijohn.operating.logs.LineHandler", "formatter": "json", "stream": "ext://sys.stderr"}
    levels = {"_granian": "INFO", "gunicorn.error": "INFO", "granian.access": "ERROR", "gunicorn.access": "ERROR"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "demijohn.operating.JsonLines"}},
        "handlers": {"json": handler},
        "root": {"handlers": ["json"], "level": "INFO"},
        "loggers": {name: {"handlers": ["json"], "level": level, "propagate": False} for name, level in levels.items()},
    }
