"""Self-ensemble: the mean or median of the network over rotations and flips of a tile."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.dihedral import dihedral, dihedral_inverse


def self_ensemble(
    forward: Callable[[Tensor], Tensor],
    tile: Tensor,
    *,
    members: tuple[int, ...],
    reduce: Literal["mean", "median"],
    corner_grid: int | None = None,
) -> Tensor:
    """Return the mean or median of `forward` over the rotations and flips `members`.

    Each of them is undone after `forward`. tile: (N, C, H, W); `forward` keeps the shape.
    corner_grid: `forward` needs sides that are multiples of it. Where it is given, a pixel whose
    row and column are multiples of it stays such a pixel after any rotation or flip.
    """
    turn = _about_middle if corner_grid is None else partial(_about_corner, grid=corner_grid)
    return reduce_members(torch.stack([turn(forward, tile, index) for index in members]), reduce)


def _about_middle(forward: Callable[[Tensor], Tensor], tile: Tensor, index: int) -> Tensor:
    return dihedral_inverse(forward(dihedral(tile, index)), index)


def _about_corner(
    forward: Callable[[Tensor], Tensor], tile: Tensor, index: int, *, grid: int
) -> Tensor:
    """Turn so that a pixel on the grid stays on it: with one more pixel a side, i goes to H - i."""
    height, width = tile.shape[-2:]
    longer = functional.pad(tile, (0, 1, 0, 1), mode="replicate")
    turned = dihedral(longer, index)
    turned_height, turned_width = turned.shape[-2:]
    more = (0, -turned_width % grid, 0, -turned_height % grid)
    done = forward(functional.pad(turned, more, mode="replicate"))
    return dihedral_inverse(done[..., :turned_height, :turned_width], index)[..., :height, :width]


def reduce_members(outputs: Tensor, reduce: Literal["mean", "median"]) -> Tensor:
    """Return the mean or median of (members, ...) over the members."""
    if reduce == "mean":
        return outputs.mean(dim=0)
    size = len(outputs)
    # Of an even count torch's median is the lower of the middle two; ours is their mean.
    ordered = outputs.sort(dim=0).values
    return ordered[(size - 1) // 2 : size // 2 + 1].mean(dim=0)
