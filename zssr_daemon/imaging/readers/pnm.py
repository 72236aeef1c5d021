"""PNM: the plain formats of Netpbm (PBM, PGM, PPM and PAM), read exactly at 8 and 16 bits."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.readers.picture import Header, Picture, stretched, unsupported

# A blank, or a comment up to the end of its line.
_GAP: Final = rb"(?:\s|#[^\n\r]*[\n\r])+"
_NUMBER: Final = _GAP + rb"(\d{1,10})"

# The number of the format; width and height; the highest level, which bitmaps do not have.
_BITMAP: Final = re.compile(rb"P([14])" + 2 * _NUMBER + rb"\s")
_LEVELS: Final = re.compile(rb"P([2356])" + 3 * _NUMBER + rb"\s")
_PAM: Final = re.compile(rb"P7[ \t]*\n(.{1,1000}?)\nENDHDR[ \t]*\n", re.DOTALL)

_PAM_KINDS: Final = {
    ("BLACKANDWHITE", 1),
    ("BLACKANDWHITE_ALPHA", 2),
    ("GRAYSCALE", 1),
    ("GRAYSCALE_ALPHA", 2),
    ("RGB", 3),
    ("RGB_ALPHA", 4),
}
# No header is longer, comments and all; a shorter file may be one that is still written.
_MAX_HEADER_BYTES: Final = 4096

_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the samples lie, and what they are."""

    width: int
    height: int
    bands: int
    top: int  # the highest level
    start: int  # of the samples in the file
    is_text: bool = False
    is_bitmap: bool = False  # one bit a pixel, 1 is black

    @property
    def row_bytes(self) -> int:
        """The length of a row of binary samples."""
        if self.is_bitmap:
            return (self.width + 7) // 8
        return self.width * self.bands * (1 if self.top < 256 else 2)


def read_pnm(data: bytes, _notes: list[str]) -> Header:
    """Read the header; `load` reads the samples, and stretches levels to all of 8 or 16 bits."""
    layout = _layout(data)
    bits = 16 if layout.top > 255 else 8

    def load(_frame: int) -> Picture:
        levels = _text_levels(data, layout) if layout.is_text else _binary_levels(data, layout)
        if levels.max() > layout.top:
            raise ImageError("a sample above the highest level", reason=Reason.CORRUPT)
        samples = stretched(levels, layout.top, bits)
        if bits == 16:
            image = Image.new(_MODES[layout.bands], (layout.width, layout.height), None)
            return Picture(image=image, deep=samples.astype(np.uint16, copy=False))
        return Picture(image=Image.fromarray(samples[..., 0] if layout.bands == 1 else samples))

    return Header(
        width=layout.width,
        height=layout.height,
        channels=3 if layout.bands > 2 else 1,
        has_alpha=layout.bands in {2, 4},
        bit_depth=bits,
        load=load,
    )


def _layout(data: bytes) -> _Layout:
    """Read the header of any of the formats."""
    if data[1:2] == b"7":
        layout = _pam_layout(data)
    else:
        match = (_BITMAP if data[1:2] in b"14" else _LEVELS).match(data)
        if match is None:
            raise _header_fault(data)
        number, width, height, *top = (int(group) for group in match.groups())
        layout = _Layout(
            width=width,
            height=height,
            bands=3 if number in {3, 6} else 1,
            top=top[0] if top else 1,
            start=match.end(),
            is_text=number < 4,
            is_bitmap=number in {1, 4},
        )
    if not (layout.width and layout.height and 0 < layout.top < 65536):
        raise ImageError("a header of no picture", reason=Reason.CORRUPT)
    return layout


def _pam_layout(data: bytes) -> _Layout:
    match = _PAM.match(data)
    if match is None:
        raise _header_fault(data)
    fields = dict(_pam_field(line) for line in match[1].splitlines() if line.strip())
    try:
        width, height, bands, top = (
            int(fields[name]) for name in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")
        )
    except (KeyError, ValueError) as error:
        raise ImageError(f"damaged header: {error}", reason=Reason.CORRUPT) from error
    if (fields.get("TUPLTYPE"), bands) not in _PAM_KINDS:
        raise unsupported(f"PAM of {bands} channels of the kind {fields.get('TUPLTYPE')!r}")
    return _Layout(width=width, height=height, bands=bands, top=top, start=match.end())


def _pam_field(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("ascii", "replace").strip().partition(" ")
    return name, value.strip()


def _header_fault(data: bytes) -> ImageError:
    """Return the fault of a header that does not match: it may only be cut."""
    is_cut = len(data) < _MAX_HEADER_BYTES
    return ImageError("no complete header", reason=Reason.TRUNCATED if is_cut else Reason.CORRUPT)


def _binary_levels(data: bytes, layout: _Layout) -> NDArray[np.unsignedinteger]:
    """Return (H, W, C) levels."""
    end = layout.start + layout.row_bytes * layout.height
    if end > len(data):
        raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
    _refuse_another(data[end : end + 16])
    if layout.is_bitmap:
        packed = np.frombuffer(data[layout.start : end], np.uint8)
        bits = np.unpackbits(packed.reshape(layout.height, -1), axis=1, count=layout.width)
        return (1 - bits)[..., None]
    kind = np.uint8 if layout.top < 256 else np.dtype(">u2")
    levels: NDArray[np.unsignedinteger] = np.frombuffer(data[layout.start : end], kind)
    return levels.reshape(layout.height, layout.width, layout.bands)


def _text_levels(data: bytes, layout: _Layout) -> NDArray[np.unsignedinteger]:
    """Return (H, W, C) levels that are written as decimal numbers, or as digits 0 and 1."""
    count = layout.width * layout.height * layout.bands
    text = re.sub(rb"#[^\n\r]*", b"", data[layout.start :])
    if layout.is_bitmap:
        digits = np.frombuffer(text.translate(None, b" \t\r\n\v\f"), np.uint8)[:count]
        if np.any((digits != ord("0")) & (digits != ord("1"))):
            raise ImageError("a bitmap of other digits than 0 and 1", reason=Reason.CORRUPT)
        levels = ord("1") - digits
    else:
        numbers = np.fromstring(text, np.int64, sep=" ")[:count]
        if numbers.size and (numbers.min() < 0 or numbers.max() > 65535):
            raise ImageError("a sample out of range", reason=Reason.CORRUPT)
        levels = numbers.astype(np.uint16)
    if levels.size < count:
        raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
    return levels.reshape(layout.height, layout.width, layout.bands)


def _refuse_another(rest: bytes) -> None:
    """Refuse a file in which another picture follows: it would be dropped."""
    if re.match(rb"P[1-7]\s", rest):
        message = "several pictures in one file: split it first"
        raise ImageError(message, reason=Reason.MULTI_FRAME)
