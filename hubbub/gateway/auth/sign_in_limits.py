"""Limits of sign-in attempts. Nobody can lock out others by guessing their passwords.

See docs/decisions/0022-signing-in.md.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from hubbub.gateway.auth.passwords import QueuePath
from hubbub.gateway.dispatch.limits import SITE_FACTOR, AddressRateLimiter, RateLimiter, networks_of
from hubbub.model.errors import RateLimited
from hubbub.model.settings import RateLimit

ATTEMPTS_PER_DEVICE = RateLimit(per_s=1 / 10, burst=8)  # for a device known for the account
ATTEMPTS_PER_ACCOUNT = RateLimit(per_s=1 / 2, burst=60)  # for all such devices together
ATTEMPTS_PER_ADDRESS = RateLimit(per_s=1 / 2, burst=30)  # for all names together
FREE_ATTEMPTS = 5  # at a name, from one network
PAUSE_S = 10.0  # after the free attempts; doubles with each further failure
PAUSE_MAX_S = 3600.0
EXTRA_ATTEMPTS_PER_NAME = RateLimit(
    per_s=1 / 10, burst=8
)  # beyond the free ones, from all networks
FORGOTTEN_AFTER_S = 24 * 3600.0

CUSTOMERS_MAX = 50_000  # IPv4 addresses and IPv6 /48s whose failures are kept
PER_CUSTOMER_MAX = 64  # pairs of network and name; all further ones count as one
KNOWN_NAMES_MAX = 50_000
KNOWN_NETWORKS_MAX = 8  # for each name


K_contra = TypeVar("K_contra", contravariant=True)


class Allowance(Protocol[K_contra]):
    """A limit by key, of which each attempt uses one unit."""

    def take(self, key: K_contra) -> None: ...

    def release(self, key: K_contra) -> None: ...


class Target(NamedTuple):
    """The name that somebody signs in to, and their address."""

    name: str
    address: str


class Attempt:
    """One attempt and what it used of the limits. ``path`` is its place in the password queue."""

    def __init__(self, path: QueuePath) -> None:
        self.path = path
        self._undo: list[Callable[[], None]] = []
        self._on_success: list[Callable[[], None]] = []

    def take(self, allowance: Allowance[K_contra], key: K_contra) -> None:
        """Use a limit. Raises RateLimited, and then refunds what was used before."""
        try:
            allowance.take(key)
        except RateLimited as error:
            self.refund()
            raise RateLimited(
                "Too many attempts. Wait a little before the next one.",
                retry_after=error.retry_after,
            ) from None
        self._undo.append(partial(allowance.release, key))

    def call_on_success(self, callback: Callable[[], None]) -> None:
        self._on_success.append(callback)

    def refund(self) -> None:
        """Give back what was used, as the attempt was not evaluated."""
        for undo in self._undo:
            undo()
        self._undo.clear()

    def confirm_success(self) -> None:
        """Call the success callbacks: the password was right."""
        for callback in self._on_success:
            callback()


class SignInLimits:
    """Starts attempts. If limits are off, it only determines their place in the password queue."""

    def __init__(self, is_on: bool, clock: Callable[[], float]) -> None:
        self._is_on = is_on
        self._per_device = RateLimiter(ATTEMPTS_PER_DEVICE, clock)
        self._per_account = RateLimiter(ATTEMPTS_PER_ACCOUNT, clock)
        self._per_address = AddressRateLimiter(ATTEMPTS_PER_ADDRESS, clock)
        self._extra_per_name = RateLimiter(EXTRA_ATTEMPTS_PER_NAME, clock)
        self._failures = Failures(clock)
        self._networks = KnownNetworks()
        self.refused = 0

    def sign_up(self, name: str, address: str) -> Attempt:
        """Start an attempt to sign up. Raises RateLimited."""
        network, _ = networks_of(address)
        attempt = Attempt(_unknown_path(address))
        attempt.call_on_success(lambda: self._networks.add(name, network))
        if self._is_on:
            with self._counting_refusals():
                attempt.take(self._per_address, address)
        return attempt

    def sign_in(self, name: str, address: str, device: str | None) -> Attempt:
        """Start an attempt to sign in. Raises RateLimited.

        ``device`` identifies a device or session known for this account; None without one.
        """
        network, _ = networks_of(address)
        is_known = self._networks.has(name, network)
        known_by = device or (network if is_known else None)
        attempt = Attempt(("known", name, known_by) if known_by else _unknown_path(address))
        if self._is_on:
            with self._counting_refusals():
                if device:
                    self._take_device(attempt, name, device)
                else:
                    self._take_address(attempt, Target(name, address), is_known=is_known)
        attempt.call_on_success(lambda: self._networks.add(name, network))
        return attempt

    def _take_device(self, attempt: Attempt, name: str, device: str) -> None:
        key = f"{name} {device}"
        attempt.take(self._per_account, name)
        attempt.take(self._per_device, key)
        attempt.call_on_success(lambda: self._per_device.release(key))

    def _take_address(self, attempt: Attempt, target: Target, *, is_known: bool) -> None:
        """A network known for this name is exempt from the limit per name, which others may use up.

        The limits are the same whether there is such an account or not.
        """
        attempt.take(self._per_address, target.address)
        if not is_known and not self._failures.is_free(target):
            attempt.take(self._extra_per_name, target.name)
        attempt.take(self._failures, target)
        attempt.call_on_success(lambda: self._failures.forget(target))

    @contextlib.contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except RateLimited:
            self.refused += 1
            raise


def _unknown_path(address: str) -> QueuePath:
    network, site = networks_of(address)
    return ("unknown", site or network, network)


class Failures:
    """Counts failed attempts at each name from each network, with pauses that grow.

    They are grouped by customer: an IPv4 address or an IPv6 /48. Each customer has at most
    `PER_CUSTOMER_MAX` counts; all further names and networks of it share one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Customer → (network or /48, name) → number of failures, and the time of the last one.
        self._by_customer: OrderedDict[str, dict[tuple[str, str], tuple[int, float]]] = (
            OrderedDict()
        )

    def is_free(self, target: Target) -> bool:
        """Whether this network has free attempts at the name left."""
        return all(self._get(scope, target.name)[0] < scope.free for scope in _scopes_of(target))

    def take(self, target: Target) -> None:
        """Count a failure in advance. `release` or `forget` takes it back.

        Raises RateLimited during a pause.
        """
        for scope in _scopes_of(target):
            self._require_no_pause(scope, target.name)
        for scope in _scopes_of(target):
            self._set(scope, target.name, self._get(scope, target.name)[0] + 1)

    def _require_no_pause(self, scope: "FailureScope", name: str) -> None:
        failures, at = self._get(scope, name)
        if failures < scope.free:
            return
        pause_s = min(PAUSE_S * 2.0 ** min(failures - scope.free, 20), PAUSE_MAX_S)
        if (left_s := at + pause_s - self._clock()) > 0:
            raise RateLimited(retry_after=left_s)

    def release(self, target: Target) -> None:
        for scope in _scopes_of(target):
            failures, at = self._get(scope, target.name)
            if failures:
                self._by_customer[scope.customer][self._key(scope, target.name)] = (
                    failures - 1,
                    at,
                )

    def forget(self, target: Target) -> None:
        """Forget the failures at this name, as the password was right."""
        for customer, network, _ in _scopes_of(target):
            entries = self._by_customer.get(customer, {})
            entries.pop((network, target.name), None)
            if customer in self._by_customer and not entries:
                del self._by_customer[customer]

    def _get(self, scope: "FailureScope", name: str) -> tuple[int, float]:
        """The number of failures, and the time of the last one."""
        entries = self._by_customer.get(scope.customer, {})
        failures, at = entries.get(self._key(scope, name), (0, 0.0))
        return (failures, at) if self._clock() - at < FORGOTTEN_AFTER_S else (0, at)

    def _key(self, scope: "FailureScope", name: str) -> tuple[str, str]:
        entries, key = self._by_customer.get(scope.customer, {}), (scope.network, name)
        return key if key in entries or len(entries) < PER_CUSTOMER_MAX else ("", "")

    def _set(self, scope: "FailureScope", name: str, failures: int) -> None:
        now = self._clock()
        entries = self._by_customer.setdefault(scope.customer, {})
        self._by_customer.move_to_end(scope.customer)
        if len(entries) >= PER_CUSTOMER_MAX:
            for key in [key for key, (_, at) in entries.items() if now - at >= FORGOTTEN_AFTER_S]:
                del entries[key]
        entries[self._key(scope, name)] = (failures, now)
        if len(self._by_customer) > CUSTOMERS_MAX:
            # An attacker with so many addresses has free attempts with each of them anyway.
            self._by_customer.popitem(last=False)


class FailureScope(NamedTuple):
    """A network or /48 whose failures are counted, and how many of them are free."""

    customer: str
    network: str
    free: int


def _scopes_of(target: Target) -> list[FailureScope]:
    network, site = networks_of(target.address)
    if site is None:
        return [FailureScope(network, network, FREE_ATTEMPTS)]
    return [
        FailureScope(site, network, FREE_ATTEMPTS),
        FailureScope(site, site, FREE_ATTEMPTS * SITE_FACTOR),
    ]


class KnownNetworks:
    """The networks from which people have recently signed in to each account."""

    def __init__(self) -> None:
        self._by_name: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def has(self, name: str, network: str) -> bool:
        return network in self._by_name.get(name, ())

    def add(self, name: str, network: str) -> None:
        networks = self._by_name.setdefault(name, OrderedDict())
        self._by_name.move_to_end(name)
        networks[network] = None
        networks.move_to_end(network)
        if len(networks) > KNOWN_NETWORKS_MAX:
            networks.popitem(last=False)
        if len(self._by_name) > KNOWN_NAMES_MAX:
            self._by_name.popitem(last=False)
