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
    members: tuple[int, ...],
    reduce: Literal["mean", "median"],
) -> Tensor:
    """Return the mean or median of forward over the transformations `members`, undone after.

    tile: (N, C, H, W); forward keeps the shape.
    """
    outputs = torch.stack(
        [dihedral_inverse(forward(dihedral(tile, index)), index) for index in members]
    )
    return reduce_members(outputs, reduce)


def reduce_members(outputs: Tensor, reduce: Literal["mean", "median"]) -> Tensor:
    """Return the mean or median of (members, ...) over the members."""
    if reduce == "mean":
        return outputs.mean(dim=0)
    size = len(outputs)
    # torch's median of an even count is the lower of the middle two, ours is their mean.
    ordered = outputs.sort(dim=0).values
    return ordered[(size - 1) // 2 : size // 2 + 1].mean(dim=0)
