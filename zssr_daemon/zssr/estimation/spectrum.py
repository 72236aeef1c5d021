"""Spectrum: how much of each frequency an image has, where it has any detail at all.

The spectrum of one block says little. The mean over all blocks, each divided by its own strength,
falls with frequency by a power law in nearly every natural picture (Field 1987,
doi 10.1364/JOSAA.4.002379). Where it falls faster, the picture was blurred.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor

from zssr_daemon.zssr.ops.luma import WEIGHTS, luma
from zssr_daemon.zssr.ops.regions import regions

Array = NDArray[np.float64]

#: Side of a block, and the distance from one to the next, source pixels.
BLOCK, STEP = 32, 16

# Cycles a pixel. Below the minimum the window's own width shows, above the maximum mostly aliases.
_MIN_FREQUENCY, _MAX_FREQUENCY = 0.06, 0.45

# The band by which a block's strength is judged.
_BAND = (0.1, 0.3)

# The share of blocks that is used, the strongest; and how much less those near the noise count.
_SHARE, _DAMPING = 0.5, 50.0

# Variance of rounding to 8 bits.
_ROUNDING = 1 / 12 / 255**2

# A JPEG rounds to 0 what is less than half a step. A frequency is used whose power is so many times
# that of the rounding.
_ABOVE_ROUNDING = 4.0

# Sub-sampling folds frequencies onto each other: a frequency, and the neighbours that fold onto it.
_FOLDS = np.array([(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)])


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The mean spectrum of an image's blocks, in half of the plane; the other half is equal."""

    log_power: Array  # (n,) natural logarithm of the power, each block divided by its strength
    floor: Array  # (n,) power of noise, rounding and quantisation, on the same scale
    rounding: float  # that of rounding to 8 bits alone
    y: Array  # (9, n) cycles a pixel: a frequency and those that fold onto it
    x: Array  # (9, n)

    @classmethod
    def of(
        cls, parts: list[Array], noise_variance: float = 0.0, steps: Array | None = None
    ) -> Self | None:
        """Measure parts of an image, (h, w) in [0, 1]; None where they are smaller than a block.

        noise_variance: of the noise in them, rounding not counted. steps: (8, 8) steps to which a
        JPEG rounded its cosine coefficients; frequencies that they drown are left out.
        """
        blocks = [_blocks(part) for part in parts if min(part.shape) >= BLOCK]
        if not blocks:
            return None
        power = _periodograms(np.concatenate(blocks))
        y, x = np.meshgrid(np.fft.fftfreq(BLOCK), np.fft.fftfreq(BLOCK), indexing="ij")
        radius = np.hypot(y, x)
        strength = power[:, (radius > _BAND[0]) & (radius < _BAND[1])].mean(axis=1)
        strong = strength >= np.quantile(strength, 1 - _SHARE)
        noise = _ROUNDING + noise_variance
        weights = 1 / (strength[strong] + _DAMPING * noise)
        is_half = (x > 0) | ((x == 0) & (y > 0))
        used = is_half & (radius >= _MIN_FREQUENCY) & (np.maximum(abs(y), abs(x)) <= _MAX_FREQUENCY)
        mean = np.tensordot(weights, power[strong], axes=1) / len(weights)
        floor = np.full_like(mean, noise * weights.mean())
        if steps is not None:
            drowned = _rounding(steps, y, x) * weights.mean()
            used &= mean > _ABOVE_ROUNDING * drowned
            floor += drowned
        folds_y, folds_x = _FOLDS[:, :1], _FOLDS[:, 1:]
        return cls(
            log_power=np.log(mean[used].clip(min=1e-300)),  # one colour has no power
            floor=floor[used],
            rounding=float(_ROUNDING * weights.mean()),
            y=y[used] + folds_y,
            x=x[used] + folds_x,
        )

    @cached_property
    def log_radius(self) -> Array:
        """(9, n) natural logarithm of the distance from frequency 0."""
        return np.asarray(np.log(np.hypot(self.y, self.x)))

    @cached_property
    def harmonics(self) -> Array:
        """(4, 9, n) terms by which a picture may be stronger in some directions than in others."""
        angle = np.arctan2(self.y, self.x)
        return np.stack(
            [np.cos(2 * angle), np.sin(2 * angle), np.cos(4 * angle), np.sin(4 * angle)]
        )


def luma_parts(image: Tensor) -> list[Tensor]:
    """Return the parts of an image (C, H, W), C 1 or 3, that are looked at: their luma, (h, w)."""
    parts = regions(luma(image)[None, None], torch.Generator().manual_seed(0))
    return [part[0] for part in parts]


def luma_noise_variance(image: Tensor, noise_std: float) -> float:
    """Return the variance in the luma of an image (C, H, W) in [0, 1].

    noise_std: of the noise in each channel, independent of the others, levels of 255.
    """
    share = 1.0 if image.shape[0] == 1 else float(WEIGHTS.square().sum())
    return (noise_std / 255) ** 2 * share


def _rounding(steps: Array, y: Array, x: Array) -> Array:
    """Return the variance of rounding to (8, 8) steps of a JPEG's coefficients, by frequency."""
    rows, columns = (abs(axis) * 2 * len(steps) for axis in (y, x))  # of the cosine transform
    return np.asarray(map_coordinates(steps, [rows, columns], order=1, mode="nearest") ** 2 / 12)


def _blocks(part: Array) -> Array:
    """Return (n, BLOCK, BLOCK) half overlapping blocks."""
    views = np.lib.stride_tricks.sliding_window_view(part, (BLOCK, BLOCK))[::STEP, ::STEP]
    return np.asarray(views.reshape(-1, BLOCK, BLOCK))


def _periodograms(blocks: Array) -> Array:
    """Return (n, BLOCK, BLOCK) power; that of white noise is its variance at every frequency."""
    line = np.hanning(BLOCK + 1)[:-1]
    window = np.outer(line, line)
    means = np.tensordot(blocks, window / window.sum(), axes=2)
    window /= np.sqrt(np.square(window).sum())
    return np.asarray(np.abs(np.fft.fft2((blocks - means[:, None, None]) * window)) ** 2)
