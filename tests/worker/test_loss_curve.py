"""LossCurve: few points however long the fit, and a line that shows where it goes."""

import math
import re

import pytest

from zssr_daemon.protocol.messages import WorkProgress
from zssr_daemon.worker.loss_curve import LossCurve, Point, curve, running_median

LOSSES = [(step, 0.1 / step) for step in range(1, 200)]


def drawn(points: list[Point]) -> tuple[list[list[float]], list[list[float]]]:
    """Return the places (x, y) of the raw line and of the median's."""
    lines = dict(re.findall(r'polyline class="(\w+)" points="([^"]+)"', curve(points)))
    raw, median = (
        [[float(value) for value in place.split(",")] for place in lines[name].split()]
        for name in ("raw", "median")
    )
    return raw, median


@pytest.mark.parametrize("losses", [[], [(1, 0.1)], [(1, math.inf), (2, math.nan), (3, 0.0)]])
def test_curve_of_too_little(losses: list[tuple[int, float]]) -> None:
    """A fit without two losses has none, and says so."""
    assert "too short" in curve(losses)


def test_curve_goes_down() -> None:
    """Both lines begin at the top left and end at the bottom right."""
    for line in drawn(LOSSES):
        (x0, y0), *_, (x1, y1) = line
        assert x0 < x1
        assert y0 < y1


def test_median_is_smooth() -> None:
    """A loss that leaps now and then draws a jagged line, and a median without the leaps."""
    leaping = [(step, 1.0 if step % 7 == 0 else 0.1) for step in range(1, 300)]
    raw, median = drawn(leaping)
    assert [x for x, _ in raw] == [x for x, _ in median]
    assert len({y for _, y in raw}) == 2
    assert {y for _, y in median} == {max(y for _, y in raw)}


def test_median_of_the_points_around() -> None:
    """Five points at least, fewer at both ends."""
    points = [(step, float(value)) for step, value in enumerate([9, 1, 8, 2, 7, 3])]
    assert running_median(points) == [(0, 8), (1, 5), (2, 7), (3, 3), (4, 5), (5, 3)]


def progress(loss: float) -> WorkProgress:
    """Return a sign of life from a fit."""
    return WorkProgress(job_id="j", stage="fit", step=0, steps=1, fraction=0, loss=loss, lr=None)


def test_long_fit_is_thinned() -> None:
    """A hundred thousand steps make a curve of at most a thousand points, from first to last."""
    losses = LossCurve()
    for step in range(100_000):
        losses.add(progress(loss=1.0 + step))
    steps = [step for step, _ in losses.points]
    assert 400 < len(steps) <= 1000
    assert steps == sorted(steps)
    assert steps[0] < 300
    assert steps[-1] > 99_700


def test_loss_that_is_told_again_is_no_point() -> None:
    """It is read from the device now and then, and stands until it is read again."""
    losses = LossCurve()
    for step in range(100):
        losses.add(progress(loss=float(step // 25)))
    assert losses.points == [(1, 0.0), (26, 1.0), (51, 2.0), (76, 3.0)]
