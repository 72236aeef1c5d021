"""JpegEstimate: the JPEG quality a source was once saved with, seen in its pixels."""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.jpeg import _steps
from zssr_daemon.zssr.ops.dct import SIDE, blocks, transform
from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.ops.luma import luma

# Finer compression is not looked for: it does less harm than to give back-projection up.
MAX_QUALITY = 96

# Blocks that are looked at.
MAX_BLOCKS = 512

# Coefficients looked at: both frequencies together at most this, more are nearly always 0.
MAX_FREQUENCY = 7

# How far decoded coefficients lie from whole steps, levels: by rounding to 8 bits. Some few lie
# anywhere.
STRAY, ANYWHERE = 0.35, 0.1

# By how much steps must explain a coefficient better than none, natural logarithm. The right
# quality was found to have 0.1 (at 97) to 4 (at 5), pictures never compressed have below -2.
MIN_EVIDENCE = 0.1

MIN_COEFFICIENTS = 64

# Frequencies times multiples of their steps that must occur: a plain ramp of colour has the same
# few coefficients everywhere, and some quality explains them.
MIN_KINDS = 8


def estimate_quality(image: Tensor) -> int | None:
    """Return the quality at which (C, H, W) float32 in [0, 1] was compressed, from its pixels.

    The image may have been turned or flipped since, but not cut at the sides that its blocks
    begin at, nor resized. None where no quality up to MAX_QUALITY explains it. The same image
    gives the same number.
    """
    brightness = luma(image * 255)
    clipped = ((image <= 0) | (image >= 1)).any(dim=0)
    # Whole blocks are the same from all corners, up to signs, which do not matter.
    is_whole = all(side % SIDE == 0 for side in brightness.shape)
    found = (
        _best_quality(_some_blocks(dihedral(brightness - 128, turn), dihedral(clipped, turn)))
        for turn in ((0, 1) if is_whole else range(8))
    )
    return next((quality for quality in found if quality is not None), None)


def _some_blocks(brightness: Tensor, clipped: Tensor) -> Tensor:
    """Return at most MAX_BLOCKS of (H, W), those in which nothing was clipped if there are any."""
    every = blocks(brightness, SIDE)
    whole = every[~blocks(clipped, SIDE).any(dim=2).any(dim=1)]
    chosen = whole if len(whole) > 0 else every
    return chosen[torch.linspace(0, len(chosen) - 1, min(len(chosen), MAX_BLOCKS)).long()]


def _best_quality(pixels: Tensor) -> int | None:
    """Return the quality that explains the blocks of a luma, (count, 8, 8), in levels."""
    frequency = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
    looked_at = (frequency >= 1) & (frequency <= MAX_FREQUENCY)
    coefficients = transform(pixels).abs()[:, looked_at]
    steps = torch.stack([_steps(each)[looked_at] for each in range(1, MAX_QUALITY + 1)])
    evidence, count = _evidence(coefficients, steps)
    best = int(evidence.argmax())
    is_clear = count[best] >= MIN_COEFFICIENTS and evidence[best] > MIN_EVIDENCE * count[best]
    return best + 1 if is_clear and _kinds(coefficients, steps[best]) >= MIN_KINDS else None


def _evidence(coefficients: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much better each row of `steps` explains coefficients than none, and how many.

    coefficients: (count, F), not negative; steps: (rows, F). The logarithm of the likelihoods'
    ratio, summed; those that would become 0 tell nothing, they would also do so uncompressed.
    """
    steps = steps[:, None]  # (rows, 1, F)
    times = (coefficients / steps).round_()
    stray = coefficients - times * steps
    near = torch.exp(-0.5 * (stray / STRAY).square()) / (STRAY * math.sqrt(2 * math.pi))
    ratio = (1 - ANYWHERE) * steps * near + ANYWHERE
    tells = times > 0
    return (ratio.log() * tells).sum(dim=(1, 2)), tells.sum(dim=(1, 2))


def _kinds(coefficients: Tensor, steps: Tensor) -> int:
    """Return how many multiples of all the steps occur, apart from 0."""
    multiples = (coefficients / steps).round().long().T
    return sum(len(each[each > 0].unique()) for each in multiples)
