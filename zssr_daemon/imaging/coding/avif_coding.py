"""AVIF coding: with what step an AVIF was compressed, as the header of its frame says."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from zssr_daemon.imaging.coding.step_curve import StepCurve
from zssr_daemon.imaging.containers import Part, iso_boxes

# The steps of waves in 8 bits at every 16th index, and at the last (AV1 specification, 7.12.2);
# coefficients are stored eight times as large as those of an orthonormal transform.
_STEPS: Final = StepCurve(
    (4, 23, 39, 55, 71, 87, 104, 136, 176, 235, 311, 416, 540, 702, 932, 1243, 1828), larger=8
)

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6

# Tiles are at most so wide, and hold at most so many pixels.
_MAX_TILE_WIDTH, _MAX_TILE_AREA, _MAX_TILES = 4096, 4096 * 2304, 64


def read_avif_step(data: bytes) -> float | None:
    """Return the step of the waves, levels, of the main picture.

    None if it is lossless, and of pictures of several parts or with headers made for video, which
    are seldom: they are not followed.

    Raises:
        IndexError, struct.error, KeyError: the file is cut or damaged.
    """
    sequence = None
    for kind, content in _units(_main_item(data)):
        bits = _Bits(content)
        if kind == _SEQUENCE:
            sequence = _sequence(bits)
        elif kind in (_FRAME_HEADER, _FRAME) and sequence is not None:
            index = _index(bits, sequence)
            return None if not index else _STEPS.at(index)
    return None


def _main_item(data: bytes) -> bytes:
    """Return the content of the main item (ISO/IEC 14496-12, 8.11); empty if it is not in one."""
    meta = next(part for part in iso_boxes(data) if part.name == b"meta")
    boxes = {part.name: part for part in iso_boxes(data, meta.start + 4, meta.end)}
    pitm = boxes[b"pitm"].start
    (main,) = struct.unpack_from(">H" if data[pitm] == 0 else ">I", data, pitm + 4)
    return next((content for item, content in _items(data, boxes[b"iloc"]) if item == main), b"")


def _items(data: bytes, box: Part) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the items that lie in the file in one piece."""
    bits = _Bits(data[box.start : box.end])
    version = bits.number(8)
    bits.number(24)
    offset, length, base, index = (8 * bits.number(4) for _ in range(4))
    for _ in range(bits.number(16 if version < 2 else 32)):
        item = bits.number(16 if version < 2 else 32)
        is_elsewhere = version > 0 and bits.number(16) != 0
        bits.number(16)  # the file
        begin, extents = bits.number(base), bits.number(16)
        for _ in range(extents):
            bits.number(index if version > 0 else 0)
            place = begin + bits.number(offset)
            size = bits.number(length)
            if extents == 1 and not is_elsewhere:
                yield item, data[place : place + size]


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of the units of a stream (AV1 specification, 5.3)."""
    position = 0
    while position < len(data):
        header = data[position]
        position += 1 + (header >> 2 & 1)
        size = len(data) - position
        if header & 2:
            size, shift = 0, 0
            while True:
                byte = data[position]
                position, size, shift = position + 1, size | (byte & 127) << shift, shift + 7
                if byte < 128 or shift > 56:
                    break
        yield header >> 3 & 15, data[position : position + size]
        position += size


class _Sequence(NamedTuple):
    """What the frame's header is read by."""

    width: int
    height: int
    block: int  # side of the largest blocks, as a power of 2
    may_be_shrunk: bool


def _sequence(bits: "_Bits") -> _Sequence | None:
    """Read a sequence header (5.5) as still pictures have it."""
    bits.number(3 + 1)
    if not bits.number(1):
        return None  # of a video
    bits.number(5)
    of_width, of_height = bits.number(4) + 1, bits.number(4) + 1
    width, height = bits.number(of_width) + 1, bits.number(of_height) + 1
    block = 7 if bits.number(1) else 6
    bits.number(2)
    return _Sequence(width, height, block, bool(bits.number(1)))


def _index(bits: "_Bits", sequence: _Sequence) -> int | None:
    """Read a frame's header (5.9) as far as the index of its steps; None if it is not followed."""
    bits.number(1)
    has_screen_tools = bits.number(1)
    bits.number(has_screen_tools)
    if sequence.may_be_shrunk and bits.number(1):
        return None
    bits.number(32 * bits.number(1))  # the size it is to be shown at
    bits.number(has_screen_tools)
    return bits.number(8) if _passed_tiles(bits, sequence) else None


def _passed_tiles(bits: "_Bits", sequence: _Sequence) -> bool:
    """Read over how the frame is cut into tiles (5.9.15); False if that is not followed."""
    columns, rows = (
        ((-(-side // 8) * 8) + (1 << sequence.block) - 1) >> sequence.block
        for side in (sequence.width, sequence.height)
    )
    least_columns = _doublings(_MAX_TILE_WIDTH >> sequence.block, columns)
    least = max(least_columns, _doublings(_MAX_TILE_AREA >> 2 * sequence.block, rows * columns))
    if not bits.number(1):
        return False  # tiles of different sizes
    across = bits.grown(least_columns, _doublings(1, min(columns, _MAX_TILES)))
    down = bits.grown(max(least - across, 0), _doublings(1, min(rows, _MAX_TILES)))
    if across or down:
        bits.number(across + down + 2)
    return True


def _doublings(size: int, target: int) -> int:
    """Return how often a size must be doubled to be at least the target."""
    return max(0, (-(-target // size) - 1).bit_length())


class _Bits:
    """Reads numbers of any width, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self, bits: int) -> int:
        """Read a number."""
        value = 0
        for _ in range(bits):
            byte, place = divmod(self._position, 8)
            value = value << 1 | self._data[byte] >> 7 - place & 1
            self._position += 1
        return value

    def grown(self, value: int, most: int) -> int:
        """Read by how much a value is larger: it grows by 1 for each bit that is 1, up to most."""
        while value < most and self.number(1):
            value += 1
        return value
