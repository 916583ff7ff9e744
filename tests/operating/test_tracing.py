"""A span for each request, by the conventions, where OpenTelemetry is set up; nothing of it where it is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Watched = Callable[..., FlaskClient]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)  # the public way works once in a process
    return exporter


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_a_request_is_one_span_of_the_server(watched: Watched, exporter: InMemorySpanExporter) -> None:
    watched(unknown_query="ignore").get("/things/7?secret=1", headers={"User-Agent": "tests"})
    span = only(exporter)
    assert (span.name, span.kind, span.status.status_code) == (
        "GET /things/{id}",
        trace.SpanKind.SERVER,
        trace.StatusCode.UNSET,
    )
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/things/{id}",
        "url.scheme": "http",
        "url.path": "/things/7",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "server.address": "localhost",
        "user_agent.original": "tests",
    }


def test_an_error_of_ours_is_one_and_an_error_of_the_client_is_none(
    watched: Watched, exporter: InMemorySpanExporter
) -> None:
    client = watched()
    client.get("/things/x")
    client.delete("/things/1")
    refused, failed = exporter.get_finished_spans()
    assert refused.status.status_code is trace.StatusCode.UNSET
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "500"
    assert [event.name for event in failed.events] == ["exception"]
    assert (failed.events[0].attributes or {})["exception.type"] == "RuntimeError"


def test_names_are_few_whatever_is_asked_for(watched: Watched, exporter: InMemorySpanExporter) -> None:
    client = watched()
    client.get("/nowhere/1")
    client.open("/nowhere", method="BREW")
    assert [span.name for span in exporter.get_finished_spans()] == ["GET", "_OTHER"]


def test_what_runs_within_a_request_is_a_child_of_its_span(
    watched: Watched, exporter: InMemorySpanExporter, module: Callable[..., None]
) -> None:
    client = watched()

    def check(token: str) -> dict[str, Any]:
        with trace.get_tracer("tests").start_as_current_span("check"):
            return {"sub": token}

    module("watched_hooks", check=check)
    client = watched()
    client.get("/mine", headers={"Authorization": "Bearer ann"})
    child, span = exporter.get_finished_spans()
    assert child.parent is not None
    assert child.parent.span_id == span.context.span_id
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize(("proxies", "is_believed"), [("127.0.0.1", True), ("10.0.0.0/8", False), ("", False)])
def test_traceparent_is_believed_of_known_proxies_only(
    watched: Watched, exporter: InMemorySpanExporter, proxies: str, is_believed: bool
) -> None:
    watched(trusted_proxies=proxies).get("/things/1", headers={"traceparent": PARENT})
    span = only(exporter)
    assert (trace.format_trace_id(span.context.trace_id) == TRACE) is is_believed
    assert (span.parent is not None) is is_believed


@pytest.mark.parametrize(
    "header", ["", "00", "00-zz-00f067aa0ba902b7-01", "x" * 10_000, f"00-{'0' * 32}-{'0' * 16}-01"]
)
def test_a_traceparent_that_is_none_begins_a_new_trace(
    watched: Watched, exporter: InMemorySpanExporter, header: str
) -> None:
    assert watched(trusted_proxies="127.0.0.1").get("/things/1", headers={"traceparent": header}).status_code == 200
    assert only(exporter).parent is None


def test_the_span_of_a_stream_ends_with_it(watched: Watched, exporter: InMemorySpanExporter) -> None:
    answer = watched().open("/stream", buffered=False)
    assert exporter.get_finished_spans() == ()
    answer.close()
    assert only(exporter).name == "GET /stream"


def test_the_log_names_the_trace(
    watched: Watched, exporter: InMemorySpanExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    client = watched(access_log=True, log_format="json")
    client.get("/things/1")
    client.application.extensions["demijohn"].observer._log.flush()
    assert f'"trace_id":"{trace.format_trace_id(only(exporter).context.trace_id)}"' in capsys.readouterr().err


def test_without_a_provider_there_are_no_spans(watched: Watched) -> None:
    client = watched(server_timing="never")
    assert client.get("/things/1").status_code == 200
    state = client.application.extensions["demijohn"]
    assert client.application.wsgi_app is state.dispatcher  # the one who would make spans has gone out of the way


WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            return None
        return super().find_spec(name, path, target)

sys.meta_path[:] = [one for one in sys.meta_path if one is not PathFinder] + [Without]
from flask import Flask
from demijohn import Demijohn, Settings
app = Flask("without")
Demijohn(app, settings=Settings(server_timing="never"))
print(type(app.wsgi_app).__name__, any(name.startswith(("opentelemetry", "prometheus")) for name in sys.modules))
"""


def test_where_it_is_not_installed_nothing_is_imported_or_in_the_way() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["Dispatcher", "False"]
