"""Deep pictures: the samples of PNG and TIFF files of 16 bits, which Pillow would cut to 8."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.containers import PNG_PIXELS, png_with_only
from zssr_daemon.imaging.vips import open_lossless

# Pillow cannot tell grey with alpha of 16 bits. With these it reads the tags; the pixels never.
_GREY_WITH_ALPHA: Final = [(1, (1,), 1, (16, 16), extra) for extra in ((1,), (2,))]
for _order in (b"II", b"MM"):
    for _kind in _GREY_WITH_ALPHA:
        TiffImagePlugin.OPEN_INFO[(_order, *_kind)] = ("LA", "LA")


def read_deep(
    data: bytes, format_name: str, *, max_pixels: int, page: int = 0
) -> NDArray[np.uint16]:
    """Return the samples of a 16-bit PNG, or of a page of a TIFF: (H, W, C) uint16, not turned.

    C is 1 or 3, and one more with alpha; a colour key has become alpha. Raises ImageError
    (`too_many_pixels`) before any pixel is decoded, pyvips.Error for damage.
    """
    if format_name == "PNG":  # warnings about chunks that carry no pixels would count as damage
        data = png_with_only(data, PNG_PIXELS)
    image = open_lossless(data, format_name, page=page)
    if image.width * image.height > max_pixels:
        message = f"{image.width * image.height} pixels, more than the limit of {max_pixels}"
        raise ImageError(message, reason="too_many_pixels")
    samples: NDArray[np.uint16] = np.atleast_3d(image.numpy())
    assert samples.dtype == np.uint16, samples.dtype
    return samples
