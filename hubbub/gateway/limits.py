"""How much one person or address may do: token buckets and bounds, each with a bound itself."""

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import lru_cache

from hubbub.model.errors import RateLimited, TooManyConnections
from hubbub.model.settings import RateLimit

BUCKETS_MAX = 50_000  # those that are full again are forgotten; if there are none, newcomers share
SHARED_FACTOR = 100  # how many times more all newcomers may do together, once there are so many
HALF = 0.5
SITE_FACTOR = 8  # how many times more an IPv6 /48 may do than each /64 in it
WAIT_MAX_S = 5.0  # to pay back what a network has run up; who would wait longer is closed
STRIKES_MAX = 100  # times that a connection may be slowed down in a row; then it is closed
REMEMBERED = 4096  # addresses whose networks are known without parsing them again


@lru_cache(REMEMBERED)
def networks_of(address: str) -> tuple[str, str | None]:
    """The network by which an address is limited, and the larger one around it, if any.

    An IPv4 address counts by itself. Of IPv6 a single household has a whole /64, so all of that
    counts as one, and a /48, which one customer may have, has a bound of its own.
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


class Buckets:
    """A token bucket for each key."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        # Key → tokens left, and when that was.
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._shared: Buckets | None = None
        self.refused = 0

    def take(self, key: str) -> None:
        """Take one token. Raises RateLimited with the time until there is one."""
        now = self._clock()
        if key not in self._levels and not self._has_room(now):
            self._take_shared()
            return
        level = self._level(key, now)
        if level < 1:
            self.refused += 1
            raise RateLimited(retry_after=(1 - level) / self._limit.per_s)
        self._levels[key] = (level - 1, now)
        self._levels.move_to_end(key)

    def give_back(self, key: str) -> None:
        """Put back a token that was taken."""
        if key in self._levels:
            now = self._clock()
            self._levels[key] = (min(self._limit.burst, self._level(key, now) + 1), now)

    def _level(self, key: str, now: float) -> float:
        level, since = self._levels.get(key, (self._limit.burst, now))
        return min(self._limit.burst, level + (now - since) * self._limit.per_s)

    def _has_room(self, now: float) -> bool:
        """Whether there is room for one more; who is full again needs none.

        Nobody else is thrown out: else somebody with many addresses would be forgiven theirs.
        """
        while len(self._levels) >= BUCKETS_MAX:
            longest_unused = next(iter(self._levels))
            if self._level(longest_unused, now) < self._limit.burst:
                return False
            del self._levels[longest_unused]
        return True

    def _take_shared(self) -> None:
        if self._shared is None:
            limit = self._limit
            shared = RateLimit(limit.per_s * SHARED_FACTOR, limit.burst * SHARED_FACTOR)
            self._shared = Buckets(shared, self._clock)
        try:
            self._shared.take("")
        except RateLimited:
            self.refused += 1
            raise


class AddressBuckets:
    """A token bucket for each IPv4 address and each IPv6 /64, and a larger one for each /48."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._networks = Buckets(limit, clock)
        self._sites = Buckets(
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
                self._networks.give_back(network)
                raise

    def give_back(self, address: str) -> None:
        """Put back a token that was taken."""
        network, site = networks_of(address)
        self._networks.give_back(network)
        if site is not None:
            self._sites.give_back(site)


class Debt:
    """A token bucket that may be overdrawn: whoever does so waits until it is paid back."""

    __slots__ = ("_at", "_level", "_limit")

    def __init__(self, limit: RateLimit, now: float) -> None:
        self._limit = limit
        self._level = limit.burst
        self._at = now

    def take(self, now: float, cost: int) -> float:
        """Take tokens; the seconds to wait before the next is due, 0 while some are left."""
        limit = self._limit
        saved = min(limit.burst, self._level + (now - self._at) * limit.per_s)
        self._level = max(saved - cost, -2 * WAIT_MAX_S * limit.per_s)
        self._at = now
        return 0.0 if self._level >= 0 else -self._level / limit.per_s

    def left(self, now: float) -> float:
        """How much of all that it can hold is left; less than 0 if it is overdrawn."""
        saved = self._level + (now - self._at) * self._limit.per_s
        return min(1.0, saved / self._limit.burst)


class AddressDebts:
    """A debt for each IPv4 address and each IPv6 /64."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._debts: OrderedDict[str, Debt] = OrderedDict()

    def take(self, address: str, cost: int) -> float:
        """Take tokens; the seconds to wait before the next."""
        now = self._clock()
        network, _ = networks_of(address)
        debt = self._debts.pop(network, None) or Debt(self._limit, now)
        self._debts[network] = debt
        if len(self._debts) > BUCKETS_MAX:
            self._debts.popitem(last=False)
        return debt.take(now, cost)


class Throttle:
    """Slows down a connection whose broken or refused commands and pings lead to nothing.

    A few cost nothing. Whoever goes on is read from more and more slowly, and is closed after
    `STRIKES_MAX` of them. All connections from one network share a larger allowance, which holds
    for those who have used up half of their own: one who floods does not slow their neighbours.
    """

    __slots__ = ("_address", "_clock", "_debt", "_of_address", "_strikes")

    def __init__(
        self, limit: RateLimit, of_address: AddressDebts, address: str, clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._debt = Debt(limit, clock())
        self._of_address = of_address
        self._address = address
        self._strikes = 0

    def take(self, cost: int = 1) -> float:
        """One more of them, or what costs as many; the seconds until more may be read.

        Infinity means that it is to be closed.
        """
        now = self._clock()
        if self._debt.left(now) >= 1:
            self._strikes = 0
        own_s, shared_s = self._debt.take(now, cost), self._of_address.take(self._address, cost)
        if self._debt.left(now) > HALF:
            return 0.0
        wait_s = max(own_s, shared_s)
        self._strikes += wait_s > 0
        too_much = wait_s > WAIT_MAX_S or self._strikes > STRIKES_MAX
        return math.inf if too_much else wait_s


class Places:
    """How many connections each key has."""

    def __init__(self, most: int, whose: str) -> None:
        self._most = most
        self._whose = whose
        self._taken: Counter[str] = Counter()

    def take(self, key: str) -> None:
        """Raises TooManyConnections if the key has all it may have."""
        if self._taken[key] >= self._most:
            raise TooManyConnections(
                f"No more than {self._most} connections {self._whose} at once. Close one first."
            )
        self._taken[key] += 1

    def give_back(self, key: str) -> None:
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
