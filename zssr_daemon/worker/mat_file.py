"""MatFile: the plain matrices of a MATLAB file, level 5, read without executing anything.

Own code, a page of it, and not scipy's: that would add 100 MB to every installation for this one
purpose, and inflates what it is given without a limit. Structures, cells and objects are passed
over. Format: MathWorks, "MAT-File Format", 2019, chapter 1.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_HEADER_BYTES = 128
_MOST_INFLATED_BYTES = 1_000_000

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
        for kind, data in _elements(content[_HEADER_BYTES:], order):
            for inner, inflated in _inflated(kind, data, order):
                if inner == _MATRIX:
                    found |= _matrix(inflated, order)
    except (struct.error, zlib.error, KeyError, StopIteration) as error:
        raise ValueError(f"damaged MATLAB file: {error!r}") from error
    return found


def _inflated(kind: int, data: bytes, order: str) -> Iterator[Element]:
    """Yield an element, or what is compressed in it."""
    if kind != _COMPRESSED:
        yield kind, data
        return
    stream = zlib.decompressobj()
    inflated = stream.decompress(data, _MOST_INFLATED_BYTES)
    if not stream.eof:
        raise ValueError(f"more than {_MOST_INFLATED_BYTES} bytes in one variable, or cut off")
    yield from _elements(inflated, order)


def _elements(data: bytes, order: str) -> Iterator[Element]:
    """Yield (type, content) of the elements that lie one after the other."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, at)
        begin = at + 8
        at = begin + _padded(size)
        if kind >> 16:  # up to four bytes are kept within the tag
            kind, size, begin, at = kind & 0xFFFF, kind >> 16, begin - 4, begin
        elif kind == _COMPRESSED:
            at = begin + size
        if begin + size > len(data):
            raise ValueError("damaged MATLAB file: it is cut off")
        yield kind, data[begin : begin + size]


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _matrix(data: bytes, order: str) -> dict[str, NDArray[np.generic]]:
    """Return {name: matrix}, or nothing where it is of another kind."""
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
