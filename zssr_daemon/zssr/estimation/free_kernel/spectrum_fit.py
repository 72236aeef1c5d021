"""SpectrumFit: the blur that explains a spectrum best, found from many places to begin at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from zssr_daemon.zssr.estimation.spectrum import Spectrum
from zssr_daemon.zssr.estimation.spectrum_model import (
    EXPECTED,
    PICTURE,
    SLOPE,
    WEIGHTS,
    SpectrumModel,
    search,
)

Array = NDArray[np.float64]

#: From parameters (p,) to the logarithm of the power that a blur leaves of each frequency, (9, n),
#: and its derivatives, (p, 9, n).
Response = Callable[[Array], tuple[Array, Array]]

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
        self._model, self._response = SpectrumModel(spectrum), response
        self._picture = EXPECTED.copy()
        self._picture[0] = np.median(spectrum.log_power + SLOPE * spectrum.log_radius[4])
        self._expected = np.concatenate([EXPECTED, np.zeros_like(weights)])
        self._weights = np.concatenate([WEIGHTS, weights])
        self._last: tuple[bytes, Array, Array] | None = None

    def search(self, starts: Iterable[Array]) -> Explained:
        """Return the best explanation that is found from any of the starts, (p,) each."""
        first = [self._run(np.append(self._picture, start), _FIRST_STEPS) for start in starts]
        first.sort(key=lambda result: float(result.cost))
        last = [self._run(result.x, _LAST_STEPS) for result in first[:_KEPT]]
        best = min(last, key=lambda result: float(result.cost))
        return Explained(float(best.cost), best.x[PICTURE:])

    def _run(self, start: Array, max_steps: int) -> OptimizeResult:
        return search(
            lambda parameters: self._evaluated(parameters)[0],
            lambda parameters: self._evaluated(parameters)[1],
            start,
            max_steps=max_steps,
        )

    def _evaluated(self, parameters: Array) -> tuple[Array, Array]:
        """Return the residuals and their derivatives; those of the last place are kept."""
        key = parameters.tobytes()
        if self._last is None or self._last[0] != key:
            picture, blur = parameters[:PICTURE], parameters[PICTURE:]
            left, changes = self._response(blur)
            unexpected = self._weights * (parameters - self._expected)
            residuals = np.concatenate([self._model.off(picture, left), unexpected])
            slopes = self._model.slopes(picture, left, changes)
            self._last = key, residuals, np.vstack([slopes, np.diag(self._weights)])
        return self._last[1], self._last[2]
