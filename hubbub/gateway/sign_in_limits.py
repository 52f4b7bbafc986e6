"""How often a password may be guessed, without anybody being locked out by the guesses of others.

Why it is done so: docs/decisions/0022-signing-in.md.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from hubbub.gateway.limits import SITE_FACTOR, AddressBuckets, Buckets, networks_of
from hubbub.gateway.passwords import Path
from hubbub.model.errors import RateLimited
from hubbub.model.settings import RateLimit

# A person may mistype; a program may not guess.
TRIES_PER_DEVICE = RateLimit(per_s=1 / 10, burst=8)  # of one that is known for the account
TRIES_PER_ACCOUNT = RateLimit(per_s=1 / 2, burst=60)  # of all such devices together
TRIES_PER_ADDRESS = RateLimit(per_s=1 / 2, burst=30)  # whatever the names
FREE_TRIES = 5  # at a name, from one network
PAUSE_S = 10.0  # after these; it doubles with each further failure
PAUSE_MAX_S = 3600.0
FURTHER_PER_NAME = RateLimit(per_s=1 / 10, burst=8)  # above the free ones, of all networks
FORGOTTEN_AFTER_S = 24 * 3600.0

CUSTOMERS_MAX = 50_000  # IPv4 addresses and IPv6 /48s whose failures are kept
PER_CUSTOMER_MAX = 64  # names and networks; all further ones count as one
KNOWN_NAMES_MAX = 50_000
KNOWN_NETWORKS_MAX = 8  # for each name


K_contra = TypeVar("K_contra", contravariant=True)


class Allowance(Protocol[K_contra]):
    """A bucket, by key, from which each try takes a token."""

    def take(self, key: K_contra) -> None: ...

    def give_back(self, key: K_contra) -> None: ...


class Target(NamedTuple):
    """A name that is tried, and the address that it is tried from."""

    name: str
    address: str


class Attempt:
    """A try at a password, and what it took of the limits. ``path`` is its place in line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._undo: list[Callable[[], None]] = []
        self._on_success: list[Callable[[], None]] = []

    def take(self, allowance: Allowance[K_contra], key: K_contra) -> None:
        """Raises RateLimited, and gives back all that was taken before."""
        try:
            allowance.take(key)
        except RateLimited as error:
            self.take_back()
            raise RateLimited(
                "Too many tries. Wait a little before the next one.", retry_after=error.retry_after
            ) from None
        self._undo.append(partial(allowance.give_back, key))

    def on_success(self, call: Callable[[], None]) -> None:
        self._on_success.append(call)

    def take_back(self) -> None:
        """Nothing came of it, through no fault of theirs."""
        for undo in self._undo:
            undo()
        self._undo.clear()

    def succeeded(self) -> None:
        """The password was right."""
        for call in self._on_success:
            call()


class SignInLimits:
    """Limits how often callers may try. Without limits it only gives places in line."""

    def __init__(self, is_on: bool, clock: Callable[[], float]) -> None:
        self._is_on = is_on
        self._of_device = Buckets(TRIES_PER_DEVICE, clock)
        self._of_account = Buckets(TRIES_PER_ACCOUNT, clock)
        self._from_address = AddressBuckets(TRIES_PER_ADDRESS, clock)
        self._further = Buckets(FURTHER_PER_NAME, clock)
        self._failures = Failures(clock)
        self._networks = KnownNetworks()
        self.refused = 0

    def sign_up(self, name: str, address: str) -> Attempt:
        """Somebody wants an account. Raises RateLimited."""
        network, _ = networks_of(address)
        attempt = Attempt(_strangers_path(address))
        attempt.on_success(lambda: self._networks.add(name, network))
        if self._is_on:
            with self._counted():
                attempt.take(self._from_address, address)
        return attempt

    def sign_in(self, name: str, address: str, device: str | None) -> Attempt:
        """A try at this name. Raises RateLimited.

        ``device`` is what the caller is known by for this very account; None for a stranger.
        """
        network, _ = networks_of(address)
        is_known = self._networks.has(name, network)
        known_by = device or (network if is_known else None)
        attempt = Attempt(("known", name, known_by) if known_by else _strangers_path(address))
        if self._is_on:
            with self._counted():
                if device:
                    self._take_device(attempt, name, device)
                else:
                    self._take_address(attempt, Target(name, address), is_known=is_known)
        attempt.on_success(lambda: self._networks.add(name, network))
        return attempt

    def _take_device(self, attempt: Attempt, name: str, device: str) -> None:
        key = f"{name} {device}"
        attempt.take(self._of_account, name)
        attempt.take(self._of_device, key)
        # Whoever gives the right password has not guessed.
        attempt.on_success(lambda: self._of_device.give_back(key))

    def _take_address(self, attempt: Attempt, target: Target, *, is_known: bool) -> None:
        """A network known for this name is exempt from what others do to it, and from no more.

        So nobody learns from the limits whether there is such an account.
        """
        attempt.take(self._from_address, target.address)
        if not is_known and not self._failures.is_free(target):
            attempt.take(self._further, target.name)
        attempt.take(self._failures, target)
        attempt.on_success(lambda: self._failures.forget(target))

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except RateLimited:
            self.refused += 1
            raise


def _strangers_path(address: str) -> Path:
    network, site = networks_of(address)
    return ("unknown", site or network, network)


class Failures:
    """Failed tries at each name from each network, which must pause longer and longer.

    They are kept by what one customer may have (an IPv4 address or an IPv6 /48), and of each only
    so many: all further names and networks of it count as one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Customer → network (or the whole /48) and name → failures, and when the last one was.
        self._of: OrderedDict[str, dict[tuple[str, str], tuple[int, float]]] = OrderedDict()

    def is_free(self, target: Target) -> bool:
        """Whether this network has not yet used up its first tries at the name."""
        return all(self._find(place, target.name)[0] < place.free for place in _counted(target))

    def take(self, target: Target) -> None:
        """One failure more, unless it turns out to be right.

        Raises RateLimited while they must pause.
        """
        for place in _counted(target):
            self._require_pause(place, target.name)
        for place in _counted(target):
            self._keep(place, target.name, self._find(place, target.name)[0] + 1)

    def _require_pause(self, place: "Counted", name: str) -> None:
        failures, at = self._find(place, name)
        if failures < place.free:
            return
        pause_s = min(PAUSE_S * 2.0 ** min(failures - place.free, 20), PAUSE_MAX_S)
        if (left_s := at + pause_s - self._clock()) > 0:
            raise RateLimited(retry_after=left_s)

    def give_back(self, target: Target) -> None:
        for place in _counted(target):
            failures, at = self._find(place, target.name)
            if failures:
                self._of[place.customer][self._key(place, target.name)] = (failures - 1, at)

    def forget(self, target: Target) -> None:
        """They knew the password."""
        for customer, network, _ in _counted(target):
            kept = self._of.get(customer, {})
            kept.pop((network, target.name), None)
            if customer in self._of and not kept:
                del self._of[customer]

    def _find(self, place: "Counted", name: str) -> tuple[int, float]:
        """How many there were, and when the last one was."""
        kept = self._of.get(place.customer, {})
        failures, at = kept.get(self._key(place, name), (0, 0.0))
        return (failures, at) if self._clock() - at < FORGOTTEN_AFTER_S else (0, at)

    def _key(self, place: "Counted", name: str) -> tuple[str, str]:
        kept, key = self._of.get(place.customer, {}), (place.network, name)
        return key if key in kept or len(kept) < PER_CUSTOMER_MAX else ("", "")

    def _keep(self, place: "Counted", name: str, failures: int) -> None:
        now = self._clock()
        kept = self._of.setdefault(place.customer, {})
        self._of.move_to_end(place.customer)
        if len(kept) >= PER_CUSTOMER_MAX:
            for key in [key for key, (_, at) in kept.items() if now - at >= FORGOTTEN_AFTER_S]:
                del kept[key]
        kept[self._key(place, name)] = (failures, now)
        if len(self._of) > CUSTOMERS_MAX:
            # Whoever has so many addresses has as many free tries with each of them anyway.
            self._of.popitem(last=False)


class Counted(NamedTuple):
    """A place where failures are counted, and how many of them are free."""

    customer: str
    network: str
    free: int


def _counted(target: Target) -> list[Counted]:
    network, site = networks_of(target.address)
    if site is None:
        return [Counted(network, network, FREE_TRIES)]
    return [Counted(site, network, FREE_TRIES), Counted(site, site, FREE_TRIES * SITE_FACTOR)]


class KnownNetworks:
    """The networks from which somebody has lately signed in to each account."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def has(self, name: str, network: str) -> bool:
        return network in self._of.get(name, ())

    def add(self, name: str, network: str) -> None:
        networks = self._of.setdefault(name, OrderedDict())
        self._of.move_to_end(name)
        networks[network] = None
        networks.move_to_end(network)
        if len(networks) > KNOWN_NETWORKS_MAX:
            networks.popitem(last=False)
        if len(self._of) > KNOWN_NAMES_MAX:
            self._of.popitem(last=False)
