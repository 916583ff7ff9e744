"""What stands in front of the dispatcher where somebody watches: it counts, times and logs each request.

Where nobody does it is not there at all. What can be done later than the request is done by a thread of its own. A
request takes 12 us altogether, so what is done for each is written for speed: functions that know all they need, and no
more of them than somebody asked for.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from demijohn.compile.guards import CALLER
from demijohn.compile.plan import Plan
from demijohn.operating.access_log import AccessLog, Entry
from demijohn.operating.counts import BUCKETS_S, FIRST_BUCKET, FIRST_STATUS, SUM, Counts, Snapshot, Worker, read_workers
from demijohn.operating.current import TRACE, current
from demijohn.serve import DECISION, REQUEST_ID, STAGES, TIMES, Dispatcher, run_timed
from demijohn.settings import Settings

__all__ = ["Observer", "Stats"]

Stats: TypeAlias = Callable[[], Mapping[str, float]]
"""Tell numbers of this process by their names, for example `cache_hits_total`; they are read once a second."""

_Wsgi: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_Note: TypeAlias = Callable[[dict[str, Any], str, float, float], None]
"""Take environ, status line, and when the request began and ended."""

# What does not belong to an operation is counted by method: those that HTTP knows, since anybody can send another.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_OTHER = "other"
_NONE = "-"

_PAUSE_S = 0.25
_PAUSES_BETWEEN_STATS = 4


class Observer:
    """Watch the requests that `dispatcher` answers, as the settings say.

    `stats` are asked for numbers that are not counted here. Contracts may be added until the first request comes.
    """

    def __init__(self, dispatcher: Dispatcher, settings: Settings) -> None:
        self._dispatcher = dispatcher
        self.does_count = bool(settings.metrics_path and (settings.operating_address or settings.metrics_token))
        self._folder = Path(settings.metrics_folder) if settings.metrics_folder else None
        self._does_time = settings.server_timing in ("always", settings.environment)
        self._log = AccessLog(settings.log_format) if settings.access_log else None
        self._names_requests = settings.log_format == "json"
        self._counts: Counts | None = None
        self._lock = threading.Lock()
        self._answer: _Wsgi | None = None
        self.stats: list[Stats] = []
        self.is_wanted = self.does_count or self._does_time or self._log is not None or self._names_requests
        dispatcher.is_watched = self.is_wanted
        if self._does_time or self._log is not None:
            dispatcher.run = run_timed

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, and note how."""
        answer, app = self.open(), self._dispatcher.app
        if app.wsgi_app is self:  # one step less from now on, unless somebody stands before this one
            app.wsgi_app = answer  # type: ignore[method-assign,assignment]  # the documented way
        return answer(environ, start_response)

    def open(self, folder: Path | None = None) -> _Wsgi:
        """Begin to watch, and return what answers requests.

        Counts are kept in `folder`, unless the settings name another; without one they are this process's own.
        """
        if self._answer is None:
            with self._lock:
                if self._answer is None:
                    self._answer = self._begin(self._folder or folder)
        return self._answer

    def workers(self) -> list[Worker]:
        """Return what each process of the server has counted; where they have no folder, this one only."""
        self.open()
        if self._counts is None:
            return []
        if self._counts.folder is None:
            return [Worker(1, os.getpid(), Snapshot(self._counts.rows(), self._own_stats()))]
        self._counts.publish(self._own_stats())
        return [*read_workers(self._counts.folder)]

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return what all processes of the server tell, for Prometheus, and its media type."""
        from demijohn.operating.metrics import expose  # who never asks never imports the library

        return expose(self.workers(), accept)

    def _begin(self, folder: Path | None) -> _Wsgi:
        plans = [plan for resource in self._dispatcher.routes.resources for plan in resource.plans.values()]
        ids = [plan.operation.operation_id for plan in plans]
        names = {id(plan): (_name(plan, ids), plan.operation.method) for plan in plans}
        notes: list[_Note] = []
        if self.does_count:
            others = {method: (_NONE, method) for method in (*_METHODS, _OTHER)}
            self._counts = Counts([*dict.fromkeys([*names.values(), *others.values()])], folder)
            notes.append(_counting(self._counts, names, others))
        if self._log is not None:
            notes.append(_logging(self._log, names))
        if notes:
            threading.Thread(target=self._keep_house, name="demijohn-observer", daemon=True).start()
        dispatch = self._dispatcher.__call__
        if self._does_time or self._names_requests or self._log is not None:
            note = notes[0] if len(notes) == 1 else _both(*notes) if notes else _nothing
            return _watching(dispatch, note, does_time=self._does_time)
        if self._counts is None:  # a server opens it whether anybody watches or not
            return dispatch
        offsets = {key: self._counts.offset(name) for key, name in names.items()}
        return _only_counting(dispatch, self._counts, offsets, notes[0])

    def _own_stats(self) -> dict[str, float]:
        return {name: value for one in self.stats for name, value in one().items()}

    def _keep_house(self) -> None:
        """Write what was logged, and publish what others want to know, again and again."""
        pause = threading.Event()
        turn = 0
        while not pause.wait(_PAUSE_S):
            turn += 1
            if self._log is not None:
                self._log.flush()
            if self._counts is not None and turn % _PAUSES_BETWEEN_STATS == 0:
                self._counts.publish(self._own_stats())


def _name(plan: Plan, ids: list[str | None]) -> str:
    """Return the `operationId` of an operation, else method and path: also where two contracts have the same."""
    name = plan.operation.operation_id
    return name if name and ids.count(name) == 1 else f"{plan.operation.method} {plan.path}"


def _only_counting(dispatch: _Wsgi, counts: Counts, offsets: Mapping[int, int], note: _Note) -> _Wsgi:
    """Return what answers requests and counts each: in place for an operation, by `note` for all else.

    It does what `_noting` and `Counts.count` do, without the calls, which would cost as much as the counting.
    """
    numbers, first_status, first_bucket, sum_ = counts.numbers, FIRST_STATUS, FIRST_BUCKET, SUM
    statuses = _Statuses()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        line = ""

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal line
            line = status
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        began = perf_counter()
        try:
            chunks = dispatch(environ, start)
        except BaseException:
            note(environ, "500", began, perf_counter())
            raise
        if type(chunks) is not list:
            return _Watched(chunks, lambda: note(environ, line, began, perf_counter()))
        seconds = perf_counter() - began
        decision = environ.get(DECISION)
        if decision is None or decision.plan is None:
            note(environ, line, began, began + seconds)
            return chunks
        offset = offsets[id(decision.plan)]
        numbers[offset + statuses[line[:3]] - first_status] += 1
        numbers[offset + first_bucket + bisect_left(BUCKETS_S, seconds)] += 1
        numbers[offset + sum_] += seconds
        return chunks

    return answer


def _noting(dispatch: _Wsgi, note: _Note) -> _Wsgi:
    """Return what answers requests and notes each."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        line = ""

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal line
            line = status
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        began = perf_counter()
        try:
            chunks = dispatch(environ, start)
        except BaseException:
            note(environ, "500", began, perf_counter())
            raise
        if type(chunks) is list:
            note(environ, line, began, perf_counter())
            return chunks
        return _Watched(chunks, lambda: note(environ, line, began, perf_counter()))

    return answer


def _watching(dispatch: _Wsgi, note: _Note, *, does_time: bool) -> _Wsgi:
    """Return what also lets log records know their request, and tells the client what took how long."""

    def told(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = perf_counter()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers.append(("Server-Timing", _server_timing(environ, began)))
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        return dispatch(environ, start)

    inner = _noting(told if does_time else dispatch, note)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        current.environ = environ
        try:
            return inner(environ, start_response)
        finally:
            current.environ = None

    return answer


def _server_timing(environ: Mapping[str, Any], began: float) -> str:
    """Return the milliseconds of each stage, and in all (https://www.w3.org/TR/server-timing/)."""
    times = environ.get(TIMES, ())
    stages = [
        f"{name};dur={(end - start) * 1000:.3f}" for name, start, end in zip(STAGES, times, times[1:], strict=False)
    ]
    return ", ".join([*stages, f"total;dur={(perf_counter() - began) * 1000:.3f}"])


def _counting(counts: Counts, names: Mapping[int, tuple[str, str]], others: Mapping[str, tuple[str, str]]) -> _Note:
    offsets = {key: counts.offset(name) for key, name in names.items()}
    offsets_of_others = {method: counts.offset(name) for method, name in others.items()}
    count, statuses = counts.count, _Statuses()

    def note(environ: dict[str, Any], line: str, began: float, ended: float) -> None:
        decision = environ.get(DECISION)
        if decision is not None and decision.plan is not None:
            offset = offsets[id(decision.plan)]
        else:
            offset = offsets_of_others.get(environ["REQUEST_METHOD"]) or offsets_of_others[_OTHER]
        count(offset, statuses[line[:3]], ended - began)

    return note


def _logging(log: AccessLog, names: Mapping[int, tuple[str, str]]) -> _Note:
    statuses, add = _Statuses(), log.add

    def note(environ: dict[str, Any], line: str, began: float, ended: float) -> None:
        get = environ.get
        decision = get(DECISION)
        plan = None if decision is None else decision.plan
        add(
            Entry(
                began,
                ended,
                get(REQUEST_ID, ""),
                None if plan is None else names[id(plan)][0],
                environ["REQUEST_METHOD"],
                get("SCRIPT_NAME", "") + get("PATH_INFO", ""),
                statuses[line[:3]],
                get(CALLER),
                get(TIMES, ()),
                get(TRACE),
            )
        )

    return note


def _both(one: _Note, other: _Note) -> _Note:
    def note(environ: dict[str, Any], line: str, began: float, ended: float) -> None:
        one(environ, line, began, ended)
        other(environ, line, began, ended)

    return note


def _nothing(environ: dict[str, Any], line: str, began: float, ended: float) -> None:
    """Note nothing."""


class _Statuses(dict[str, int]):
    """Know the number of a status by its first three characters; what is none is 500: no server could send it."""

    def __missing__(self, text: str) -> int:
        status = int(text) if text.isascii() and text.isdigit() and len(text) == 3 and "1" <= text[0] <= "5" else 500
        if len(self) < 500:
            self[text] = status
        return status


class _Watched:
    """Be an answer that is sent bit by bit; it has ended with its last bit, or when the server closes it."""

    def __init__(self, chunks: Iterable[bytes], note: Callable[[], None]) -> None:
        self._chunks = chunks
        self._note: Callable[[], None] | None = note

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        self._end()

    def close(self) -> None:
        """Close what is behind it."""
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            self._end()

    def _end(self) -> None:
        note, self._note = self._note, None
        if note is not None:
            note()
