"""How many TCP connections there may be, and how long each may stay without asking for anything.

Every connection has a slot from its acceptance to its end. While nothing has been asked for (no
whole request has come, or the last one has been answered) it *waits*: it is closed when its time
is up, and before that if somebody else needs the room. So whoever opens connections and says
nothing only ever pushes out their own kind, and a newcomer, who asks at once, gets an answer.
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

HEADERS_WITHIN_S = 10.0  # from the first moment, or from the first byte after an answer
IDLE_S = 75.0  # between two requests; longer than what proxies and browsers keep one open for
REQUEST_WITHIN_S = 120.0  # from the whole headers to the end of the answer
SWEEP_EVERY_S = 0.5
LOG_EVERY_S = 60.0

# Beside connections: the database, its readers, static files, logs, sockets of the command line.
DESCRIPTORS_RESERVED = 64
SOCKETS_SHARE = 0.9  # of all connections; the others are kept for whoever only wants a page
HEADROOM = 64  # of one network, above its WebSockets, so that it is told why it may have no more

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
    """How many files and connections this process may have open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1_000_000


class Slot:
    """One open connection. ``network`` is None for our own proxies, which have no bound."""

    __slots__ = ("_limiter", "abort", "network", "state")

    def __init__(
        self, limiter: "ConnectionLimiter", network: str | None, abort: Callable[[], None]
    ) -> None:
        self._limiter = limiter
        self.network = network
        self.abort = abort
        self.state: State | None = None

    def enter(self, state: State) -> None:
        """From now on it waits for headers, idles, or has its request carried out."""
        self._limiter.enter(self, state)

    def keep(self) -> None:
        """It is a WebSocket from now on, whose bounds are others'."""
        self._limiter.enter(self, None)

    def release(self) -> None:
        """The connection is no more."""
        self._limiter.release(self)


class ConnectionLimiter:
    """All slots. Only connections that wait are ever closed to make room."""

    def __init__(
        self,
        per_network: int | None,
        clock: Callable[[], float],
        capacity: int | None = None,
    ) -> None:
        """``per_network`` is None where networks have no bound; ``capacity`` is for all of them.

        By default the capacity is what the process's limit of open files leaves.
        """
        self._per_network = None if per_network is None else per_network + HEADROOM
        # All of a network's connections may come back at once, and once more, but not all the time.
        self._openings = per_network and RateLimiter(
            RateLimit(per_s=max(10, per_network / 10), burst=2 * per_network + HEADROOM), clock
        )
        self._clock = clock
        self.capacity = capacity or max(16, descriptor_limit() - DESCRIPTORS_RESERVED)
        self.open = 0
        self.turned_away: Counter[Reason] = Counter()
        # In each state, in the order in which their time is up.
        self._slots: dict[State, dict[Slot, float]] = {"headers": {}, "idle": {}, "request": {}}
        self._networks: Counter[str] = Counter()
        self._waiting: dict[str, dict[Slot, None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._logged_at = -LOG_EVERY_S
        self._unlogged: Counter[Reason] = Counter()

    @property
    def sockets_max(self) -> int:
        """How many WebSockets there may be in all."""
        return int(self.capacity * SOCKETS_SHARE)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._sweep_for_ever())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def open_slot(self, network: str | None, abort: Callable[[], None]) -> Slot:
        """A slot for a connection from this network; None stands for our own proxies.

        ``abort`` ends the connection at once. Raises RateLimited if the network opens too many
        too fast, TooManyConnections if it has as many as it may, Busy if there is no room at all.
        """
        if network is not None and self._per_network is not None:
            self._require_room_for(network, self._per_network)
        if self.open >= self.capacity:
            self._make_room()
        slot = Slot(self, network, abort)
        self.open += 1
        if network is not None:
            self._networks[network] += 1
        self.enter(slot, "headers")
        return slot

    def _require_room_for(self, network: str, most: int) -> None:
        assert self._openings
        try:
            self._openings.take(network)
        except RateLimited:
            self.count("address")
            raise
        if self._networks[network] < most:
            return
        self.count("address")
        waiting = self._waiting.get(network)
        if not waiting:
            raise TooManyConnections(
                f"No more than {most} connections from your network at once. Close one first."
            )
        self._close(next(iter(waiting)))

    def _make_room(self) -> None:
        """Close one that has waited long, of the network with most that wait. Raises Busy."""
        self.count("capacity")
        if self._waiting:
            # Of whoever has most of them: a newcomer has a few, and none for long.
            waiting: Collection[Slot] = max(self._waiting.values(), key=len)
        else:
            waiting = self._slots["idle"] or self._slots["headers"]
        oldest = next(iter(waiting), None)
        if oldest is None:
            raise Busy("This server has as many connections as it can hold.", retry_after=10)
        self._close(oldest)

    def enter(self, slot: Slot, state: State | None) -> None:
        if slot.state is not None:
            del self._slots[slot.state][slot]
        slot.state = state
        if state is not None:
            self._slots[state][slot] = self._clock() + WITHIN_S[state]
        if slot.network is not None:
            self._note_waiting(slot, slot.network, waits=state in ("headers", "idle"))

    def _note_waiting(self, slot: Slot, network: str, *, waits: bool) -> None:
        waiting = self._waiting.setdefault(network, {})
        if waits:
            waiting.setdefault(slot)
        else:
            waiting.pop(slot, None)
        if not waiting:
            del self._waiting[network]

    def release(self, slot: Slot) -> None:
        """Once for each slot."""
        self.enter(slot, None)
        self.open -= 1
        if slot.network is not None:
            self._networks[slot.network] -= 1
            if not self._networks[slot.network]:
                del self._networks[slot.network]

    def count(self, reason: Reason) -> None:
        """One connection was closed or refused for this reason; the log tells it once a minute."""
        self.turned_away[reason] += 1
        if reason == "idle":  # as it should be
            return
        self._unlogged[reason] += 1
        if self._clock() - self._logged_at >= LOG_EVERY_S:
            self._tell()

    def _tell(self) -> None:
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
        # Its slot is released when the connection is gone; until then it is no longer chosen.
        self.enter(slot, None)
        slot.abort()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.sweep()

    def sweep(self) -> None:
        """Close those whose time is up."""
        now = self._clock()
        for state, slots in self._slots.items():
            while slots and (first := next(iter(slots.items())))[1] <= now:
                self.count(state)
                self._close(first[0])
        if self._unlogged and now - self._logged_at >= LOG_EVERY_S:
            self._tell()
