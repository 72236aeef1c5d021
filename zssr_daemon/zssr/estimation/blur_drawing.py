"""Drawings of blurs: the weights of a Gaussian, a disk or a line, pixels of the large image."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A disk is drawn with so many points along each side of a pixel.
_FINE = 8


def draw_gaussian(spread: Array) -> Array:
    """Return weights of a Gaussian with a (2, 2) covariance, (y, x), square pixels."""
    radius = max(2, math.ceil(3 * math.sqrt(np.linalg.eigvalsh(spread)[-1])))
    at = np.arange(-radius, radius + 1)
    places = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1)
    inverse = np.linalg.inv(spread)
    return np.asarray(np.exp(-0.5 * np.einsum("...i,ij,...j", places, inverse, places)))


def draw_disk(radii: Array) -> Array:
    """Return weights of an ellipse, the share of each pixel that lies in it; radii (y, x)."""
    height, width = (2 * math.ceil(radius) + 1 for radius in radii)
    y, x = ((np.arange(side * _FINE) + 0.5) / _FINE - side / 2 for side in (height, width))
    inside = (y[:, None] / radii[0]) ** 2 + (x / radii[1]) ** 2 <= 1
    return np.asarray(inside.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3)))


def draw_line(ends: Array) -> Array:
    """Return weights of a line from -ends / 2 to ends / 2, (y, x), shared among four pixels."""
    radius = math.ceil(float(np.abs(ends).max()) / 2) + 1
    along = np.linspace(-0.5, 0.5, 64 * radius)
    rows, columns = (shares(along * end, radius) for end in (ends[0], ends[1]))
    return np.asarray(rows @ columns.T)


def shares(places: Array, radius: int) -> Array:
    """Return (2 * radius + 1, places): the share that each pixel of one axis has of each place.

    A place between two pixels is shared between them. The middle pixel lies at 0.
    """
    at = np.arange(-radius, radius + 1)
    return np.asarray((1 - np.abs(at[:, None] - places)).clip(min=0))
