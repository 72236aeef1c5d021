"""NoiseSpectrum: what the flattest blocks of an image hold, by frequency, colour and brightness.

Blocks are chosen by one half of their frequencies and measured by the other, and the reverse, since
a block that is chosen for little noise would be measured with too little.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy import special
from torch import Tensor

from zssr_daemon.zssr.degradation.noise_shape import BRIGHTNESS, separated
from zssr_daemon.zssr.ops.dct import SIDE, blocks, transform

# The share of all blocks that is measured, and the fewest blocks that say anything.
FLATTEST = 0.03
MIN_BLOCKS = 32

# The blocks after the flattest, up to this share, tell how fast the picture's own detail grows.
NEXT = 0.12

# Clipping makes noise weaker; blocks with more clipped samples than this share are not measured.
MAX_CLIPPED = 0.1

# About so many blocks are looked at, whatever the size of the image.
MAX_BLOCKS = 7_000

_FREQUENCY = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
_IS_ODD = _FREQUENCY % 2 == 1
_CHOOSING = (_FREQUENCY >= 1) & (_FREQUENCY <= 7)
_BANDS = tuple(
    torch.isin(_FREQUENCY, torch.arange(first, end))
    for first, end in ((2, 4), (4, 6), (6, 8), (8, 10), (10, 15))
)
_FINE = _FREQUENCY >= 6


@dataclass(frozen=True, slots=True)
class PlaneSpectrum:
    """One plane in the flattest blocks; a number for each band, whose middles are KNOTS."""

    stds: tuple[float, ...]  # levels of 255
    # How unlike the blocks are, relative to noise, which is 1; and how much more the next blocks
    # hold, as a ratio of standard deviations.
    spread: tuple[float, ...]
    growth: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NoiseSpectrum:
    """The planes of an image, and its blocks for further questions."""

    planes: tuple[PlaneSpectrum, ...]
    _energy: Tensor  # (planes, blocks, 8, 8)
    _flat: tuple[Tensor, Tensor]  # of `_flatness`
    _brightness: Tensor  # (blocks,), 0 to 1

    @classmethod
    def of(cls, image: Tensor) -> Self | None:
        """Measure (C, H, W) float32 in [0, 1]; None where too few blocks are free of clipping."""
        step = max(4, math.isqrt(image[0].numel() // MAX_BLOCKS))
        by_channel = torch.stack([blocks(channel, step) for channel in image])
        clipped = (by_channel <= 0) | (by_channel >= 1)
        whole = by_channel[:, clipped.float().mean(dim=(0, 2, 3)) <= MAX_CLIPPED]
        if whole.shape[1] < 2 * MIN_BLOCKS:
            return None
        # As an image of many columns, so that colours are separated as everywhere.
        planes = separated(whole.flatten(2) * 255).reshape(whole.shape)
        energy = transform(planes).square()
        flat = _flatness(energy)
        spectra = tuple(_plane(each, flat) for each in energy)
        return cls(spectra, energy, flat, whole.mean(dim=(0, 2, 3)))

    def by_brightness(self, variances: Tensor, planes: list[int]) -> tuple[float, ...]:
        """Return the variance of noise at BRIGHTNESS, relative to that of the flattest blocks.

        By the fine waves of those planes, of which `variances`, (planes, 8, 8), are expected. Few
        blocks count less; where there are hardly any, the nearest brightness counts.
        """
        at = ((self._brightness - BRIGHTNESS[0]) / (BRIGHTNESS[1] - BRIGHTNESS[0])).round()
        at = at.clamp(0, len(BRIGHTNESS) - 1)
        known = {
            number: self._relative(variances, planes, at == number)
            for number in range(len(BRIGHTNESS))
            if int((at == number).sum()) >= MIN_BLOCKS
        }
        if not known:
            return (1.0,) * len(BRIGHTNESS)
        curve = np.interp(range(len(BRIGHTNESS)), [*known], [*known.values()])
        order = self._flat[0].argsort(stable=True)
        flattest = self._brightness[order[: flattest_count(len(order))]]
        return tuple((curve / np.interp(flattest.numpy(), BRIGHTNESS, curve).mean()).tolist())

    def mean_over_brightness(self, curve: tuple[float, ...]) -> float:
        """Return the mean of a curve given at BRIGHTNESS over all blocks."""
        return float(np.interp(self._brightness.numpy(), BRIGHTNESS, curve).mean())

    def _relative(self, variances: Tensor, planes: list[int], where: Tensor) -> float:
        """Return the same for the flattest of the blocks `where`."""
        count = max(MIN_BLOCKS // 2, int(where.sum()) // 6)
        ratios = []
        for plane in planes:
            found = 0.0
            for score, half in zip(self._flat, (_IS_ODD, ~_IS_ODD), strict=True):
                chosen = score.masked_fill(~where, math.inf).argsort(stable=True)[:count]
                waves = _FINE & ~half
                relative = self._energy[plane][chosen][:, waves] / variances[plane][waves]
                found += _typical(relative.mean(dim=1), int(waves.sum())) / 2
            ratios.append(found)
        # Detail, where these blocks hold some, is seldom in all planes.
        return float(min(ratios) ** (count / (count + MIN_BLOCKS / 2)))


def _flatness(energy: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much detail each block holds, by either half of the frequencies."""
    # Planes that hold nothing, as in a grey picture, say nothing.
    telling = energy[energy.mean(dim=(1, 2, 3)) > 1e-3]
    telling = telling if len(telling) > 0 else energy
    by_half = [(telling[:, :, _CHOOSING & half] + 0.01).log() for half in (_IS_ODD, ~_IS_ODD)]
    return by_half[0].mean(dim=(0, 2)), by_half[1].mean(dim=(0, 2))


def _plane(energy: Tensor, flat: tuple[Tensor, Tensor]) -> PlaneSpectrum:
    """Return what the energy (blocks, 8, 8) of one plane says."""
    count = flattest_count(len(energy))
    further = max(3 * count, round(NEXT * len(energy)))
    orders = [score.argsort(stable=True) for score in flat]
    stds, spread, growth = [], [], []
    for band in _BANDS:
        found = torch.zeros(3)
        for order, half in zip(orders, (_IS_ODD, ~_IS_ODD), strict=True):
            waves = band & ~half
            here = energy[order[:count]][:, waves].mean(dim=1)
            there = energy[order[count:further]][:, waves].mean(dim=1)
            degrees = int(waves.sum())
            found += torch.tensor(
                [_typical(here, degrees), _typical(there, degrees), _unlike(here, degrees)]
            )
        std, next_std = found[:2].div(2).sqrt().tolist()
        stds.append(std)
        spread.append(float(found[2]) / 2)
        growth.append(next_std / max(std, 1e-3))
    return PlaneSpectrum(tuple(stds), tuple(spread), tuple(growth))


def flattest_count(blocks: int) -> int:
    """Return how many of so many blocks count as the flattest."""
    return max(MIN_BLOCKS, round(FLATTEST * blocks))


def _typical(energy: Tensor, degrees: int) -> float:
    """Return the mean of noise from the median energy, each a mean over `degrees` waves."""
    return float(energy.median()) / _quantile(0.5, degrees)


def _unlike(energy: Tensor, degrees: int) -> float:
    """Return the ratio of the quartiles, logarithmic and relative to that of noise."""
    low, high = (max(float(energy.quantile(at)), 1e-6) for at in (0.25, 0.75))
    return math.log(high / low) / math.log(_quantile(0.75, degrees) / _quantile(0.25, degrees))


def _quantile(share: float, degrees: int) -> float:
    """Return a quantile of the mean of `degrees` squared normal numbers."""
    return float(special.chdtri(degrees, 1 - share)) / degrees
