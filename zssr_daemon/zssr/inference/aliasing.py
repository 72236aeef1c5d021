"""Aliasing: where fine stripes of the source are not what they seem.

A pattern finer than the source's pixels folds into a coarser, false one. Coarser scales of the
image cannot show that, so the network sharpens the false pattern: there the residual is withheld.
Where noise drowns everything else it is withheld too: there is nothing to sharpen.
"""

from torch import Tensor

from zssr_daemon.zssr.inference.local_mean import local_mean
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.scale import scaled_size

# Frequency bands by what survives shrinking, relative to the source: fine is lost at FINE,
# middle is lost between the two.
FINE, MIDDLE = 0.7, 0.35

# Fine over middle energy: natural edges have 0.3 to 1, aliased stripes above 2.
LEAST_RATIO, SURE_RATIO = 1.2, 2.0
# Kurtosis of the fine band: waves 1.5, noise 3, sparse edges and letters above 4.
SURE_KURTOSIS, MOST_KURTOSIS = 3.0, 4.5

QUANTISATION = 1e-6  # energy of 8-bit rounding: less than this tells nothing


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
    waviness = ((MOST_KURTOSIS - kurtosis) / (MOST_KURTOSIS - SURE_KURTOSIS)).clamp(0, 1)
    return ((SURE_RATIO - ratio * waviness) / (SURE_RATIO - LEAST_RATIO)).clamp(0, 1)


def _soften(image: Tensor, by: float) -> Tensor:
    """Return `image` shrunk by `by` and enlarged to its size again."""
    size = (image.shape[-2], image.shape[-1])
    return resize(resize(image, scaled_size(size, by), by), size, 1 / by)
