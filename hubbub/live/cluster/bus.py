"""The bus: carries bytes between nodes, as fast as it can and with no promise at all.

It may lose, repeat and reorder; `nodes` heals all that from the database. Subjects are words
separated by dots, and every node of a chat uses the same ones.
"""

from collections.abc import Callable
from typing import Protocol

from hubbub.model.errors import HubbubError

PAYLOAD_BYTES = 256 * 1024  # more than that goes in parts

Received = Callable[[str, bytes], None]


class BusError(HubbubError):
    """The bus cannot be used at all; the message says why and what to do."""

    code = "bus"
    title = "The bus cannot be used."


class BusMetrics:
    """What a bus counts, for `/metrics`."""

    def __init__(self) -> None:
        self.published = 0
        self.published_bytes = 0
        self.received = 0
        self.dropped = 0
        self.lag_s = 0.0


class Bus(Protocol):
    """``received`` gets the subject and the payload of what comes; ``connected`` is called
    whenever a connection stands, before anything comes over it."""

    metrics: BusMetrics
    received: Received
    connected: Callable[[], None]

    @property
    def is_connected(self) -> bool: ...

    async def start(self) -> None:
        """Raises BusError if there is no connection to be had."""

    async def stop(self) -> None: ...

    def watch(self, subject: str) -> None:
        """From soon on, what is published there is received."""

    def unwatch(self, subject: str) -> None: ...

    def publish(self, subject: str, payload: bytes) -> None:
        """Never waits: what cannot be sent is dropped. We do not hear it ourselves."""


class NoBus:
    """For a node whose settings name none: others are heard of through the database only."""

    def __init__(self) -> None:
        self.metrics = BusMetrics()
        self.received: Received = lambda subject, payload: None
        self.connected: Callable[[], None] = lambda: None

    @property
    def is_connected(self) -> bool:
        return False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def watch(self, subject: str) -> None:
        pass

    def unwatch(self, subject: str) -> None:
        pass

    def publish(self, subject: str, payload: bytes) -> None:
        pass
