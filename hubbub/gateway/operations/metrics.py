"""The metrics of `/metrics`, read from the running parts at each scrape."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hubbub import __version__
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.operations.health import RequestCounter
from hubbub.gateway.transport import connection_limiter
from hubbub.live.cluster import bus

Reading = float | Mapping[str, float]


class MetricDefinition(NamedTuple):
    """One metric. With a ``label``, ``read`` returns a number for each of the label's values."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    help: str
    read: Callable[[Dispatcher, RequestCounter], Reading]
    label: str | None = None


# Exported from the start, so that a dashboard does not miss their first increase.
_QUERIES = ("me", "sync", "history")
_NO_BUS = bus.BusMetrics()


def _bus(dispatcher: Dispatcher) -> bus.BusMetrics:
    return dispatcher.nodes.bus.metrics if dispatcher.nodes else _NO_BUS


METRICS: tuple[MetricDefinition, ...] = (
    MetricDefinition(
        "hubbub_connections",
        GaugeMetricFamily,
        "Open WebSockets by dialect.",
        lambda dispatcher, requests: (
            {"json": 0, "text": 0} | Counter(c.dialect for c in dispatcher.hub.clients)
        ),
        label="dialect",
    ),
    MetricDefinition(
        "hubbub_people_connected",
        GaugeMetricFamily,
        "People and guests with at least one open WebSocket.",
        lambda dispatcher, requests: len(dispatcher.hub.people),
    ),
    MetricDefinition(
        "hubbub_connections_lagging",
        GaugeMetricFamily,
        "WebSockets that read too slowly now, and so get no live events.",
        lambda dispatcher, requests: sum(client.is_lagging for client in dispatcher.hub.clients),
    ),
    MetricDefinition(
        "hubbub_rooms_loaded",
        GaugeMetricFamily,
        "Rooms whose latest messages are in memory.",
        lambda dispatcher, requests: len(dispatcher.hub.rooms),
    ),
    MetricDefinition(
        "hubbub_events",
        CounterMetricFamily,
        "Messages and other changes of rooms sent to the people in them.",
        lambda dispatcher, requests: dispatcher.hub.metrics.events,
    ),
    MetricDefinition(
        "hubbub_deliveries",
        CounterMetricFamily,
        "Frames written to WebSockets for these events.",
        lambda dispatcher, requests: dispatcher.hub.queue.deliveries,
    ),
    MetricDefinition(
        "hubbub_connections_lagged",
        CounterMetricFamily,
        "How often a WebSocket began to read too slowly.",
        lambda dispatcher, requests: dispatcher.hub.backpressure.lagged_total,
    ),
    MetricDefinition(
        "hubbub_closed_slow",
        CounterMetricFamily,
        "WebSockets closed because they made no progress.",
        lambda dispatcher, requests: dispatcher.hub.backpressure.closed_slow,
    ),
    MetricDefinition(
        "hubbub_rate_limited",
        CounterMetricFamily,
        "Commands and requests refused because of a rate limit.",
        lambda dispatcher, requests: {
            "person": dispatcher.commands_per_user.refused,
            "address": dispatcher.commands_per_address.refused,
            "request": dispatcher.requests_per_address.refused,
            "sign_in": dispatcher.authenticator.refused,
        },
        label="per",
    ),
    MetricDefinition(
        "hubbub_open_connections",
        GaugeMetricFamily,
        "Open TCP connections, including those without a request.",
        lambda dispatcher, requests: dispatcher.connection_limiter.open,
    ),
    MetricDefinition(
        "hubbub_connections_turned_away",
        CounterMetricFamily,
        "Connections closed or refused because of a limit or timeout, by reason.",
        lambda dispatcher, requests: {
            reason: dispatcher.connection_limiter.turned_away[reason]
            for reason in connection_limiter.REASONS
        },
        label="reason",
    ),
    MetricDefinition(
        "hubbub_http_responses",
        CounterMetricFamily,
        "HTTP responses by class of status.",
        lambda dispatcher, requests: {
            f"{n}xx": count for n, count in enumerate(requests.by_class) if n
        },
        label="status",
    ),
    MetricDefinition(
        "hubbub_executor_batches",
        CounterMetricFamily,
        "Transactions committed.",
        lambda dispatcher, requests: dispatcher.executor.metrics.batches,
    ),
    MetricDefinition(
        "hubbub_executor_commands",
        CounterMetricFamily,
        "Commands executed in them; divided by the batches, the size of a batch.",
        lambda dispatcher, requests: dispatcher.executor.metrics.commands,
    ),
    MetricDefinition(
        "hubbub_executor_commit_seconds",
        CounterMetricFamily,
        "Time spent committing, waiting for the disk included.",
        lambda dispatcher, requests: dispatcher.executor.metrics.commit_s,
    ),
    MetricDefinition(
        "hubbub_executor_failures",
        CounterMetricFamily,
        "Transactions and queries that failed because of disk, lock or damage.",
        lambda dispatcher, requests: dispatcher.executor.metrics.failures,
    ),
    MetricDefinition(
        "hubbub_executor_checkpoints",
        CounterMetricFamily,
        "Checkpoints: how often the write-ahead log was moved into the database.",
        lambda dispatcher, requests: dispatcher.executor.checkpoints,
    ),
    MetricDefinition(
        "hubbub_executor_waiting",
        GaugeMetricFamily,
        "Commands that wait for the writer.",
        lambda dispatcher, requests: dispatcher.executor.waiting,
    ),
    MetricDefinition(
        "hubbub_executor_queries",
        CounterMetricFamily,
        "Queries answered from the database, by name.",
        lambda dispatcher, requests: (
            dict.fromkeys(_QUERIES, 0) | dispatcher.executor.metrics.queries
        ),
        label="query",
    ),
    MetricDefinition(
        "hubbub_room_reads",
        CounterMetricFamily,
        "Rooms loaded from the database into memory.",
        lambda dispatcher, requests: dispatcher.hub.sequencer.reads,
    ),
    MetricDefinition(
        "hubbub_admissions_waiting",
        GaugeMetricFamily,
        "Connections that wait for admission.",
        lambda dispatcher, requests: dispatcher.identifying.waiting + dispatcher.welcoming.waiting,
    ),
    MetricDefinition(
        "hubbub_admissions",
        CounterMetricFamily,
        "Connections that were admitted, new ones and reconnects.",
        lambda dispatcher, requests: dispatcher.welcoming.admitted,
    ),
    MetricDefinition(
        "hubbub_nodes",
        GaugeMetricFamily,
        "Servers on this database that reach each other over the bus, including this one.",
        lambda dispatcher, requests: (
            1 + (len(dispatcher.nodes.peers.known) if dispatcher.nodes else 0)
        ),
    ),
    MetricDefinition(
        "hubbub_bus_foreign_chats",
        GaugeMetricFamily,
        "Other chats that use the same bus by mistake.",
        lambda dispatcher, requests: (
            len(dispatcher.nodes.peers.foreign_epochs) if dispatcher.nodes else 0
        ),
    ),
    MetricDefinition(
        "hubbub_bus_connected",
        GaugeMetricFamily,
        "1 while the bus is connected; 0 if it is not, or if there is none.",
        lambda dispatcher, requests: (
            int(dispatcher.nodes.bus.is_connected) if dispatcher.nodes else 0
        ),
    ),
    MetricDefinition(
        "hubbub_bus_lag_seconds",
        GaugeMetricFamily,
        "The latest round-trip time of the bus.",
        lambda dispatcher, requests: _bus(dispatcher).lag_s,
    ),
    MetricDefinition(
        "hubbub_bus_messages",
        CounterMetricFamily,
        "Messages over the bus, by result; what was dropped is read from the database.",
        lambda dispatcher, requests: {
            "published": _bus(dispatcher).published,
            "received": _bus(dispatcher).received,
            "dropped": _bus(dispatcher).dropped,
        },
        label="result",
    ),
    MetricDefinition(
        "hubbub_bus_published_bytes",
        CounterMetricFamily,
        "Bytes published to the bus.",
        lambda dispatcher, requests: _bus(dispatcher).published_bytes,
    ),
    MetricDefinition(
        "hubbub_events_recovered",
        CounterMetricFamily,
        "Events read from the database because the bus or the answer of a commit was lost.",
        lambda dispatcher, requests: dispatcher.hub.metrics.recovered,
    ),
    MetricDefinition(
        "hubbub_disk_free_bytes",
        GaugeMetricFamily,
        "Free bytes on the disk of the data folder.",
        lambda dispatcher, requests: shutil.disk_usage(dispatcher.settings.data).free,
    ),
)


class MetricsCollector(Collector):
    """Reads all metrics at each scrape, so nothing is updated between scrapes."""

    def __init__(self, dispatcher: Dispatcher, requests: RequestCounter) -> None:
        self._dispatcher = dispatcher
        self._requests = requests

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily(
            "hubbub_info", "Always 1; the label is the running version.", labels=["version"]
        )
        info.add_metric([__version__], 1)
        yield info
        for definition in METRICS:
            yield self._metric(definition)

    def _metric(self, definition: MetricDefinition) -> Metric:
        reading = definition.read(self._dispatcher, self._requests)
        labels = [definition.label] if definition.label else []
        metric = definition.kind(definition.name, definition.help, labels=labels)
        if isinstance(reading, Mapping):
            for value, count in reading.items():
                metric.add_metric([value], count)
        else:
            metric.add_metric([], reading)
        return metric


def registry(dispatcher: Dispatcher, requests: RequestCounter) -> CollectorRegistry:
    """All metrics: ours, and the process's memory, files and processor time."""
    collectors = CollectorRegistry(auto_describe=False)
    collectors.register(MetricsCollector(dispatcher, requests))
    ProcessCollector(registry=collectors)
    return collectors


class Sample(msgspec.Struct, frozen=True, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """One metric with its samples, as one worker sends it to another."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


# Not JSON, which has no infinity: the value for a process without a limit of open files.
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Family]).decode


def pack(collector: Collector) -> bytes:
    """Encode the metrics of one worker for another."""
    return _pack(
        [
            Family(
                metric.name,
                metric.type,
                metric.documentation,
                [Sample(sample.name, sample.labels, sample.value) for sample in metric.samples],
            )
            for metric in collector.collect()
        ]
    )


class MergedCollector(Collector):
    """The metrics of several workers, each sample with one more label, ``worker``."""

    def __init__(self, packed: Mapping[int, bytes]) -> None:
        """``packed`` are the encoded metrics of each worker, by its number."""
        self._packed = packed

    def collect(self) -> Iterable[Metric]:
        metrics: dict[str, Metric] = {}
        for worker, packed in sorted(self._packed.items()):
            for family in _unpack(packed):
                if family.name not in metrics:
                    metrics[family.name] = Metric(family.name, family.help, family.kind)
                for sample in family.samples:
                    labels = {**sample.labels, "worker": str(worker)}
                    metrics[family.name].add_sample(sample.name, labels, sample.value)
        return metrics.values()
