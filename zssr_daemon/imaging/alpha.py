"""Alpha: what transparent and void pixels hide, made harmless for the fit."""

import numpy as np
from numpy.typing import NDArray


def fill_hidden(pixels: NDArray[np.float32], is_visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give hidden samples the values of their nearest visible neighbours.

    `pixels` is (H, W, C) float32 in [0, 1], `is_visible` (H, W, C) or (H, W, 1); visible samples
    are unchanged. Otherwise hidden colour would bleed into the edges when the picture is enlarged.
    """
    if is_visible.all() or not is_visible.any():
        return pixels
    weight = is_visible.astype(np.float32)
    return _pull_push(pixels * weight, weight)


def _pull_push(colour: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average known pixels into coarser and coarser grids; fill each grid from the coarser one.

    `colour` is (H, W, C), zero where `weight`, (H, W, C) or (H, W, 1), is zero.
    """
    if weight.all() or weight.shape[:2] == (1, 1):  # a channel may be hidden everywhere
        return colour
    height, width, _ = colour.shape
    coarse_weight = _halve(weight)
    mean = np.divide(_halve(colour), coarse_weight.clip(min=1), dtype=np.float32)
    coarse = _pull_push(mean, coarse_weight.clip(max=1))
    guess = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.where(weight > 0, colour, guess)


def _halve(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up blocks of 2×2; an odd last row or column counts once."""
    height, width, _ = grid.shape
    grid = np.pad(grid, ((0, height % 2), (0, width % 2), (0, 0)))
    return grid[0::2, 0::2] + grid[1::2, 0::2] + grid[0::2, 1::2] + grid[1::2, 1::2]
