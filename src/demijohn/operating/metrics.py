"""What the processes counted, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from demijohn.operating.counts import BUCKETS_S, Row, Worker

__all__ = ["HELP", "expose"]

HELP = {
    "cache_bytes": "Bytes that the cache of answers holds.",
    "cache_dropped_total": "Answers that were dropped from the cache to make room, or because they were changed.",
    "cache_entries": "Answers that the cache holds.",
    "cache_hits_total": "Requests that were answered from the cache.",
    "cache_misses_total": "Requests that the cache had no answer for.",
    "database_connections_idle": "Open connections that no request uses.",
    "database_connections_in_use": "Connections that requests use.",
    "database_connections_limit": "The most connections of the process.",
    "rate_limit_counts": "Counts of rate limits that the process keeps in memory.",
    "rate_limit_storage_away": "1 while the storage of rate limits does not answer and each process counts by itself.",
}
"""What the numbers are that processes publish; `cache_...` are those of `x-cache`."""

_OPERATION = ("operation", "method")
_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS_S), "+Inf")


def expose(workers: Iterable[Worker], accept: str = "") -> tuple[bytes, str]:
    """Return what all processes of a server tell, in the format that `accept` asks for, and its media type."""
    registry = CollectorRegistry()
    registry.register(_Collector([*workers]))
    if "application/openmetrics-text" in accept:
        encode: Callable[[CollectorRegistry], bytes] = openmetrics.generate_latest
        return encode(registry), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Collector:
    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its samples."""
        yield _info()
        yield from self._requests()
        alive = [one for one in self._workers if one.pid is not None]
        workers = GaugeMetricFamily("demijohn_workers", "Processes that answer requests.")
        workers.add_metric((), len(alive))
        yield workers
        yield from _stats(alive)
        yield from _processes(alive)

    def _requests(self) -> Iterator[Metric]:
        rows: dict[tuple[str, str], Row] = {}
        for worker in self._workers:
            for name, row in worker.snapshot.rows.items():
                rows.setdefault(name, Row()).add(row)
        requests = CounterMetricFamily(
            "demijohn_requests", "Requests that were answered.", labels=(*_OPERATION, "status")
        )
        times = HistogramMetricFamily(
            "demijohn_request_seconds", "How long requests took, from the server to the answer.", labels=_OPERATION
        )
        for name, row in sorted(rows.items()):
            for status, count in sorted(row.statuses.items()):
                requests.add_metric((*name, str(status)), count)
            if name[0] != "-" or row.statuses:
                times.add_metric(name, _cumulative(row.buckets), row.seconds)
        yield requests
        yield times


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0
    found: list[tuple[str, float]] = []
    for bound, count in zip(_BOUNDS, buckets, strict=True):
        total += count
        found.append((bound, total))
    return found


def _info() -> Metric:
    info = GaugeMetricFamily("demijohn_info", "The version that runs.", labels=("version",))
    info.add_metric((version("demijohn"),), 1)
    return info


def _stats(workers: list[Worker]) -> Iterator[Metric]:
    for name in sorted({name for worker in workers for name in worker.snapshot.stats}):
        make = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        metric = make(f"demijohn_{name.removesuffix('_total')}", HELP.get(name, name), labels=("worker",))
        for worker in workers:
            if name in worker.snapshot.stats:
                metric.add_metric((str(worker.number),), worker.snapshot.stats[name])
        yield metric


def _processes(workers: list[Worker]) -> Iterator[Metric]:
    """Yield processor time, memory and files of each process; only Linux tells them."""
    found: dict[str, Metric] = {}
    for worker in workers:
        for metric in ProcessCollector(pid=partial(str, worker.pid), registry=None).collect():
            kept = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                kept.add_sample(sample.name, {**sample.labels, "worker": str(worker.number)}, sample.value)
    yield from found.values()
