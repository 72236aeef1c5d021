"""Self-ensemble: average over the 8 rotations and flips of a tile."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from zssr_daemon.zssr.pairs import dihedral, dihedral_inverse


def self_ensemble(
    forward: Callable[[Tensor], Tensor],
    tile: Tensor,
    *,
    size: int,
    reduce: Literal["mean", "median"],
) -> Tensor:
    """Return the mean or median of forward over the first `size` transformations, undone after.

    tile: (N, C, H, W); forward keeps the shape. The first 4 are the rotations.
    """
    outputs = torch.stack(
        [dihedral_inverse(forward(dihedral(tile, index)), index) for index in range(size)]
    )  # (size, N, C, H, W)
    if reduce == "mean":
        return outputs.mean(dim=0)
    # torch's median of an even count is the lower of the middle two, ours is their mean.
    ordered = outputs.sort(dim=0).values
    return ordered[(size - 1) // 2 : size // 2 + 1].mean(dim=0)
