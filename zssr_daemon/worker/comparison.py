"""Comparison: the middle of a source and of its output, small enough to be shown in a report."""

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

# Source pixels that bicubic looks at beside each part, and a few more.
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same part of source and output, equal in size and mode: 8 bits, L, LA, RGB or RGBA."""

    before: Image.Image  # the source, enlarged by bicubic
    after: Image.Image
    width: int  # of the whole output, pixels
    height: int


def middle(width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part that is shown of `width` × `height`."""
    shown_width, shown_height = min(width, MAX_SIDE), min(height, MAX_SIDE)
    left, top = (width - shown_width) // 2, (height - shown_height) // 2
    return left, top, left + shown_width, top + shown_height


def before(source: DecodedImage, width: int, height: int) -> Image.Image:
    """Return what the source shows where the middle of its output will lie.

    `width` and `height` are the output's, pixels. The source is enlarged by bicubic.
    """
    x, y = source.info.width / width, source.info.height / height
    left, top, right, bottom = middle(width, height)
    box = (left * x, top * y, right * x, bottom * y)
    # Only so much of the source is copied as the filter looks at.
    first_x, first_y = (max(0, int(start) - _MARGIN) for start in box[:2])
    last_x, last_y = (math.ceil(end) + _MARGIN for end in box[2:])
    part = np.s_[first_y:last_y, first_x:last_x]
    samples = source.pixels[part]
    if source.alpha is not None and not source.info.extra_bands:
        samples = np.dstack([samples, source.alpha[part]])
    shown = _picture(np.rint(samples * 255).astype(np.uint8), source.metadata.icc)
    inside = (box[0] - first_x, box[1] - first_y, box[2] - first_x, box[3] - first_y)
    inside = (*inside[:2], min(inside[2], shown.width), min(inside[3], shown.height))
    return shown.resize((right - left, bottom - top), Image.Resampling.BICUBIC, box=inside)


def after(
    samples: NDArray[Any], icc: bytes | None, sample_range: SampleRange | None = None
) -> Image.Image:
    """Return the middle of an output: (H, W, C) samples of any real type, in the profile `icc`.

    sample_range: what is shown as black and white; without it all that the type holds, unsigned.
    """
    height, width, bands = samples.shape
    left, top, right, bottom = middle(width, height)
    part = samples[top:bottom, left:right]
    whole = sample_range or SampleRange.of_container(part.dtype)
    if part.dtype != np.uint8 or whole != SampleRange.of_container(part.dtype):
        shown = whole.to_unit(part)
        if bands in {2, 4} and part.dtype.kind == "u":
            shown[..., -1] = part[..., -1] / np.iinfo(part.dtype).max
        part = np.rint(np.nan_to_num(shown).clip(0, 1) * 255)
    return _picture(part.astype(np.uint8), icc)


def _picture(samples: NDArray[np.uint8], icc: bytes | None) -> Image.Image:
    """Return (H, W, C) as a picture that holds a copy of them."""
    picture = Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    picture.info["icc_profile"] = icc
    return picture
