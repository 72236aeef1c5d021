"""Schedules: the cosine's shape and the paper's plateau rule."""

import pytest

from zssr_daemon.zssr.schedule import Cosine, Plateau, is_stalled


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


def test_plateau_divides_the_rate_and_stops_below_stop() -> None:
    """With a constant error: a drop after every `window` errors, then the end."""
    # A constant error has slope 0 and standard error 0: not below it, hence the zigzag.
    errors = iter([1.0, 1.2] * 100)
    plateau = Plateau(
        rate=1.0,
        stop=0.05,
        decay=4.0,
        ratio=1.5,
        window=3,
        every=2,
        reconstruct=lambda: next(errors),
    )
    assert rates(plateau, 100) == [1.0] * 6 + [0.25] * 6 + [0.0625] * 6


def test_plateau_keeps_the_rate_while_the_error_falls() -> None:
    """No drop without a plateau."""
    errors = iter(range(1000, 0, -1))
    plateau = Plateau(
        rate=1.0,
        stop=0.05,
        decay=4.0,
        ratio=1.5,
        window=5,
        every=1,
        reconstruct=lambda: float(next(errors)),
    )
    assert rates(plateau, 50) == [1.0] * 50
