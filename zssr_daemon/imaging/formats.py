"""Formats: names of image formats, their magic bytes, limits of inputs, and what a header says.

The supervisor and the watcher import this module, so it imports neither Pillow nor numpy.
"""

from dataclasses import dataclass
from typing import Final

from zssr_daemon.imaging.unread import unread_format

#: Pillow's names of the formats that are read. `JPEG` also opens phone pictures, as `MPO`.
ALLOWED_FORMATS: Final = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "AVIF")

#: Lower-case file name endings that make a file a candidate.
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".webp", ".bmp", ".avif"}
)

#: Bytes of a file that `sniff_format` and `unread_format` want to see.
HEAD_BYTES: Final = 1024

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

# Brands that an ISO media file names itself by. The last two say only that it holds pictures.
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How large an input may be, and whether it may have several frames."""

    max_file_bytes: int
    max_input_pixels: int  # width × height, of each frame
    each_frame: bool = False  # a file of several is taken, frame by frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What a source is: the part of a decoded image that is not pixels.

    `width` and `height` are pixels of the source grid, after the EXIF orientation.
    """

    width: int
    height: int
    channels: int  # of colour: 1 grey, 3 RGB
    has_alpha: bool
    bit_depth: int  # of the output that keeps everything: 8 or 16
    format: str  # Pillow's name
    frames: int = 1  # to be enlarged
    note: str | None = None  # what a reader of the log must know
    is_hdr: bool = False  # numbers follow PQ or HLG, as the chunk cICP of a PNG says


def sniff_format(head: bytes) -> str | None:
    """Name the allowed format a file beginning with `head` claims to be; see `HEAD_BYTES`."""
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if not _AVIF_BRANDS.isdisjoint(_iso_brands(head)):
        return "AVIF"
    if head[:2] == b"BM" and int.from_bytes(head[14:16], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return None


def looks_like_image(head: bytes) -> bool:
    """Tell whether a file beginning with `head` is an image, of a format that is read or not."""
    return sniff_format(head) is not None or unread_format(head) is not None


def _iso_brands(head: bytes) -> frozenset[bytes]:
    """Return the brands in the first box of an ISO media file; none of any other file."""
    if head[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    places = (8, *range(16, end - 3, 4))  # after the first brand stands a version
    return frozenset(head[place : place + 4] for place in places)
