"""Textures: what fills a leaf beside its colour: noise of power-law spectra, waves, shading."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from zssr_daemon.zssr.start.palette import Palette
from zssr_daemon.zssr.start.shapes import Leaves
from zssr_daemon.zssr.start.stamps import Array, Labels

# Noises that the leaves of one layer share; each leaf has its own place in one of them.
NOISES = 4


def noise(rng: np.random.Generator, side: int, slope: float, stretch: float = 1.0) -> Array:
    """Return (side, side) of mean 0 and deviation 1 with a magnitude spectrum of f^-slope.

    stretch: how many times farther it reaches down than across; 1 is the same in all directions.
    """
    down = fft.fftfreq(side)[:, None] * math.sqrt(stretch)
    across = fft.rfftfreq(side)[None] / math.sqrt(stretch)
    frequency = np.hypot(down, across).astype(np.float32)
    frequency[0, 0] = 1
    white = fft.rfft2(rng.standard_normal((side, side), np.float32))
    white *= np.exp(np.log(frequency) * np.float32(-slope))  # much faster than a power
    white[0, 0] = 0
    result = fft.irfft2(white, (side, side))
    return np.asarray(result / result.std(), np.float32)


def drawn_noise(rng: np.random.Generator, side: int) -> Array:
    """Draw a noise of any slope from sand to clouds; some have ridges, spots or heavy tails."""
    result = noise(rng, side, rng.uniform(0.3, 2.2), math.exp(rng.normal(0, 0.6)))
    form = rng.random()
    if form < 0.15:  # veins
        result = np.float32(0.8) - np.abs(result)
    elif form < 0.3:  # spots with soft rims
        result = np.tanh(np.float32(4) * (result - np.float32(rng.uniform(-1, 1))))
    elif form < 0.5:  # rare strong ones among many weak ones
        heavy = np.sign(result) * np.abs(result) ** np.float32(1.6)
        result = np.asarray(np.float32(0.8) * heavy, np.float32)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Fills:
    """How each of the leaves of one layer is filled; arrays of K entries, one for each leaf."""

    colours: Array  # (K, 3)
    directions: Array  # (K, 3), how a texture moves the colour
    roughness: Array  # amplitude of the noise
    noises: NDArray[np.intp]  # which of the layer's
    offsets: NDArray[np.int32]  # (K, 2), where in it
    slopes: Array  # (K, 2), brightness across the whole leaf, down and right
    roundness: Array  # darkening towards the outline, as of a ball
    waves: Array  # amplitude; 0 for most
    frequencies: Array  # (K, 2), radians a pixel, down and right
    hardness: Array  # of the waves: 1 a sinusoid, 8 nearly bars
    is_checked: NDArray[np.bool]  # waves in two directions

    @classmethod
    def drawn(cls, rng: np.random.Generator, palette: Palette, count: int, pixel: float) -> Self:
        """Draw fills for `count` leaves.

        pixel: how many pixels of the canvas become one of the picture.
        """
        contrast = rng.uniform(0.02, 0.14)  # of the layer's noise
        period = np.exp(rng.uniform(math.log(2.5), math.log(24), count)) * pixel
        angle = rng.uniform(0, math.pi, count)
        direction = np.column_stack([np.sin(angle), np.cos(angle)])
        is_wavy = rng.random(count) < rng.choice([0.02, 0.08, 0.4], p=[0.6, 0.3, 0.1])
        is_rough = rng.random(count) < rng.uniform(0.5, 1)
        return cls(
            colours=palette.colours(rng, count),
            directions=palette.direction(rng, count),
            roughness=_f32(rng.exponential(contrast, count).clip(0, 0.25) * is_rough),
            noises=rng.integers(0, NOISES, count),
            offsets=rng.integers(0, 2**20, (count, 2)).astype(np.int32),
            slopes=_f32(rng.normal(0, 0.08, (count, 2))),
            roundness=_f32(rng.uniform(0, 0.5, count) * (rng.random(count) < 0.35)),
            waves=_f32(rng.uniform(0.03, 0.22, count) * is_wavy),
            frequencies=_f32(direction * (2 * math.pi / period)[:, None]),
            hardness=_f32(np.exp(rng.uniform(0, math.log(6), count))),
            is_checked=rng.random(count) < 0.25,
        )


def paint(
    rng: np.random.Generator, labels: Labels, leaves: Leaves, palette: Palette, pixel: float
) -> Array:
    """Return (3, H, W), the leaves' colours with their textures; not cut to [0, 1].

    labels: of `Leaves.top`, none of them 0. pixel: as in `Fills.drawn`.
    """
    side = len(labels)
    which = labels - 1
    fills = Fills.drawn(rng, palette, len(leaves.centres), pixel)
    (down, right), share = leaves.place(labels)
    extent = leaves.outlines.mean(axis=1)[which]
    value = fills.slopes[which, 0] * down / extent + fills.slopes[which, 1] * right / extent
    value -= fills.roundness[which] * (share * share) * np.float32(0.4)
    value += _rough(rng, fills, which)
    _add_waves(rng, value, fills, which, side)
    picture = fills.colours[which] + value[..., None] * fills.directions[which]
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def _rough(rng: np.random.Generator, fills: Fills, which: Labels) -> Array:
    """Return (H, W): the noise of each pixel's leaf, from the leaf's place in it.

    The noises repeat without a seam, so half the canvas is enough of them.
    """
    side = len(which) // 2
    noises = np.stack([drawn_noise(rng, side) for _ in range(NOISES)]).ravel()
    rows, columns = np.indices(which.shape, np.int32)
    row = (rows + fills.offsets[which, 0]) % side
    column = (columns + fills.offsets[which, 1]) % side
    number = fills.noises[which] * side**2 + row * side + column
    return np.asarray(noises[number] * fills.roughness[which])


def _add_waves(
    rng: np.random.Generator, value: Array, fills: Fills, which: Labels, side: int
) -> None:
    """Add stripes and checks, bent a little, where a pixel's leaf has them."""
    rows, columns = np.nonzero(fills.waves[which])
    if len(rows) == 0:
        return
    leaf = which[rows, columns]
    bend = noise(rng, side, 2.5)[rows, columns] * np.float32(rng.uniform(0, 6))
    down, right = rows + bend, columns + bend
    first, second = fills.frequencies[leaf].T
    wave = np.sin(down * first + right * second)
    crossed = wave * np.sin(right * first - down * second)
    wave = np.where(fills.is_checked[leaf], crossed, wave)
    hardness = fills.hardness[leaf]
    value[rows, columns] += fills.waves[leaf] * np.tanh(hardness * wave) / np.tanh(hardness)


def _f32(values: NDArray[np.float64]) -> Array:
    return values.astype(np.float32)
