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

from zssr_daemon.zssr.estimation.spectrum import Spectrum
from zssr_daemon.zssr.ops.resize import keys

Array = NDArray[np.float64]

Shape = Literal["bicubic", "gaussian", "disk", "motion"]

# What a disk or a line leaves of the frequencies that an ideal one would remove.
_MIN_LEFT = 0.02

# Variance of a line's own width, square pixels.
_LINE_WIDTH = 0.08

# Half the width of antialiased cubic convolution, source pixels, and the points it is sampled at.
_CUBIC_REACH, _CUBIC_POINTS = 2, 32


@dataclass(frozen=True, slots=True)
class BlurFamily:
    """The blurs of one kind, which a few parameters describe."""

    name: Shape
    starts: tuple[tuple[float, ...], ...]  # parameters to search from
    log_power: Callable[[Array, Spectrum], Array]  # (parameters, spectrum) to (9, n)


def covariance(parameters: Array) -> Array:
    """Return the (2, 2) covariance, (y, x), square source pixels, of a Gaussian's parameters.

    The parameters are the Cholesky factor's: the logarithms of its diagonal, then the third entry.
    """
    first, second, mixed = parameters
    factor = np.array([[np.exp(first), 0], [mixed, np.exp(second)]])
    return np.asarray(factor @ factor.T)


def _gaussian(parameters: Array, at: Spectrum) -> Array:
    """Return what a Gaussian leaves: the parameters of `covariance`."""
    (yy, yx), (_, xx) = covariance(parameters)
    squared = yy * at.y**2 + 2 * yx * at.y * at.x + xx * at.x**2
    return np.asarray(-4 * np.pi**2 * squared)


def _disk(parameters: Array, at: Spectrum) -> Array:
    """Return what a lens out of focus leaves: (radius,)."""
    argument = 2 * np.pi * abs(parameters[0]) * np.exp(at.log_radius) + 1e-6
    return np.asarray(2 * np.log(np.abs(2 * j1(argument) / argument) + _MIN_LEFT))


def _line(parameters: Array, at: Spectrum) -> Array:
    """Return what straight motion leaves: (y, x), the way from one end to the other."""
    along = parameters[0] * at.y + parameters[1] * at.x
    width = 4 * np.pi**2 * _LINE_WIDTH * np.exp(2 * at.log_radius)
    return np.asarray(2 * np.log(np.abs(np.sinc(along)) + _MIN_LEFT) - width)


def _bicubic(_: Array, at: Spectrum) -> Array:
    """Return what antialiased cubic convolution leaves."""
    response = _cubic_response(at.y) * _cubic_response(at.x)
    return np.asarray(2 * np.log(np.abs(response) + 1e-6))


def _cubic_response(frequency: Array) -> Array:
    """Return what cubic convolution (a = -0.5) leaves of the amplitude, one axis."""
    middles = (np.arange(_CUBIC_REACH * _CUBIC_POINTS) + 0.5) / _CUBIC_POINTS
    weights = keys(torch.from_numpy(middles)).numpy()
    waves = np.cos(2 * np.pi * middles[:, None, None] * frequency)
    return np.asarray(np.tensordot(weights / weights.sum(), waves, axes=1))


BICUBIC_FAMILY = BlurFamily("bicubic", ((),), _bicubic)

GAUSSIAN = BlurFamily("gaussian", tuple((size, size, 0.0) for size in (-1.0, -0.5, 0.1)), _gaussian)

DISK = BlurFamily("disk", tuple((radius,) for radius in (0.5, 0.75, 1.0, 1.3, 1.7)), _disk)


def lines_along(direction: Array) -> BlurFamily:
    """Return straight motions near a direction (y, x) of length 1."""
    lengths = (1.2, 2.0, 3.0, 4.0, 5.5)
    starts = tuple((length * direction[0], length * direction[1]) for length in lengths)
    return BlurFamily("motion", starts, _line)
