"""Sign-in limits over time, and with more keys than they keep."""

import asyncio

import pytest

from hubbub.gateway.auth import sign_in_limits
from hubbub.gateway.auth.passwords import FairQueue, PasswordJob
from hubbub.gateway.auth.sign_in_limits import FREE_ATTEMPTS, PER_CUSTOMER_MAX, SignInLimits
from hubbub.gateway.dispatch import limits
from hubbub.gateway.dispatch.limits import RateLimiter
from hubbub.model.errors import RateLimited
from hubbub.model.settings import RateLimit

HERE, THERE = "203.0.113.1", "203.0.113.2"
DAY_S = 24 * 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sign_ins(clock: Clock) -> SignInLimits:
    return SignInLimits(True, clock)


def _pause(sign_ins: SignInLimits, name: str = "ana", address: str = HERE) -> float:
    """Attempt a sign-in. Returns the seconds until another attempt is allowed; 0 if it was."""
    try:
        sign_ins.sign_in(name, address, None)
    except RateLimited as error:
        return error.retry_after or 0.0
    return 0.0


def _fail(sign_ins: SignInLimits, times: int, name: str = "ana", address: str = HERE) -> None:
    for _ in range(times):
        assert not _pause(sign_ins, name, address)


def test_pauses_double_with_each_failure_up_to_an_hour(
    sign_ins: SignInLimits, clock: Clock
) -> None:
    _fail(sign_ins, FREE_ATTEMPTS)
    pauses = []
    for _ in range(12):
        pauses.append(round(_pause(sign_ins)))
        clock.now += pauses[-1]
        _fail(sign_ins, 1)
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]


def test_failures_are_forgotten_after_a_day_or_a_success(
    sign_ins: SignInLimits, clock: Clock
) -> None:
    _fail(sign_ins, FREE_ATTEMPTS)
    assert _pause(sign_ins)
    clock.now += DAY_S
    _fail(sign_ins, FREE_ATTEMPTS)
    assert _pause(sign_ins)
    clock.now += 10
    sign_ins.sign_in("ana", HERE, None).confirm_success()
    _fail(sign_ins, FREE_ATTEMPTS)


def test_unknown_networks_share_few_attempts_beyond_the_free_ones(
    sign_ins: SignInLimits, clock: Clock
) -> None:
    addresses = [f"203.0.{a}.{b}" for a in range(4) for b in range(250)]
    for address in addresses:
        _fail(sign_ins, FREE_ATTEMPTS, address=address)
    clock.now += 600
    extra = sum(not _pause(sign_ins, address=address) for address in addresses)
    assert extra == sign_in_limits.EXTRA_ATTEMPTS_PER_NAME.burst


def test_attempts_at_other_names_do_not_reset_the_failures_of_an_address(
    sign_ins: SignInLimits, clock: Clock
) -> None:
    _fail(sign_ins, FREE_ATTEMPTS)
    for nth in range(10 * PER_CUSTOMER_MAX):
        clock.now += 2  # the limit per address over all names
        _pause(sign_ins, f"made up {nth}")
    # The next failure is the sixth, and the pause after it is as long as without the other names.
    _fail(sign_ins, 1)
    assert _pause(sign_ins) == 2 * sign_in_limits.PAUSE_S
    assert len(sign_ins._failures._by_customer[HERE]) <= PER_CUSTOMER_MAX + 1


def test_above_the_bound_all_names_of_an_address_count_as_one(
    sign_ins: SignInLimits, clock: Clock
) -> None:
    for nth in range(PER_CUSTOMER_MAX):
        clock.now += 2
        _fail(sign_ins, 1, f"n{nth}")
    for nth in range(FREE_ATTEMPTS):
        clock.now += 2
        _fail(sign_ins, 1, f"m{nth}")
    assert _pause(sign_ins, "another")
    _fail(sign_ins, 1, "another", THERE)


def test_the_number_of_addresses_kept_is_bounded(
    sign_ins: SignInLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_limits, "CUSTOMERS_MAX", 50)
    for nth in range(200):
        _fail(sign_ins, 1, address=f"2001:db8:{nth:x}::1")
    assert len(sign_ins._failures._by_customer) == 50


def test_only_full_buckets_are_forgotten_to_make_room(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KEYS_MAX", 10)
    monkeypatch.setattr(limits, "SHARED_FACTOR", 3)
    limiter = RateLimiter(RateLimit(per_s=1, burst=2), clock)
    for _ in range(2):
        limiter.take("victim")
    for nth in range(9):
        limiter.take(f"made up {nth}")
    # There are ten keys: new ones share a bucket three times as large, and none is reset.
    for nth in range(6):
        limiter.take(f"newcomer {nth}")
    with pytest.raises(RateLimited):
        limiter.take("newcomer 7")
    with pytest.raises(RateLimited):
        limiter.take("victim")
    clock.now += 2
    limiter.take("newcomer 8")
    assert len(limiter._levels) <= 10


def test_a_released_token_can_be_taken_again(clock: Clock) -> None:
    limiter = RateLimiter(RateLimit(per_s=0.001, burst=1), clock)
    limiter.take("ana")
    limiter.release("ana")
    limiter.release("ana")
    limiter.take("ana")
    with pytest.raises(RateLimited):
        limiter.take("ana")


async def test_branches_of_the_queue_take_turns_at_every_level() -> None:
    queue = FairQueue()

    def push(*path: str) -> PasswordJob:
        job = PasswordJob(path, lambda: False)
        queue.push(job)
        return job

    flood = [push("unknown", "a", "a1") for _ in range(3)]
    site = [push("unknown", "b", "b1"), push("unknown", "b", "b2"), push("unknown", "b", "b1")]
    known = push("known", "ana", "device")
    assert queue.size == 7
    assert queue.last_of_largest(("known", "ana", "device")) is flood[-1]
    assert queue.last_of_largest(("unknown", "b", "b1")) is site[-1]
    assert queue.size_of(("unknown", "b", "b1")) == 2
    queue.remove(flood[1])
    order = [queue.next() for _ in range(7)]
    assert order == [flood[0], known, site[0], flood[2], site[1], site[2], None]
    assert not queue.size
    await asyncio.sleep(0)
