"""Truncation: whether a file ends before its own structure says it should."""

import struct
import zlib
from collections.abc import Iterable
from typing import Final

from zssr_daemon.imaging.containers import Buffer, iso_boxes, jpeg_segments, png_chunks, tiff_tags

# Offsets and lengths of a page's strips, or of its tiles.
_TIFF_BLOCKS: Final = ((273, 279), (324, 325))

_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# The seven grids of an interlaced PNG: left, top, horizontal and vertical step.
_ADAM7: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

_JPEG_2000_STREAM: Final = b"\xff\x4f\xff\x51"

_BLOCK_BYTES: Final = 1 << 20


def ends_early(data: Buffer, format_name: str, page: int = 0) -> bool:
    """Tell whether the end of the file, or of a page of a TIFF, is missing: an unfinished copy.

    Decoders alone do not notice: a JPEG whose tail is zeros, as left by a copy that reserved its
    space first, decodes into grey without complaint.
    """
    check = {"PNG": _png_ends_early, "JPEG": _jpeg_ends_early, "WEBP": _webp_ends_early}
    check |= {"AVIF": _boxes_end_early, "HEIF": _boxes_end_early, "BMP": _bmp_ends_early}
    check |= {"GIF": _gif_ends_early, "JXL": _jxl_ends_early, "JPEG2000": _jpeg_2000_ends_early}
    try:
        if format_name == "TIFF":
            return _tiff_ends_early(data, page)
        return format_name in check and check[format_name](data)
    except (IndexError, struct.error):
        return True


def _png_ends_early(data: Buffer) -> bool:
    """Count chunks up to IEND, and the rows inside: Pillow leaves missing ones black."""
    chunks = list(png_chunks(data))
    parts = (data[part.start : part.end] for part in chunks if part.name == b"IDAT")
    try:
        return _inflates_to_less(parts, _png_raw_bytes(data))
    except zlib.error:
        return False  # damaged, and the decoder will say so


def _png_raw_bytes(data: Buffer) -> int:
    """Return the length of the pixels before compression, filter bytes included."""
    width, height, bits, colour_type = struct.unpack_from(">IIBB", data, 16)
    bits *= _PNG_CHANNELS.get(colour_type, 1)
    grids = _ADAM7 if data[28] else ((0, 0, 1, 1),)
    total = 0
    for left, top, step_x, step_y in grids:
        columns = -((left - width) // step_x)
        rows = -((top - height) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _inflates_to_less(parts: Iterable[bytes], expected: int) -> bool:
    """Tell whether a deflated stream ends short of `expected` bytes, in little memory."""
    stream = zlib.decompressobj()
    for part in parts:
        rest = part
        while rest and expected > 0:
            expected -= len(stream.decompress(rest, _BLOCK_BYTES))
            rest = stream.unconsumed_tail
    return expected > 0 and expected > len(stream.flush())


def _jpeg_ends_early(data: Buffer) -> bool:
    """Look for the end marker after the first scan's start; a thumbnail's lies before it."""
    scan = [part.start for part in jpeg_segments(data) if part.name == b"\xda"]
    return bool(scan) and data.find(b"\xff\xd9", scan[0]) < 0


def _tiff_ends_early(data: Buffer, page: int) -> bool:
    tags = tiff_tags(data, page)
    for offsets, lengths in _TIFF_BLOCKS:
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False):
            if offset + length > len(data):
                return True
    return False


def _webp_ends_early(data: Buffer) -> bool:
    (length,) = struct.unpack_from("<I", data, 4)
    return bool(length + 8 > len(data))


def _boxes_end_early(data: Buffer) -> bool:
    return not list(iso_boxes(data))


def _jxl_ends_early(data: Buffer) -> bool:
    """Walk the boxes of a container; a raw codestream has no structure that could be walked."""
    return data[:2] != b"\xff\x0a" and _boxes_end_early(data)


def _jpeg_2000_ends_early(data: Buffer) -> bool:
    """Walk the boxes, then the tiles of the codestream: each says how long it is."""
    if data[:4] == _JPEG_2000_STREAM:
        return _tiles_end_early(data, 0, len(data))
    streams = [box for box in iso_boxes(data) if box.name == b"jp2c"]
    return not streams or _tiles_end_early(data, streams[0].start, streams[0].end)


def _tiles_end_early(data: Buffer, position: int, end: int) -> bool:
    """Walk the markers of a codestream up to its end marker, or to a tile that has no length."""
    position += 2
    while data[position : position + 2] != b"\xff\xd9":
        if position + 2 > end:
            return True
        (length,) = struct.unpack_from(">H", data, position + 2)
        if data[position : position + 2] == b"\xff\x90":
            (tile_length,) = struct.unpack_from(">I", data, position + 6)
            if tile_length == 0:  # up to the end marker
                return data[end - 2 : end] != b"\xff\xd9"
            length = max(tile_length, 14) - 2
        position += 2 + length
    return False


def _gif_ends_early(data: Buffer) -> bool:
    """Walk the blocks up to the trailer."""
    position = 13 + _colour_table_bytes(data[10])
    while data[position] != 0x3B:
        if data[position] == 0x2C:
            position += 11 + _colour_table_bytes(data[position + 9])
        elif data[position] == 0x21:
            position += 2
        else:
            return False  # garbage: for the decoder to judge
        while data[position]:
            position += 1 + data[position]
        position += 1
    return False


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp_ends_early(data: Buffer) -> bool:
    """Tell whether the pixels begin after the end; their length depends on the packing."""
    (offset,) = struct.unpack_from("<I", data, 10)
    return bool(offset >= len(data))
