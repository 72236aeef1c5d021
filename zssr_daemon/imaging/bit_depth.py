"""BitDepth of a file, from its header: Pillow cuts to 8 bits, and its modes do not tell."""

from typing import Final

from zssr_daemon.imaging.containers import iso_boxes, jpeg_segments
from zssr_daemon.imaging.samples.tiff_layout import tiff_layout, unsupported

# Start-of-frame markers: C0 to CF without DHT, JPG and DAC.
_JPEG_FRAMES: Final = frozenset(bytes([code]) for code in range(0xC0, 0xD0)) - {
    b"\xc4",
    b"\xc8",
    b"\xcc",
}


def bit_depth(data: bytes, format_name: str, page: int = 0) -> int:
    """Return the bits a channel, 8, 16 or 32, that an output needs to keep all that the file holds.

    Raises ImageError (`unsupported_depth`) where decoding would lose bits; IndexError or
    struct.error where the header ends early.
    """
    if format_name == "PNG":
        return 16 if data[24] == 16 else 8  # IHDR
    if format_name == "TIFF":
        layout = tiff_layout(data, page)
        layout.check()
        return 32 if layout.kind == "float" else max(8, layout.bits)
    if format_name == "JPEG":
        return _jpeg_depth(data)
    if format_name == "AVIF":
        return _avif_depth(data)
    return 8


def _jpeg_depth(data: bytes) -> int:
    """Read the sample precision of the frame header."""
    for part in jpeg_segments(data):
        if part.name in _JPEG_FRAMES and data[part.start] != 8:
            raise unsupported(f"{data[part.start]} bits per channel")
    return 8


def _avif_depth(data: bytes) -> int:
    """Read `high_bitdepth` of every AV1 configuration record in the meta box."""
    for part in iso_boxes(data):
        if part.name != b"meta":
            continue
        place = data.find(b"av1C", part.start, part.end)
        while place >= 0:
            if data[place + 6] & 0x40:
                raise unsupported("more than 8 bits per channel")
            place = data.find(b"av1C", place + 4, part.end)
    return 8
