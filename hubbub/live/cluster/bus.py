"""The bus: carries bytes between nodes, fast but without any guarantee.

It may lose, repeat and reorder payloads; `nodes` repairs that from the database. Subjects are
words separated by dots, and every node of a chat uses the same ones.
"""

from collections.abc import Callable
from typing import Protocol

from hubbub.model.errors import HubbubError

PAYLOAD_BYTES = 256 * 1024  # larger envelopes are split

MessageHandler = Callable[[str, bytes], None]


class BusError(HubbubError):
    """The bus cannot be used; the message says why and what to do."""

    code = "bus"
    title = "The bus cannot be used."


class BusMetrics:
    """A bus's counters, for `/metrics`."""

    def __init__(self) -> None:
        self.published = 0
        self.published_bytes = 0
        self.received = 0
        self.dropped = 0
        self.lag_s = 0.0


class Bus(Protocol):
    """``on_message`` is called with the subject and the payload of each message; ``on_connect``
    after each connection is made, before any message comes over it."""

    metrics: BusMetrics
    on_message: MessageHandler
    on_connect: Callable[[], None]

    @property
    def is_connected(self) -> bool: ...

    async def start(self) -> None:
        """Connect. Raises BusError if the bus cannot be reached."""

    async def stop(self) -> None: ...

    def subscribe(self, subject: str) -> None:
        """Receive what is published to a subject, from shortly after this call."""

    def unsubscribe(self, subject: str) -> None: ...

    def publish(self, subject: str, payload: bytes) -> None:
        """Send to the other nodes. Never waits: what cannot be sent is dropped."""


class NoBus:
    """The bus of a node whose settings name none: it learns of others from the database only."""

    def __init__(self) -> None:
        self.metrics = BusMetrics()
        self.on_message: MessageHandler = lambda subject, payload: None
        self.on_connect: Callable[[], None] = lambda: None

    @property
    def is_connected(self) -> bool:
        return False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def subscribe(self, subject: str) -> None:
        pass

    def unsubscribe(self, subject: str) -> None:
        pass

    def publish(self, subject: str, payload: bytes) -> None:
        pass
