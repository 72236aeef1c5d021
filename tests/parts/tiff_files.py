"""TIFFs of any pages and SubIFDs, assembled by hand."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_CODES = {1: "B", 2: "c", 3: "H", 4: "I"}

Tags = Mapping[int, tuple[int, tuple[int, ...]]]


@dataclass(frozen=True)
class Directory:
    """One picture of grey levels: its side, further tags (tag → type, values), and SubIFDs."""

    side: int
    tags: Tags = field(default_factory=dict)
    level: int = 0x42
    below: Sequence["Directory"] = ()


def tiff_of(*pages: Directory, order: str = "<") -> bytes:
    """Return a TIFF of these pages, 8 bits of grey unless their tags say otherwise."""
    data = bytearray(struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0))
    link = 4  # where the offset of the next directory belongs
    for page in pages:
        place, end = _append(data, page, order)
        struct.pack_into(order + "I", data, link, place)
        link = end
    return bytes(data)


def _append(data: bytearray, page: Directory, order: str) -> tuple[int, int]:
    """Add pixels, SubIFDs and directory; return where the last lies, and where its link does."""
    below = [_append(data, each, order)[0] for each in page.below]
    tags: dict[int, tuple[int, tuple[int, ...]]] = {
        256: (4, (page.side,)),
        257: (4, (page.side,)),
        258: (3, (8,)),
        259: (3, (1,)),
        262: (3, (1,)),
        273: (4, (len(data),)),
        277: (3, (1,)),
        278: (4, (page.side,)),
        279: (4, (page.side**2,)),
        **page.tags,
    }
    if below:
        tags[330] = (4, tuple(below))
    data += bytes([page.level]) * page.side**2
    entries = b""
    for tag, (kind, values) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
        if len(content) > 4:
            content, place = struct.pack(order + "I", len(data)), content
            data += place
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
    data += bytes(len(data) % 2)
    start = len(data)
    data += struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return start, len(data) - 4
