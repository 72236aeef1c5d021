"""Tiles: apply a local function to an image of any size in bounded memory."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Forward = Callable[[Tensor], Tensor]


def tile_starts(length: int, tile: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the cores that cover `length` pixels."""
    for start in range(0, length, tile):
        yield start, min(start + tile, length)


def apply_tiled(
    forward: Forward, image: Tensor, *, tile: int, halo: int, on_tile: Callable[[int], None]
) -> Tensor:
    """Return forward(image), computed tile by tile.

    image: (N, C, H, W); `forward` keeps the shape. tile, halo: pixels of that grid, multiples
    of the unshuffle factor; equal to the whole if the halo covers forward's receptive radius.
    At the image's edges a tile has no halo, so forward pads there exactly as it would the whole.
    on_tile is called after each tile with its core's area in pixels.
    """
    height, width = image.shape[-2:]
    result = torch.empty_like(image)
    for top, bottom in tile_starts(height, tile):
        for left, right in tile_starts(width, tile):
            y, x = max(0, top - halo), max(0, left - halo)
            done = forward(image[..., y : bottom + halo, x : right + halo])
            result[..., top:bottom, left:right] = done[
                ..., top - y : bottom - y, left - x : right - x
            ]
            on_tile((bottom - top) * (right - left))
    return result
