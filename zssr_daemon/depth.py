"""Bit depth of a file, from its header: Pillow's modes hide what Pillow cuts to 8 bits."""

from typing import Final

from zssr_daemon.containers import iso_boxes, jpeg_segments, png_chunks, tiff_tags
from zssr_daemon.errors import ImageError

_PHOTOMETRIC: Final = 262
_BITS_PER_SAMPLE: Final = 258
_SAMPLES_PER_PIXEL: Final = 277
_SAMPLE_FORMAT: Final = 339
_UNSIGNED: Final = 1
_BLACK_IS_ZERO: Final = 1

# Start-of-frame markers: C0 to CF without DHT, JPG and DAC.
_JPEG_FRAMES: Final = frozenset(bytes([code]) for code in range(0xC0, 0xD0)) - {
    b"\xc4",
    b"\xc8",
    b"\xcc",
}


def bit_depth(data: bytes, format_name: str) -> int:
    """Return the depth, 8 or 16 bits a channel, at which the file keeps everything it holds.

    Raises ImageError (`unsupported_depth`) where decoding would lose bits; IndexError or
    struct.error where the header ends early.
    """
    if format_name == "PNG":
        return _png_depth(data)
    if format_name == "TIFF":
        return _tiff_depth(data)
    if format_name == "JPEG":
        return _jpeg_depth(data)
    if format_name == "AVIF":
        return _avif_depth(data)
    return 8


def _png_depth(data: bytes) -> int:
    """Read IHDR: 16 bits are kept for plain grey."""
    bits, colour_type = data[24], data[25]
    if bits <= 8:
        return 8
    is_plain_grey = colour_type == 0 and all(part.name != b"tRNS" for part in png_chunks(data))
    if bits == 16 and is_plain_grey:
        return 16
    raise _unsupported(f"{bits} bits per channel of colour type {colour_type}")


def _tiff_depth(data: bytes) -> int:
    """Read BitsPerSample and SampleFormat: 16 bits are kept for grey with black as zero."""
    tags = tiff_tags(data)
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    if any(code != _UNSIGNED for code in tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))):
        raise _unsupported(f"signed or floating samples of {max(bits)} bits")
    if max(bits) <= 8:
        return 8
    samples = tags.get(_SAMPLES_PER_PIXEL, (1,))
    photometric = tags.get(_PHOTOMETRIC, ())
    # Pillow forgets to invert 16-bit pages on which white is zero.
    if (bits, samples, photometric) == ((16,), (1,), (_BLACK_IS_ZERO,)):
        return 16
    raise _unsupported(f"{max(bits)} bits per channel in {samples[0]} channels")


def _jpeg_depth(data: bytes) -> int:
    """Read the sample precision of the frame header."""
    for part in jpeg_segments(data):
        if part.name in _JPEG_FRAMES and data[part.start] != 8:
            raise _unsupported(f"{data[part.start]} bits per channel")
    return 8


def _avif_depth(data: bytes) -> int:
    """Read `high_bitdepth` of every AV1 configuration record in the meta box."""
    for part in iso_boxes(data):
        if part.name != b"meta":
            continue
        place = data.find(b"av1C", part.start, part.end)
        while place >= 0:
            if data[place + 6] & 0x40:
                raise _unsupported("more than 8 bits per channel")
            place = data.find(b"av1C", place + 4, part.end)
    return 8


def _unsupported(what: str) -> ImageError:
    return ImageError(f"{what}: not supported yet", reason="unsupported_depth")
