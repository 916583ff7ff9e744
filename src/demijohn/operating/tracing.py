"""A span of OpenTelemetry for each request, where the application has set OpenTelemetry up.

This module is imported only where `opentelemetry-api` is installed. Names and attributes are those of the semantic
conventions for HTTP (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from flask import Flask, got_request_exception
from opentelemetry import context, propagate, trace
from opentelemetry.propagators.textmap import Getter

from demijohn.operating.current import TRACE
from demijohn.serve import DECISION, Dispatcher

__all__ = ["Tracing"]

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))


class Tracing:
    """Stand in front of what answers the requests of `dispatcher`, and begin and end a span for each.

    Whether there is anybody to tell is looked up at the first request: the application has to have set its tracer
    provider by then. The `traceparent` of known proxies is believed; everybody else could have any of their requests
    recorded by it.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._app = dispatcher.app
        self._inner = dispatcher.app.wsgi_app
        self._is_trusted = dispatcher.entrance.proxies.knows
        self._tracer: trace.Tracer | None = None
        self._is_set_up = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request within its span."""
        if not self._is_set_up:
            self._set_up()
        return self._inner(environ, start_response) if self._tracer is None else self._trace(environ, start_response)

    def _set_up(self) -> None:
        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            self._tracer = trace.get_tracer("demijohn", version("demijohn"))
            self._dispatcher.is_watched = True
            got_request_exception.connect(_record, self._app)
        elif self._app.wsgi_app is self:  # nobody is to be told; the next request does not come by here
            self._app.wsgi_app = self._inner  # type: ignore[method-assign]  # the documented way
        self._is_set_up = True

    def _trace(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert self._tracer is not None
        parent = context.Context()
        if self._is_trusted(environ.get("REMOTE_ADDR") or ""):
            parent = propagate.extract(environ, parent, _Headers())
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "_OTHER"
        span = self._tracer.start_span(method, parent, trace.SpanKind.SERVER, {"http.request.method": method})
        token = context.attach(trace.set_span_in_context(span, parent))
        environ[TRACE] = trace.format_trace_id(span.get_span_context().trace_id)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if span.is_recording():
                _describe(span, environ, method, status)
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        try:
            chunks = self._inner(environ, start)
        except BaseException as error:
            _fail(span, type(error).__name__)
            span.end()
            raise
        finally:
            context.detach(token)
        if type(chunks) is list:
            span.end()
            return chunks
        return _Traced(chunks, span)


def _describe(span: trace.Span, environ: Mapping[str, Any], method: str, status: str) -> None:
    decision = environ.get(DECISION)
    code = int(status[:3])
    attributes: dict[str, Any] = {
        "http.response.status_code": code,
        "url.scheme": environ["wsgi.url_scheme"],
        "url.path": environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
        "network.protocol.version": environ.get("SERVER_PROTOCOL", "").rpartition("/")[2],
        "client.address": environ.get("REMOTE_ADDR"),
        "server.address": environ.get("HTTP_HOST", environ.get("SERVER_NAME")),
        "user_agent.original": environ.get("HTTP_USER_AGENT"),
    }
    if decision is not None:
        attributes["http.route"] = decision.match.resource.template
        span.update_name(f"{method} {decision.match.resource.template}")
    span.set_attributes({name: value for name, value in attributes.items() if value})
    if code >= 500:
        _fail(span, str(code))


def _fail(span: trace.Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR)


def _record(_: Flask, exception: BaseException, **more: Any) -> None:
    """Note the exception that made a request fail."""
    trace.get_current_span().record_exception(exception)


class _Headers(Getter[Mapping[str, Any]]):
    """Read headers where WSGI keeps them."""

    def get(self, carrier: Mapping[str, Any], key: str) -> list[str] | None:
        value = carrier.get("HTTP_" + key.upper().replace("-", "_"))
        return None if value is None else [value]

    def keys(self, carrier: Mapping[str, Any]) -> list[str]:
        return [name[5:].lower().replace("_", "-") for name in carrier if name.startswith("HTTP_")]


class _Traced:
    """Be an answer that is sent bit by bit; the span ends with it."""

    def __init__(self, chunks: Iterable[bytes], span: trace.Span) -> None:
        self._chunks = chunks
        self._span = span

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            self._span.end()
