"""Schedules: the cosine's shape and the paper's plateau rule."""

from collections.abc import Callable
from typing import Any

import pytest

from zssr_daemon.zssr.training.schedule import Cosine, Plateau, TimedCosine, Until, is_stalled


def rates(schedule: Cosine | Plateau, count: int) -> list[float]:
    """Collect the rates until the schedule stops."""
    collected: list[float] = []
    while len(collected) < count and (rate := schedule(len(collected))) is not None:
        collected.append(rate)
    return collected


def test_cosine_warms_up_for_a_tenth_and_ends_at_stop() -> None:
    """Rise to the peak over 10 %, fall ever after, end where told."""
    curve = rates(Cosine(peak=1.0, stop=0.25, iterations=100), 100)
    assert curve[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert curve[9:] == sorted(curve[9:], reverse=True)
    assert curve[-1] == pytest.approx(0.25)


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_cosine_never_exceeds_its_peak_in_tiny_budgets(iterations: int) -> None:
    """A round of one iteration has a rate, too."""
    curve = rates(Cosine(peak=1.0, stop=2.0, iterations=iterations), iterations)
    assert all(0 < rate <= 1 for rate in curve)


def test_steady_fall_is_not_stalled_but_noise_is() -> None:
    """A clean line has no standard error; a zigzag drowns its slope."""
    assert not is_stalled([5.0, 4.0, 3.0, 2.0, 1.0], 1.5)
    assert is_stalled([1.0, 1.2, 0.9, 1.1, 1.0], 1.5)


def test_rising_errors_are_stalled() -> None:
    """The sign counts: errors that grow are no progress, however clean their line."""
    assert is_stalled([1.0, 2.0, 3.0, 4.0, 5.0], 1.5)


def test_stalled_is_decided_by_the_slopes_standard_error() -> None:
    """Slope -1, standard error sqrt(2 / 15): the ratio where it tips is their quotient."""
    errors = [4.0, 4.0, 2.0, 0.0, 0.0]  # slope -1.2; residuals -0.4 .8 0 -.8 .4, so SE = .2309
    tipping = 0.23094 / 1.2
    assert is_stalled(errors, tipping * 0.99)
    assert not is_stalled(errors, tipping * 1.01)


def plateau_of(reconstruct: Callable[[], float], **values: float) -> Plateau:
    """Return the paper's rule with its numbers, `values` aside."""
    paper: dict[str, Any] = {
        "rate": 1e-3,
        "stop": 9e-6,
        "decay": 10.0,
        "ratio": 1.5,
        "span": 256,
        "every": 60,
        "reconstruct_every": 50,
    }
    return Plateau(**(paper | values), reconstruct=reconstruct)


def test_plateau_of_the_paper_ends_after_900_iterations_at_the_earliest() -> None:
    """Checks every 60, none within 256 of the last drop, three drops from 1e-3 to the stop."""
    # A constant error has slope 0 and standard error 0: not below it, hence the zigzag.
    errors = iter([1.0, 1.2] * 100)
    curve = rates(plateau_of(lambda: next(errors)), 3000)
    assert curve == pytest.approx([1e-3] * 300 + [1e-4] * 300 + [1e-5] * 300)


def test_plateau_reconstructs_every_fifty_iterations() -> None:
    """And not at the start, where nothing is learnt."""
    calls: list[float] = []

    def reconstruct() -> float:
        calls.append(1.0)
        return -float(len(calls))

    rates(plateau_of(reconstruct), 201)
    assert len(calls) == 4


def test_plateau_looks_at_the_errors_of_its_span_only() -> None:
    """Zigzag at first, then a clean fall: only the last five errors decide, so no drop."""
    errors = iter([1.0, 1.2, *range(1000, 0, -1)])
    plateau = plateau_of(lambda: float(next(errors)), every=350)
    assert rates(plateau, 400) == [1e-3] * 400


def test_plateau_keeps_the_rate_while_the_error_falls() -> None:
    """No drop without a plateau."""
    errors = iter(range(1000, 0, -1))
    assert rates(plateau_of(lambda: float(next(errors))), 3000) == [1e-3] * 3000


def test_timed_cosine_is_the_cosine_of_the_time() -> None:
    """At each share of the time, the rate that share of the iterations would have."""
    shares = iter([0.05, 0.1, 0.55, 1.0])
    timed = TimedCosine(peak=1.0, stop=0.0, share=lambda: next(shares))
    assert [timed(iteration) for iteration in range(4)] == pytest.approx([0.5, 1.0, 0.5, 0.0])


def test_until_ends_with_its_time_but_not_before_one_iteration() -> None:
    """A round that starts too late still has one."""
    until = Until(Cosine(peak=1.0, stop=1.0, iterations=1), lambda: 1.0)
    assert [until(iteration) for iteration in range(2)] == [1.0, None]
