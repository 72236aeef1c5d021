"""Formats: names of image formats, their magic bytes, limits of inputs, and what a header says.

The supervisor and the watcher import this module, so it imports neither Pillow nor numpy.
"""

from dataclasses import dataclass
from typing import Final, Literal

#: Pillow's names of the formats that are read. `JPEG` also opens phone pictures, as `MPO`.
ALLOWED_FORMATS: Final = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "AVIF")

#: Lower-case file name endings that make a file a candidate.
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".webp", ".bmp", ".avif"}
)

#: Bytes of a file that `sniff_format` wants to see.
HEAD_BYTES: Final = 16

_PREFIXES: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)

# Any text may begin with "BM"; only a BMP has one of these sizes of its next header.
_BMP_HEADER_SIZES: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

# The last two are of containers that may also hold HEIC; the decoder finds out.
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis", b"mif1", b"msf1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How large an input may be, and whether it may have several frames."""

    max_file_bytes: int
    max_input_pixels: int  # width × height, of each frame
    each_frame: bool = False  # a file of several is taken, frame by frame


#: How the bits of a sample are read.
SampleKind = Literal["unsigned", "signed", "float"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What a source is: the part of a decoded image that is not pixels.

    `width` and `height` are pixels of the source grid, after the EXIF orientation.
    """

    width: int
    height: int
    channels: int  # of colour: 1 grey, 3 RGB
    has_alpha: bool
    bit_depth: int  # of the output that keeps everything: 8, 16 or 32
    format: str  # Pillow's name
    kind: SampleKind = "unsigned"
    extra_codes: tuple[int, ...] = ()  # TIFF's ExtraSamples, where there is more than one alpha
    nodata: str | None = None  # what a raster says stands for no sample
    frames: int = 1  # to be enlarged
    note: str | None = None  # what a reader of the log must know

    @property
    def bands(self) -> int:
        """The number of samples of a pixel: colours, alpha and all others."""
        return self.channels + self.has_alpha + self.extra_bands

    @property
    def extra_bands(self) -> int:
        """The number of samples that are neither colour nor alpha."""
        return max(0, len(self.extra_codes) - self.has_alpha)

    @property
    def alpha_place(self) -> int:
        """Where alpha lies among the samples beyond the colours."""
        return next((place for place, code in enumerate(self.extra_codes) if code in {1, 2}), 0)


def sniff_format(head: bytes) -> str | None:
    """Name the allowed format a file beginning with `head` (16 bytes or more) claims to be."""
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS:
        return "AVIF"
    if head[:2] == b"BM" and int.from_bytes(head[14:16], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return None


def looks_like_image(head: bytes) -> bool:
    """Tell whether a file beginning with `head` (16 bytes or more) is a candidate."""
    return sniff_format(head) is not None
