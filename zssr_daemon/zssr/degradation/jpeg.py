"""JPEG: what its compression makes of an image, and at which quality one was compressed."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.dct import SIDE, blocks, inverse, transform
from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.ops.luma import WEIGHTS, luma

# Steps of the frequencies at quality 50 (ITU-T T.81, tables K.1 and K.2).
_LUMA_STEPS = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)

_CHROMA_STEPS = torch.full((SIDE, SIDE), 99)
_CHROMA_STEPS[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
)

# RGB to luma and chroma (JFIF 1.02), the chroma about 0.
_CHROMA = torch.tensor([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_YCC = torch.cat([WEIGHTS[None], _CHROMA])

# Finer compression is not looked for: it does less harm than to give back-projection up.
MOST_QUALITY = 96

# Blocks that are looked at.
MOST_BLOCKS = 512

# Coefficients looked at: both frequencies together at most this, more are nearly always 0.
MOST_FREQUENCY = 7

# How far decoded coefficients lie from whole steps, levels: by rounding to 8 bits. Some few lie
# anywhere.
STRAY, ANYWHERE = 0.35, 0.1

# By how much steps must explain a coefficient better than none, natural logarithm. The right
# quality was found to have 0.1 (at 97) to 4 (at 5), pictures never compressed have below -2.
LEAST_EVIDENCE = 0.1
LEAST_COEFFICIENTS = 64

# Frequencies times multiples of their steps that must occur: a plain ramp of colour has the same
# few coefficients everywhere, and some quality explains them.
LEAST_KINDS = 8


def compress(image: Tensor, quality: int) -> Tensor:
    """Return what is left of (..., C, H, W) float32 in [0, 1] at a quality, 1 to 100.

    C is 1 or 3; the chroma is halved in width and height, as libraries do by default. Rounded to 8
    bits.
    """
    levels = image.reshape(-1, *image.shape[-3:]) * 255
    is_colour = levels.shape[1] == 3
    planes = torch.einsum("dc,nchw->ndhw", _YCC.to(levels), levels) if is_colour else levels
    coded = _quantised(planes[:, :1] - 128, _steps(quality)) + 128
    if is_colour:
        chroma = _smaller_quantised(planes[:, 1:], _steps(quality, _CHROMA_STEPS))
        ycc = torch.cat([coded, chroma], dim=1)
        coded = torch.einsum("dc,nchw->ndhw", torch.linalg.inv(_YCC).to(levels), ycc)
    return coded.round().clamp(0, 255).div(255).reshape(image.shape)


def _smaller_quantised(chroma: Tensor, steps: Tensor) -> Tensor:
    """Return (N, 2, H, W) halved, quantised and enlarged again."""
    height, width = chroma.shape[-2:]
    even = functional.pad(chroma, (0, width % 2, 0, height % 2), mode="replicate")
    coded = _quantised(functional.avg_pool2d(even, 2), steps)
    large = functional.interpolate(coded, scale_factor=2, mode="bilinear")
    return large[..., :height, :width]


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Return (N, C, H, W), levels about 0, with the coefficients of its blocks rounded to steps."""
    height, width = planes.shape[-2:]
    ends = (0, -width % SIDE, 0, -height % SIDE)
    whole = functional.pad(planes, ends, mode="replicate")
    rows, columns = (side // SIDE for side in whole.shape[-2:])
    size = (*planes.shape[:2], rows, SIDE, columns, SIDE)
    pixels = whole.reshape(size).transpose(-3, -2)  # (N, C, rows, columns, 8, 8)
    on = steps.to(planes)
    decoded = inverse((transform(pixels) / on).round() * on)
    return decoded.transpose(-3, -2).reshape(whole.shape)[..., :height, :width].round()


def estimate_quality(image: Tensor) -> int | None:
    """Return the quality at which (C, H, W) float32 in [0, 1] was compressed, from its pixels.

    The image may have been turned or flipped since, but not cut at the sides that its blocks
    begin at, nor resized. None where no quality up to MOST_QUALITY explains it. The same image
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
    """Return at most MOST_BLOCKS of (H, W), those in which nothing was clipped if there are any."""
    every = blocks(brightness, SIDE)
    whole = every[~blocks(clipped, SIDE).any(dim=2).any(dim=1)]
    chosen = whole if len(whole) > 0 else every
    return chosen[torch.linspace(0, len(chosen) - 1, min(len(chosen), MOST_BLOCKS)).long()]


def _best_quality(pixels: Tensor) -> int | None:
    """Return the quality that explains the blocks of a luma, (count, 8, 8), in levels."""
    frequency = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
    looked_at = (frequency >= 1) & (frequency <= MOST_FREQUENCY)
    coefficients = transform(pixels).abs()[:, looked_at]
    steps = torch.stack([_steps(each)[looked_at] for each in range(1, MOST_QUALITY + 1)])
    evidence, count = _evidence(coefficients, steps)
    best = int(evidence.argmax())
    is_clear = count[best] >= LEAST_COEFFICIENTS and evidence[best] > LEAST_EVIDENCE * count[best]
    return best + 1 if is_clear and _kinds(coefficients, steps[best]) >= LEAST_KINDS else None


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


def _steps(quality: int, steps: Tensor = _LUMA_STEPS) -> Tensor:
    """Return the steps at a quality, (8, 8), as the Independent JPEG Group's library has them."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return torch.div(steps * percent + 50, 100, rounding_mode="floor").clamp(1, 255).float()
