"""How limits behave over time, and when somebody tries to fill what is kept of them."""

import asyncio

import pytest

from hubbub.gateway.auth import sign_in_limits
from hubbub.gateway.auth.passwords import FairQueue, Job
from hubbub.gateway.auth.sign_in_limits import FREE_TRIES, PER_CUSTOMER_MAX, SignInLimits
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
def tries(clock: Clock) -> SignInLimits:
    return SignInLimits(True, clock)


def _pause(tries: SignInLimits, name: str = "ana", address: str = HERE) -> float:
    """The seconds until another try is allowed; 0 if it was."""
    try:
        tries.sign_in(name, address, None)
    except RateLimited as error:
        return error.retry_after or 0.0
    return 0.0


def _fail(tries: SignInLimits, times: int, name: str = "ana", address: str = HERE) -> None:
    for _ in range(times):
        assert not _pause(tries, name, address)


def test_the_pauses_of_one_who_guesses_on_double_up_to_an_hour(
    tries: SignInLimits, clock: Clock
) -> None:
    _fail(tries, FREE_TRIES)
    pauses = []
    for _ in range(12):
        pauses.append(round(_pause(tries)))
        clock.now += pauses[-1]
        _fail(tries, 1)
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]


def test_failures_are_forgotten_after_a_day_or_a_success(tries: SignInLimits, clock: Clock) -> None:
    _fail(tries, FREE_TRIES)
    assert _pause(tries)
    clock.now += DAY_S
    _fail(tries, FREE_TRIES)
    assert _pause(tries)
    clock.now += 10
    tries.sign_in("ana", HERE, None).succeeded()
    _fail(tries, FREE_TRIES)


def test_all_strangers_together_get_few_tries_above_the_free_ones(
    tries: SignInLimits, clock: Clock
) -> None:
    addresses = [f"203.0.{a}.{b}" for a in range(4) for b in range(250)]
    for address in addresses:
        _fail(tries, FREE_TRIES, address=address)
    clock.now += 600
    further = sum(not _pause(tries, address=address) for address in addresses)
    assert further == sign_in_limits.FURTHER_PER_NAME.burst


def test_made_up_names_do_not_wash_away_what_an_address_has_failed(
    tries: SignInLimits, clock: Clock
) -> None:
    _fail(tries, FREE_TRIES)
    for nth in range(10 * PER_CUSTOMER_MAX):
        clock.now += 2  # as the address may not try faster, whatever the names
        _pause(tries, f"made up {nth}")
    # The next failure is the sixth, and the pause after it as long as it would have been.
    _fail(tries, 1)
    assert _pause(tries) == 2 * sign_in_limits.PAUSE_S
    assert len(tries._failures._of[HERE]) <= PER_CUSTOMER_MAX + 1


def test_so_many_names_of_one_address_count_as_one(tries: SignInLimits, clock: Clock) -> None:
    for nth in range(PER_CUSTOMER_MAX):
        clock.now += 2
        _fail(tries, 1, f"n{nth}")
    for nth in range(FREE_TRIES):
        clock.now += 2
        _fail(tries, 1, f"m{nth}")
    assert _pause(tries, "another")
    _fail(tries, 1, "another", THERE)


def test_what_is_kept_of_addresses_is_bounded(
    tries: SignInLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_limits, "CUSTOMERS_MAX", 50)
    for nth in range(200):
        _fail(tries, 1, address=f"2001:db8:{nth:x}::1")
    assert len(tries._failures._of) == 50


def test_full_buckets_make_room_and_others_do_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KEYS_MAX", 10)
    monkeypatch.setattr(limits, "SHARED_FACTOR", 3)
    limiter = RateLimiter(RateLimit(per_s=1, burst=2), clock)
    for _ in range(2):
        limiter.take("victim")
    for nth in range(9):
        limiter.take(f"made up {nth}")
    # There are ten: newcomers share one bucket, three times as large, and nobody's is reset.
    for nth in range(6):
        limiter.take(f"newcomer {nth}")
    with pytest.raises(RateLimited):
        limiter.take("newcomer 7")
    with pytest.raises(RateLimited):
        limiter.take("victim")
    clock.now += 2
    limiter.take("newcomer 8")
    assert len(limiter._levels) <= 10


def test_a_token_that_is_given_back_can_be_taken_again(clock: Clock) -> None:
    limiter = RateLimiter(RateLimit(per_s=0.001, burst=1), clock)
    limiter.take("ana")
    limiter.release("ana")
    limiter.release("ana")
    limiter.take("ana")
    with pytest.raises(RateLimited):
        limiter.take("ana")


async def test_lanes_take_turns_and_in_each_lane_those_in_it() -> None:
    line = FairQueue()

    def push(*path: str) -> Job:
        job = Job(path, lambda: False)
        line.push(job)
        return job

    flood = [push("unknown", "a", "a1") for _ in range(3)]
    site = [push("unknown", "b", "b1"), push("unknown", "b", "b2"), push("unknown", "b", "b1")]
    known = push("known", "ana", "device")
    assert line.size == 7
    assert line.last_of_most(("known", "ana", "device")) is flood[-1]
    assert line.last_of_most(("unknown", "b", "b1")) is site[-1]
    assert line.size_of(("unknown", "b", "b1")) == 2
    line.remove(flood[1])
    order = [line.next() for _ in range(7)]
    assert order == [flood[0], known, site[0], flood[2], site[1], site[2], None]
    assert not line.size
    await asyncio.sleep(0)
