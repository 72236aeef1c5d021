"""BlurFamily: the kinds of blur that an image may have, and what each leaves of each frequency.

All lengths are source pixels: the large image was blurred, and is seen on the small one's grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import j1

from zssr_daemon.zssr.ops.resize import keys

Array = NDArray[np.float64]

Shape = Literal["bicubic", "gaussian", "disk", "motion"]

#: What a disk or a line leaves of the frequencies that an ideal one would remove.
MIN_LEFT = 0.02

#: Variance of a line's own width, square pixels.
LINE_WIDTH = 0.08

# How much a disk's softness, a variance in square pixels, counts as a residual. A lens out of focus
# is seldom a clean disk, nor is the picture behind it quite sharp; but a disk that is soft enough
# is a Gaussian.
_SOFTNESS_WEIGHT = 1 / 0.027

# By so much parameters are changed to see what the change does.
_STEP = 1e-5

# Half the width of antialiased cubic convolution, source pixels, and the points it is sampled at.
_CUBIC_REACH, _CUBIC_POINTS = 2, 32


@dataclass(frozen=True, slots=True)
class BlurFamily:
    """The blurs of one kind, which a few parameters describe."""

    name: Shape
    starts: tuple[tuple[float, ...], ...]  # parameters to search from
    sharp: Callable[[Array, Array, Array], Array]  # (parameters, y, x); below 0: inverted
    min_left: float = 0.0
    softness: Callable[[Array], float] = lambda _: 0.0  # of parameters; variance, square pixels
    unlikeliness: Callable[[Array], float] = lambda _: 0.0  # of parameters, as one more residual

    def response(self, parameters: Array, y: Array, x: Array) -> Array:
        """Return what a blur leaves of the amplitude of frequencies, cycles a pixel."""
        exponent = 2 * np.pi**2 * self.softness(parameters) * (y**2 + x**2)
        return np.asarray(self.sharp(parameters, y, x) * np.exp(-exponent))

    def log_power(self, parameters: Array, y: Array, x: Array) -> Array:
        """Return the logarithm of what it leaves of their power, at least a little of each."""
        exponent = 2 * np.pi**2 * self.softness(parameters) * (y**2 + x**2)
        left = np.abs(self.sharp(parameters, y, x)) + self.min_left
        return np.asarray(2 * np.log(left) - 2 * exponent)

    def log_power_and_changes(self, parameters: Array, y: Array, x: Array) -> tuple[Array, Array]:
        """Return the same, in the shape of y and x, and (p, ...) how it changes with parameters."""
        left = self.log_power(parameters, y, x)
        moved = [self.log_power(each, y, x) - left for each in _moved(parameters)]
        return left, np.array(moved).reshape(len(parameters), *left.shape) / _STEP

    def unlikeliness_changes(self, parameters: Array) -> list[float]:
        """Return how the unlikeliness changes with each parameter."""
        here = self.unlikeliness(parameters)
        return [(self.unlikeliness(each) - here) / _STEP for each in _moved(parameters)]


def _moved(parameters: Array) -> list[Array]:
    """Return the parameters with one of them after the other changed by _STEP."""
    return [parameters + step for step in np.eye(len(parameters)) * _STEP]


def covariance(parameters: Array) -> Array:
    """Return the (2, 2) covariance, (y, x), square source pixels, of a Gaussian's parameters.

    The parameters are the Cholesky factor's: the logarithms of its diagonal, then the third entry.
    """
    first, second, mixed = parameters
    factor = np.array([[np.exp(first), 0], [mixed, np.exp(second)]])
    return np.asarray(factor @ factor.T)


def parameters_of(spread: Array) -> Array:
    """Return the parameters of a Gaussian with a (2, 2) covariance: what `covariance` undoes."""
    factor = np.linalg.cholesky(spread)
    return np.array([np.log(factor[0, 0]), np.log(factor[1, 1]), factor[1, 0]])


def _gaussian(parameters: Array, y: Array, x: Array) -> Array:
    """Return what a Gaussian leaves: the parameters of `covariance`."""
    (yy, yx), (_, xx) = covariance(parameters)
    return np.asarray(np.exp(-2 * np.pi**2 * (yy * y**2 + 2 * yx * y * x + xx * x**2)))


def _disk(parameters: Array, y: Array, x: Array) -> Array:
    """Return what a lens out of focus leaves: (radius, standard deviation of its softness)."""
    argument = 2 * np.pi * abs(parameters[0]) * np.hypot(y, x) + 1e-6
    return np.asarray(2 * j1(argument) / argument)


def _line(parameters: Array, y: Array, x: Array) -> Array:
    """Return what straight motion leaves: (y, x), the way from one end to the other."""
    return np.asarray(np.sinc(parameters[0] * y + parameters[1] * x))


def _bicubic(_: Array, y: Array, x: Array) -> Array:
    """Return what antialiased cubic convolution leaves."""
    return _cubic_response(y) * _cubic_response(x)


def _cubic_response(frequency: Array) -> Array:
    """Return what cubic convolution (a = -0.5) leaves of the amplitude, one axis."""
    middles = (np.arange(_CUBIC_REACH * _CUBIC_POINTS) + 0.5) / _CUBIC_POINTS
    weights = keys(torch.from_numpy(middles)).numpy()
    alone, places = np.unique(frequency, return_inverse=True)  # few among many
    waves = np.cos(2 * np.pi * np.multiply.outer(middles, alone))
    return np.asarray((weights / weights.sum() @ waves)[places].reshape(frequency.shape))


BICUBIC_FAMILY = BlurFamily("bicubic", ((),), _bicubic, 1e-6)

GAUSSIAN = BlurFamily(
    "gaussian", tuple((size, size, 0.0) for size in (-1.0, -0.5, 0.1)), _gaussian, 1e-30
)

DISK = BlurFamily(
    "disk",
    tuple((radius, 0.2) for radius in (0.5, 0.75, 1.0, 1.3, 1.7)),
    _disk,
    MIN_LEFT,
    lambda parameters: float(parameters[1] ** 2),
    lambda parameters: float(parameters[1] ** 2 * _SOFTNESS_WEIGHT),
)


def lines_along(direction: Array) -> BlurFamily:
    """Return straight motions near a direction (y, x) of length 1."""
    lengths = (1.2, 2.0, 3.0, 4.0, 5.5)
    starts = tuple((length * direction[0], length * direction[1]) for length in lengths)
    return BlurFamily("motion", starts, _line, MIN_LEFT, lambda _: LINE_WIDTH)


#: The family of each shape.
FAMILIES: dict[Shape, BlurFamily] = {
    "bicubic": BICUBIC_FAMILY,
    "gaussian": GAUSSIAN,
    "disk": DISK,
    "motion": lines_along(np.array([0.0, 1.0])),
}
