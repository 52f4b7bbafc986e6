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
from hubbub.gateway.dispatch.dispatcher import Desk
from hubbub.gateway.operations.health import Tally
from hubbub.gateway.transport import connection_limiter
from hubbub.live.cluster import bus

Reading = float | Mapping[str, float]


class Figure(NamedTuple):
    """One metric. With a ``label`` its reading has a value for each of the label's values."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    tells: str
    read: Callable[[Desk, Tally], Reading]
    label: str | None = None


# Told from the beginning, so that a dashboard does not miss their first time.
_QUERIES = ("me", "sync", "history")
_NO_BUS = bus.Figures()


def _bus(desk: Desk) -> bus.Figures:
    return desk.nodes.bus.figures if desk.nodes else _NO_BUS


FIGURES: tuple[Figure, ...] = (
    Figure(
        "hubbub_connections",
        GaugeMetricFamily,
        "Open sockets by what they speak.",
        lambda desk, tally: {"json": 0, "text": 0} | Counter(c.dialect for c in desk.hub.clients),
        label="dialect",
    ),
    Figure(
        "hubbub_people_connected",
        GaugeMetricFamily,
        "People and guests with at least one open socket.",
        lambda desk, tally: len(desk.hub.people),
    ),
    Figure(
        "hubbub_connections_behind",
        GaugeMetricFamily,
        "Sockets that are read too slowly just now, so that live events are left out.",
        lambda desk, tally: sum(client.behind for client in desk.hub.clients),
    ),
    Figure(
        "hubbub_rooms_loaded",
        GaugeMetricFamily,
        "Rooms whose latest messages are in memory.",
        lambda desk, tally: len(desk.hub.rooms),
    ),
    Figure(
        "hubbub_events",
        CounterMetricFamily,
        "Messages and other changes of rooms shown to those present.",
        lambda desk, tally: desk.hub.figures.events,
    ),
    Figure(
        "hubbub_deliveries",
        CounterMetricFamily,
        "Frames handed to sockets for them.",
        lambda desk, tally: desk.hub.queue.deliveries,
    ),
    Figure(
        "hubbub_fell_behind",
        CounterMetricFamily,
        "Times a socket fell behind.",
        lambda desk, tally: desk.hub.pace.fell_behind,
    ),
    Figure(
        "hubbub_closed_slow",
        CounterMetricFamily,
        "Sockets closed because they made no progress.",
        lambda desk, tally: desk.hub.pace.closed_slow,
    ),
    Figure(
        "hubbub_rate_limited",
        CounterMetricFamily,
        "Commands refused because of a rate limit, through whichever door.",
        lambda desk, tally: {
            "person": desk.per_user.refused,
            "address": desk.per_address.refused,
            "request": desk.requests_from.refused,
            "sign_in": desk.authenticator.refused,
        },
        label="per",
    ),
    Figure(
        "hubbub_open_connections",
        GaugeMetricFamily,
        "Connections of any kind, those that have asked for nothing yet included.",
        lambda desk, tally: desk.connections.open,
    ),
    Figure(
        "hubbub_connections_turned_away",
        CounterMetricFamily,
        "Connections closed or refused to bound what they cost, by the reason.",
        lambda desk, tally: {
            reason: desk.connections.turned_away[reason] for reason in connection_limiter.REASONS
        },
        label="why",
    ),
    Figure(
        "hubbub_http_answers",
        CounterMetricFamily,
        "HTTP answers by class of status.",
        lambda desk, tally: {f"{n}xx": count for n, count in enumerate(tally.by_class) if n},
        label="status",
    ),
    Figure(
        "hubbub_ledger_batches",
        CounterMetricFamily,
        "Transactions committed.",
        lambda desk, tally: desk.ledger.figures.batches,
    ),
    Figure(
        "hubbub_ledger_commands",
        CounterMetricFamily,
        "Commands carried out in them; divided by the batches, the size of a batch.",
        lambda desk, tally: desk.ledger.figures.commands,
    ),
    Figure(
        "hubbub_ledger_commit_seconds",
        CounterMetricFamily,
        "Time spent committing, waiting for the disk included.",
        lambda desk, tally: desk.ledger.figures.commit_s,
    ),
    Figure(
        "hubbub_ledger_failures",
        CounterMetricFamily,
        "Transactions and queries that failed because of disk, lock or damage.",
        lambda desk, tally: desk.ledger.figures.failures,
    ),
    Figure(
        "hubbub_ledger_checkpoints",
        CounterMetricFamily,
        "Times the log was moved into the database.",
        lambda desk, tally: desk.ledger.checkpoints,
    ),
    Figure(
        "hubbub_ledger_waiting",
        GaugeMetricFamily,
        "Commands that wait for the writer.",
        lambda desk, tally: desk.ledger.waiting,
    ),
    Figure(
        "hubbub_ledger_queries",
        CounterMetricFamily,
        "Questions answered from the database, by their word.",
        lambda desk, tally: dict.fromkeys(_QUERIES, 0) | desk.ledger.figures.queries,
        label="query",
    ),
    Figure(
        "hubbub_room_reads",
        CounterMetricFamily,
        "Rooms read from the database, so that those who come are served from memory.",
        lambda desk, tally: desk.hub.order.reads,
    ),
    Figure(
        "hubbub_admissions_waiting",
        GaugeMetricFamily,
        "Connections that wait in line to be let in.",
        lambda desk, tally: desk.arrivals.waiting + desk.greetings.waiting,
    ),
    Figure(
        "hubbub_admissions",
        CounterMetricFamily,
        "Connections that were told where they are: each time that somebody came or came back.",
        lambda desk, tally: desk.greetings.admitted,
    ),
    Figure(
        "hubbub_nodes",
        GaugeMetricFamily,
        "Servers on this database that hear of each other over the bus, this one included.",
        lambda desk, tally: 1 + (len(desk.nodes.company.others) if desk.nodes else 0),
    ),
    Figure(
        "hubbub_bus_strangers",
        GaugeMetricFamily,
        "Other chats that use the same bus by mistake.",
        lambda desk, tally: len(desk.nodes.company.strangers) if desk.nodes else 0,
    ),
    Figure(
        "hubbub_bus_connected",
        GaugeMetricFamily,
        "1 while the bus carries; 0 if it is away, or if there is none.",
        lambda desk, tally: int(desk.nodes.bus.is_connected) if desk.nodes else 0,
    ),
    Figure(
        "hubbub_bus_lag_seconds",
        GaugeMetricFamily,
        "How long the bus took to answer, the last time that it was asked.",
        lambda desk, tally: _bus(desk).lag_s,
    ),
    Figure(
        "hubbub_bus_messages",
        CounterMetricFamily,
        "What went over the bus; or did not, which the database then heals.",
        lambda desk, tally: {
            "published": _bus(desk).published,
            "received": _bus(desk).received,
            "dropped": _bus(desk).dropped,
        },
        label="what",
    ),
    Figure(
        "hubbub_bus_published_bytes",
        CounterMetricFamily,
        "Bytes given to the bus.",
        lambda desk, tally: _bus(desk).published_bytes,
    ),
    Figure(
        "hubbub_events_healed",
        CounterMetricFamily,
        "Events that were read from the database, as the bus or a commit's answer was lost.",
        lambda desk, tally: desk.hub.figures.healed,
    ),
    Figure(
        "hubbub_disk_free_bytes",
        GaugeMetricFamily,
        "Bytes that may still be written to the disk of the data folder.",
        lambda desk, tally: shutil.disk_usage(desk.settings.data).free,
    ),
)


class Figures(Collector):
    """Reads all figures at each scrape; between scrapes nothing is kept up to date for it."""

    def __init__(self, desk: Desk, tally: Tally) -> None:
        self._desk = desk
        self._tally = tally

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("hubbub_info", "1; which version runs.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        for figure in FIGURES:
            yield self._metric(figure)

    def _metric(self, figure: Figure) -> Metric:
        reading = figure.read(self._desk, self._tally)
        metric = figure.kind(
            figure.name, figure.tells, labels=[figure.label] if figure.label else []
        )
        if isinstance(reading, Mapping):
            for value, count in reading.items():
                metric.add_metric([value], count)
        else:
            metric.add_metric([], reading)
        return metric


def registry(desk: Desk, tally: Tally) -> CollectorRegistry:
    """All that is told: ours, and the process's memory, files and processor time."""
    made = CollectorRegistry(auto_describe=False)
    made.register(Figures(desk, tally))
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


class Together(Collector):
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
