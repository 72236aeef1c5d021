"""Pillow: opened for named formats only, and held to a number of pixels."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from PIL import Image, TiffImagePlugin

from zssr_daemon.imaging.containers import Buffer

# TIFFs of 16-bit grey with alpha, which Pillow cannot identify. Told that they are LA it reads
# their tags; their pixels are libvips's.
_GREY_WITH_ALPHA: Final = [(1, (1,), 1, (16, 16), extra) for extra in ((1,), (2,))]
for _order in (b"II", b"MM"):
    for _kind in _GREY_WITH_ALPHA:
        TiffImagePlugin.OPEN_INFO[(_order, *_kind)] = ("LA", "LA")


def open_picture(data: Buffer, formats: Sequence[str]) -> Image.Image:
    """Open the file in `data` as one of `formats` (Pillow's names); no pixel is decoded yet.

    Raises what Pillow raises: for a damaged file this can be any exception.
    """
    return Image.open(io.BytesIO(data), formats=list(formats))


@contextmanager
def pixel_limit(max_pixels: int | None) -> Iterator[None]:
    """Let Pillow open pictures of up to `max_pixels`, of any size with None.

    The limit is the process's; the one from before is put back. Above `max_pixels` Pillow warns
    (`Image.DecompressionBombWarning`), above twice as many it raises
    `Image.DecompressionBombError`.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
