"""Levels: float values in [0, 1] become the whole numbers that a file holds."""

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.errors import JobError


def new_samples(
    height: int, width: int, channels: int, *, bit_depth: int
) -> NDArray[np.unsignedinteger]:
    """Return an uninitialised picture: (height, width, channels) uint8 or uint16."""
    return np.empty((height, width, channels), np.uint8 if bit_depth == 8 else np.uint16)


def put_levels(values: NDArray[np.floating], samples: NDArray[np.unsignedinteger]) -> None:
    """Round `values` to the levels of `samples`, an array or view of the same shape.

    Values outside [0, 1] are clipped. Raises JobError (`not_finite`) for NaN and infinity.
    """
    if not np.isfinite(values).all():
        raise JobError("the result holds NaN or infinity", reason="not_finite")
    np.rint(np.clip(values, 0, 1) * np.iinfo(samples.dtype).max, out=samples, casting="unsafe")
