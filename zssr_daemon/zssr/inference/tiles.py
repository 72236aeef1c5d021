"""Tiles: apply a local function to an image of any size in bounded memory."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Forward = Callable[[Tensor], Tensor]

#: Rows and columns of an image, both with start and stop.
Box = tuple[slice, slice]


def whole(size: tuple[int, int]) -> Box:
    """Return the box of an image of `size` (height, width)."""
    return slice(0, size[0]), slice(0, size[1])


def tile_starts(along: slice, tile: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the tiles, without halo, that cover the pixels of `along`."""
    for start in range(along.start, along.stop, tile):
        yield start, min(start + tile, along.stop)


def apply_tiled(
    forward: Forward,
    image: Tensor,
    *,
    tile: int,
    halo: int,
    on_tile: Callable[[int], None],
    box: Box | None = None,
) -> Tensor:
    """Return forward(image), computed tile by tile.

    image: (N, C, H, W); `forward` keeps the shape. tile, halo: pixels of the image, multiples of
    the unshuffle factor. The result equals that of the whole image if the halo is at least the
    receptive radius of `forward`. At the image's edges a tile has no halo, so that `forward` pads
    there as it pads the whole image.
    on_tile is called after each tile with its area without halo, in pixels.
    box: the only part that is computed, beginning on the unshuffle grid; the rest is zero.
    """
    if box is None:
        rows, columns = whole((image.shape[-2], image.shape[-1]))
        result = torch.empty_like(image)
    else:
        rows, columns = box
        result = torch.zeros_like(image)
    for top, bottom in tile_starts(rows, tile):
        for left, right in tile_starts(columns, tile):
            y, x = max(0, top - halo), max(0, left - halo)
            done = forward(image[..., y : bottom + halo, x : right + halo])
            result[..., top:bottom, left:right] = done[
                ..., top - y : bottom - y, left - x : right - x
            ]
            on_tile((bottom - top) * (right - left))
    return result
