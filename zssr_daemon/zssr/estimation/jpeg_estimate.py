"""JpegEstimate: the JPEG quality that a source was once saved with, found in its pixels.

Compression rounds the cosine coefficients of each block to multiples of known steps, and decoding
leaves them close to these. The quality whose steps explain the coefficients best is looked for.
"""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.jpeg import quantisation_steps
from zssr_daemon.zssr.ops.dct import SIDE, blocks, transform
from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.ops.luma import luma

# Finer compression is not looked for: it does less harm than giving up back-projection does.
MAX_QUALITY = 96

# At most so many blocks are looked at.
MAX_BLOCKS = 512

# Coefficients are looked at whose two frequencies add up to at most this; finer ones are nearly
# always 0.
MAX_FREQUENCY = 7

# How far decoded coefficients lie from multiples of their steps, standard deviation in levels,
# since pixels are rounded to 8 bits; and the share of coefficients that lie anywhere.
STRAY, ANYWHERE = 0.35, 0.1

# How much better steps must explain a coefficient than no steps do, natural logarithm. The right
# quality was measured to have 0.1 (at 97) to 4 (at 5); pictures never compressed have below -2.
MIN_EVIDENCE = 0.1

# Fewer coefficients than this prove nothing.
MIN_COEFFICIENTS = 64

# So many different multiples must occur, over all frequencies: a plain ramp of colour has the same
# few coefficients everywhere, and some quality always explains those.
MIN_KINDS = 8


def estimate_quality(image: Tensor) -> int | None:
    """Return the quality at which (C, H, W) float32 in [0, 1] was compressed, from its pixels.

    The image may have been turned or flipped since, but not resized, nor cut at the sides where
    its blocks begin. None where no quality up to MAX_QUALITY explains the pixels. The same image
    gives the same number.
    """
    brightness = luma(image * 255)
    clipped = ((image <= 0) | (image >= 1)).any(dim=0)
    # An image of whole blocks has the same blocks from all corners, but for signs, which do not
    # matter.
    is_whole = all(side % SIDE == 0 for side in brightness.shape)
    found = (
        _best_quality(_some_blocks(dihedral(brightness - 128, turn), dihedral(clipped, turn)))
        for turn in ((0, 1) if is_whole else range(8))
    )
    return next((quality for quality in found if quality is not None), None)


def _some_blocks(brightness: Tensor, clipped: Tensor) -> Tensor:
    """Return at most MAX_BLOCKS blocks of (H, W), without clipped pixels if there are such."""
    every = blocks(brightness, SIDE)
    whole = every[~blocks(clipped, SIDE).any(dim=2).any(dim=1)]
    chosen = whole if len(whole) > 0 else every
    return chosen[torch.linspace(0, len(chosen) - 1, min(len(chosen), MAX_BLOCKS)).long()]


def _best_quality(pixels: Tensor) -> int | None:
    """Return the quality that explains blocks of a luma, (count, 8, 8) levels, or None."""
    frequency = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
    looked_at = (frequency >= 1) & (frequency <= MAX_FREQUENCY)
    coefficients = transform(pixels).abs()[:, looked_at]
    steps = torch.stack([quantisation_steps(each)[looked_at] for each in range(1, MAX_QUALITY + 1)])
    evidence, count = _evidence(coefficients, steps)
    best = int(evidence.argmax())
    is_clear = count[best] >= MIN_COEFFICIENTS and evidence[best] > MIN_EVIDENCE * count[best]
    return best + 1 if is_clear and _kinds(coefficients, steps[best]) >= MIN_KINDS else None


def _evidence(coefficients: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the evidence for each row of `steps`, and the number of coefficients that give it.

    coefficients: (count, F), not negative; steps: (rows, F). The evidence is the logarithm of the
    ratio of likelihoods, with the steps and without, summed. Coefficients that the steps make 0
    give none: uncompressed ones are often as small.
    """
    steps = steps[:, None]  # (rows, 1, F)
    times = (coefficients / steps).round_()
    stray = coefficients - times * steps
    near = torch.exp(-0.5 * (stray / STRAY).square()) / (STRAY * math.sqrt(2 * math.pi))
    ratio = (1 - ANYWHERE) * steps * near + ANYWHERE
    tells = times > 0
    return (ratio.log() * tells).sum(dim=(1, 2)), tells.sum(dim=(1, 2))


def _kinds(coefficients: Tensor, steps: Tensor) -> int:
    """Return how many different multiples of the steps occur, apart from 0, in all frequencies."""
    multiples = (coefficients / steps).round().long().T
    return sum(len(each[each > 0].unique()) for each in multiples)
