"""Retag: a TIFF whose page says something else about the same samples.

libvips does not read numbers of 64 bits, nor floating ones of 16, but it reads their bits as whole
numbers of 32 and 16. It refuses samples beyond the colours that the file does not declare, and
may mix up deep samples that lie in blocks of their own; it reads one after the other well.
"""

import struct
from collections.abc import Mapping
from typing import Final

_SHORT, _LONG, _LONG8 = 3, 4, 16

_PLANAR_CONFIGURATION: Final = 284

# Tags whose values are places and lengths in the file.
_BLOCKS: Final = frozenset({273, 279, 324, 325})


def retagged(data: bytes, page: int, tags: Mapping[int, tuple[int, ...]]) -> bytes:
    """Return the file with one page only, which has `tags` instead of its own.

    A tag without values is left out.

    Raises IndexError or struct.error where the header ends early.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset, count = ("Q", "Q") if is_big else ("I", "H")
    places, size = _places(data, page), 20 if is_big else 12
    entries = {tag: data[at : at + size] for tag, at in places.items()}
    parts = [data, bytes(len(data) % 2)]
    end = len(data) + len(data) % 2
    for tag, values in tags.items():
        entries.pop(tag, None)
        if not values:
            continue
        kind, code = _SHORT, "H"
        if tag in _BLOCKS:
            kind, code = (_LONG8, "Q") if is_big else (_LONG, "I")
        content = struct.pack(f"{order}{len(values)}{code}", *values)
        place = content.ljust(struct.calcsize(offset), b"\0")
        if len(content) > struct.calcsize(offset):
            place = struct.pack(order + offset, end)
            parts.append(content)
            end += len(content)
        entries[tag] = struct.pack(order + "HH" + offset, tag, kind, len(values)) + place
    parts.append(struct.pack(order + count, len(entries)))
    parts += [entry for _, entry in sorted(entries.items())]
    parts.append(struct.pack(order + offset, 0))
    whole = bytearray(b"".join(parts))
    struct.pack_into(order + offset, whole, 8 if is_big else 4, end)
    return bytes(whole)


def planes_together(data: bytes, page: int) -> bytes:
    """Return the file with pages 0 and `page` said to have all samples of a pixel side by side.

    Pillow then reads the tags of files that it cannot decode; nobody may read such pixels.
    """
    whole = bytearray(data)
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    for each in {0, page}:
        place = _places(data, each).get(_PLANAR_CONFIGURATION)
        if place is not None:
            struct.pack_into(order + "H", whole, place + (12 if is_big else 8), 1)
    return bytes(whole)


def _places(data: bytes, page: int) -> dict[int, int]:
    """Return where the entries of a page's directory lie, by their tags."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset, count, size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (start,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
    places = range(0)
    for _ in range(page + 1):
        (length,) = struct.unpack_from(order + count, data, start)
        first = start + struct.calcsize(count)
        places = range(first, first + length * size, size)
        (start,) = struct.unpack_from(order + offset, data, places.stop)
    return {struct.unpack_from(order + "H", data, at)[0]: at for at in places}
