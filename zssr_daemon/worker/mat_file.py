"""MatFile: the plain matrices of a MATLAB file, level 5. Structures, cells and objects are skipped.

Anybody may drop a kernel into the inbox, and `scipy.io.loadmat` (1.17) is not safe against such
files: a single changed byte, the type of a matrix's numbers, or deeply nested cells end the process
(SIGSEGV); 180 bytes that promise a large cell take 3 GB; and nothing limits what it inflates.
Format: MathWorks, "MAT-File Format", 2019, chapter 1.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

_HEADER_BYTES = 128

#: Of all variables of a file together.
_MAX_INFLATED_BYTES = 4_000_000

_MATRIX, _COMPRESSED = 14, 15
_COMPLEX_FLAG = 0x08
_NUMERIC_CLASSES = range(6, 16)  # double, single, and integers of 8 to 64 bits

#: numpy's codes of the types that numbers are stored in.
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}

Element = tuple[int, bytes]


def read_matrices(content: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the real two-dimensional matrices of numbers, by name, as (rows, columns).

    Raises:
        ValueError: this is no such file, damaged, or it holds too much.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise ValueError("no MATLAB file of level 5: save it with -v6 or -v7")
    found: dict[str, NDArray[np.generic]] = {}
    try:
        for kind, data in _inflated(_elements(content[_HEADER_BYTES:], order), order):
            if kind == _MATRIX:
                found |= _matrix(data, order)
    except (struct.error, zlib.error, KeyError, StopIteration) as error:
        raise ValueError(f"damaged MATLAB file: {error!r}") from error
    return found


def _inflated(elements: Iterable[Element], order: str) -> Iterator[Element]:
    """Yield the elements, and in place of each compressed one those that are in it."""
    left = _MAX_INFLATED_BYTES
    for kind, data in elements:
        if kind != _COMPRESSED:
            yield kind, data
            continue
        stream = zlib.decompressobj()
        inflated = stream.decompress(data, left)
        if not stream.eof:
            raise ValueError(f"cut off, or inflated more than {_MAX_INFLATED_BYTES} bytes")
        left = max(1, left - len(inflated))  # 0 would mean: no limit
        yield from _elements(inflated, order)


def _elements(data: bytes, order: str) -> Iterator[Element]:
    """Yield (type, content) of consecutive elements."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, at)
        begin = at + 8
        at = begin + _padded(size)
        if kind >> 16:  # up to four bytes of content stand within the tag
            kind, size, begin, at = kind & 0xFFFF, kind >> 16, begin - 4, begin
        elif kind == _COMPRESSED:
            at = begin + size
        if begin + size > len(data):
            raise ValueError("damaged MATLAB file: it is cut off")
        yield kind, data[begin : begin + size]


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _matrix(data: bytes, order: str) -> dict[str, NDArray[np.generic]]:
    """Return {name: matrix}, or nothing if it is no real matrix of numbers."""
    parts = _elements(data, order)
    flags = struct.unpack_from(f"{order}I", next(parts)[1])[0]
    if flags & 0xFF not in _NUMERIC_CLASSES or (flags >> 8) & _COMPLEX_FLAG:
        return {}
    shape = np.frombuffer(next(parts)[1], f"{order}i4").tolist()
    name = next(parts)[1].decode("latin-1")
    kind, numbers = next(parts)
    if len(shape) != 2:
        return {}
    matrix = np.frombuffer(numbers, order + _TYPES[kind])
    return {name: matrix.reshape(shape, order="F")}
