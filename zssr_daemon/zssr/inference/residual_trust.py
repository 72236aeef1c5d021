"""ResidualTrust: how much of the network's residual is added, pixel by pixel.

Two judgements withhold some of it. `trust` looks at the source: amid stripes that are false, folded
from finer ones by sub-sampling, a residual would sharpen what was never there. `credit` looks at
the residual itself: one as weak as noise is mostly sharpened noise.
"""

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, continued
from zssr_daemon.zssr.scale import scaled_size

# Frequency bands, by the scale of the source at which they are lost: the fine band is lost when
# the source shrinks to FINE, the middle band between there and MIDDLE.
FINE, MIDDLE = 0.7, 0.35

# Energy of the fine band over that of the middle band: natural edges have 0.3 to 1, aliased stripes
# above 2. At MIN_RATIO the residual begins to be withheld, from SURE_RATIO on all of it is.
MIN_RATIO, SURE_RATIO = 1.2, 2.0

# Kurtosis of the fine band: waves have 1.5, noise 3, sparse edges and letters above 4. Up to
# SURE_KURTOSIS the fine band counts as waves, from MAX_KURTOSIS on it does not.
SURE_KURTOSIS, MAX_KURTOSIS = 3.0, 4.5

QUANTISATION = 1e-6  # energy that rounding to 8 bits leaves: less than this tells nothing

WINDOW = 25  # pixels that a mean covers each way: smaller windows misjudge single edges

_MIN_ENERGY = 1e-14  # prevents 0 / 0 where nothing at all is added


def trust(source: Tensor, wrap: Wrap = OPEN) -> Tensor:
    """Return (N, 1, H, W) float32: 1 where a residual may be added, 0 amid aliased stripes.

    source: (N, C, H, W) float32, [0, 1].
    """
    grey = source.mean(dim=1, keepdim=True)
    without_fine, without_middle = _soften(grey, FINE, wrap), _soften(grey, MIDDLE, wrap)
    fine = grey - without_fine
    energy = local_mean(fine.square(), wrap)
    ratio = energy / (local_mean((without_fine - without_middle).square(), wrap) + QUANTISATION)
    kurtosis = local_mean(fine**4, wrap) / (energy.square() + QUANTISATION**2)
    waviness = ((MAX_KURTOSIS - kurtosis) / (MAX_KURTOSIS - SURE_KURTOSIS)).clamp(0, 1)
    return ((SURE_RATIO - ratio * waviness) / (SURE_RATIO - MIN_RATIO)).clamp(0, 1)


def credit(residual: Tensor, span: Tensor, faint_levels: float, wrap: Wrap = OPEN) -> Tensor:
    """Return (N, 1, H, W) float32, the share of `residual` to add: near 1 where it is strong.

    residual: (N, C, H, W) float32, for an image in [0, 1]; span: the `contrast` of its source.
    faint_levels: the strength at which half is added, in 8-bit levels of a source with both black
    and white. A source of less contrast holds less noise, and the strength falls in proportion.
    """
    energy = local_mean(residual.square().mean(dim=1, keepdim=True), wrap)
    faint_energy = (faint_levels / 255 * span).square()
    return torch.as_tensor(energy / (energy + faint_energy + _MIN_ENERGY))


def contrast(source: Tensor) -> Tensor:
    """Return the span of values in each of (N, C, H, W), as (N, 1, 1, 1)."""
    return source.amax(dim=(1, 2, 3), keepdim=True) - source.amin(dim=(1, 2, 3), keepdim=True)


def local_mean(image: Tensor, wrap: Wrap = OPEN) -> Tensor:
    """Return the mean over a window around each pixel of (N, C, H, W).

    At the border the window is cut; on an axis that wraps it goes on with the other side.
    """
    reach = WINDOW // 2
    image = continued(image, wrap.ends(reach, reach, reach, reach), wrap)
    for axis, wraps in ((-2, wrap.y), (-1, wrap.x)):
        ends = (0, 0) if wraps else (reach, reach)
        line = functional.pad(image.new_ones(image.shape[axis]), ends)
        counts = _window_sums(line, -1)
        padded = functional.pad(image, ends if axis == -1 else (0, 0, *ends))
        image = _window_sums(padded, axis) / (counts if axis == -1 else counts[:, None])
    return image


def _window_sums(image: Tensor, axis: int) -> Tensor:
    """Return the sums of each WINDOW values in a row along `axis`, which becomes shorter by them.

    Sums of 1, 2, 4, 8 and so on are made of each other: fewer additions than one for each value,
    and none that runs along the whole axis, in which weak values would drown.
    """
    length = image.shape[axis] - WINDOW + 1
    total = image.new_zeros(())
    block, begin = image, 0
    for bit in range(WINDOW.bit_length()):
        if bit > 0:  # from sums of half the width
            half = 2 ** (bit - 1)
            rest = block.shape[axis] - half
            block = block.narrow(axis, 0, rest) + block.narrow(axis, half, rest)
        if WINDOW & 2**bit:
            total = total + block.narrow(axis, begin, length)
            begin += 2**bit
    return total


def _soften(image: Tensor, by: float, wrap: Wrap) -> Tensor:
    """Return `image` shrunk by `by` and enlarged to its size again."""
    size = (image.shape[-2], image.shape[-1])
    return resize(resize(image, scaled_size(size, by), by, wrap), size, 1 / by, wrap)
