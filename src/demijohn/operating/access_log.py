"""A line in the log for each request.

The lines do not go through `logging`: a record, a handler and a lock cost as much as a request. What a request was is
kept, and a moment later written by a thread, several lines at a time. No more than `PIPE_BUF` bytes are written at
once, which a pipe takes whole, so lines of several processes do not mix.
"""

from __future__ import annotations

import atexit
import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from demijohn.compile.guards import Caller
from demijohn.operating.logs import caller_of, mask, timestamp
from demijohn.serve import STAGES
from demijohn.settings import LogFormat

__all__ = ["AccessLog", "Entry"]

_MOST_WAITING = 1000
_LONGEST_TEXT = 1000
_PIPE_BUF = 4096
_LOGGER = "demijohn.access"
# Too short to hold a secret, and the same in JSON and on a terminal.
_PLAIN = re.compile(r"[A-Za-z0-9/_.-]{0,30}").fullmatch


class Entry(NamedTuple):
    """Hold what a line says of a request; `began`, `ended` and `times` are seconds of `perf_counter`."""

    began: float
    ended: float
    request_id: str
    operation: str | None
    method: str
    path: str
    status: int
    caller: Caller | None
    times: Sequence[float]
    trace_id: str | None


class AccessLog:
    """Write a line for each request to standard error, soon."""

    def __init__(self, log_format: LogFormat) -> None:
        self._format: Callable[[Entry, float], str] = _json_line if log_format == "json" else _text_line
        self._waiting: deque[Entry] = deque()
        _escaped.cache_clear()  # another application may have other secrets
        atexit.register(self.flush)

    def add(self, entry: Entry) -> None:
        """Note a request; who comes when too many wait has to write them."""
        self._waiting.append(entry)
        if len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        epoch = time.time() - time.perf_counter()  # anew each time: the clock may have been set
        lines: list[str] = []
        size = 0
        with suppress(IndexError):
            while True:
                line = self._format(self._waiting.popleft(), epoch)
                size += len(line)
                if size > _PIPE_BUF:
                    _write(lines)
                    lines, size = [], len(line)
                lines.append(line)
        _write(lines)


def _write(lines: list[str]) -> None:
    if lines:
        with suppress(OSError, ValueError):  # nobody reads any more; that is no reason not to answer
            sys.stderr.write("".join(lines))
            sys.stderr.flush()


def _json_line(entry: Entry, epoch: float) -> str:
    began, ended, request_id, operation, method, path, status, caller, times, trace_id = entry
    trace = "" if trace_id is None else f',"trace_id":"{trace_id}"'
    user = "null" if caller is None else _quoted(caller_of(caller))
    return (
        f'{{"time":"{timestamp(began + epoch)}","level":"info","logger":"{_LOGGER}","message":"request"'
        f',"request_id":"{request_id}","operation":{_quoted(operation)},"method":{_quoted(method)}'
        f',"path":{_quoted(path)},"status":{status},"caller":{user},"ms":{_ms(ended - began)}'
        f',"stages":{_stages(times)}{trace}}}\n'
    )


def _text_line(entry: Entry, epoch: float) -> str:
    began, ended, request_id, operation, method, path, status, caller, times, trace_id = entry
    stages = "".join(f" {name}={_ms(end - start)}" for name, start, end in zip(STAGES, times, times[1:], strict=False))
    trace = "" if trace_id is None else f" trace={trace_id}"
    return (
        f"{timestamp(began + epoch)} INFO {_LOGGER}: {status} {_quoted(method)[1:-1]} {_quoted(path)}"
        f" {_ms(ended - began)} ms request={request_id} operation={_quoted(operation)}"
        f" caller={_quoted(caller_of(caller))}{stages}{trace}\n"
    )


def _stages(times: Sequence[float]) -> str:
    """Return the milliseconds of each stage, as JSON; a request that was refused has not passed all of them."""
    if len(times) == len(STAGES) + 1:
        a, b, c, d, e, f, g = times
        return (
            f'{{"admit":{_ms(b - a)},"limit":{_ms(c - b)},"agree":{_ms(d - c)},"decode":{_ms(e - d)}'
            f',"act":{_ms(f - e)},"encode":{_ms(g - f)}}}'
        )
    passed = zip(STAGES, times, times[1:], strict=False)
    return "{" + ",".join([f'"{name}":{_ms(end - start)}' for name, start, end in passed]) + "}"


# To write a number costs three times as much as to look it up, and there are seven of them in a line.
_WRITTEN_MS = tuple(f"{us / 1000:.3f}" for us in range(10_000))


def _ms(seconds: float) -> str:
    us = int(seconds * 1e6)
    return _WRITTEN_MS[us] if 0 <= us < 10_000 else f"{us / 1000:.3f}"


def _quoted(value: str | int | None) -> str:
    """Return a value as JSON that a terminal can show."""
    if isinstance(value, str):
        return f'"{value}"' if _PLAIN(value) else _escaped(value)
    return json.dumps(value)


@lru_cache(maxsize=1000)
def _escaped(text: str) -> str:
    """Return a text as JSON: WSGI's bytes as UTF-8, shortened, and without secrets."""
    text = text[:_LONGEST_TEXT]
    if not text.isascii():
        text = text.encode("latin-1", "replace").decode("utf-8", "replace")
    return json.dumps(mask(text)).replace("\x7f", "\\u007f")
