"""What Prometheus is told: every request once, by few names, and only to whom it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from demijohn.cli.target import state_of

TOKEN = "a token for Prometheus"
Watched = Callable[..., FlaskClient]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(client: FlaskClient) -> Samples:
    """Return every sample by its name and labels."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def named(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get(named(name, **labels))


def requests(samples: Samples, operation: str, method: str, status: int) -> float | None:
    return value(samples, "demijohn_requests_total", operation=operation, method=method, status=str(status))


def test_each_request_is_counted_once_by_operation_and_status(watched: Watched) -> None:
    client = watched(metrics_token=TOKEN)
    for path in ("/things/1", "/things/2", "/things/404", "/things/x", "/nowhere", "/mine"):
        client.get(path)
    client.head("/things/1")
    client.delete("/things/1")
    client.post("/things/1")
    client.open("/nowhere", method="BREW")
    client.get("/things/1", headers={"Host": "not a host"})
    assert client.get("/stream").text == "onetwo"
    samples = scrape(client)
    expected = [
        ("read", "GET", 200, 3),
        ("read", "GET", 404, 1),
        ("read", "GET", 400, 1),
        ("mine", "GET", 401, 1),
        ("fail", "DELETE", 500, 1),
        ("stream", "GET", 200, 1),
        ("-", "GET", 404, 1),
        ("-", "GET", 400, 1),
        ("-", "POST", 405, 1),
        ("-", "other", 404, 1),
    ]
    assert {key: count for key, count in samples.items() if key[0] == "demijohn_requests_total"} == {
        named("demijohn_requests_total", operation=operation, method=method, status=str(status)): count
        for operation, method, status, count in expected
    }


def test_times_are_a_histogram_that_agrees_with_the_counts(watched: Watched) -> None:
    client = watched(metrics_token=TOKEN)
    for _ in range(5):
        client.get("/things/1")
    samples = scrape(client)
    labels = {"operation": "read", "method": "GET"}
    of_read = {key: count for key, count in samples.items() if set(labels.items()) <= key[1]}
    buckets = [count for (name, _), count in of_read.items() if name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert value(samples, "demijohn_request_seconds_bucket", le="+Inf", **labels) == 5
    assert value(samples, "demijohn_request_seconds_count", **labels) == 5
    assert 0 < (value(samples, "demijohn_request_seconds_sum", **labels) or 0) < 5


def test_what_anybody_sends_makes_no_new_names(watched: Watched) -> None:
    client = watched(metrics_token=TOKEN)
    client.get("/things/1")
    client.get("/nowhere")
    client.open("/nowhere", method="X0")
    scrape(client)
    before = scrape(client).keys()
    for number in range(50):
        client.get(f"/nowhere/{number}?{number}", headers={"User-Agent": str(number)})
        client.open("/nowhere", method=f"X{number}")
        client.get(f"/things/{number}")
    assert scrape(client).keys() == before


def test_an_operation_without_a_name_is_called_by_method_and_path(watched: Watched) -> None:
    contract = """\
openapi: 3.1.0
info: {title: Bare, version: "1"}
servers: [{url: /v1}]
paths:
  /things/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: fine, content: {application/json: {example: {}}}}}
"""
    client = watched(contract=contract, metrics_token=TOKEN, unbound="mock")
    assert client.get("/v1/things/1").status_code == 200
    assert requests(scrape(client), "GET /v1/things/{id}", "GET", 200) == 1


def test_the_process_tells_of_itself(watched: Watched) -> None:
    client = watched(metrics_token=TOKEN)
    samples = scrape(client)
    assert value(samples, "demijohn_workers") == 1
    assert value(samples, "demijohn_rate_limit_counts", worker="1") is not None
    assert (value(samples, "process_resident_memory_bytes", worker="1") or 0) > 10e6
    assert (value(samples, "process_cpu_seconds_total", worker="1") or 0) > 0


def test_numbers_of_other_parts_are_told(watched: Watched) -> None:
    client = watched(metrics_token=TOKEN)
    client.application.extensions["demijohn"].observer.stats.append(lambda: {"cache_hits_total": 7, "cache_bytes": 512})
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert "# TYPE demijohn_cache_hits_total counter" in answer
    samples = scrape(client)
    assert value(samples, "demijohn_cache_hits_total", worker="1") == 7
    assert value(samples, "demijohn_cache_bytes", worker="1") == 512


def test_processes_with_one_folder_tell_of_all(watched: Watched, tmp_path: Any) -> None:
    folder = str(tmp_path / "counts")
    one = watched(metrics_token=TOKEN, metrics_folder=folder)
    one.get("/things/1")
    other = watched(metrics_token=TOKEN, metrics_folder=folder)
    other.get("/things/1")
    samples = scrape(other)
    assert requests(samples, "read", "GET", 200) == 2
    assert value(samples, "demijohn_workers") == 2
    assert value(samples, "process_open_fds", worker="2") == value(scrape(one), "process_open_fds", worker="1")


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}", "Bearer \xff"])
def test_who_has_not_the_token_is_told_nothing(watched: Watched, header: str | None) -> None:
    client = watched(metrics_token=TOKEN)
    answer = client.get("/metrics", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
    assert answer.json is not None
    assert answer.json["code"] == "unauthorized"


def test_without_a_token_and_an_address_there_are_no_metrics(watched: Watched) -> None:
    client = watched(environment="production", access_log=True)
    assert client.get("/metrics").status_code == 404
    assert client.application.extensions["demijohn"].observer.workers() == []


def test_openmetrics_is_spoken_to_who_asks_for_it(watched: Watched) -> None:
    client = watched(metrics_token=TOKEN)
    client.get("/things/1")
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    }
    answer = client.get("/metrics", headers=headers)
    assert answer.content_type.startswith("application/openmetrics-text")
    families = read_openmetrics(answer.text)  # type: ignore[no-untyped-call]  # the library's
    assert {"demijohn_requests", "demijohn_request_seconds"} <= {one.name for one in families}


def test_nothing_stands_before_the_dispatcher_where_nobody_watches(watched: Watched) -> None:
    client = watched(server_timing="never")
    state = client.application.extensions["demijohn"]
    assert not state.observer.is_wanted
    assert client.application.wsgi_app is not state.observer
    assert state.dispatcher.run.__name__ == "run"
    counting = watched(server_timing="never", metrics_token=TOKEN).application.extensions["demijohn"]
    assert counting.dispatcher.run.__name__ == "run"


def test_a_server_opens_an_observer_that_has_nothing_to_note(watched: Watched) -> None:
    client = watched(server_timing="never")
    observer = client.application.extensions["demijohn"].observer
    assert observer.open() == client.application.extensions["demijohn"].dispatcher.__call__
    assert observer.workers() == []
    assert client.get("/things/1").status_code == 200


def test_server_timing_is_for_development(watched: Watched) -> None:
    timing = watched().get("/things/1").headers["Server-Timing"]
    stages = dict(one.split(";dur=") for one in timing.split(", "))
    assert [*stages] == ["admit", "limit", "agree", "decode", "act", "encode", "total"]
    assert sum(float(one) for name, one in stages.items() if name != "total") <= float(stages["total"]) + 0.01
    refused = watched().get("/mine").headers["Server-Timing"]
    assert refused.startswith("total;dur=")
    production = {"environment": "production"}
    assert "Server-Timing" not in watched(**production).get("/things/1").headers
    assert "Server-Timing" in watched(**production, server_timing="always").get("/things/1").headers
    assert "Server-Timing" not in watched(server_timing="never").get("/things/1").headers


def test_a_server_begins_where_nobody_is_to_be_told(watched: Watched) -> None:
    client = watched(environment="production")
    app = client.application
    app.wsgi_app = state_of(app).observer.open()  # type: ignore[method-assign,assignment]  # as a server does
    assert client.get("/things/1").status_code == 200
    assert state_of(app).observer.workers() == []
