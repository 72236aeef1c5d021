"""PngWriter: libvips writes the pixels, row by row, and Pillow the chunks of metadata."""

import io
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from zssr_daemon.imaging.containers import png_chunks
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.png_text import XMP_KEYWORD, Text
from zssr_daemon.imaging.vips import file_target, from_samples

_SOFTWARE: Final = "Software"
_HEADER_END: Final = 33  # signature and IHDR
_LONG_TEXT: Final = 1024  # characters
_MAX_PER_UNIT: Final = (1 << 31) - 1  # what pHYs holds


def write_png(
    samples: NDArray[np.generic],
    file: BinaryIO,
    *,
    metadata: ImageMetadata,
    comments: Mapping[str, str],
    on_write: Callable[[], None],
) -> None:
    """Write (H, W, C) uint8 or uint16 samples, with `comments` as text chunks."""
    head = _Head(file, _metadata_chunks(metadata, comments))
    depth = 8 * samples.dtype.itemsize

    def write(data: bytes) -> None:
        head.write(data)
        on_write()

    with file_target(file, write) as target:
        from_samples(samples).pngsave_target(
            target, keep="none", bitdepth=depth, filter="all", compression=6
        )


class _Head:
    """Puts our chunks between IHDR and the pixels, and drops what libvips wrote there."""

    def __init__(self, file: BinaryIO, chunks: bytes) -> None:
        self._file = file
        self._chunks = chunks
        self._begun: bytes | None = b""

    def write(self, data: bytes) -> None:
        """Pass `data` on; from the first chunk of pixels it is unchanged."""
        if self._begun is None:
            self._file.write(data)
            return
        self._begun += data
        pixels = self._begun.find(b"IDAT") - 4  # the chunk begins with its length
        if pixels >= 0:
            self._file.write(self._begun[:_HEADER_END] + self._chunks + self._begun[pixels:])
            self._begun = None


def _metadata_chunks(metadata: ImageMetadata, comments: Mapping[str, str]) -> bytes:
    """Return the chunks of metadata, taken from a PNG of one pixel that Pillow writes with them."""
    text = PngImagePlugin.PngInfo()
    for each in metadata.texts:
        if each.keyword not in comments:
            _add_text(text, each)
    for keyword, value in _signed(metadata, comments).items():
        text.add_text(keyword, value)
    if metadata.xmp is not None:
        text.add_itxt(XMP_KEYWORD, metadata.xmp)
    options: dict[str, object] = {"icc_profile": metadata.icc, "dpi": metadata.dpi}
    if metadata.exif is not None:
        options["exif"] = metadata.exif
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG", pnginfo=text, **options)
    data = buffer.getvalue()
    parts = [part for part in png_chunks(data) if part.name not in {b"IHDR", b"IDAT", b"IEND"}]
    chunks = io.BytesIO()  # Pillow leaves out chunks that it does not know
    for name, content in metadata.png_colour:
        PngImagePlugin.putchunk(chunks, name, content)
    if metadata.aspect is not None and metadata.dpi is None:
        PngImagePlugin.putchunk(chunks, b"pHYs", _shape_of_pixels(*metadata.aspect))
    return chunks.getvalue() + b"".join(data[part.start - 8 : part.end + 4] for part in parts)


def _shape_of_pixels(horizontal: float, vertical: float) -> bytes:
    """Return the content of pHYs without a unit: whole numbers in the same proportion."""
    ratio = Fraction(horizontal / vertical).limit_denominator(1_000_000)
    return struct.pack(">IIB", min(ratio.numerator, _MAX_PER_UNIT) or 1, ratio.denominator, 0)


def _signed(metadata: ImageMetadata, comments: Mapping[str, str]) -> dict[str, str]:
    """Return the comments, with the name of the software before us in front of ours."""
    before = [text.text for text in metadata.texts if text.keyword == _SOFTWARE]
    signed = dict(comments)
    if before and _SOFTWARE in signed:
        signed[_SOFTWARE] = "; ".join([*before, signed[_SOFTWARE]])
    return signed


def _add_text(chunks: PngImagePlugin.PngInfo, text: Text) -> None:
    """Add a text of the source; long ones are compressed."""
    is_long = len(text.text) > _LONG_TEXT
    if text.language or text.translated or not _is_latin(text.text):
        chunks.add_itxt(text.keyword, text.text, text.language, text.translated, zip=is_long)
    else:
        chunks.add_text(text.keyword, text.text, zip=is_long)


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
