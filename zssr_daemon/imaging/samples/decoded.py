"""DecodedImage: one frame with its channels apart, as the algorithm wants them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.imaging.formats import ImageInfo
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.samples.content import Content
from zssr_daemon.imaging.samples.meaning import sample_tags
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.imaging.samples.void import parse_nodata

_LEVEL_OF_8_BITS = 257  # in 16 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A fully decoded picture, not yet turned upright.

    `samples` is (H, W, C) of the file's own type: colours, then alpha and further samples in the
    order of the file.
    """

    samples: NDArray[Any]
    orientation: int
    info: ImageInfo
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """One frame, upright: colour, alpha as (H, W) float32 in [0, 1] or None, further samples."""

    colour: Content
    alpha: NDArray[np.float32] | None
    alpha_range: SampleRange | None = None
    extras: tuple[Content, ...] = ()  # one channel each
    info: ImageInfo
    metadata: ImageMetadata

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The colours, (H, W, C) float32 in [0, 1]."""
        return self.colour.pixels

    @property
    def may_be_jpeg(self) -> bool:
        """Whether the samples are those of 8 bits, as JPEG has: in 16 bits multiples of 257."""
        step = self.colour.sample_range.step
        return self.info.bit_depth == 8 or (step is not None and step % _LEVEL_OF_8_BITS == 0)

    def without_pixels(self) -> "DecodedImage":
        """Return the image without colours and further samples; alpha stays."""
        return replace(self, colour=self.colour.without_pixels(), extras=())

    def in_container(self) -> "DecodedImage":
        """Return the image with colours scaled by all that 16 bits hold, if it has 16 bits."""
        if self.info.kind != "unsigned" or self.info.bit_depth != 16:
            return self
        return replace(self, colour=self.colour.in_container(np.dtype(np.uint16)))


def finished(loaded: Loaded) -> DecodedImage:
    """Turn a picture upright, take its channels apart, and scale them."""
    info = loaded.info
    samples = upright(loaded.samples, loaded.orientation)
    beyond = [samples[:, :, place] for place in range(info.channels, samples.shape[2])]
    nodata = None if info.nodata is None else parse_nodata(info.nodata)
    alpha = alpha_range = None
    if info.has_alpha:
        levels = beyond.pop(info.alpha_place)
        alpha_range = _alpha_range(levels)
        alpha = np.nan_to_num(alpha_range.to_unit(levels)).clip(0, 1)
    return DecodedImage(
        colour=Content.of(samples[:, :, : info.channels], nodata=nodata, alpha=alpha),
        alpha=alpha,
        alpha_range=alpha_range,
        extras=tuple(Content.of(each[:, :, None], nodata=nodata) for each in beyond),
        info=info,
        metadata=replace(loaded.metadata, sample_tags=sample_tags(info)),
    )


def _alpha_range(levels: NDArray[Any]) -> SampleRange:
    """Return the range of alpha: the container's, and 0 to 1 or more for floating samples."""
    if levels.dtype.kind == "u":
        return SampleRange.of_container(levels.dtype)
    if levels.dtype.kind == "i":
        return SampleRange(low=0.0, high=float(np.iinfo(levels.dtype).max), step=1.0)
    highest = float(np.max(levels, where=np.isfinite(levels), initial=1.0))
    return SampleRange(low=0.0, high=highest, step=None)


def upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation to (H, W, C) samples; a view."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        samples = samples[::-1]
    if orientation in {2, 3, 6, 7}:
        samples = samples[:, ::-1]
    return samples
