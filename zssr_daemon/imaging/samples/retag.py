"""Retag: a TIFF whose page says something else about the same samples.

libvips does not read numbers of 64 bits, nor floating ones of 16, but it reads their bits as whole
numbers of 32 and 16. And it refuses samples beyond the colours that the file does not declare.
"""

import struct
from collections.abc import Mapping
from typing import Final

_SHORT: Final = 3


def retagged(data: bytes, page: int, tags: Mapping[int, tuple[int, ...]]) -> bytes:
    """Return the file with one page only, which has `tags` instead of its own (tag → shorts).

    Raises IndexError or struct.error where the header ends early.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset, count, size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    pointer = 8 if is_big else 4
    (start,) = struct.unpack_from(order + offset, data, pointer)
    entries: dict[int, bytes] = {}
    for left in reversed(range(page + 1)):
        (length,) = struct.unpack_from(order + count, data, start)
        first = start + struct.calcsize(count)
        after = first + length * size
        if left == 0:
            places = range(first, after, size)
            entries = {
                struct.unpack_from(order + "H", data, at)[0]: data[at : at + size] for at in places
            }
        (start,) = struct.unpack_from(order + offset, data, after)
    parts = [data, bytes(len(data) % 2)]
    end = len(data) + len(data) % 2
    for tag, values in tags.items():
        content = struct.pack(f"{order}{len(values)}H", *values)
        place = content.ljust(struct.calcsize(offset), b"\0")
        if len(content) > struct.calcsize(offset):
            place = struct.pack(order + offset, end)
            parts.append(content)
            end += len(content)
        entries[tag] = struct.pack(order + "HH" + offset, tag, _SHORT, len(values)) + place
    parts.append(struct.pack(order + count, len(entries)))
    parts += [entry for _, entry in sorted(entries.items())]
    parts.append(struct.pack(order + offset, 0))
    whole = bytearray(b"".join(parts))
    struct.pack_into(order + offset, whole, pointer, end)
    return bytes(whole)
