"""Shapes: leaves with outlines given by angle, and the map of the leaf on top of each pixel.

The dead leaves model (Matheron 1968; Lee, Mumford and Huang 2001): shapes of power-law sizes are
dropped at random until they hide the ground, and hide one another as things of the world do.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.zssr.start.stamps import Array, Labels, Numbers, parts, topmost

# Samples of an outline all around; between them it is interpolated.
ANGLES = 256


@dataclass(frozen=True, slots=True)
class Leaves:
    """Leaves from the lowest to the topmost, in pixels of a square canvas."""

    centres: Array  # (K, 2), row and column
    outlines: Array  # (K, ANGLES), distance from the centre to the edge by angle
    hollows: Array  # (K,), share of the outline that is a hole; 0 for most

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, side: int, count: int, radii: tuple[float, float]
    ) -> Self:
        """Draw `count` leaves on a canvas of `side` pixels, with radii of density r^-3.

        radii: the smallest and the largest, pixels.
        """
        centres = rng.uniform(-0.05 * side, 1.05 * side, (count, 2)).astype(np.float32)
        outlines = unit_outlines(rng, count) * power_law(rng, count, radii)[:, None]
        is_ring = rng.random(count) < 0.06
        hollows = np.where(is_ring, rng.uniform(0.4, 0.9, count), 0).astype(np.float32)
        return cls(centres, outlines.astype(np.float32), hollows)

    def top(self, side: int) -> Labels:
        """Return (side, side): 1 + the number of the topmost leaf, 0 where there is none."""
        return topmost(side, self.centres, self.outlines.max(axis=1), self._is_inside)

    def place(self, labels: Labels) -> tuple[Array, Array]:
        """Return where each pixel lies in its leaf: (2, H, W) from the centre, and (H, W), 0 to 1.

        The first in pixels, down and right; the second is the share of the way to the outline.
        labels: of `top`, none of them 0.
        """
        chosen = labels - 1
        rows, columns = np.indices(labels.shape, np.float32)
        down = rows - self.centres[chosen, 0]
        right = columns - self.centres[chosen, 1]
        share = np.hypot(down, right) / self._edge(chosen, down, right)
        return np.stack([down, right]), np.clip(share, 0, 1)

    def _edge(self, chosen: Numbers, down: Array, right: Array) -> Array:
        """Return the distance from a leaf's centre to its edge in the direction of a point."""
        turn = np.arctan2(down, right) * np.float32(ANGLES / (2 * math.pi)) + np.float32(ANGLES)
        before = turn.astype(np.int32)
        between = turn - before
        flat = self.outlines.ravel()
        row = chosen * ANGLES
        first = flat[row + before % ANGLES]
        second = flat[row + (before + 1) % ANGLES]
        return np.asarray(first + between * (second - first), np.float32)

    def _is_inside(self, chosen: Numbers, down: Array, right: Array) -> NDArray[np.bool]:
        edge = self._edge(chosen, down, right)
        distance = np.hypot(down, right)
        return (distance <= edge) & (distance >= self.hollows[chosen] * edge)


def covering(
    rng: np.random.Generator, side: int, radii: tuple[float, float]
) -> tuple[Leaves, Labels]:
    """Draw leaves until no pixel is bare; return them and the label of each pixel, 1 and more.

    So many leaves fall that one pixel in 50 would stay bare; these go to the nearest leaf.
    """
    low, high = radii
    area = 2 * math.pi * low**2 * math.log(high / low)  # mean, of discs of density r^-3
    count = math.ceil(math.log(50) * 1.1 * side**2 / area)
    leaves = Leaves.drawn(rng, side, count, radii)
    labels = leaves.top(side)
    bare = np.argwhere(labels == 0)
    large = np.argsort(leaves.outlines[:, 0])[-64:]
    for part in parts(bare, 4096):
        apart = np.square(part[:, None] - leaves.centres[large]).sum(axis=2)
        labels[part[:, 0], part[:, 1]] = large[apart.argmin(axis=1)] + 1
    return leaves, labels


def power_law(rng: np.random.Generator, count: int, radii: tuple[float, float]) -> Array:
    """Return (count,) radii of density r^-3 between the two: a scene looks alike at any scale."""
    low, high = radii
    share = rng.random(count)
    return np.asarray((low**-2 + (high**-2 - low**-2) * share) ** -0.5, np.float32)


def unit_outlines(rng: np.random.Generator, count: int) -> Array:
    """Return (count, ANGLES): ellipses, bars, polygons and blobs of radius about 1, turned."""
    kinds = (_ellipses, _rectangles, _polygons, _blobs)
    which = rng.choice(len(kinds), count, p=(0.3, 0.2, 0.35, 0.15))
    outlines = np.empty((count, ANGLES), np.float32)
    for number, kind in enumerate(kinds):
        chosen = np.flatnonzero(which == number)
        outlines[chosen] = kind(rng, len(chosen))
    rounded = np.flatnonzero(rng.random(count) < 0.4)
    outlines[rounded] = _rounded(outlines[rounded], rng.uniform(0.03, 0.3, len(rounded)))
    turn = rng.integers(0, ANGLES, (count, 1))
    turned = np.take_along_axis(outlines, (np.arange(ANGLES) + turn) % ANGLES, axis=1)
    return np.asarray(turned, np.float32)


def _angles() -> Array:
    return np.arange(ANGLES, dtype=np.float32) * np.float32(2 * math.pi / ANGLES)


def _ellipses(rng: np.random.Generator, count: int) -> Array:
    flatness = rng.uniform(0.3, 1, (count, 1)).astype(np.float32)
    flatness[rng.random(count) < 0.3] = 1  # discs
    angle = _angles()
    distance = flatness / np.hypot(flatness * np.cos(angle), np.sin(angle))
    return np.asarray(distance, np.float32)


def _rectangles(rng: np.random.Generator, count: int) -> Array:
    half = rng.uniform(0.08, 1, (count, 1)).astype(np.float32)
    cosine, sine = np.abs(np.cos(_angles())), np.abs(np.sin(_angles()))
    return np.minimum(1 / np.maximum(cosine, 1e-3), half / np.maximum(sine, 1e-3))


def _polygons(rng: np.random.Generator, count: int) -> Array:
    """Return star-shaped polygons of 3 to 8 corners, about half of them not convex."""
    outlines = np.empty((count, ANGLES), np.float32)
    which = rng.integers(3, 9, count)
    for corners in range(3, 9):
        chosen = np.flatnonzero(which == corners)
        outlines[chosen] = _polygons_of(rng, len(chosen), corners)
    return outlines


def _polygons_of(rng: np.random.Generator, count: int, corners: int) -> Array:
    step = 2 * math.pi / corners
    at = (np.arange(corners) + rng.uniform(-0.2, 0.2, (count, corners))) * step
    radii = rng.uniform(0.5, 1.4, (count, corners))
    outlines = np.full((count, ANGLES), np.inf, np.float32)
    y, x = radii * np.sin(at), radii * np.cos(at)
    for first in range(corners):
        second = (first + 1) % corners
        dy, dx = y[:, second] - y[:, first], x[:, second] - x[:, first]
        # The edges' half-planes would give convex polygons only: each edge has its own angles.
        reach = ((x[:, first] * dy - y[:, first] * dx)[:, None]).astype(np.float32)
        slant = np.cos(_angles()) * dy[:, None] - np.sin(_angles()) * dx[:, None]
        passed = (_angles() - at[:, first, None]) % (2 * math.pi)
        width = (at[:, second] - at[:, first])[:, None] % (2 * math.pi)
        edge = reach / np.where(np.abs(slant) < 1e-6, 1e-6, slant)
        np.copyto(outlines, edge, where=passed <= width, casting="same_kind")
    return np.asarray(np.clip(np.nan_to_num(outlines, posinf=1.0), 0.1, 1.6))


def _blobs(rng: np.random.Generator, count: int) -> Array:
    """Return smooth outlines, from pebbles to clouds: the exponential of some harmonics."""
    harmonics = np.arange(2, 9)
    size = rng.normal(0, 1, (count, 1, 7)) * rng.uniform(0.1, 0.7, (count, 1, 1)) / harmonics
    phase = rng.uniform(0, 2 * math.pi, (count, 1, 7))
    wave = np.cos(_angles()[:, None] * harmonics + phase)
    return np.asarray(np.exp((size * wave).sum(axis=2)), np.float32)


def _rounded(outlines: Array, widths: NDArray[np.float64]) -> Array:
    """Round the corners: smooth each outline over its own angle, radians."""
    spectrum = np.fft.rfft(outlines, axis=1)
    decay = np.exp(-0.5 * np.square(np.arange(spectrum.shape[1]) * widths[:, None]))
    smooth: NDArray[np.float64] = np.fft.irfft(spectrum * decay, ANGLES, axis=1)
    return smooth.astype(np.float32)
