"""Comparison: the same part of a source and of its output, as two pictures of 8 bits."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.imaging.samples.sample_range import SampleRange

#: Longest side of what is shown, output pixels.
MAX_SIDE = 1024

#: Left, top, right and bottom of a part; right and bottom lie outside.
Box = tuple[int, int, int, int]

# Source pixels that bicubic looks at beside each part, and a few more.
_MARGIN = 4

#: The range of samples that are parts of the whole already.
UNIT = SampleRange(low=0.0, high=1.0, step=None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same part of source and output, equal in size and mode: 8 bits, L, LA, RGB or RGBA."""

    before: Image.Image  # the source, enlarged by bicubic
    after: Image.Image
    width: int  # of the whole output, pixels
    height: int


def middle(width: int, height: int) -> Box:
    """Return the part in the middle of `width` × `height` pixels that a report shows."""
    shown_width, shown_height = min(width, MAX_SIDE), min(height, MAX_SIDE)
    left, top = (width - shown_width) // 2, (height - shown_height) // 2
    return left, top, left + shown_width, top + shown_height


def before(source: DecodedImage, width: int, height: int) -> Image.Image:
    """Return what the source shows where the middle of its output will lie.

    `width` and `height` are the output's, pixels. The source is enlarged by bicubic.
    """
    samples = source.pixels
    if source.alpha is not None and not source.info.extra_bands:
        samples = np.dstack([samples, source.alpha])
    return enlarged(samples, source.metadata.icc, UNIT, size=(width, height))


def after(
    samples: NDArray[Any], icc: bytes | None, sample_range: SampleRange | None = None
) -> Image.Image:
    """Return the middle of an output: (H, W, C) samples of any real type, in the profile `icc`.

    sample_range: what is shown as black and white; without it all that the type holds, unsigned.
    """
    height, width, _ = samples.shape
    return cut(samples, icc, sample_range, middle(width, height))


def enlarged(
    samples: NDArray[Any],
    icc: bytes | None,
    sample_range: SampleRange | None,
    *,
    size: tuple[int, int],
    box: Box | None = None,
) -> Image.Image:
    """Return what a source, enlarged by bicubic to `size`, shows in `box` of the enlarged grid.

    Without `box` it is the middle. The other arguments are those of `cut`.
    """
    left, top, right, bottom = box or middle(*size)
    x, y = samples.shape[1] / size[0], samples.shape[0] / size[1]
    wanted = (left * x, top * y, right * x, bottom * y)
    # Only so much of the source is copied as the filter looks at.
    first_x, first_y = (max(0, int(start) - _MARGIN) for start in wanted[:2])
    last_x, last_y = (math.ceil(end) + _MARGIN for end in wanted[2:])
    shown = cut(samples, icc, sample_range, (first_x, first_y, last_x, last_y))
    inside = (wanted[0] - first_x, wanted[1] - first_y, wanted[2] - first_x, wanted[3] - first_y)
    inside = (*inside[:2], min(inside[2], shown.width), min(inside[3], shown.height))
    return shown.resize((right - left, bottom - top), Image.Resampling.BICUBIC, box=inside)


def cut(
    samples: NDArray[Any], icc: bytes | None, sample_range: SampleRange | None, box: Box
) -> Image.Image:
    """Return a part of (H, W, C) samples of any real type, in the profile `icc`.

    C is 1 to 4: grey or RGB, with or without alpha. sample_range: what is shown as black and white;
    without it all that the type holds, unsigned. Alpha of an unsigned type is shown by all that the
    type holds.
    """
    left, top, right, bottom = box
    part = samples[top:bottom, left:right]
    if part.dtype != np.uint8 or sample_range not in {None, SampleRange.of_container(part.dtype)}:
        whole = sample_range or SampleRange.of_container(part.dtype)
        shown = whole.to_unit(part)
        if part.shape[2] in {2, 4} and part.dtype.kind == "u":
            shown[..., -1] = part[..., -1] / np.iinfo(part.dtype).max
        part = np.rint(np.nan_to_num(shown).clip(0, 1) * 255)
    return _picture(part.astype(np.uint8), icc)


def _picture(samples: NDArray[np.uint8], icc: bytes | None) -> Image.Image:
    """Return (H, W, C) as a picture that holds a copy of them."""
    picture = Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    picture.info["icc_profile"] = icc
    return picture
