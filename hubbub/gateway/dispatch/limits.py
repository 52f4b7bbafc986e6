"""Rate limits and connection counts per person or address. Each keeps a bounded number of keys."""

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import lru_cache

from hubbub.model.errors import RateLimited, TooManyConnections
from hubbub.model.settings import RateLimit

KEYS_MAX = 50_000  # full buckets are forgotten; if there are none, new keys share one bucket
SHARED_FACTOR = 100  # the size of that shared bucket, in ordinary ones
OWN_SHARE = 0.5  # of its own allowance; below it a connection is bound by the shared one, too
SITE_FACTOR = 8  # the limit of an IPv6 /48, in limits of a /64
WAIT_MAX_S = 5.0  # a connection that would have to wait longer is closed
STRIKES_MAX = 100  # waits in a row; then the connection is closed
NETWORKS_CACHED_MAX = 4096  # addresses


@lru_cache(NETWORKS_CACHED_MAX)
def networks_of(address: str) -> tuple[str, str | None]:
    """The network by which an address is limited, and the larger one around it, if any.

    An IPv4 address counts by itself. A single household has a whole IPv6 /64, so that counts as
    one network. A /48, which one customer may have, is limited as well.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address, None
    if isinstance(parsed, ipaddress.IPv4Address):
        return address, None
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped), None
    if parsed.is_loopback:
        return address, None
    network, site = (ipaddress.ip_network((parsed, size), strict=False) for size in (64, 48))
    return str(network), str(site)


class RateLimiter:
    """A token bucket for each key."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        # Key → the number of tokens left at a time, and that time.
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._shared: RateLimiter | None = None
        self.refused = 0

    def take(self, key: str) -> None:
        """Take one token. Raises RateLimited with the time until there is one."""
        now = self._clock()
        if key not in self._levels and not self._make_room(now):
            self._take_shared()
            return
        level = self._level(key, now)
        if level < 1:
            self.refused += 1
            raise RateLimited(retry_after=(1 - level) / self._limit.per_s)
        self._levels[key] = (level - 1, now)
        self._levels.move_to_end(key)

    def release(self, key: str) -> None:
        """Put back a token that was taken."""
        if key in self._levels:
            now = self._clock()
            self._levels[key] = (min(self._limit.burst, self._level(key, now) + 1), now)

    def _level(self, key: str, now: float) -> float:
        level, since = self._levels.get(key, (self._limit.burst, now))
        return min(self._limit.burst, level + (now - since) * self._limit.per_s)

    def _make_room(self, now: float) -> bool:
        """Make room for one more key by forgetting full buckets; False if there are none.

        Others are never forgotten, or somebody with many addresses could reset their buckets.
        """
        while len(self._levels) >= KEYS_MAX:
            longest_unused = next(iter(self._levels))
            if self._level(longest_unused, now) < self._limit.burst:
                return False
            del self._levels[longest_unused]
        return True

    def _take_shared(self) -> None:
        if self._shared is None:
            limit = self._limit
            shared = RateLimit(limit.per_s * SHARED_FACTOR, limit.burst * SHARED_FACTOR)
            self._shared = RateLimiter(shared, self._clock)
        try:
            self._shared.take("")
        except RateLimited:
            self.refused += 1
            raise


class AddressRateLimiter:
    """A token bucket for each IPv4 address and each IPv6 /64, and a larger one for each /48."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._networks = RateLimiter(limit, clock)
        self._sites = RateLimiter(
            RateLimit(limit.per_s * SITE_FACTOR, limit.burst * SITE_FACTOR), clock
        )

    @property
    def refused(self) -> int:
        return self._networks.refused + self._sites.refused

    def take(self, address: str) -> None:
        """Take one token. Raises RateLimited with the time until there is one."""
        network, site = networks_of(address)
        self._networks.take(network)
        if site is not None:
            try:
                self._sites.take(site)
            except RateLimited:
                self._networks.release(network)
                raise

    def release(self, address: str) -> None:
        """Put back a token that was taken."""
        network, site = networks_of(address)
        self._networks.release(network)
        if site is not None:
            self._sites.release(site)


class Debt:
    """A token bucket that may be overdrawn. The time to wait is what refilling it to 0 takes."""

    __slots__ = ("_at", "_level", "_limit")

    def __init__(self, limit: RateLimit, now: float) -> None:
        self._limit = limit
        self._level = limit.burst
        self._at = now

    def take(self, now: float, cost: int) -> float:
        """Take tokens. Returns the seconds until the level is 0 again; 0 if it is not below."""
        limit = self._limit
        saved = min(limit.burst, self._level + (now - self._at) * limit.per_s)
        self._level = max(saved - cost, -2 * WAIT_MAX_S * limit.per_s)
        self._at = now
        return 0.0 if self._level >= 0 else -self._level / limit.per_s

    def left(self, now: float) -> float:
        """The level as a share of the burst, at most 1; below 0 if it is overdrawn."""
        saved = self._level + (now - self._at) * self._limit.per_s
        return min(1.0, saved / self._limit.burst)


class AddressDebts:
    """A debt for each IPv4 address and each IPv6 /64."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._debts: OrderedDict[str, Debt] = OrderedDict()

    def take(self, address: str, cost: int) -> float:
        """Take tokens. Returns the seconds to wait before the next."""
        now = self._clock()
        network, _ = networks_of(address)
        debt = self._debts.pop(network, None) or Debt(self._limit, now)
        self._debts[network] = debt
        if len(self._debts) > KEYS_MAX:
            self._debts.popitem(last=False)
        return debt.take(now, cost)


class Throttle:
    """Slows down a connection that sends invalid or refused commands, or pings.

    A few cost nothing. After that it is read from more and more slowly, and closed after
    `STRIKES_MAX` waits in a row. All connections from one network share a larger allowance, which
    binds only those that have used up half of their own: so a flood does not slow down neighbours.
    """

    __slots__ = ("_address", "_address_debts", "_clock", "_debt", "_strikes")

    def __init__(
        self,
        limit: RateLimit,
        address_debts: AddressDebts,
        address: str,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._debt = Debt(limit, clock())
        self._address_debts = address_debts
        self._address = address
        self._strikes = 0

    def take(self, cost: int = 1) -> float:
        """Charge the connection. Returns how many seconds not to read from it.

        Infinity means that it must be closed.
        """
        now = self._clock()
        if self._debt.left(now) >= 1:
            self._strikes = 0
        own_s, shared_s = self._debt.take(now, cost), self._address_debts.take(self._address, cost)
        if self._debt.left(now) > OWN_SHARE:
            return 0.0
        wait_s = max(own_s, shared_s)
        self._strikes += wait_s > 0
        too_much = wait_s > WAIT_MAX_S or self._strikes > STRIKES_MAX
        return math.inf if too_much else wait_s


class SlotCounter:
    """Counts the connections of each key, and bounds them."""

    def __init__(self, max_slots: int, holder: str) -> None:
        """``holder`` is the subject of the refusal: "You" or "Your address"."""
        self._max_slots = max_slots
        self._holder = holder
        self._taken: Counter[str] = Counter()

    def take(self, key: str) -> None:
        """Take a slot. Raises TooManyConnections if the key has ``max_slots`` already."""
        if self._taken[key] >= self._max_slots:
            raise TooManyConnections(
                f"{self._holder} may have at most {self._max_slots} connections at once. "
                "Close one first."
            )
        self._taken[key] += 1

    def release(self, key: str) -> None:
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
