"""The connection limiter on its own: slots are counted, and waiting connections make room."""

import contextlib
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.gateway.transport.connection_limiter import ConnectionLimiter, Slot
from hubbub.model.errors import Busy, RateLimited, TooManyConnections


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


OPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "request", "idle", "keep", "release", "tick"]),
        st.integers(0, 5),
    ),
    max_size=200,
)


@settings(deadline=None)
@given(OPS, st.booleans())
def test_slot_counts_are_right_after_any_operations(
    ops: list[tuple[str, int]], has_networks: bool
) -> None:
    clock, closed = Clock(), set[int]()
    limiter = ConnectionLimiter(3 if has_networks else None, clock, capacity=8)
    slots: dict[int, Slot] = {}
    for nth, (op, number) in enumerate(ops):
        if op == "tick":
            clock.now += number * 20
            limiter.sweep()
        elif op == "open":
            with contextlib.suppress(Busy, TooManyConnections, RateLimited):
                slots[nth] = limiter.open_slot(f"network {number % 2}", partial(closed.add, nth))
        elif slots:
            key = sorted(slots)[number % len(slots)]
            slot = slots[key]
            if op == "release":
                slot.release()
                del slots[key]
            elif key not in closed:
                slot.exempt() if op == "keep" else slot.set_state(op)  # type: ignore[arg-type]
        # Aborted connections release their slot in the next turn of the loop.
        for key in [key for key in slots if key in closed]:
            slots.pop(key).release()
        assert limiter.open == len(slots) <= limiter.capacity
    for slot in slots.values():
        slot.release()
    assert limiter.open == 0
    assert not limiter._networks
    assert not limiter._waiting


def test_the_longest_waiting_connection_is_closed_first_and_none_with_a_request() -> None:
    clock, closed = Clock(), list[str]()
    limiter = ConnectionLimiter(None, clock, capacity=3)

    def opened(name: str) -> Slot:
        clock.now += 0.001
        return limiter.open_slot(None, lambda: closed.append(name))

    working, waiting, idle = opened("working"), opened("waiting"), opened("idle")
    working.set_state("request")
    idle.set_state("request")
    idle.set_state("idle")
    opened("next")
    opened("another")
    assert closed == ["idle", "waiting"]
    del waiting


def test_when_all_connections_have_requests_the_next_is_refused_busy() -> None:
    limiter = ConnectionLimiter(None, Clock(), capacity=2)
    for _ in range(2):
        limiter.open_slot(None, _never).exempt()
    with pytest.raises(Busy):
        limiter.open_slot(None, _never)


def _never() -> None:
    raise AssertionError("a connection with a request was closed")
