"""What `/metrics` tells, read from the running parts whenever somebody asks."""

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
    """One metric. With a ``label`` its reading has a value for each of the label's values."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    tells: str
    read: Callable[[Dispatcher, RequestCounter], Reading]
    label: str | None = None


# Told from the beginning, so that a dashboard does not miss their first time.
_QUERIES = ("me", "sync", "history")
_NO_BUS = bus.BusMetrics()


def _bus(dispatcher: Dispatcher) -> bus.BusMetrics:
    return dispatcher.nodes.bus.metrics if dispatcher.nodes else _NO_BUS


METRICS: tuple[MetricDefinition, ...] = (
    MetricDefinition(
        "hubbub_connections",
        GaugeMetricFamily,
        "Open sockets by what they speak.",
        lambda dispatcher, requests: (
            {"json": 0, "text": 0} | Counter(c.dialect for c in dispatcher.hub.clients)
        ),
        label="dialect",
    ),
    MetricDefinition(
        "hubbub_people_connected",
        GaugeMetricFamily,
        "People and guests with at least one open socket.",
        lambda dispatcher, requests: len(dispatcher.hub.people),
    ),
    MetricDefinition(
        "hubbub_connections_behind",
        GaugeMetricFamily,
        "Sockets that are read too slowly just now, so that live events are left out.",
        lambda dispatcher, requests: sum(client.behind for client in dispatcher.hub.clients),
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
        "Messages and other changes of rooms shown to those present.",
        lambda dispatcher, requests: dispatcher.hub.metrics.events,
    ),
    MetricDefinition(
        "hubbub_deliveries",
        CounterMetricFamily,
        "Frames handed to sockets for them.",
        lambda dispatcher, requests: dispatcher.hub.queue.deliveries,
    ),
    MetricDefinition(
        "hubbub_fell_behind",
        CounterMetricFamily,
        "Times a socket fell behind.",
        lambda dispatcher, requests: dispatcher.hub.backpressure.fell_behind,
    ),
    MetricDefinition(
        "hubbub_closed_slow",
        CounterMetricFamily,
        "Sockets closed because they made no progress.",
        lambda dispatcher, requests: dispatcher.hub.backpressure.closed_slow,
    ),
    MetricDefinition(
        "hubbub_rate_limited",
        CounterMetricFamily,
        "Commands refused because of a rate limit, through whichever door.",
        lambda dispatcher, requests: {
            "person": dispatcher.per_user.refused,
            "address": dispatcher.per_address.refused,
            "request": dispatcher.requests_from.refused,
            "sign_in": dispatcher.authenticator.refused,
        },
        label="per",
    ),
    MetricDefinition(
        "hubbub_open_connections",
        GaugeMetricFamily,
        "Connections of any kind, those that have asked for nothing yet included.",
        lambda dispatcher, requests: dispatcher.connections.open,
    ),
    MetricDefinition(
        "hubbub_connections_turned_away",
        CounterMetricFamily,
        "Connections closed or refused to bound what they cost, by the reason.",
        lambda dispatcher, requests: {
            reason: dispatcher.connections.turned_away[reason]
            for reason in connection_limiter.REASONS
        },
        label="why",
    ),
    MetricDefinition(
        "hubbub_http_answers",
        CounterMetricFamily,
        "HTTP answers by class of status.",
        lambda dispatcher, requests: {
            f"{n}xx": count for n, count in enumerate(requests.by_class) if n
        },
        label="status",
    ),
    MetricDefinition(
        "hubbub_ledger_batches",
        CounterMetricFamily,
        "Transactions committed.",
        lambda dispatcher, requests: dispatcher.executor.metrics.batches,
    ),
    MetricDefinition(
        "hubbub_ledger_commands",
        CounterMetricFamily,
        "Commands carried out in them; divided by the batches, the size of a batch.",
        lambda dispatcher, requests: dispatcher.executor.metrics.commands,
    ),
    MetricDefinition(
        "hubbub_ledger_commit_seconds",
        CounterMetricFamily,
        "Time spent committing, waiting for the disk included.",
        lambda dispatcher, requests: dispatcher.executor.metrics.commit_s,
    ),
    MetricDefinition(
        "hubbub_ledger_failures",
        CounterMetricFamily,
        "Transactions and queries that failed because of disk, lock or damage.",
        lambda dispatcher, requests: dispatcher.executor.metrics.failures,
    ),
    MetricDefinition(
        "hubbub_ledger_checkpoints",
        CounterMetricFamily,
        "Times the log was moved into the database.",
        lambda dispatcher, requests: dispatcher.executor.checkpoints,
    ),
    MetricDefinition(
        "hubbub_ledger_waiting",
        GaugeMetricFamily,
        "Commands that wait for the writer.",
        lambda dispatcher, requests: dispatcher.executor.waiting,
    ),
    MetricDefinition(
        "hubbub_ledger_queries",
        CounterMetricFamily,
        "Questions answered from the database, by their word.",
        lambda dispatcher, requests: (
            dict.fromkeys(_QUERIES, 0) | dispatcher.executor.metrics.queries
        ),
        label="query",
    ),
    MetricDefinition(
        "hubbub_room_reads",
        CounterMetricFamily,
        "Rooms read from the database, so that those who come are served from memory.",
        lambda dispatcher, requests: dispatcher.hub.sequencer.reads,
    ),
    MetricDefinition(
        "hubbub_admissions_waiting",
        GaugeMetricFamily,
        "Connections that wait in line to be let in.",
        lambda dispatcher, requests: dispatcher.arrivals.waiting + dispatcher.resuming.waiting,
    ),
    MetricDefinition(
        "hubbub_admissions",
        CounterMetricFamily,
        "Connections that were told where they are: each time that somebody came or came back.",
        lambda dispatcher, requests: dispatcher.resuming.admitted,
    ),
    MetricDefinition(
        "hubbub_nodes",
        GaugeMetricFamily,
        "Servers on this database that hear of each other over the bus, this one included.",
        lambda dispatcher, requests: (
            1 + (len(dispatcher.nodes.peers.others) if dispatcher.nodes else 0)
        ),
    ),
    MetricDefinition(
        "hubbub_bus_strangers",
        GaugeMetricFamily,
        "Other chats that use the same bus by mistake.",
        lambda dispatcher, requests: (
            len(dispatcher.nodes.peers.strangers) if dispatcher.nodes else 0
        ),
    ),
    MetricDefinition(
        "hubbub_bus_connected",
        GaugeMetricFamily,
        "1 while the bus carries; 0 if it is away, or if there is none.",
        lambda dispatcher, requests: (
            int(dispatcher.nodes.bus.is_connected) if dispatcher.nodes else 0
        ),
    ),
    MetricDefinition(
        "hubbub_bus_lag_seconds",
        GaugeMetricFamily,
        "How long the bus took to answer, the last time that it was asked.",
        lambda dispatcher, requests: _bus(dispatcher).lag_s,
    ),
    MetricDefinition(
        "hubbub_bus_messages",
        CounterMetricFamily,
        "What went over the bus; or did not, which the database then heals.",
        lambda dispatcher, requests: {
            "published": _bus(dispatcher).published,
            "received": _bus(dispatcher).received,
            "dropped": _bus(dispatcher).dropped,
        },
        label="what",
    ),
    MetricDefinition(
        "hubbub_bus_published_bytes",
        CounterMetricFamily,
        "Bytes given to the bus.",
        lambda dispatcher, requests: _bus(dispatcher).published_bytes,
    ),
    MetricDefinition(
        "hubbub_events_healed",
        CounterMetricFamily,
        "Events that were read from the database, as the bus or a commit's answer was lost.",
        lambda dispatcher, requests: dispatcher.hub.metrics.healed,
    ),
    MetricDefinition(
        "hubbub_disk_free_bytes",
        GaugeMetricFamily,
        "Bytes that may still be written to the disk of the data folder.",
        lambda dispatcher, requests: shutil.disk_usage(dispatcher.settings.data).free,
    ),
)


class MetricsCollector(Collector):
    """Reads all figures at each scrape; between scrapes nothing is kept up to date for it."""

    def __init__(self, dispatcher: Dispatcher, requests: RequestCounter) -> None:
        self._dispatcher = dispatcher
        self._requests = requests

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("hubbub_info", "1; which version runs.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        for figure in METRICS:
            yield self._metric(figure)

    def _metric(self, figure: MetricDefinition) -> Metric:
        reading = figure.read(self._dispatcher, self._requests)
        metric = figure.kind(
            figure.name, figure.tells, labels=[figure.label] if figure.label else []
        )
        if isinstance(reading, Mapping):
            for value, count in reading.items():
                metric.add_metric([value], count)
        else:
            metric.add_metric([], reading)
        return metric


def registry(dispatcher: Dispatcher, requests: RequestCounter) -> CollectorRegistry:
    """All that is told: ours, and the process's memory, files and processor time."""
    made = CollectorRegistry(auto_describe=False)
    made.register(MetricsCollector(dispatcher, requests))
    ProcessCollector(registry=made)
    return made


class Sample(msgspec.Struct, frozen=True, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """One metric with its samples, on the way from one worker to another."""

    name: str
    kind: str
    tells: str
    samples: list[Sample]


# Not JSON, in which a process without a limit of files could not say so.
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Family]).decode


def packed(collector: Collector) -> bytes:
    """All that one worker tells, for another."""
    return _pack(
        [
            Family(
                metric.name,
                metric.type,
                metric.documentation,
                [Sample(each.name, each.labels, each.value) for each in metric.samples],
            )
            for metric in collector.collect()
        ]
    )


class MergedCollector(Collector):
    """What several workers tell, by their numbers: each sample with one more label, ``worker``."""

    def __init__(self, told: Mapping[int, bytes]) -> None:
        self._told = told

    def collect(self) -> Iterable[Metric]:
        metrics: dict[str, Metric] = {}
        for worker, told in sorted(self._told.items()):
            for family in _unpack(told):
                if family.name not in metrics:
                    metrics[family.name] = Metric(family.name, family.tells, family.kind)
                for each in family.samples:
                    labels = {**each.labels, "worker": str(worker)}
                    metrics[family.name].add_sample(each.name, labels, each.value)
        return metrics.values()
