"""NoiseEstimate: how strong the white noise of an image is.

It is measured in the flattest blocks, by their high frequencies, less what the picture itself has
there.
"""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.degradation import MAX_NOISE_STD
from zssr_daemon.zssr.ops.dct import SIDE, blocks, transform

# Weaker noise, levels of 255, counts as none: the finest texture of clean pictures looks like noise
# of at most 0.6, and to remove noise of 1 was measured to be worth nothing.
MIN_NOISE_STD = 1.5

# The share of all blocks that is measured, and the fewest blocks that say anything.
FLATTEST = 0.03
MIN_BLOCKS = 32

# Noise is everywhere: hardly one block in a hundred has less than MIN_SHARE of the noise's energy
# in its high frequencies, even if the image was compressed since. Where more blocks have less, the
# flattest blocks hold a fine texture.
RARE, MIN_SHARE = 0.01, 0.15

# About so many blocks are looked at, whatever the size of the image.
MAX_BLOCKS = 20_000

# The sum of both frequencies of a coefficient. The low ones choose the blocks, which leaves the
# noise of the others unchanged.
_FREQUENCY = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
_LOW = (_FREQUENCY >= 1) & (_FREQUENCY <= 5)
_MIDDLE = (_FREQUENCY >= 6) & (_FREQUENCY <= 8)
_HIGH = _FREQUENCY >= 9


def estimate_noise_std(image: Tensor) -> float:
    """Return the standard deviation of the noise of (C, H, W) float32 in [0, 1], levels of 255.

    0 where it is less than MIN_NOISE_STD, or where nothing can be measured. The same image gives
    the same number.
    """
    step = max(4, math.isqrt(image.numel() // MAX_BLOCKS))
    looked_at = blocks(image, step)
    lowest, highest = looked_at.amin(dim=(1, 2)), looked_at.amax(dim=(1, 2))
    whole = looked_at[(lowest > 0) & (highest < 1)]  # clipping makes noise weaker
    if len(whole) < MIN_BLOCKS:
        return 0.0
    energy = transform(whole * 255).square()
    count = max(MIN_BLOCKS, round(len(whole) * FLATTEST))
    flattest = energy[:, _LOW].mean(dim=1).argsort(stable=True)[:count]
    middle, high = (
        float(energy[flattest][:, part].mean(dim=1).median()) for part in (_MIDDLE, _HIGH)
    )
    # White noise is as strong in both; the picture is weaker in the high ones.
    variance = high - max(0.0, middle - high)
    least = float(energy[:, _HIGH].mean(dim=1).quantile(RARE))
    std = math.sqrt(max(0.0, variance))
    is_noise = std >= MIN_NOISE_STD and least >= MIN_SHARE * variance
    return min(round(std, 2), MAX_NOISE_STD) if is_noise else 0.0
