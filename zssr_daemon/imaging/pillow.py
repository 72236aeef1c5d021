"""Pillow: opened for named formats only, and held to a number of pixels."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from PIL import Image, TiffImagePlugin

from zssr_daemon.imaging.containers import Buffer

# Pillow identifies a TIFF by these: byte order, photometric interpretation, sample format, order of
# bits, bits of each sample, ExtraSamples.
_Key = tuple[bytes, int, tuple[int], int, tuple[int, ...], tuple[int, ...]]

_STAND_INS: Final = {0: "L", 1: "L", 2: "RGB", 5: "CMYK"}
_MAX_SAMPLES: Final = 32


class _AllKinds(dict[_Key, tuple[str, str]]):
    """Names a mode for every TIFF, so that Pillow reads the tags of kinds that it cannot decode.

    The pixels of these are libvips's; which of them are read is not decided here.
    """

    def __missing__(self, key: _Key) -> tuple[str, str]:
        _, photometric, kinds, _, bits, extra = key
        is_pillows = kinds == (1,) and max(bits) <= 8 and extra in {(), (1,), (2,)}
        if photometric not in _STAND_INS or (is_pillows and len(bits) <= 4):
            raise KeyError(key)
        return _STAND_INS[photometric], "R" * _MAX_SAMPLES  # one letter for each plane


TiffImagePlugin.OPEN_INFO = _AllKinds(TiffImagePlugin.OPEN_INFO)
TiffImagePlugin.MAX_SAMPLESPERPIXEL = _MAX_SAMPLES


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
