"""BlurFit: how well the blurs of one family explain the spectrum of an image.

The spectrum is that of a natural picture, a power law of unknown slope that is stronger in some
directions, times what the blur leaves of each frequency, plus noise.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from zssr_daemon.zssr.estimation.blur_family import BlurFamily, Shape
from zssr_daemon.zssr.estimation.spectrum import Spectrum

Array = NDArray[np.float64]

# The expected slope of the power law and its spread; the weight that keeps directions alike.
_SLOPE, _SLOPE_SPREAD = 2.7, 0.2
_HARMONICS_WEIGHT = 3.0

# Noise beyond the known noise: its expected logarithm, relative to the known, and its weight.
_MORE_NOISE, _MORE_NOISE_WEIGHT = -3.0, 0.1

# A picture's parameters: level, four harmonics, slope, more noise; what is expected of them, and
# how much each counts that is not as expected.
_EXPECTED = np.array([0, 0, 0, 0, 0, _SLOPE, _MORE_NOISE])
_WEIGHTS = np.array([0, *[_HARMONICS_WEIGHT] * 4, 1 / _SLOPE_SPREAD, _MORE_NOISE_WEIGHT])
_PICTURE = len(_EXPECTED)

# Scale of the soft-L1 loss, nepers: frequencies that are farther off, as stripes are, count less.
_SOFT = 0.5

# A relative change so small ends a search; searches a hundred times finer find nothing better.
_ENOUGH = 1e-4

# The frequencies that count as low and high, cycles a pixel.
_LOW, _HIGH = 0.12, 0.32

# By so much a blur's parameters are changed to see what the change does.
_STEP = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class BlurFit:
    """How well a blur of one family explains a spectrum."""

    shape: Shape
    cost: float
    parameters: Array  # as its BlurFamily has them
    tilt: float = 0.0  # nepers too much that it finds in high frequencies, against low ones

    @classmethod
    def of(cls, family: BlurFamily, spectrum: Spectrum) -> "BlurFit":
        """Return the blur of a family that explains it best, searched from all its starts."""
        model = _Model(family, spectrum)
        found = [
            least_squares(
                model.residuals,
                model.beginning(np.array(start)),
                jac=model.slopes,
                loss="soft_l1",
                f_scale=_SOFT,
                ftol=_ENOUGH,
                xtol=_ENOUGH,
                gtol=_ENOUGH,
                max_nfev=60,
            )
            for start in family.starts
        ]
        best = min(found, key=lambda result: float(result.cost))
        return cls(family.name, float(best.cost), best.x[_PICTURE:], model.tilt(best.x))


@dataclass(frozen=True)
class _Model:
    """The spectrum of a natural picture, blurred by a blur of one family."""

    family: BlurFamily
    spectrum: Spectrum

    @cached_property
    def terms(self) -> Array:
        """(6, 9, n) what level, harmonics and slope add to the logarithm of the power."""
        log_radius = self.spectrum.log_radius[None]
        return np.concatenate([np.ones_like(log_radius), self.spectrum.harmonics, -log_radius])

    def beginning(self, blur: Array) -> Array:
        """Return parameters to begin with: those expected, at the level that fits the blur."""
        parameters = np.concatenate([_EXPECTED, blur])
        off = self.residuals(parameters)[: len(self.spectrum.log_power)]
        parameters[0] -= np.median(off)
        return parameters

    def residuals(self, parameters: Array) -> Array:
        """Return how far the measured spectrum, and what is expected, are from the parameters."""
        folds, floor = self._powers(parameters)
        explained = np.log(folds.sum(axis=0) + floor)
        unexpected = (parameters[:_PICTURE] - _EXPECTED) * _WEIGHTS
        unlikely = [self.family.unlikeliness(parameters[_PICTURE:])]
        return np.concatenate([explained - self.spectrum.log_power, unexpected, unlikely])

    def tilt(self, parameters: Array) -> float:
        """Return by how much more it is above what was measured in high than in low frequencies."""
        radius = np.exp(self.spectrum.log_radius[4])
        off = self.residuals(parameters)[: len(radius)]
        low, high = off[radius <= _LOW], off[radius > _HIGH]
        return float(high.mean() - low.mean()) if len(low) and len(high) else 0.0

    def slopes(self, parameters: Array) -> Array:
        """Return (residuals, parameters) by how much a residual changes with a parameter."""
        folds, floor = self._powers(parameters)
        total = folds.sum(axis=0) + floor
        shares = folds / total
        blur = parameters[_PICTURE:]
        moved = [blur + step for step in np.eye(len(blur)) * _STEP]
        picture = np.einsum("tfn,fn->nt", self.terms, shares)
        more_noise = (floor - self.spectrum.floor) / total
        columns = [picture, more_noise[:, None]]
        if moved:
            here = self._blur(blur)
            changes = np.stack([self._blur(each) - here for each in moved]) / _STEP
            columns.append(np.einsum("pfn,fn->np", changes, shares))
        expected = np.hstack([np.diag(_WEIGHTS), np.zeros((_PICTURE, len(blur)))])
        unlikeliness = self.family.unlikeliness
        unlikely = [(unlikeliness(each) - unlikeliness(blur)) / _STEP for each in moved]
        return np.vstack([np.hstack(columns), expected, [[0.0] * _PICTURE + unlikely]])

    def _powers(self, parameters: Array) -> tuple[Array, Array]:
        """Return the power of each frequency and those that fold onto it, and that of noise."""
        picture = np.tensordot(parameters[: _PICTURE - 1], self.terms, axes=1)
        floor = self.spectrum.floor * (1 + np.exp(parameters[_PICTURE - 1]))
        return np.exp(picture + self._blur(parameters[_PICTURE:])), floor

    def _blur(self, parameters: Array) -> Array:
        return self.family.log_power(parameters, self.spectrum.y, self.spectrum.x)
