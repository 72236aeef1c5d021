"""Schedule: the learning rate over a round, by a cosine or by the paper's plateau rule."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

WARM_UP = 0.1  # share of a round; without it the large rate kills some fits at the start


class Schedule(Protocol):
    """Returns the learning rate of each iteration, or None to stop."""

    def __call__(self, iteration: int) -> float | None:
        """Return the rate of `iteration`, which counts from 0 in steps of 1."""
        ...


@dataclass(frozen=True, slots=True)
class Cosine:
    """Rises linearly to `peak`, then falls along half a cosine to `stop` at the last iteration."""

    peak: float
    stop: float
    iterations: int

    def __call__(self, iteration: int) -> float | None:
        """Return the rate of `iteration`; the caller counts to `iterations`."""
        warm_up = max(1, math.ceil(WARM_UP * self.iterations))
        if iteration < warm_up:
            return self.peak * (iteration + 1) / warm_up
        done = (iteration - warm_up + 1) / max(1, self.iterations - warm_up)
        return _half_cosine(self.peak, self.stop, done)


@dataclass(frozen=True, slots=True)
class TimedCosine:
    """The curve of `Cosine` over a share of the time, 0..1, instead of over iterations."""

    peak: float
    stop: float
    share: Callable[[], float]

    def __call__(self, iteration: int) -> float | None:  # noqa: ARG002 (the time decides)
        """Return the rate at this time."""
        share = self.share()
        if share < WARM_UP:
            return self.peak * share / WARM_UP
        return _half_cosine(self.peak, self.stop, (share - WARM_UP) / (1 - WARM_UP))


@dataclass(frozen=True, slots=True)
class Until:
    """Stops another schedule when its time is over, after one iteration at the earliest."""

    schedule: Schedule
    share: Callable[[], float]  # of the time, 0..1

    def __call__(self, iteration: int) -> float | None:
        """Return the rate of `iteration`, None once the time is over."""
        return None if iteration > 0 and self.share() >= 1 else self.schedule(iteration)


@dataclass(slots=True)
class Plateau:
    """Divides the rate when the reconstruction error stops falling (arXiv 1712.06087, 3.1)."""

    rate: float
    stop: float
    decay: float
    ratio: float
    span: int  # iterations that the line is fitted over, and the fewest between two drops
    every: int  # iterations between two decisions
    reconstruct_every: int  # iterations between two errors
    reconstruct: Callable[[], float]  # mean squared error of the input rebuilt from its son
    _errors: list[float] = field(default_factory=list)
    _last_drop: int = 0

    def __call__(self, iteration: int) -> float | None:
        """Return the rate of `iteration`, None once it is below `stop`."""
        if iteration > 0 and iteration % self.reconstruct_every == 0:
            self._errors.append(self.reconstruct())
        if iteration % self.every == 0 and iteration - self._last_drop > self.span:
            recent = self._errors[-(self.span // self.reconstruct_every) :]
            if is_stalled(recent, self.ratio):
                self.rate /= self.decay
                self._last_drop = iteration
        return self.rate if self.rate >= self.stop else None


def is_stalled(errors: list[float], ratio: float) -> bool:
    """Tell whether noise hides the fall of `errors`: -ratio * slope < its standard error."""
    x = np.arange(len(errors), dtype=np.float64)
    x -= x.mean()
    y = np.asarray(errors, dtype=np.float64)
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    # Standard error of a least-squares slope: two degrees of freedom are spent on the line.
    standard_error = math.sqrt(float(residual @ residual) / (len(y) - 2) / float(x @ x))
    return -ratio * slope < standard_error


def _half_cosine(peak: float, stop: float, done: float) -> float:
    """Return the rate at share `done`, 0..1, of the way from `peak` to `stop`."""
    floor = min(stop, peak)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * done))
