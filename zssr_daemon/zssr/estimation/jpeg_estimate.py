"""JpegEstimate: the JPEG quality that a source was once saved with, found in its pixels.

Compression rounds the cosine coefficients of each block to multiples of known steps, and decoding
leaves them close to these. The quality whose steps explain the coefficients best is looked for, at
the places where blocks may begin: in a picture that was turned or cut that is not its corner.
"""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.jpeg import quantisation_steps
from zssr_daemon.zssr.ops.dct import SIDE, transform
from zssr_daemon.zssr.ops.luma import luma

# Finer compression is not looked for: it does less harm than giving up back-projection does.
MAX_QUALITY = 96

# At most so many blocks are looked at, chosen among so many, for those with clipped pixels tell
# nothing.
MAX_BLOCKS, MAX_CHOICE = 512, 2048

# A window holds a block of every origin.
WINDOW = 2 * SIDE - 1

# Rounding to steps makes fine coefficients 0, but only in blocks that begin where those of the
# compression did. So many origins with the most of them are tried, besides the corner; decoded
# zeros are as small as this, in levels.
TRIED_ORIGINS, ZERO = 2, 0.6

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

    The image may have been turned, flipped or cut since, but not resized. None where no quality up
    to MAX_QUALITY explains the pixels. The same image gives the same number.
    """
    if min(image.shape[-2:]) < WINDOW:
        return None
    brightness, clipped = _some_windows(image)
    found = (
        _best_quality(each)
        for origin in _origins(brightness[_spread(len(brightness), MAX_BLOCKS)])
        for each in _turned_blocks(brightness, clipped, origin)
    )
    return next((quality for quality in found if quality is not None), None)


def _some_windows(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return at most MAX_CHOICE windows, which begin at multiples of SIDE.

    Brightness in levels about 0, and where a pixel is clipped; both (count, WINDOW, WINDOW).
    """
    every = image.unfold(1, WINDOW, SIDE).unfold(2, WINDOW, SIDE)  # (C, rows, columns, y, x)
    rows, columns = every.shape[1:3]
    at = _spread(rows * columns, MAX_CHOICE)
    chosen = every[:, at // columns, at % columns]
    return luma(chosen * 255) - 128, ((chosen <= 0) | (chosen >= 1)).any(dim=0)


def _turned_blocks(brightness: Tensor, clipped: Tensor, origin: tuple[int, int]) -> list[Tensor]:
    """Return at most MAX_BLOCKS blocks of windows, and these with rows and columns exchanged.

    Those without clipped pixels, if there are such. A flip would change signs only, which do not
    matter.
    """
    top, left = origin
    every, touched = (
        each[:, top : top + SIDE, left : left + SIDE] for each in (brightness, clipped)
    )
    whole = every[~touched.flatten(1).any(dim=1)]
    chosen = whole if len(whole) > 0 else every
    kept = chosen[_spread(len(chosen), MAX_BLOCKS)]
    return [kept, kept.mT]


def _spread(count: int, most: int) -> Tensor:
    """Return at most so many of `count` places, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).long()


def _origins(windows: Tensor) -> list[tuple[int, int]]:
    """Return where in the windows blocks may begin: at the corner, or where they are simplest."""
    zeros = torch.stack(
        [
            (transform(windows[:, top : top + SIDE, left : left + SIDE]).abs() < ZERO).sum()
            for top in range(SIDE)
            for left in range(SIDE)
        ]
    )
    best = zeros.argsort(descending=True, stable=True)[:TRIED_ORIGINS].tolist()
    return list(dict.fromkeys([(0, 0), *(divmod(place, SIDE) for place in best)]))


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
