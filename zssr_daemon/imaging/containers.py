"""Container structure: the parts of a PNG, JPEG, TIFF or AVIF file, read from its bytes.

Nothing here decodes. The functions raise IndexError or struct.error where the data ends early.
"""

import mmap
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_TIFF_INTEGERS: Final = {3: "H", 4: "I", 7: "B", 16: "Q"}  # SHORT, LONG, UNDEFINED, LONG8

# Size, layout and coding of the pixels. Other tags may be damaged without harm.
_TIFF_PIXEL_TAGS: Final = frozenset(
    {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347}
)

#: A file in memory, or mapped into it.
Buffer = bytes | mmap.mmap

#: The chunks of a PNG that hold its pixels, and those that say it is animated.
PNG_PIXELS: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
)

# Tags of more values than this are not those we look for, and could fill the memory.
_MAX_TIFF_VALUES: Final = 1 << 20


class Part(NamedTuple):
    """A chunk, segment or box: its name, and where its content lies in the file."""

    name: bytes
    start: int
    end: int


def png_chunks(data: Buffer) -> Iterator[Part]:
    """Walk the chunks of a PNG up to IEND."""
    position = 8
    name = b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        position = start + length + 4  # the checksum
        if position > len(data):
            raise IndexError(position)
        yield Part(name, start, start + length)


def png_with_only(data: bytes, names: frozenset[bytes]) -> bytes:
    """Return the PNG without the chunks that are not among `names`."""
    kept = [data[part.start - 8 : part.end + 4] for part in png_chunks(data) if part.name in names]
    return b"".join([data[:8], *kept])


def jpeg_segments(data: Buffer) -> Iterator[Part]:
    """Walk the segments of a JPEG up to the first scan; a name is the marker's second byte."""
    position = 2
    name = b""
    while name != b"\xda":
        if data[position] != 0xFF:
            return  # garbage between segments: for the decoder to judge
        name = data[position + 1 : position + 2]
        if name == b"\xff":  # a fill byte
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield Part(name, position + 4, position + 2 + length)
        position += 2 + length


def iso_boxes(data: Buffer) -> Iterator[Part]:
    """Walk the top-level boxes of an ISO media file (AVIF)."""
    position = 0
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = len(data) if length == 0 else position + length
        if not start <= end <= len(data):
            raise IndexError(end)
        yield Part(name, start, end)
        position = end


def tiff_tags(data: Buffer, page: int = 0) -> dict[int, tuple[int, ...]]:
    """Read the tags that describe the pixels of a page of a TIFF, BigTIFF too."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset_code, count_code, entry_size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (position,) = struct.unpack_from(order + offset_code, data, 8 if is_big else 4)
    for _ in range(page):
        (count,) = struct.unpack_from(order + count_code, data, position)
        following = position + struct.calcsize(count_code) + count * entry_size
        (position,) = struct.unpack_from(order + offset_code, data, following)
    (count,) = struct.unpack_from(order + count_code, data, position)
    position += struct.calcsize(count_code)
    tags = {}
    for entry in range(position, position + count * entry_size, entry_size):
        tag, kind, length = struct.unpack_from(order + "HH" + offset_code, data, entry)
        if tag in _TIFF_PIXEL_TAGS and kind in _TIFF_INTEGERS and length <= _MAX_TIFF_VALUES:
            values = f"{order}{length}{_TIFF_INTEGERS[kind]}"
            place = entry + 4 + struct.calcsize(offset_code)
            if struct.calcsize(values) > struct.calcsize(offset_code):
                (place,) = struct.unpack_from(order + offset_code, data, place)
            tags[tag] = struct.unpack_from(values, data, place)
    return tags
