"""BlurFit: how well the blurs of one family explain the spectrum of an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.zssr.estimation.blur_family import BlurFamily, Shape
from zssr_daemon.zssr.estimation.spectrum import Spectrum
from zssr_daemon.zssr.estimation.spectrum_model import (
    EXPECTED,
    PICTURE,
    WEIGHTS,
    SpectrumModel,
    search,
)

Array = NDArray[np.float64]

# Steps of a search at most.
_STEPS = 60

# The frequencies that count as low and high, cycles a pixel.
_LOW, _HIGH = 0.12, 0.32


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
        fit = _FamilyFit(family, SpectrumModel(spectrum))
        found = [
            search(fit.residuals, fit.slopes, fit.beginning(np.array(start)), max_steps=_STEPS)
            for start in family.starts
        ]
        best = min(found, key=lambda result: float(result.cost))
        return cls(family.name, float(best.cost), best.x[PICTURE:], fit.tilt(best.x))


@dataclass(frozen=True, slots=True)
class _FamilyFit:
    """A picture and a blur of one family; parameters are those of both, the picture's first."""

    family: BlurFamily
    model: SpectrumModel

    def beginning(self, blur: Array) -> Array:
        """Return parameters to begin with: those expected, at the level that fits the blur."""
        parameters = np.concatenate([EXPECTED, blur])
        parameters[0] -= np.median(self._off(parameters))
        return parameters

    def residuals(self, parameters: Array) -> Array:
        """Return how far the measured spectrum, and what is expected, are from the parameters."""
        unexpected = (parameters[:PICTURE] - EXPECTED) * WEIGHTS
        unlikely = [self.family.unlikeliness(parameters[PICTURE:])]
        return np.concatenate([self._off(parameters), unexpected, unlikely])

    def slopes(self, parameters: Array) -> Array:
        """Return (residuals, parameters) by how much a residual changes with a parameter."""
        blur = parameters[PICTURE:]
        spectrum = self.model.spectrum
        left, changes = self.family.log_power_and_changes(blur, spectrum.y, spectrum.x)
        explained = self.model.slopes(parameters[:PICTURE], left, changes)
        expected = np.hstack([np.diag(WEIGHTS), np.zeros((PICTURE, len(blur)))])
        unlikely = [0.0] * PICTURE + self.family.unlikeliness_changes(blur)
        return np.vstack([explained, expected, [unlikely]])

    def tilt(self, parameters: Array) -> float:
        """Return by how much more it is above what was measured in high than in low frequencies."""
        radius = np.exp(self.model.spectrum.log_radius[4])
        off = self._off(parameters)
        low, high = off[radius <= _LOW], off[radius > _HIGH]
        return float(high.mean() - low.mean()) if len(low) and len(high) else 0.0

    def _off(self, parameters: Array) -> Array:
        spectrum = self.model.spectrum
        left = self.family.log_power(parameters[PICTURE:], spectrum.y, spectrum.x)
        return self.model.off(parameters[:PICTURE], left)
