"""How much one person or address may do: token buckets and bounds, each with a bound itself."""

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import lru_cache

from hubbub.model.errors import RateLimited, TooManyConnections
from hubbub.model.settings import RateLimit

BUCKETS_MAX = 50_000  # the ones not used for longest are forgotten: they are full again anyway
SITE_FACTOR = 8  # how many times more an IPv6 /48 may do than each /64 in it
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
        self.refused = 0

    def take(self, key: str) -> None:
        """Take one token. Raises RateLimited with the time until there is one."""
        now = self._clock()
        level, since = self._levels.get(key, (self._limit.burst, now))
        level = min(self._limit.burst, level + (now - since) * self._limit.per_s)
        if level < 1:
            self.refused += 1
            raise RateLimited(retry_after=round((1 - level) / self._limit.per_s, 2))
        self._levels[key] = (level - 1, now)
        self._levels.move_to_end(key)
        if len(self._levels) > BUCKETS_MAX:
            self._levels.popitem(last=False)


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
            self._sites.take(site)


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
