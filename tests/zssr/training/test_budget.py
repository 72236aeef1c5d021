"""Budgets: what ends a fit and its rounds."""

import pytest

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.training.budget import MIN_LATER, Budget, split_budget


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def seconds_budget(clock: Clock, seconds: float = 10.0, rounds: int = 2) -> Budget:
    """Return a budget of seconds that began now."""
    config = ZSSRConfig(budget="seconds", fit_budget_s=seconds, rounds=rounds)
    return Budget.of(config, clock)


@pytest.mark.parametrize(("iterations", "rounds"), [(10, 3), (2, 5), (7, 1)])
def test_iterations_are_split_over_the_rounds(iterations: int, rounds: int) -> None:
    """All are spent, each round has one at least, and none has two more than another."""
    budget = Budget.of(ZSSRConfig(num_epochs=iterations, rounds=rounds))
    split = [budget.round_iterations(number) for number in range(budget.rounds)]
    assert sum(split) == iterations
    assert 1 <= min(split) <= max(split) <= min(split) + 1
    assert [budget.share(done) for done in (0, iterations)] == [0, 1]


def test_seconds_are_split_over_the_rounds() -> None:
    """Each round has its part of the clock; the share of the fit runs through."""
    clock = Clock()
    budget = seconds_budget(clock)
    first = budget.round_share(0)
    clock.now_s = 102.5
    assert first is not None
    assert (first(), budget.share(1)) == (0.5, 0.25)
    clock.now_s = 105.0
    assert first() == 1.0


def test_a_round_that_begins_late_ends_in_time() -> None:
    """What the first round overdrew is taken from the second, and nothing is negative."""
    clock = Clock()
    budget = seconds_budget(clock)
    clock.now_s = 108.0
    second = budget.round_share(1)
    clock.now_s = 109.0
    assert second is not None
    assert second() == pytest.approx(0.5)
    clock.now_s = 120.0
    assert (second(), budget.share(1)) == (1.0, 1.0)
    late = budget.round_share(1)
    assert late is not None
    assert late() == 1.0


def test_iterations_within_seconds_are_estimated_from_the_pace() -> None:
    """Ten in a quarter of the time make forty."""
    clock = Clock()
    budget = seconds_budget(clock)
    clock.now_s = 102.5
    assert budget.steps(10) == 40
    clock.now_s = 300.0
    assert budget.steps(60) == 60


@pytest.mark.parametrize(("scale", "later_passes"), [(3.0, 1), (4.0, 1), (8.0, 2)])
@pytest.mark.parametrize("iterations", [300, 301, 4200])
def test_iterations_are_split_over_the_passes(
    scale: float, later_passes: int, iterations: int
) -> None:
    """All are spent; each later pass has a third of what the first one has, in one round."""
    first, later = split_budget(ZSSRConfig(scale_factor=scale, num_epochs=iterations, rounds=3))
    assert later is not None
    assert first.num_epochs + later_passes * later.num_epochs == iterations
    assert later.num_epochs == pytest.approx(first.num_epochs / 3, abs=1)
    assert (first.rounds, later.rounds) == (3, 1)


def test_seconds_are_split_over_the_passes() -> None:
    """Whatever num_epochs says."""
    config = ZSSRConfig(scale_factor=8.0, budget="seconds", fit_budget_s=10.0, num_epochs=1)
    first, later = split_budget(config)
    assert later is not None
    assert (first.fit_budget_s, later.fit_budget_s) == pytest.approx((6, 2))


def test_one_pass_and_few_iterations_are_not_split() -> None:
    """A later pass begins to be fitted where it has `MIN_LATER`."""
    few = ZSSRConfig(scale_factor=4.0, num_epochs=4 * MIN_LATER - 1)
    for config in (ZSSRConfig(), ZSSRConfig(scale_factor=4.0).in_one_pass(), few):
        assert split_budget(config) == (config, None)
    assert split_budget(ZSSRConfig(scale_factor=4.0, num_epochs=4 * MIN_LATER))[1] is not None
