"""ResidualTrust: where the residual of the network is withheld."""

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.scale import scaled_size

# Frequency bands by what survives shrinking, relative to the source: fine is lost at FINE,
# middle is lost between the two.
FINE, MIDDLE = 0.7, 0.35

# Fine over middle energy: natural edges have 0.3 to 1, aliased stripes above 2.
MIN_RATIO, SURE_RATIO = 1.2, 2.0

# Kurtosis of the fine band: waves 1.5, noise 3, sparse edges and letters above 4.
SURE_KURTOSIS, MAX_KURTOSIS = 3.0, 4.5

QUANTISATION = 1e-6  # energy of 8-bit rounding: less than this tells nothing

_MIN_ENERGY = 1e-14  # keeps 0 / 0 away where nothing at all is added

WINDOW = 25  # pixels that a mean covers each way: smaller ones misjudge single edges


def trust(source: Tensor) -> Tensor:
    """Return (N, 1, H, W) float32: 1 where a residual may be added, 0 amid aliased stripes.

    source: (N, C, H, W) float32, [0, 1].
    """
    grey = source.mean(dim=1, keepdim=True)
    without_fine, without_middle = _soften(grey, FINE), _soften(grey, MIDDLE)
    fine = grey - without_fine
    energy = local_mean(fine.square())
    ratio = energy / (local_mean((without_fine - without_middle).square()) + QUANTISATION)
    kurtosis = local_mean(fine**4) / (energy.square() + QUANTISATION**2)
    waviness = ((MAX_KURTOSIS - kurtosis) / (MAX_KURTOSIS - SURE_KURTOSIS)).clamp(0, 1)
    return ((SURE_RATIO - ratio * waviness) / (SURE_RATIO - MIN_RATIO)).clamp(0, 1)


def _soften(image: Tensor, by: float) -> Tensor:
    """Return `image` shrunk by `by` and enlarged to its size again."""
    size = (image.shape[-2], image.shape[-1])
    return resize(resize(image, scaled_size(size, by), by), size, 1 / by)


def contrast(source: Tensor) -> Tensor:
    """Return the span of values in each of (N, C, H, W), as (N, 1, 1, 1)."""
    return source.amax(dim=(1, 2, 3), keepdim=True) - source.amin(dim=(1, 2, 3), keepdim=True)


def credit(residual: Tensor, span: Tensor, faint_levels: float) -> Tensor:
    """Return (N, 1, H, W) float32, the share of `residual` to add: near 1 where it is strong.

    residual: (N, C, H, W) float32, for an image in [0, 1]; span: the `contrast` of its source.
    faint_levels: the strength that half is added of, in 8-bit levels of a source that has both
    black and white; one of less contrast holds less noise, and it falls in proportion.
    """
    energy = local_mean(residual.square().mean(dim=1, keepdim=True))
    faint_energy = (faint_levels / 255 * span).square()
    return torch.as_tensor(energy / (energy + faint_energy + _MIN_ENERGY))


def local_mean(image: Tensor) -> Tensor:
    """Return the mean over a window around each pixel of (N, C, H, W), cut at the border."""
    reach = WINDOW // 2
    for window, padding in (((WINDOW, 1), (reach, 0)), ((1, WINDOW), (0, reach))):
        image = functional.avg_pool2d(
            image, window, stride=1, padding=padding, count_include_pad=False
        )
    return torch.as_tensor(image)
