"""Finding the highest sustained rate: the ladder, the faults, ascent and descent."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bench import ramp


@dataclass(frozen=True)
class StepStub:
    sent: int = 1000
    unsent: int = 0
    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    closed: int = 0
    p99_us: float = 5_000
    rate: float = 0


def server_that_holds(limit: float, tried: list[float]) -> Callable[[float], StepStub]:
    def attempt(rate: float) -> StepStub:
        tried.append(rate)
        return StepStub(rate=rate, lost=0 if rate <= limit else 1)

    return attempt


def test_a_step_without_loss_and_in_time_is_sustained() -> None:
    assert ramp.fault(StepStub()) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"lost": 1},
        {"repeated": 1},
        {"wrong": 1},
        {"closed": 1},
        {"p99_us": 100_000.0},
        {"sent": 980, "unsent": 20},
    ],
)
def test_a_step_with_one_fault_is_not_sustained(bad: dict[str, float]) -> None:
    assert ramp.fault(replace(StepStub(), **bad)) is not None  # type: ignore[arg-type]


def test_one_message_cut_off_at_the_end_does_not_fail_a_step() -> None:
    assert ramp.fault(StepStub(sent=999, unsent=1)) is None


def test_the_ladder_rises_in_steps_of_a_quarter() -> None:
    assert ramp.rate(0) == 500
    assert ramp.rate(1) == 625
    assert ramp.rate(-1) == 400


def test_an_ascent_ends_at_the_first_rate_that_fails() -> None:
    tried: list[float] = []
    best = ramp.ascend(server_that_holds(1000, tried), start=0)
    assert tried == [500, 625, 781.25, 976.5625, 1220.703125]
    assert best is not None
    assert best.rate == 976.5625


def test_an_ascent_that_began_too_high_descends_to_a_sustained_rate() -> None:
    tried: list[float] = []
    best = ramp.ascend(server_that_holds(400, tried), start=2)
    assert tried == [781.25, 625, 500, 400]
    assert best is not None
    assert best.rate == 400


def test_a_server_that_sustains_nothing_has_no_best_step() -> None:
    tried: list[float] = []
    assert ramp.ascend(server_that_holds(0, tried), start=0) is None
    assert min(tried) == ramp.rate(ramp.LOWEST_RUNG)


def test_a_probe_finds_a_sustained_rung_in_few_steps() -> None:
    tried: list[float] = []
    rung = ramp.probe(server_that_holds(10_000, tried))
    assert ramp.rate(rung) <= 10_000 < ramp.rate(rung + ramp.PROBE_RUNGS)
    assert len(tried) <= 6
