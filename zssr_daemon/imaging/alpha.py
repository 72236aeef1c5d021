"""Alpha: the colour that transparent pixels hide, made harmless for the fit."""

import numpy as np
from numpy.typing import NDArray


def fill_hidden_colour(
    pixels: NDArray[np.float32], alpha: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give pixels under zero alpha the colour of their nearest visible neighbours.

    `pixels` is (H, W, C) float32, `alpha` (H, W) float32, both in [0, 1]; visible pixels are
    unchanged. Otherwise hidden colour would bleed into the edges when the picture is enlarged.
    """
    visible = alpha > 0
    if visible.all() or not visible.any():
        return pixels
    weight = visible.astype(np.float32)[:, :, None]
    return _pull_push(pixels * weight, weight)


def _pull_push(colour: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average known pixels into coarser and coarser grids; fill each grid from the coarser one.

    `colour` is (H, W, C), zero where `weight`, (H, W, 1), is zero.
    """
    if weight.all():
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
