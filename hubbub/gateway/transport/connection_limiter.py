"""Limits the number of TCP connections, and how long each may stay without a request.

Every connection has a slot from its acceptance to its end. While it has no request (none has come
completely, or the last one has been answered) it is *waiting*: it is closed after its timeout, or
earlier to make room for another. So somebody who opens connections and sends nothing only pushes
out other waiting connections, and a new client, which sends its request at once, is answered.
"""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Collection
from typing import Literal

import structlog

from hubbub.gateway.dispatch.limits import RateLimiter
from hubbub.model.errors import Busy, RateLimited, TooManyConnections
from hubbub.model.settings import RateLimit

HEADERS_WITHIN_S = 10.0  # from the acceptance, or from the first byte after a response
IDLE_S = 75.0  # between two requests; longer than the keep-alive of proxies and browsers
REQUEST_WITHIN_S = 120.0  # from the end of the headers to the end of the response
SWEEP_EVERY_S = 0.5
LOG_EVERY_S = 60.0

# For the database, its readers, static files, logs, and sockets of the command line.
DESCRIPTORS_RESERVED = 64
SOCKETS_SHARE = 0.9  # WebSockets may be this share of the capacity; the rest is for HTTP requests
HEADROOM = 64  # connections of a network beyond its WebSockets, so that refusals can be answered

State = Literal["headers", "idle", "request"]
Reason = Literal["headers", "idle", "request", "address", "capacity", "flood"]
REASONS: tuple[Reason, ...] = ("headers", "idle", "request", "address", "capacity", "flood")

WITHIN_S: dict[State, float] = {
    "headers": HEADERS_WITHIN_S,
    "idle": IDLE_S,
    "request": REQUEST_WITHIN_S,
}

log = structlog.get_logger()


def descriptor_limit() -> int:
    """The number of files and sockets that this process may have open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1_000_000


class Slot:
    """One open connection. ``network`` is None for our own proxies, which are not limited."""

    __slots__ = ("_limiter", "abort", "network", "state")

    def __init__(
        self, limiter: "ConnectionLimiter", network: str | None, abort: Callable[[], None]
    ) -> None:
        self._limiter = limiter
        self.network = network
        self.abort = abort
        self.state: State | None = None

    def set_state(self, state: State) -> None:
        """Start the timeout of this state: waiting for headers, idle, or executing a request."""
        self._limiter.set_state(self, state)

    def exempt(self) -> None:
        """Stop the timeout, as the connection is a WebSocket now."""
        self._limiter.set_state(self, None)

    def release(self) -> None:
        """Free the slot, as the connection is closed."""
        self._limiter.release(self)


class ConnectionLimiter:
    """All slots. Only waiting connections are closed to make room."""

    def __init__(
        self,
        per_network: int | None,
        clock: Callable[[], float],
        capacity: int | None = None,
    ) -> None:
        """``per_network`` is None if networks are not limited.

        ``capacity`` is for all connections; by default it follows from the limit of open files.
        """
        self._per_network = None if per_network is None else per_network + HEADROOM
        # All connections of a network may reconnect at once, and once more, but not all the time.
        self._open_rate = per_network and RateLimiter(
            RateLimit(per_s=max(10, per_network / 10), burst=2 * per_network + HEADROOM), clock
        )
        self._clock = clock
        self.capacity = capacity or max(16, descriptor_limit() - DESCRIPTORS_RESERVED)
        self.open = 0
        self.turned_away: Counter[Reason] = Counter()
        # Slots with their deadline, in the order of the deadlines.
        self._slots: dict[State, dict[Slot, float]] = {"headers": {}, "idle": {}, "request": {}}
        self._networks: Counter[str] = Counter()
        self._waiting: dict[str, dict[Slot, None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._logged_at = -LOG_EVERY_S
        self._unlogged: Counter[Reason] = Counter()

    @property
    def sockets_max(self) -> int:
        """The number of WebSockets that may be open."""
        return int(self.capacity * SOCKETS_SHARE)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._sweep_periodically())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def open_slot(self, network: str | None, abort: Callable[[], None]) -> Slot:
        """Open a slot for a connection from this network (None for our own proxies).

        ``abort`` closes the connection at once. Raises RateLimited if the network opens them too
        fast, TooManyConnections if it has too many, Busy if the server is full.
        """
        if network is not None and self._per_network is not None:
            self._require_room_for(network, self._per_network)
        if self.open >= self.capacity:
            self._make_room()
        slot = Slot(self, network, abort)
        self.open += 1
        if network is not None:
            self._networks[network] += 1
        self.set_state(slot, "headers")
        return slot

    def _require_room_for(self, network: str, max_connections: int) -> None:
        assert self._open_rate
        try:
            self._open_rate.take(network)
        except RateLimited:
            self.count("address")
            raise
        if self._networks[network] < max_connections:
            return
        self.count("address")
        waiting = self._waiting.get(network)
        if not waiting:
            raise TooManyConnections(
                f"Your network may have at most {max_connections} connections at once. "
                "Close one first."
            )
        self._close(next(iter(waiting)))

    def _make_room(self) -> None:
        """Close the longest waiting connection of the network with most of them. Raises Busy."""
        self.count("capacity")
        if self._waiting:
            waiting: Collection[Slot] = max(self._waiting.values(), key=len)
        else:
            waiting = self._slots["idle"] or self._slots["headers"]
        oldest = next(iter(waiting), None)
        if oldest is None:
            raise Busy(
                "This server has no room for more connections. Try again in a moment.",
                retry_after=10,
            )
        self._close(oldest)

    def set_state(self, slot: Slot, state: State | None) -> None:
        if slot.state is not None:
            del self._slots[slot.state][slot]
        slot.state = state
        if state is not None:
            self._slots[state][slot] = self._clock() + WITHIN_S[state]
        if slot.network is not None:
            self._note_waiting(slot, slot.network, is_waiting=state in ("headers", "idle"))

    def _note_waiting(self, slot: Slot, network: str, *, is_waiting: bool) -> None:
        waiting = self._waiting.setdefault(network, {})
        if is_waiting:
            waiting.setdefault(slot)
        else:
            waiting.pop(slot, None)
        if not waiting:
            del self._waiting[network]

    def release(self, slot: Slot) -> None:
        """Free a slot. Called once for each."""
        self.set_state(slot, None)
        self.open -= 1
        if slot.network is not None:
            self._networks[slot.network] -= 1
            if not self._networks[slot.network]:
                del self._networks[slot.network]

    def count(self, reason: Reason) -> None:
        """Count a connection that was closed or refused; logged once a minute."""
        self.turned_away[reason] += 1
        if reason == "idle":  # this is normal, so it is not logged
            return
        self._unlogged[reason] += 1
        if self._clock() - self._logged_at >= LOG_EVERY_S:
            self._log_counts()

    def _log_counts(self) -> None:
        self._logged_at = self._clock()
        counts, self._unlogged = self._unlogged, Counter()
        busiest = self._networks.most_common(1)
        log.warning(
            "connections were closed or refused, see “Limits” in docs/operations.md",
            **{f"for_{reason}": count for reason, count in counts.items()},
            open=self.open,
            capacity=self.capacity,
            most_from=busiest[0][0] if busiest else None,
        )

    def _close(self, slot: Slot) -> None:
        # Its slot is released when the connection has ended; until then it is not chosen again.
        self.set_state(slot, None)
        slot.abort()

    async def _sweep_periodically(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.sweep()

    def sweep(self) -> None:
        """Close connections whose deadline has passed."""
        now = self._clock()
        for state, slots in self._slots.items():
            while slots and (first := next(iter(slots.items())))[1] <= now:
                self.count(state)
                self._close(first[0])
        if self._unlogged and now - self._logged_at >= LOG_EVERY_S:
            self._log_counts()
