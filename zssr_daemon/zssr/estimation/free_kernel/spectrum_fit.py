"""SpectrumFit: the blur that explains a spectrum best, beside a picture with a power law."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from zssr_daemon.zssr.estimation.spectrum import Spectrum

Array = NDArray[np.float64]

#: From parameters (p,) to the logarithm of the power that a blur leaves of each frequency, (9, n),
#: and its derivatives, (p, 9, n).
Response = Callable[[Array], tuple[Array, Array]]

# What is expected of the picture and of noise beyond the known noise, and how much it weighs: as in
# the estimate of other blurs.
_SLOPE, _SLOPE_SPREAD = 2.7, 0.2
_HARMONICS_WEIGHT = 3.0
_MORE_NOISE, _MORE_NOISE_WEIGHT = -3.0, 0.1
_SOFT = 0.5
_ENOUGH = 1e-4

# The parameters of the picture: its level, four harmonics, its slope, more noise.
_PICTURE = 7

# Steps of the first search from each start, of the last search, and how many get there.
_FIRST_STEPS, _LAST_STEPS, _KEPT = 10, 40, 8


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """How well a blur with these parameters explains a spectrum: the less cost, the better."""

    cost: float
    parameters: Array


class SpectrumFit:
    """The search for the parameters of a blur.

    weights: (p,) of the parameters as residuals: how little large ones are expected.
    """

    def __init__(self, spectrum: Spectrum, response: Response, weights: Array) -> None:
        self._spectrum, self._response = spectrum, response
        level = float(np.median(spectrum.log_power + _SLOPE * spectrum.log_radius[4]))
        self._picture = np.array([level, 0, 0, 0, 0, _SLOPE, _MORE_NOISE])
        expected = np.concatenate([self._picture, np.zeros_like(weights)])
        prior = np.diag(
            [0, *[_HARMONICS_WEIGHT] * 4, 1 / _SLOPE_SPREAD, _MORE_NOISE_WEIGHT, *weights]
        )
        self._expected, self._prior = expected, prior
        self._last: tuple[bytes, Array, Array] | None = None

    def search(self, starts: Iterable[Array]) -> Explained:
        """Return the best explanation that is found from any of the starts, (p,) each."""
        first = [self._run(np.append(self._picture, start), _FIRST_STEPS) for start in starts]
        first.sort(key=lambda result: float(result.cost))
        last = [self._run(result.x, _LAST_STEPS) for result in first[:_KEPT]]
        best = min(last, key=lambda result: float(result.cost))
        return Explained(float(best.cost), best.x[_PICTURE:])

    def _run(self, start: Array, steps: int) -> OptimizeResult:
        return least_squares(
            lambda parameters: self._evaluated(parameters)[0],
            start,
            jac=lambda parameters: self._evaluated(parameters)[1],
            loss="soft_l1",
            f_scale=_SOFT,
            ftol=_ENOUGH,
            xtol=_ENOUGH,
            gtol=_ENOUGH,
            max_nfev=steps,
        )

    def _evaluated(self, parameters: Array) -> tuple[Array, Array]:
        """Return the residuals and their derivatives; those of the last place are kept."""
        key = parameters.tobytes()
        if self._last is None or self._last[0] != key:
            explained, derivatives = self._explained(parameters)
            prior = self._prior @ (parameters - self._expected)
            residuals = np.append(explained - self._spectrum.log_power, prior)
            self._last = key, residuals, np.concatenate([derivatives.T, self._prior])
        return self._last[1], self._last[2]

    def _explained(self, parameters: Array) -> tuple[Array, Array]:
        """Return the logarithm of the power as the parameters have it, and (p, n) derivatives."""
        spectrum = self._spectrum
        left, derivatives = self._response(parameters[_PICTURE:])
        slopes = np.concatenate(
            [np.ones_like(left)[None], spectrum.harmonics, -spectrum.log_radius[None]]
        )
        power = np.exp(np.tensordot(parameters[:6], slopes, axes=1) + left)
        noise = spectrum.floor * np.exp(parameters[6])
        total = power.sum(axis=0) + spectrum.floor + noise
        shares = power / total
        return np.log(total), np.concatenate(
            [
                (shares * slopes).sum(axis=1),
                (noise / total)[None],
                (shares * derivatives).sum(axis=1),
            ]
        )
