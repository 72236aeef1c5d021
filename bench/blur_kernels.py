"""Blur kernels of cameras, drawn at random: Gaussians, lenses out of focus, straight motion."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# At ×2; larger scales blur in proportion.
GAUSSIAN_VARIANCES = (0.6, 5.0)  # square pixels of the large image, as DIV2KRK has it
GAUSSIAN_SIDE = 11
GAUSSIAN_NOISE = 0.25  # each weight times 1 ± this
DISK_RADII = (1.2, 3.5)
MOTION_LENGTHS = (3.0, 10.0)


def gaussian(random: np.random.Generator, scale: float) -> Array:
    """Draw an anisotropic Gaussian at any angle, its weights a little wrong."""
    grown = scale / 2
    first, second = random.uniform(*GAUSSIAN_VARIANCES, 2) * grown**2
    angle = random.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    inverse = turn @ np.diag([1 / first, 1 / second]) @ turn.T
    side = round((GAUSSIAN_SIDE - 1) / 2 * grown) * 2 + 1
    at = np.arange(side) - (side - 1) / 2
    places = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1)
    weights = np.exp(-0.5 * np.einsum("...i,ij,...j", places, inverse, places))
    return np.asarray(
        weights * random.uniform(1 - GAUSSIAN_NOISE, 1 + GAUSSIAN_NOISE, (side, side))
    )


def disk(random: np.random.Generator, scale: float) -> Array:
    """Draw a lens out of focus."""
    radius, fine = random.uniform(*DISK_RADII) * scale / 2, 16
    side = 2 * math.ceil(radius) + 1
    at = (np.arange(side * fine) + 0.5) / fine - side / 2
    inside = np.hypot(at[:, None], at) <= radius
    return np.asarray(inside.reshape(side, fine, side, fine).mean(axis=(1, 3)))


def motion(random: np.random.Generator, scale: float) -> Array:
    """Draw a straight motion at even speed."""
    length, angle = random.uniform(*MOTION_LENGTHS) * scale / 2, random.uniform(0, math.pi)
    radius = math.ceil(length / 2) + 1
    weights = np.zeros((2 * radius + 1, 2 * radius + 1))
    for along in np.linspace(-length / 2, length / 2, 500):
        y, x = radius + along * math.sin(angle), radius + along * math.cos(angle)
        top, left = math.floor(y), math.floor(x)
        rows, columns = np.array([top + 1 - y, y - top]), np.array([left + 1 - x, x - left])
        weights[top : top + 2, left : left + 2] += np.outer(rows, columns)
    return weights


FAMILIES: dict[str, Callable[[np.random.Generator, float], Array]] = {
    "gaussian": gaussian,
    "disk": disk,
    "motion": motion,
}
