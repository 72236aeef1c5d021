"""Formats: names of image formats, their magic bytes, limits of inputs, and what a header says.

The supervisor and the watcher import this module, so it imports neither Pillow nor numpy.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from zssr_daemon.imaging.unread import unread_format

# Pillow's names of formats. `JPEG` also opens phone pictures, as `MPO`.
_OPEN_FORMATS: Final = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "AVIF")

#: The formats whose decoders are attacked most, or are the youngest: only a confined child runs
#: them, also when a job is in work.
CONFINED_FORMATS: Final = ("HEIF", "JPEG2000", "JXL", "GIF", "PPM", "TGA")

#: All formats that are read.
ALLOWED_FORMATS: Final = _OPEN_FORMATS + CONFINED_FORMATS

#: Lower-case file name endings that make a file a candidate.
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".webp", ".bmp", ".avif"}
    | {".heic", ".heif", ".hif", ".jxl", ".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".jpc", ".gif"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".tga"}
)

#: Bytes of a file, from its beginning and its end, that `sniff_format` wants to see.
HEAD_BYTES: Final = 1024
TAIL_BYTES: Final = 18

_PREFIXES: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xffO\xffQ", "JPEG2000"),  # a codestream without boxes
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\n", "JXL"),  # the same
)

# Any text may begin with P and a digit; a PNM goes on with numbers, between blanks and comments.
_PNM: Final = re.compile(
    rb"P(?:[1-6](?:\s|#[^\n]*\n)+\d+(?:\s|#)|7\n(?:#|WIDTH|HEIGHT|DEPTH|MAXVAL))"
)

# The end of a newer TGA, and what the header of any may hold: colour map type and image type, and
# the bits of a pixel. Nothing else tells a TGA from other data, so an older one needs its ending.
_TGA_FOOTER: Final = b"TRUEVISION-XFILE.\0"
_TGA_TYPES: Final = frozenset({b"\1\1", b"\1\11", b"\0\2", b"\0\3", b"\0\12", b"\0\13"})
_TGA_BITS: Final = frozenset({1, 8, 16, 24, 32})
_TGA_MAP_BITS: Final = frozenset({16, 24, 32})

# Any text may begin with "BM"; only a BMP has one of these sizes of its next header.
_BMP_HEADER_SIZES: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

# Brands that an ISO media file names itself by. The third group says only that it holds pictures.
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_PICTURE_BRANDS: Final = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})


_FIXED_BYTES: Final = 2 << 30
_BYTES_PER_PIXEL: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How large an input may be, and whether it may have several frames."""

    max_file_bytes: int
    max_input_pixels: int  # width × height, of each frame
    each_frame: bool = False  # a file of several is taken, frame by frame
    accepts_cut: bool = False  # a JPEG without its end is taken, and so described
    ending: str = ""  # of the file's name, as in IMAGE_SUFFIXES; it counts for TGA alone

    @property
    def decoder_bytes(self) -> int:
        """The address space that a decoder may use beyond that of its libraries.

        A fixed part, the file in memory twice, and for each pixel a full-colour picture (4 bytes),
        its converted copy, and a decoder's own needs: all coefficients of a progressive JPEG (6),
        or the 32-bit components of a JPEG 2000, twice.
        """
        return _FIXED_BYTES + _BYTES_PER_PIXEL * self.max_input_pixels + 2 * self.max_file_bytes


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
    is_hdr: bool = False  # numbers follow PQ or HLG, as the chunk cICP of a PNG says
    is_cut: bool = False  # the end of the file is missing, and that was accepted

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


def sniff_format(head: bytes, *, tail: bytes = b"", ending: str = "") -> str | None:
    """Name the allowed format that a file claims to be.

    `head` and `tail` are its first HEAD_BYTES and its last TAIL_BYTES; `ending` is that of its
    name. The last two only tell a TGA.
    """
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _iso_format(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:16], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if _PNM.match(head):
        return "PPM"
    is_tga = _has_tga_header(head) and (tail == _TGA_FOOTER or ending == ".tga")
    return "TGA" if is_tga else None


def looks_like_image(head: bytes, tail: bytes = b"") -> bool:
    """Tell whether a file is an image, of a format that is read or not, by both of its ends."""
    return sniff_format(head, tail=tail) is not None or unread_format(head) is not None


def _iso_format(head: bytes) -> str | None:
    """Tell AVIF from HEIC by the brands; where they name neither, by the coding of an item."""
    brands = _iso_brands(head)
    if brands & _AVIF_BRANDS or (brands & _PICTURE_BRANDS and b"av01" in head):
        return "AVIF"
    return "HEIF" if brands & (_HEIC_BRANDS | _PICTURE_BRANDS) else None


def _has_tga_header(head: bytes) -> bool:
    """Tell whether colour map, type, size and bits of a pixel are those of a TGA."""
    is_plain = head[1:2] == b"\0"
    return (
        head[1:3] in _TGA_TYPES
        and len(head) >= 18
        and (is_plain or head[7] in _TGA_MAP_BITS)
        and head[12:14] != b"\0\0"
        and head[14:16] != b"\0\0"
        and head[16] in (_TGA_BITS if is_plain else {8})
        and head[17] & 0xC0 == 0
    )


def _iso_brands(head: bytes) -> frozenset[bytes]:
    """Return the brands in the first box of an ISO media file; none of any other file."""
    if head[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    places = (8, *range(16, end - 3, 4))  # after the first brand stands a version
    return frozenset(head[place : place + 4] for place in places)
