"""Truncation: whether a file ends before its own structure says it should."""

import struct
from typing import Final

from zssr_daemon.containers import iso_boxes, jpeg_segments, png_chunks, tiff_tags

# Offsets and lengths of a page's strips, or of its tiles.
_TIFF_BLOCKS: Final = ((273, 279), (324, 325))


def ends_early(data: bytes, format_name: str) -> bool:
    """Tell whether the end of the file is missing, as in a copy that has not finished.

    Decoders alone do not notice: a JPEG whose tail is zeros, as left by a copy that reserved its
    space first, decodes into grey without complaint.
    """
    check = {"PNG": _png_ends_early, "JPEG": _jpeg_ends_early, "TIFF": _tiff_ends_early}
    check |= {"WEBP": _webp_ends_early, "AVIF": _avif_ends_early, "BMP": _bmp_ends_early}
    try:
        return check[format_name](data)
    except (IndexError, struct.error):
        return True


def _png_ends_early(data: bytes) -> bool:
    return [part.name for part in png_chunks(data)][-1] != b"IEND"


def _jpeg_ends_early(data: bytes) -> bool:
    """Look for the end marker behind the first scan's start; a thumbnail's lies before it."""
    scan = [part.start for part in jpeg_segments(data) if part.name == b"\xda"]
    return bool(scan) and data.find(b"\xff\xd9", scan[0]) < 0


def _tiff_ends_early(data: bytes) -> bool:
    tags = tiff_tags(data)
    for offsets, lengths in _TIFF_BLOCKS:
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False):
            if offset + length > len(data):
                return True
    return False


def _webp_ends_early(data: bytes) -> bool:
    (length,) = struct.unpack_from("<I", data, 4)
    return bool(length + 8 > len(data))


def _avif_ends_early(data: bytes) -> bool:
    return not list(iso_boxes(data))


def _bmp_ends_early(data: bytes) -> bool:
    """See whether the pixels begin behind the end; their own length depends on the packing."""
    (offset,) = struct.unpack_from("<I", data, 10)
    return bool(offset >= len(data))
