"""Stamps: which of many small shapes lies on top of each pixel of a canvas, many tested at once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.int32]
Numbers = NDArray[np.integer[Any]]
Reals = NDArray[np.floating[Any]]

# Tells for shapes of these numbers whether points lie in them, given down and right of each centre.
IsInside = Callable[[Numbers, Array, Array], NDArray[np.bool]]

# Shapes whose square is at most this many pixels wide are tested together, larger ones singly.
SIDES = (4, 8, 16, 32, 64)
TOGETHER_PIXELS = 2**19


def topmost(side: int, centres: Reals, reach: Reals, is_inside: IsInside) -> Labels:
    """Return (side, side): 1 + the number of the topmost shape, 0 where there is none.

    centres: (K, 2), row and column, pixels; reach: (K,), no shape goes farther from its centre.
    """
    labels = np.zeros((side, side), np.int32)
    low = -1.0
    for stamp in SIDES:
        high = stamp / 2 - 1
        chosen = np.flatnonzero((reach > low) & (reach <= high))
        low = high
        for part in parts(chosen, max(1, TOGETHER_PIXELS // stamp**2)):
            np.maximum(labels, _stamped(part, stamp, side, centres, is_inside), out=labels)
    for number in np.flatnonzero(reach > low):
        _put(int(number), float(reach[number]), labels, centres, is_inside)
    return labels


def parts(items: Numbers, most: int) -> Iterator[Numbers]:
    """Yield parts of at most `most` items."""
    for at in range(0, len(items), most):
        yield items[at : at + most]


def _stamped(chosen: Numbers, stamp: int, side: int, centres: Reals, is_inside: IsInside) -> Labels:
    """Return the labels of small shapes, each tested on a square of `stamp` pixels."""
    corner = np.floor(centres[chosen]).astype(np.int32) - (stamp // 2 - 1)
    steps = np.arange(stamp, dtype=np.int32)
    rows = corner[:, 0, None] + steps  # (K, stamp)
    columns = corner[:, 1, None] + steps
    down = (rows - centres[chosen, 0, None]).astype(np.float32)[:, :, None]
    right = (columns - centres[chosen, 1, None]).astype(np.float32)[:, None, :]
    inside = is_inside(chosen[:, None, None], down, right)
    inside &= ((rows >= 0) & (rows < side))[:, :, None]
    inside &= ((columns >= 0) & (columns < side))[:, None, :]
    which, row, column = np.nonzero(inside)
    labels = np.zeros((side, side), np.int32)
    # Of several values for one pixel the last stays: the topmost shape's.
    labels[rows[which, row], columns[which, column]] = chosen[which] + 1
    return labels


def _put(number: int, reach: float, labels: Labels, centres: Reals, is_inside: IsInside) -> None:
    """Put one large shape among the labels."""
    low = np.floor(centres[number] - reach).astype(int).clip(0)
    high = np.ceil(centres[number] + reach + 1).astype(int).clip(0)
    window = labels[low[0] : high[0], low[1] : high[1]]
    down = np.arange(window.shape[0], dtype=np.float32)[:, None] + (low[0] - centres[number, 0])
    right = np.arange(window.shape[1], dtype=np.float32)[None] + (low[1] - centres[number, 1])
    inside = is_inside(np.array([[number]]), down, right)
    np.copyto(window, number + 1, where=inside & (window <= number))
