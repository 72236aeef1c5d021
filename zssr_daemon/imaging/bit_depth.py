"""BitDepth of a file, from its header: Pillow cuts to 8 bits, and its modes do not tell."""

from typing import Final

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import iso_boxes, jpeg_segments, tiff_tags

_PHOTOMETRIC: Final = 262
_BITS_PER_SAMPLE: Final = 258
_SAMPLES_PER_PIXEL: Final = 277
_EXTRA_SAMPLES: Final = 338
_SAMPLE_FORMAT: Final = 339
_UNSIGNED: Final = 1

_NONE, _PREMULTIPLIED, _ALPHA = (), (1,), (2,)

# Pages whose 16 bits are kept: (photometric interpretation, samples) → extra samples. They are
# grey, with white or black as zero, and RGB, both with and without alpha.
_DEEP_TIFF: Final[dict[tuple[int, int], set[tuple[int, ...]]]] = {
    (0, 1): {_NONE},
    (1, 1): {_NONE},
    (1, 2): {_PREMULTIPLIED, _ALPHA},
    (2, 3): {_NONE},
    (2, 4): {_NONE, _PREMULTIPLIED, _ALPHA},
}

# Start-of-frame markers: C0 to CF without DHT, JPG and DAC.
_JPEG_FRAMES: Final = frozenset(bytes([code]) for code in range(0xC0, 0xD0)) - {
    b"\xc4",
    b"\xc8",
    b"\xcc",
}


def bit_depth(data: bytes, format_name: str, page: int = 0) -> int:
    """Return the bits a channel, 8 or 16, that an output needs to keep all that the file holds.

    Raises ImageError (`unsupported_depth`) where decoding would lose bits; IndexError or
    struct.error where the header ends early.
    """
    if format_name == "PNG":
        return 16 if data[24] == 16 else 8  # IHDR
    if format_name == "TIFF":
        return _tiff_depth(data, page)
    if format_name == "JPEG":
        return _jpeg_depth(data)
    if format_name == "AVIF":
        return _avif_depth(data)
    return 8


def _tiff_depth(data: bytes, page: int) -> int:
    """Read BitsPerSample, SampleFormat and the meaning of the channels."""
    tags = tiff_tags(data, page)
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    if any(code != _UNSIGNED for code in tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))):
        raise _unsupported(f"signed or floating samples of {max(bits)} bits")
    if max(bits) <= 8:
        return 8
    samples = tags.get(_SAMPLES_PER_PIXEL, (1,))[0]
    photometric = tags.get(_PHOTOMETRIC, (-1,))[0]
    extra = tags.get(_EXTRA_SAMPLES, _NONE)
    if set(bits) == {16} and extra in _DEEP_TIFF.get((photometric, samples), set()):
        return 16
    kind = f"photometric interpretation {photometric}, extra samples {extra}"
    raise _unsupported(f"{max(bits)} bits per channel in {samples} channels ({kind})")


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
    return ImageError(f"{what}: not supported yet", reason=Reason.UNSUPPORTED_DEPTH)
