"""Kernels that the tests share."""

import numpy as np
from numpy.typing import NDArray


def gaussian(
    height: int, width: int, variances: tuple[float, float], angle: float = 0.0
) -> NDArray[np.float64]:
    """Return a Gaussian of variances along its axes (px²), in the middle of (height, width)."""
    y, x = np.meshgrid(
        np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij"
    )
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    weights = np.exp(-(along**2) / (2 * variances[0]) - across**2 / (2 * variances[1]))
    return np.asarray(weights / weights.sum())


def hook() -> NDArray[np.float64]:
    """Return the trace of a shaken hand: a line that bends, and stays longer at one end."""
    trace = np.zeros((9, 9))
    trace[4, 1:7] = 1
    trace[1:5, 7] = 2
    return np.asarray(trace / trace.sum())
