"""How much one person or address may do: token buckets and bounds, each with a bound itself."""

from collections import Counter, OrderedDict
from collections.abc import Callable

from hubbub.model.errors import RateLimited, TooManyConnections
from hubbub.model.settings import RateLimit

BUCKETS_MAX = 50_000  # the ones not used for longest are forgotten: they are full again anyway


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
