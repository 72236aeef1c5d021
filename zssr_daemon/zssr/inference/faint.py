"""Faintness: where a residual is too weak to be told from noise.

On smooth, slightly noisy pictures the network adds about a level of 255, and that is mostly wrong;
what it adds to real detail is far stronger. Why it sharpens noise is not settled
(bench/EXPLORED.md).
"""

import torch
from torch import Tensor

from zssr_daemon.zssr.inference.local_mean import local_mean

_LEAST_ENERGY = 1e-14  # keeps 0 / 0 away where nothing at all is added


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
    return torch.as_tensor(energy / (energy + faint_energy + _LEAST_ENERGY))
