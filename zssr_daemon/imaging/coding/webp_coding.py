"""WebP coding: with what step a lossy WebP was compressed, as the header of its picture says."""

from typing import Final

from zssr_daemon.imaging.coding.step_curve import StepCurve

# The steps of the luma's waves at every 16th index, and at the last (RFC 6386, 14.1); coefficients
# are stored twice as large as those of an orthonormal transform.
_STEPS: Final = StepCurve((4, 20, 36, 52, 76, 108, 149, 205, 284), larger=2)

_FIRST_CHUNK, _CHUNK_HEADER = 12, 8

# What a key frame begins with, after its tag of three bytes, and where the coded header begins.
_START, _HEADER = b"\x9d\x01\x2a", 10


def read_webp_step(data: bytes) -> float | None:
    """Return the step of the luma's waves, levels, of the first picture; None if it is lossless.

    Segments of a picture may have steps of their own: then it is that of their mean index.

    Raises:
        IndexError: the file ends early.
    """
    picture = _picture(data)
    if picture is None or picture[3:6] != _START:
        return None
    header = _BoolDecoder(picture[_HEADER:])
    header.number(2)  # colour space, clamping
    of_segments = _segments(header)
    header.number(1 + 6 + 3)  # the filter between blocks
    if header.number(1) and header.number(1):  # its changes
        for _ in range(8):
            header.signed(6)
    header.number(2)  # partitions
    index = header.number(7)
    is_absolute, indices = of_segments or (True, [index])
    mean = sum(indices) / len(indices)
    return _STEPS.at(mean if is_absolute else index + mean)


def _picture(data: bytes) -> bytes | None:
    """Return the content of the first chunk with a lossy picture."""
    position = _FIRST_CHUNK
    while position + _CHUNK_HEADER <= len(data):
        name = data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + _CHUNK_HEADER], "little")
        position += _CHUNK_HEADER
        if name == b"VP8 ":
            return data[position : position + size]
        position += size + size % 2
    return None


def _segments(header: "_BoolDecoder") -> tuple[bool, list[int]] | None:
    """Read what is told of segments (RFC 6386, 9.3).

    Return whether the indices of the four are absolute, and these; None if there are none.
    """
    if not header.number(1):
        return None
    has_map, has_values = header.number(1), header.number(1)
    found = None
    if has_values:
        is_absolute = bool(header.number(1))
        found = is_absolute, [header.signed(7) for _ in range(4)]
        for _ in range(4):
            header.signed(6)  # the filter of each
    if has_map:
        for _ in range(3):
            if header.number(1):
                header.number(8)
    return found


class _BoolDecoder:
    """Reads bits that are as often 0 as 1 (RFC 6386, 7.3)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = data[0] << 8 | data[1]
        self._next = 2
        self._range = 255
        self._shifted = 0

    def number(self, bits: int) -> int:
        """Read a number without a sign."""
        value = 0
        for _ in range(bits):
            value = value << 1 | self._bit()
        return value

    def signed(self, bits: int) -> int:
        """Read a number with a sign that is there if a bit before it says so; else 0."""
        if not self.number(1):
            return 0
        value = self.number(bits)
        return -value if self.number(1) else value

    def _bit(self) -> int:
        split = (self._range + 1) >> 1
        bit = int(self._value >= split << 8)
        if bit:
            self._value -= split << 8
        self._range = self._range - split if bit else split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= self._data[self._next]
                self._next += 1
        return bit
