"""JxlHeader: size, bits and channels of a JPEG XL, from the first bits of its codestream.

Source: ISO/IEC 18181-1, annexes A (bits) and D (headers).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zssr_daemon.errors import ImageError, Reason

# Factors from height to width, by number: numerator and denominator.
_RATIOS: Final = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}

# A number is a fixed value (bits None), or so many bits and what is added to them.
_Choice = tuple[int | None, int]

_SIDE: Final[Sequence[_Choice]] = ((9, 1), (13, 1), (18, 1), (30, 1))
_PREVIEW_EIGHTHS: Final[Sequence[_Choice]] = ((None, 16), (None, 32), (5, 1), (9, 33))
_PREVIEW_SIDE: Final[Sequence[_Choice]] = ((6, 1), (8, 65), (10, 321), (12, 1345))
_BITS: Final[Sequence[_Choice]] = ((None, 8), (None, 10), (None, 12), (6, 1))
_FLOAT_BITS: Final[Sequence[_Choice]] = ((None, 32), (None, 16), (None, 24), (6, 1))
_CHANNELS: Final[Sequence[_Choice]] = ((None, 0), (None, 1), (4, 2), (12, 1))
_ENUM: Final[Sequence[_Choice]] = ((None, 0), (None, 1), (4, 2), (6, 18))
_SHIFT: Final[Sequence[_Choice]] = ((None, 0), (None, 3), (None, 4), (3, 1))
_NAME: Final[Sequence[_Choice]] = ((None, 0), (4, 0), (5, 16), (10, 48))
_CFA: Final[Sequence[_Choice]] = ((None, 1), (2, 0), (4, 3), (8, 19))

# Kinds of further channels, and of colour spaces.
_ALPHA: Final = 0
_SPOT: Final = 2
_BLACK: Final = 4
_CFA_CHANNEL: Final = 5
_GREY: Final = 1


@dataclass(slots=True, kw_only=True)
class JxlHeader:
    """What a JPEG XL says of itself; width and height are upright."""

    width: int
    height: int
    bits: int = 8
    is_float: bool = False
    is_grey: bool = False
    is_animated: bool = False
    has_alpha: bool = False
    is_premultiplied: bool = False
    has_black: bool = False
    others: int = 0  # channels that are neither colour, alpha nor black


def read_jxl_header(codestream: bytes) -> JxlHeader:
    """Read the header of a codestream, from its mark on.

    Raises ImageError (`truncated`) where it ends early.
    """
    bits = _Bits(codestream)
    if bits.take(16) != 0x0AFF:
        raise ImageError("no JPEG XL codestream", reason=Reason.CORRUPT)
    width, height = _size(bits)
    header = JxlHeader(width=width, height=height)
    if bits.flag():  # all as usual: 8 bits of sRGB
        return header
    if bits.flag():
        _extra_fields(bits, header)
    header.bits, header.is_float = _depth(bits)
    bits.flag()  # whether buffers of 16 bits are enough
    for _ in range(bits.number(_CHANNELS)):
        _channel(bits, header)
    bits.flag()  # whether the colours are coded as XYB
    if not bits.flag():  # no sRGB
        bits.flag()  # whether a profile follows
        header.is_grey = bits.number(_ENUM) == _GREY
    return header


class _Bits:
    """Takes numbers from bytes, the lowest bits first."""

    def __init__(self, data: bytes) -> None:
        self._data = data[:4096]  # far more than a header has
        self._place = 0

    def take(self, count: int) -> int:
        """Take a number of `count` bits."""
        end = self._place + count
        if end > 8 * len(self._data):
            raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
        first = self._place // 8
        whole = int.from_bytes(self._data[first : (end + 7) // 8], "little")
        self._place = end
        return whole >> (end - count - 8 * first) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Take one bit."""
        return bool(self.take(1))

    def number(self, choices: Sequence[_Choice]) -> int:
        """Take the number of a choice of four, then what that choice says."""
        count, added = choices[self.take(2)]
        return added if count is None else self.take(count) + added


def _size(bits: _Bits) -> tuple[int, int]:
    """Take width and height, before the orientation."""
    is_small = bits.flag()

    def side() -> int:
        return 8 * (bits.take(5) + 1) if is_small else bits.number(_SIDE)

    height = side()
    ratio = bits.take(3)
    return _width(height, ratio) if ratio else side(), height


def _width(height: int, ratio: int) -> int:
    numerator, denominator = _RATIOS[ratio]
    return height * numerator // denominator


def _extra_fields(bits: _Bits, header: JxlHeader) -> None:
    """Take orientation, shown size, preview and animation."""
    if bits.take(3) >= 4:  # turned by 90 degrees
        header.width, header.height = header.height, header.width
    if bits.flag():
        _size(bits)
    if bits.flag():
        sides = _PREVIEW_EIGHTHS if bits.flag() else _PREVIEW_SIDE
        bits.number(sides)
        if not bits.take(3):
            bits.number(sides)
    header.is_animated = bits.flag()
    if header.is_animated:
        bits.number(((None, 100), (None, 1000), (10, 1), (30, 1)))  # ticks
        bits.number(((None, 1), (None, 1001), (8, 1), (10, 1)))  # a second
        bits.number(((None, 0), (3, 0), (16, 0), (32, 0)))  # repetitions
        bits.flag()  # whether there are time codes


def _depth(bits: _Bits) -> tuple[int, bool]:
    """Take the bits of a sample, and whether it is a float."""
    if bits.flag():
        count = bits.number(_FLOAT_BITS)
        bits.take(4)  # of its exponent
        return count, True
    return bits.number(_BITS), False


def _channel(bits: _Bits, header: JxlHeader) -> None:
    """Take what is said of a channel beyond the colours."""
    if bits.flag():  # as usual: alpha of 8 bits
        header.has_alpha = True
        return
    kind = bits.number(_ENUM)
    depth, is_float = _depth(bits)
    bits.number(_SHIFT)
    bits.take(8 * bits.number(_NAME))
    if kind == _ALPHA:
        header.has_alpha = True
        header.is_premultiplied |= bits.flag()
        header.bits, header.is_float = max(header.bits, depth), header.is_float or is_float
    elif kind == _BLACK:
        header.has_black = True
    else:
        header.others += 1
        bits.take(64 if kind == _SPOT else 0)
        if kind == _CFA_CHANNEL:
            bits.number(_CFA)
