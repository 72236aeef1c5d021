"""Picture: what a reader of one format gives: samples, and what came with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.samples.meaning import Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture.

    `image` holds profile, EXIF and XMP in its `info`, and the pixels where they have 8 bits.
    Where they have 16, `deep` holds them: (H, W, C) uint16, alpha last.
    """

    image: Image.Image
    deep: NDArray[np.uint16] | None = None
    is_upright: bool = True  # the decoder has applied the orientation, or the format has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header of a file says, before anything is decoded; sizes are of the source grid.

    `load` decodes a frame in full. Where `is_slow`, that takes longer than about a second, and it
    is not needed to notice that a file is cut.
    """

    width: int
    height: int
    channels: int  # of colour: 1 grey, 3 RGB
    has_alpha: bool
    load: Callable[[int], Picture]
    bit_depth: int = 8  # of the output that keeps everything: 8 or 16
    frames: int = 1
    is_slow: bool = False

    def check_size(self, limits: ImageLimits) -> None:
        """Raise ImageError (`too_many_pixels`) where the picture is larger than allowed."""
        pixels = self.width * self.height
        if pixels > limits.max_input_pixels:
            message = f"{pixels} pixels, more than the limit of {limits.max_input_pixels}"
            raise ImageError(message, reason=Reason.TOO_MANY_PIXELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRead:
    """What a reader found in a frame: samples as in `Loaded`, and all that came with them."""

    samples: NDArray[Any]
    meaning: Meaning
    orientation: int  # still to be applied
    metadata: ImageMetadata
    bit_depth: int
    frames: int
    format: str
    stored_orientation: int = 1  # as the file has it, also where a decoder has applied it
    is_cut: bool = False  # the end of the file is missing


def stretched(levels: NDArray[np.integer], top: int, bits: int) -> NDArray[np.unsignedinteger]:
    """Stretch levels of 0..`top` to all of `bits` bits, 8 or 16; none of them is lost.

    `top` is at most the highest level of so many bits.
    """
    kind = np.uint8 if bits == 8 else np.uint16
    highest = (1 << bits) - 1
    if top == highest:
        return levels.astype(kind)
    return ((levels.astype(np.uint32) * highest + top // 2) // top).astype(kind)


def unsupported(what: str, reason: Reason = Reason.UNSUPPORTED_FORMAT) -> ImageError:
    """Return the refusal of a file that would lose something if it were read."""
    return ImageError(f"{what}: not supported", reason=reason)
