"""SpectrumModel: what the spectrum of an image is made of: a natural picture, its blur, and noise.

The picture's is a power law of unknown slope that is stronger in some directions. The blur leaves a
part of each frequency, and sub-sampling folds frequencies onto each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from zssr_daemon.zssr.estimation.spectrum import Spectrum

Array = NDArray[np.float64]

#: The expected slope of the power law.
SLOPE = 2.7

# The spread of that slope; the weight that keeps directions alike.
_SLOPE_SPREAD, _HARMONICS_WEIGHT = 0.2, 3.0

# Noise beyond the known noise: its expected logarithm, relative to the known, and its weight.
_MORE_NOISE, _MORE_NOISE_WEIGHT = -3.0, 0.1

#: A picture's parameters: level, four harmonics, slope, more noise; what is expected of them, and
#: how much each counts that is not as expected.
EXPECTED = np.array([0, 0, 0, 0, 0, SLOPE, _MORE_NOISE])
WEIGHTS = np.array([0, *[_HARMONICS_WEIGHT] * 4, 1 / _SLOPE_SPREAD, _MORE_NOISE_WEIGHT])
PICTURE = len(EXPECTED)

# Scale of the soft-L1 loss, nepers: frequencies that are farther off, as stripes are, count less.
_SOFT = 0.5

# A relative change so small ends a search; searches a hundred times finer find nothing better.
_ENOUGH = 1e-4


@dataclass(frozen=True)
class SpectrumModel:
    """The spectrum of one image, and how pictures and blurs explain it."""

    spectrum: Spectrum

    @cached_property
    def terms(self) -> Array:
        """(6, 9, n) what level, harmonics and slope add to the logarithm of the power."""
        log_radius = self.spectrum.log_radius[None]
        return np.concatenate([np.ones_like(log_radius), self.spectrum.harmonics, -log_radius])

    def off(self, picture: Array, left: Array) -> Array:
        """Return (n,) by how much a picture and a blur have more than was measured, nepers.

        picture: (7,) its parameters. left: (9, n) the logarithm of the power that the blur leaves.
        """
        folds, floor = self._powers(picture, left)
        return np.asarray(np.log(folds.sum(axis=0) + floor) - self.spectrum.log_power)

    def slopes(self, picture: Array, left: Array, changes: Array) -> Array:
        """Return (n, 7 + p) by how much `off` changes with the parameters of picture and blur.

        changes: (p, 9, n) by how much `left` changes with those of the blur.
        """
        folds, floor = self._powers(picture, left)
        total = folds.sum(axis=0) + floor
        shares = folds / total
        return np.hstack(
            [
                np.einsum("tfn,fn->nt", self.terms, shares),
                ((floor - self.spectrum.floor) / total)[:, None],
                np.einsum("pfn,fn->np", changes, shares),
            ]
        )

    def _powers(self, picture: Array, left: Array) -> tuple[Array, Array]:
        """Return the power of each frequency and those that fold onto it, and that of noise."""
        of_picture = np.tensordot(picture[:-1], self.terms, axes=1)
        return np.exp(of_picture + left), self.spectrum.floor * (1 + np.exp(picture[-1]))


def search(
    residuals: Callable[[Array], Array],
    slopes: Callable[[Array], Array],
    start: Array,
    *,
    max_steps: int,
) -> OptimizeResult:
    """Search the parameters with the least residuals from a start; `slopes` is their derivative."""
    return least_squares(
        residuals,
        start,
        jac=slopes,
        loss="soft_l1",
        f_scale=_SOFT,
        ftol=_ENOUGH,
        xtol=_ENOUGH,
        gtol=_ENOUGH,
        max_nfev=max_steps,
    )
