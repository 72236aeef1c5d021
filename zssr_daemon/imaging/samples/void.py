"""Void: samples that are no content: a raster's nodata, NaN and infinity."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What a sample is.
CONTENT, NODATA, NOT_FINITE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Where (H, W, C) samples are void, and what stands there in the file."""

    kinds: NDArray[np.uint8]  # (H, W, C): CONTENT, NODATA or NOT_FINITE
    nodata: float  # NaN where NaN is the only void

    @classmethod
    def of(cls, samples: NDArray[Any], nodata: float | None) -> "Void | None":
        """Find the void samples of (H, W, C); None where all are content and no nodata is named."""
        kinds = np.zeros(samples.shape, np.uint8)
        if samples.dtype.kind == "f":
            kinds[~np.isfinite(samples)] = NOT_FINITE
        value = np.nan if nodata is None else _as_sample(nodata, samples.dtype)
        if not np.isnan(value):
            kinds[samples == samples.dtype.type(value)] = NODATA
        elif not kinds.any():
            return None
        return cls(kinds=kinds, nodata=value)

    @property
    def is_content(self) -> NDArray[np.bool_]:
        """(H, W, C): True where the samples are the picture's."""
        return np.equal(self.kinds, CONTENT)

    def put(
        self,
        samples: NDArray[Any],
        scale: tuple[float, float],
        *,
        nodata: float,
        is_about_corner: bool,
    ) -> None:
        """Write the void into (H', W', C) samples of an output, a view, by nearest neighbour.

        scale: (x, y). nodata: as a sample of the output. is_about_corner: whether a source pixel
        lies on the first of the output pixels that it stands for, not in their middle.
        A valid sample that equals nodata is moved by one level.
        """
        x, y = scale
        rows = _nearest(samples.shape[0], self.kinds.shape[0], y, is_about_corner)
        columns = _nearest(samples.shape[1], self.kinds.shape[1], x, is_about_corner)
        for number, row in enumerate(rows):
            kinds, line = self.kinds[row, columns], samples[number]
            if not np.isnan(nodata):
                line[line == line.dtype.type(nodata)] = _neighbour(nodata, line.dtype)
                line[kinds == NODATA] = nodata
            if line.dtype.kind == "f":
                line[kinds == NOT_FINITE] = np.nan


def parse_nodata(text: object) -> float | None:
    """Return the number that the tag GDAL_NODATA states, maybe NaN; None where it states none."""
    try:
        return float(str(text).strip(" \0"))
    except ValueError:
        return None


def _as_sample(nodata: float, dtype: np.dtype[Any]) -> float:
    """Return nodata as a sample of that type holds it; NaN where it cannot."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            value = float(dtype.type(nodata))
        return value if np.isfinite(value) else np.nan
    limits = np.iinfo(dtype)
    is_held = nodata == np.rint(nodata) and limits.min <= nodata <= limits.max
    return nodata if is_held else np.nan


def _neighbour(nodata: float, dtype: np.dtype[Any]) -> Any:
    """Return the sample next to nodata, towards zero if it is not zero itself."""
    if dtype.kind == "f":
        return np.nextafter(dtype.type(nodata), dtype.type(1 if nodata == 0 else 0))
    return nodata - np.sign(nodata) if nodata != 0 else 1


def _nearest(count: int, of: int, scale: float, is_about_corner: bool) -> NDArray[np.intp]:
    """Return which of `of` source pixels each of `count` output pixels lies nearest to."""
    places = (np.arange(count) + (scale / 2 if is_about_corner else 0.5)) / scale
    nearest: NDArray[np.intp] = np.floor(places).astype(np.intp)
    return nearest.clip(0, of - 1)
