"""StepEvidence: how well each step of quantisation explains the cosine coefficients of blocks."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final, Self

import torch
from torch import Tensor

from zssr_daemon.zssr.ops.dct import SIDE, transform

#: The largest step that a table of 8 bits holds. Steps are whole numbers from 1.
MAX_STEP: Final = 255

# Coefficients are counted by their size, in bins so wide, levels; larger ones are left out.
_BIN, _MAX_COEFFICIENT = 0.125, 1024

# How far decoded coefficients lie from multiples of their steps, standard deviation in levels,
# since pixels are rounded to 8 bits; and the share of coefficients that lie anywhere.
_STRAY, _ANYWHERE = 0.35, 0.1

# How many times larger an earlier step must be than the last one to leave a trace.
_CLEARLY_LARGER = 1.5


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """What the coefficients of 64 frequencies say about their steps.

    of_step: (64, MAX_STEP), the evidence for the steps from 1: the natural logarithm of the ratio
    of likelihoods, with that step and without any, summed over the coefficients. Those that the
    step makes 0 give none: coefficients that were never compressed are often as small.
    count: (64, MAX_STEP), how many coefficients give it.
    """

    of_step: Tensor
    count: Tensor
    _histogram: Tensor  # (64, bins), how many coefficients are that large

    @classmethod
    def of(cls, pixels: Tensor) -> Self:
        """Return that of blocks (count, 8, 8) of one channel in levels, centred at 0."""
        sizes = transform(pixels).abs().reshape(-1, SIDE**2).div(_BIN).long()
        bins = int(_MAX_COEFFICIENT / _BIN)
        row = torch.arange(SIDE**2) * bins
        counted = torch.bincount((sizes + row)[sizes < bins], minlength=SIDE**2 * bins).reshape(
            SIDE**2, bins
        )
        histogram = counted.float()
        larger = histogram.flip(1).cumsum(dim=1).flip(1)
        return cls(histogram @ _evidence_of_bins(), larger[:, _first_bins()], histogram)

    def before(self, steps: Tensor) -> Self:
        """Return the same about an earlier compression; steps: (64,), those of the last one.

        The last one moved multiples of the earlier steps to the nearest of its own multiples, so it
        left others out. Steps that are not clearly larger than its own give no evidence.
        """
        of_step, count = (torch.zeros(SIDE**2, MAX_STEP) for _ in range(2))
        every = torch.arange(1, MAX_STEP + 1)
        for frequency, (last, sizes) in enumerate(zip(steps, self._histogram, strict=True)):
            multiples = (_bin_centres() / last).round().long()
            occurs = torch.bincount(multiples, weights=sizes)[:, None]  # (multiples, 1)
            sizes_then = torch.arange(len(occurs))[:, None] * last
            times = (sizes_then / every).round()
            is_left = ((times * every / last).round() * last == sizes_then).float()
            ratio = (1 - _ANYWHERE) * (every / last) * is_left + _ANYWHERE
            tells = (times > 0) & (every >= _CLEARLY_LARGER * last)
            of_step[frequency] = (ratio.log() * tells * occurs).sum(dim=0)
            count[frequency] = (tells * occurs).sum(dim=0)
        return type(self)(of_step, count, self._histogram)

    def kinds(self, steps: Tensor) -> Tensor:
        """Return (64,): how many different multiples of its step, (64,), a frequency has; not 0."""
        multiples = (_bin_centres() / steps[:, None]).round() * (self._histogram > 0)
        return torch.tensor([len(each[each > 0].unique()) for each in multiples])


def _bin_centres() -> Tensor:
    return (torch.arange(int(_MAX_COEFFICIENT / _BIN)) + 0.5) * _BIN


def _first_bins() -> Tensor:
    """Return (MAX_STEP,): the first bin that a step does not make 0."""
    return (torch.arange(1, MAX_STEP + 1) / 2 / _BIN).ceil().long()


@cache
def _evidence_of_bins() -> Tensor:
    """Return (bins, MAX_STEP): the evidence that a coefficient of each size gives to each step."""
    sizes, steps = _bin_centres()[:, None], torch.arange(1, MAX_STEP + 1)
    times = (sizes / steps).round_()
    stray = sizes - times * steps
    near = torch.exp(-0.5 * (stray / _STRAY).square()) / (_STRAY * math.sqrt(2 * math.pi))
    ratio = (1 - _ANYWHERE) * steps * near + _ANYWHERE
    return ratio.log() * (times > 0)
