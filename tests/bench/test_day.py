"""The numbers of people in the steps of the working day."""

import itertools

import pytest

from bench.day import GROWTH, TEAM, ladder


@pytest.mark.parametrize("start", [200, 400, 1_000, 5_000])
def test_every_step_is_of_whole_teams_and_about_a_quarter_more(start: int) -> None:
    steps = ladder(start, 30_000)
    assert steps[0] == start
    assert steps[-1] <= 30_000 < steps[-1] * GROWTH + TEAM
    for fewer, more in itertools.pairwise(steps):
        assert more % TEAM == 0
        assert fewer * GROWTH <= more < fewer * GROWTH + TEAM


def test_at_the_maximum_there_is_one_step() -> None:
    assert ladder(1_000, 1_000) == [1_000]
