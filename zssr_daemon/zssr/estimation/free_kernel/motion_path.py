"""MotionPath: the way that the picture went during the exposure, of any smooth form and speed.

The place at each moment is a polynomial of time, so that the path may bend twice, slow down, or
turn back. The spectrum of an image shows a path but for its turn by 180 degrees.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss, legval
from numpy.typing import NDArray

from zssr_daemon.zssr.estimation.blur_drawing import shares
from zssr_daemon.zssr.estimation.blur_family import LINE_WIDTH, MIN_LEFT
from zssr_daemon.zssr.estimation.spectrum import BLOCK, Spectrum

Array = NDArray[np.float64]

#: The terms of a path after its middle, for each axis: straight motion, a bend, a second bend.
TERMS = 3

# The moments at which a path is looked at, from -1 to 1, and how long each counts.
_MOMENTS, _DURATIONS = leggauss(24)

# Points that a path is drawn with.
_POINTS = 2000

# Points by which two paths are compared, and the variance of their distance that counts as near,
# square source pixels.
_COMPARED, _NEAR = 100, 0.2


@dataclass(frozen=True, slots=True, eq=False)
class MotionPath:
    """A path.

    terms: (2, n) factors of the Legendre polynomials 1 to n of time, (y, x), source pixels.
    """

    terms: Array

    @property
    def length(self) -> float:
        """How long the path is, source pixels."""
        steps = np.diff(self._places(np.linspace(-1, 1, 200)), axis=1)
        return float(np.hypot(*steps).sum())

    def weights(self, scales: tuple[float, float]) -> Array:
        """Return the kernel's weights, (h, w), each point shared among four pixels.

        scales: (y, x), from source pixels to the pixels of the kernel.
        """
        moments = (np.arange(_POINTS) + 0.5) / _POINTS * 2 - 1
        y, x = self._places(moments) * np.array(scales)[:, None]
        rows, columns = (shares(axis, math.ceil(float(np.abs(axis).max())) + 1) for axis in (y, x))
        return np.asarray(rows @ columns.T) / _POINTS

    @property
    def turned(self) -> "MotionPath":
        """The path turned by 180 degrees."""
        return MotionPath(-self.terms)

    def likeness(self, other: "MotionPath") -> float:
        """Return how much two paths have in common: 1 for the same, 0 for nothing."""
        shared = _overlap(self, other)
        return shared / math.sqrt(_overlap(self, self) * _overlap(other, other))

    def _places(self, moments: Array) -> Array:
        """Return the places (2, m) at moments from -1 to 1."""
        return np.asarray(legval(moments, np.insert(self.terms, 0, 0.0, axis=1).T))


def _overlap(first: MotionPath, second: MotionPath) -> float:
    """Return how much of two paths lies in the same place."""
    moments = np.linspace(-1, 1, _COMPARED)
    apart = first._places(moments)[:, :, None] - second._places(moments)[:, None]
    return float(np.exp(-np.square(apart).sum(axis=0) / (2 * _NEAR)).mean())


class PathResponse:
    """What paths of `count` terms leave of the frequencies of a spectrum."""

    def __init__(self, spectrum: Spectrum, count: int) -> None:
        self._count = count
        self._y, self._x = spectrum.y, spectrum.x
        # All frequencies lie on a grid, where a wave is the product of one down and one across.
        self._down, self._rows = np.unique(np.round(spectrum.y * BLOCK), return_inverse=True)
        self._across, self._columns = np.unique(np.round(spectrum.x * BLOCK), return_inverse=True)
        self._width = 4 * np.pi**2 * LINE_WIDTH * np.exp(2 * spectrum.log_radius)
        self._polynomials = legval(_MOMENTS, np.eye(count + 1)[:, 1:])

    def __call__(self, parameters: Array) -> tuple[Array, Array]:
        """Return the logarithm of the power that is left, (9, n), and its derivatives, (p, 9, n).

        parameters: the terms of a path, (p,) with p = 2 × count.
        """
        y, x = parameters.reshape(2, self._count) @ self._polynomials
        down = np.exp(-2j * np.pi / BLOCK * np.outer(self._down, y)) * (_DURATIONS / 2)
        across = np.exp(-2j * np.pi / BLOCK * np.outer(x, self._across))
        left = self._of(down @ across)
        power = np.abs(left) ** 2 + MIN_LEFT**2
        common = -4j * np.pi * left.conj() / power
        terms = [common * self._of(down * each @ across) for each in self._polynomials]
        derivatives = [(term * axis).real for axis in (self._y, self._x) for term in terms]
        return np.log(power) - self._width, np.stack(derivatives)

    def _of(self, grid: NDArray[np.generic]) -> NDArray[np.complex128]:
        """Return (9, n): the values of the frequencies."""
        shape = self._y.shape
        values = grid[self._rows.reshape(shape), self._columns.reshape(shape)]
        return np.asarray(values, dtype=np.complex128)
