"""Content: channels of a picture that are enlarged together, as the algorithm wants them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.imaging.alpha import fill_hidden
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.imaging.samples.void import Void


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Channels with a range of their own.

    `pixels` is (H, W, C) float32 in [0, 1], C = 1 (grey) or 3 (RGB), contiguous and the caller's
    own; void samples have the values of their neighbours. `excess` is of the same shape, or None:
    what the few samples far outside the range have beyond 0 and 1, in parts of the range.
    """

    pixels: NDArray[np.float32]
    sample_range: SampleRange
    excess: NDArray[np.float32] | None = None
    void: Void | None = None

    @classmethod
    def of(
        cls,
        samples: NDArray[Any],
        *,
        nodata: float | None = None,
        alpha: NDArray[np.float32] | None = None,
    ) -> "Content":
        """Scale (H, W, C) samples of any real type by their own black and white.

        nodata: the sample that stands for none. alpha: (H, W); what it hides does not count, and
        takes the colour of its neighbours too.
        """
        void = Void.of(samples, nodata)
        is_content = None if void is None else void.is_content
        if alpha is not None and (alpha > 0).any() and not (alpha > 0).all():
            visible = (alpha > 0)[:, :, None]
            is_content = visible if is_content is None else is_content & visible
        scale = SampleRange.of_content(samples, is_content)
        if is_content is not None:
            samples = np.where(is_content, samples, samples.dtype.type(0))
        pixels, excess = _clipped(scale.to_unit(samples), is_content)
        if is_content is not None:
            pixels = fill_hidden(pixels, is_content)
        return cls(pixels=pixels, sample_range=scale, excess=excess, void=void)

    def in_container(self, dtype: np.dtype[Any]) -> "Content":
        """Return the same content scaled by all that an unsigned type holds."""
        low, step = self.sample_range.low, self.sample_range.step
        whole = SampleRange.of_container(dtype)
        if step is not None and low % step == 0:
            whole = replace(whole, step=step)
        values = self.pixels if self.excess is None else self.pixels + self.excess
        values = (values * self.sample_range.span + low) / whole.span
        return replace(self, pixels=values.astype(np.float32), sample_range=whole, excess=None)

    def without_pixels(self) -> "Content":
        """Return what is needed when the pixels are with the algorithm."""
        return replace(self, pixels=np.empty((0, 0, 0), np.float32))


def _clipped(
    values: NDArray[np.float32], is_content: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return values in [0, 1], and what was cut off, None for nothing."""
    if is_content is not None:
        values *= is_content
    if not values.size or (values.min() >= 0 and values.max() <= 1):
        return values, None
    pixels = values.clip(0, 1)
    return pixels, values - pixels
