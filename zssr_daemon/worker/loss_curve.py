"""LossCurve: the losses of a fit, thinned to a bounded number of points, and their drawing."""

import math
from collections.abc import Sequence
from statistics import median

from zssr_daemon.protocol.messages import WorkProgress

_MAX_POINTS = 1000

#: Size of the drawing, and the room left of the line for its labels, units of the SVG.
_WIDTH, _HEIGHT, _MARGIN = 900, 240, 44

# The median runs over this fraction of the points, and over so many at least.
_WINDOW_FRACTION = 1 / 20
_MIN_WINDOW = 5

#: Step since the fit began, from 1, and the loss there.
Point = tuple[int, float]


class LossCurve:
    """Collects the losses of a fit as they change, all rounds in one row."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._step = 0
        self._stride = self._next = 1

    def add(self, progress: WorkProgress) -> None:
        """Note a sign of life, if it is one of the fit."""
        if progress.stage != "fit" or progress.loss is None:
            return
        self._step += 1
        # The loss is read from the device every few steps; in between the last one is told again.
        is_new = not self.points or self.points[-1][1] != progress.loss
        if is_new and self._step >= self._next:
            self.points.append((self._step, progress.loss))
            self._next = self._step + self._stride
        if len(self.points) > _MAX_POINTS:
            self._stride *= 2
            self.points = self.points[1::2]


def curve(points: Sequence[Point]) -> str:
    """Draw losses over steps, and their running median, on a logarithmic scale, as SVG."""
    raw = [(step, math.log10(loss)) for step, loss in points if 0 < loss < math.inf]
    if len(raw) < 2:
        return "<p>The fit was too short for a curve.</p>"
    last = raw[-1][0]
    low, high = min(y for _, y in raw), max(y for _, y in raw)
    span = max(high - low, 1e-9)

    def line(points: Sequence[Point], name: str) -> str:
        places = []
        for step, level in points:
            x = _MARGIN + (_WIDTH - _MARGIN) * step / last
            y = 10 + (_HEIGHT - 40) * (high - level) / span
            places.append(f"{x:.1f},{y:.1f}")
        return f'<polyline class="{name}" points="{" ".join(places)}"/>'

    bottom = _HEIGHT - 30
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Loss over steps">'
        f'<line x1="{_MARGIN}" y1="10" x2="{_WIDTH}" y2="10"/>'
        f'<line x1="{_MARGIN}" y1="{bottom}" x2="{_WIDTH}" y2="{bottom}"/>'
        f'<text x="0" y="15">{10**high:.4f}</text><text x="0" y="{bottom + 4}">{10**low:.4f}</text>'
        f'<text x="{_MARGIN}" y="{_HEIGHT - 8}">0</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 8}" text-anchor="end">{last} steps</text>'
        f"{line(raw, 'raw')}{line(running_median(raw), 'median')}</svg>"
    )


def running_median(points: Sequence[Point]) -> list[Point]:
    """Replace each value by the median of the points around it; near the ends there are fewer."""
    half = max(_MIN_WINDOW, round(len(points) * _WINDOW_FRACTION)) // 2
    values = [value for _, value in points]
    return [
        (step, median(values[max(0, at - half) : at + half + 1]))
        for at, (step, _) in enumerate(points)
    ]
