"""SampleRange: which samples of a source are 0 and 1 for the algorithm, and how fine they are.

The algorithm counts noise, rounding and faint detail in parts of the range from 0 to 1. So a source
that fills little of its container, as 12 bits in 16 do, is scaled by its own black and white.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Rounding to more levels than this is finer than anything the fit could see.
MAX_LEVELS: Final = 65_535

# A few samples far outside, as hot pixels are, would leave the picture a small part of the range.
# On either side this share of the samples may lie far out: beyond FAR times the span of all others.
RARE, FAR = 0.001, 2.0

# Where they do, the range ends at the last sample that is not beyond NEAR times that span.
NEAR = 1.0

# The quantiles are those of about so many samples.
_LOOKED_AT = 1 << 20

# Levels of floating samples may miss their places by this part of a step.
_MISS = 0.05

_BLOCK = 1 << 20  # samples that are converted at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRange:
    """The samples that are 0 and 1, in units of the source."""

    low: float
    high: float
    step: float | None  # all samples are low plus a multiple of it; None: finer than counts

    @classmethod
    def of_container(cls, dtype: np.dtype[Any]) -> "SampleRange":
        """Return the range of an unsigned type, whatever its samples are."""
        return cls(low=0.0, high=float(np.iinfo(dtype).max), step=1.0)

    @classmethod
    def of_content(
        cls, samples: NDArray[Any], is_content: NDArray[np.bool_] | None = None
    ) -> "SampleRange":
        """Measure samples of any shape; those that are not content do not count.

        The content is finite. Samples of 8 bits are always scaled by 0 and 255.
        """
        if samples.dtype == np.uint8:
            return cls.of_container(samples.dtype)
        values = _content(samples, is_content)
        if not values.size:
            return cls(low=0.0, high=1.0, step=None)
        low, high = _ends(values)
        return cls(low=low, high=high, step=_step(values, low, high))

    @property
    def span(self) -> float:
        """The distance from 0 to 1 in units of the source; 1 for one colour."""
        return self.high - self.low or 1.0

    @property
    def levels(self) -> int | None:
        """How many steps the source was rounded to between 0 and 1; None: more than count."""
        steps = 0 if self.step is None else round(self.span / self.step)
        return steps if 0 < steps <= MAX_LEVELS else None

    def times(self, factor: float) -> "SampleRange":
        """Return the range of samples that are multiplied by `factor`."""
        step = None if self.step is None else self.step * factor
        return SampleRange(low=self.low * factor, high=self.high * factor, step=step)

    def to_unit(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Return samples as float32, in a new array: 0 is low, 1 is high, nothing is clipped."""
        values = np.empty(samples.shape, np.float32)
        for rows in _row_blocks(samples):
            values[rows] = (samples[rows].astype(np.float64) - self.low) / self.span
        return values

    def to_samples(self, values: NDArray[np.floating], samples: NDArray[Any]) -> None:
        """Put `values`, clipped to [0, 1], into `samples`, an array or view of the same shape."""
        clipped = np.clip(values, 0, 1)
        if samples.dtype.kind == "f":
            samples[...] = self.low + clipped.astype(np.float64) * self.span
        elif samples.dtype.itemsize == 4:  # finer than float32 can tell, but no finer than a step
            step = self.step or 1.0
            steps = np.rint(clipped.astype(np.float64) * (self.span / step))
            samples[...] = self.low + steps * step
        elif self.low == 0:
            np.rint(clipped * self.high, out=samples, casting="unsafe")
        else:
            np.rint(
                self.low + clipped.astype(np.float64) * self.span, out=samples, casting="unsafe"
            )


def fits_float32(samples: NDArray[np.integer], is_content: NDArray[np.bool_] | None) -> bool:
    """Tell whether float32 can tell all steps apart between the lowest and the highest sample."""
    values = _content(samples, is_content)
    if not values.size:
        return True
    low, high = float(values.min()), float(values.max())
    step = _integer_step(values, low)
    return step == 0 or (high - low) / step < 1 << 24


def _content(samples: NDArray[Any], is_content: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return the samples that are content, in one row."""
    if is_content is None:
        return samples.ravel()
    return samples[np.broadcast_to(is_content, samples.shape)]


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    """Return lowest and highest sample; without the few that lie far out, if there are any."""
    low, high = float(values.min()), float(values.max())
    some = np.sort(values[:: max(1, values.size // _LOOKED_AT)])
    rare = max(1, int(some.size * RARE))
    if some.size <= 2 * rare:
        return low, high
    inner_low, inner_high = float(some[rare]), float(some[-1 - rare])
    inner = inner_high - inner_low
    if inner <= 0:  # nearly all is one colour: the few are the picture
        return low, high
    if high > inner_high + FAR * inner:
        high = float(values.max(where=values <= inner_high + NEAR * inner, initial=values.min()))
    if low < inner_low - FAR * inner:
        low = float(values.min(where=values >= inner_low - NEAR * inner, initial=values.max()))
    return low, high


def _step(values: NDArray[Any], low: float, high: float) -> float | None:
    """Return the greatest distance of which all distances between levels are multiples."""
    if high == low:
        return None
    if values.min() < low or values.max() > high:
        values = values[(values >= low) & (values <= high)]
    if values.dtype.kind == "f":
        return _floating_step(values, low, high)
    return _integer_step(values, low) or None


def _integer_step(values: NDArray[np.integer], low: float) -> float:
    """Return the greatest common divisor of all distances from `low`, 0 for one level."""
    step = 0
    for start in range(0, values.size, _BLOCK):
        distances = values[start : start + _BLOCK].astype(np.int64) - int(low)
        step = int(np.gcd.reduce(distances, initial=step))
        if step == 1:
            break
    return float(step)


def _floating_step(values: NDArray[np.floating], low: float, high: float) -> float | None:
    """Do Euclid's steps with distances that are nearly multiples; None for more than MAX_LEVELS."""
    some = np.unique(values[:: max(1, values.size // _LOOKED_AT)].astype(np.float64))
    least = (high - low) / MAX_LEVELS
    distances = np.append(np.diff(some), high - low)
    step = 0.0
    while distances.size:
        step = float(distances.min())
        if step < least * (1 - _MISS):
            return None
        rest = abs(distances - np.rint(distances / step) * step)
        distances = rest[rest > step * _MISS]
    step = (high - low) / round((high - low) / step)
    for start in range(0, values.size, _BLOCK):
        places = (values[start : start + _BLOCK].astype(np.float64) - low) / step
        if abs(places - np.rint(places)).max() > _MISS:
            return None
    return step


def _row_blocks(samples: NDArray[Any]) -> Iterator[slice]:
    """Cut the first axis into parts of about _BLOCK samples."""
    rows = max(1, _BLOCK * len(samples) // max(1, samples.size))
    return (slice(top, top + rows) for top in range(0, len(samples), rows))
