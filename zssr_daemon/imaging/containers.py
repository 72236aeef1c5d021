"""Container structure: the parts of a PNG, JPEG, TIFF or AVIF file, read from its bytes.

Nothing here decodes. The functions raise IndexError or struct.error where the data ends early.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

# BYTE, SHORT, LONG, UNDEFINED, IFD, LONG8, IFD8.
_TIFF_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}

#: Tags of a TIFF: what a page is for (the new and the old one), the directories below its own, and
#: the version of DNG.
TIFF_KIND: Final = 254
TIFF_OLD_KIND: Final = 255
TIFF_SUB_DIRECTORIES: Final = 330
TIFF_DNG_VERSION: Final = 50706

# Size, layout and coding of the pixels. Other tags may be damaged without harm.
_TIFF_PIXEL_TAGS: Final = frozenset(
    {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347}
)

# What tells pictures from thumbnails and from sensor data.
_TIFF_KIND_TAGS: Final = frozenset(
    {TIFF_KIND, TIFF_OLD_KIND, 259, 262, TIFF_SUB_DIRECTORIES, TIFF_DNG_VERSION}
)

#: The whole numbers of a directory of a TIFF, by tag.
TiffDirectory = dict[int, tuple[int, ...]]

#: A file in memory, or mapped into it.
Buffer = bytes | mmap.mmap

#: The chunks of a PNG that hold its pixels, and those that say it is animated.
PNG_PIXELS: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
)

#: The chunks of a PNG that say what its numbers mean.
PNG_COLOUR: Final = frozenset(
    {b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi"}
)

# Tags of more values than this are not those we look for, and could fill the memory.
_MAX_TIFF_VALUES: Final = 1 << 20

# More than any honest file has; a longer list costs time only.
_MAX_TIFF_PAGES: Final = 1 << 16
_MAX_TIFF_SUB_DIRECTORIES: Final = 1 << 12


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


def iso_boxes(data: Buffer, start: int = 0, stop: int | None = None) -> Iterator[Part]:
    """Walk the boxes of an ISO media file (AVIF, HEIF, JPEG 2000, JPEG XL).

    They are the top-level ones, or those that fill the bytes from `start` to `stop`.
    """
    position, stop = start, len(data) if stop is None else stop
    while position < stop:
        length, name = struct.unpack_from(">I4s", data, position)
        content = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, content)
            content += 8
        end = stop if length == 0 else position + length
        if not content <= end <= stop:
            raise IndexError(end)
        yield Part(name, content, end)
        position = end


def boxes_tell_the_end(data: Buffer) -> bool:
    """Tell whether every box says how long it is: the last one may say "up to the end" instead."""
    for part in iso_boxes(data):
        is_short_header = data[part.start - 4 : part.start] == part.name
        if is_short_header and data[part.start - 8 : part.start - 4] == bytes(4):
            return False
    return True


def tiff_tags(data: Buffer, page: int = 0) -> TiffDirectory:
    """Read the tags that describe the pixels of a page of a TIFF, BigTIFF too."""
    layout = _TiffLayout.of(data)
    position = layout.first(data)
    for _ in range(page):
        position = layout.next(data, position)
    return layout.tags(data, position, _TIFF_PIXEL_TAGS)


def tiff_directories(data: Buffer) -> list[TiffDirectory]:
    """Read what the pages of a TIFF say of themselves: their kind, coding and SubIFDs."""
    layout = _TiffLayout.of(data)
    position = layout.first(data)
    seen: set[int] = set()
    found = []
    while position and position not in seen:  # a chain that bites its tail has ended
        seen.add(position)
        if len(seen) > _MAX_TIFF_PAGES:
            raise IndexError(len(seen))
        found.append(layout.tags(data, position, _TIFF_KIND_TAGS))
        position = layout.next(data, position)
    return found


def tiff_sub_directories(data: Buffer, directories: Iterable[TiffDirectory]) -> list[TiffDirectory]:
    """Read the same of each directory below these (SubIFDs), once; damaged ones are left out."""
    layout = _TiffLayout.of(data)
    places = (place for each in directories for place in each.get(TIFF_SUB_DIRECTORIES, ()))
    found = []
    for position in islice(dict.fromkeys(places), _MAX_TIFF_SUB_DIRECTORIES):
        with suppress(IndexError, struct.error):
            found.append(layout.tags(data, position, _TIFF_KIND_TAGS))
    return found


class _TiffLayout(NamedTuple):
    """How a TIFF writes numbers: the byte order, and the codes of offsets and counts."""

    order: str
    offset_code: str
    count_code: str
    entry_bytes: int

    @classmethod
    def of(cls, data: Buffer) -> "_TiffLayout":
        """Read it from the header; a BigTIFF has the number 43."""
        order = "<" if data[:2] == b"II" else ">"
        is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
        return cls(order, "Q", "Q", 20) if is_big else cls(order, "I", "H", 12)

    def first(self, data: Buffer) -> int:
        """Return where the first directory lies."""
        (position,) = struct.unpack_from(
            self.order + self.offset_code, data, 8 if self.offset_code == "Q" else 4
        )
        return int(position)

    def next(self, data: Buffer, position: int) -> int:
        """Return where the directory after that at `position` lies; 0 after the last one."""
        (count,) = struct.unpack_from(self.order + self.count_code, data, position)
        following = position + struct.calcsize(self.count_code) + count * self.entry_bytes
        (position,) = struct.unpack_from(self.order + self.offset_code, data, following)
        return position

    def tags(self, data: Buffer, position: int, names: frozenset[int]) -> TiffDirectory:
        """Read those tags of the directory at `position` that are in `names` and whole numbers."""
        (count,) = struct.unpack_from(self.order + self.count_code, data, position)
        position += struct.calcsize(self.count_code)
        tags = {}
        for entry in range(position, position + count * self.entry_bytes, self.entry_bytes):
            tag, kind, length = struct.unpack_from(
                self.order + "HH" + self.offset_code, data, entry
            )
            if tag in names and kind in _TIFF_INTEGERS and length <= _MAX_TIFF_VALUES:
                values = f"{self.order}{length}{_TIFF_INTEGERS[kind]}"
                place = entry + 4 + struct.calcsize(self.offset_code)
                if struct.calcsize(values) > struct.calcsize(self.offset_code):
                    (place,) = struct.unpack_from(self.order + self.offset_code, data, place)
                tags[tag] = struct.unpack_from(values, data, place)
        return tags
