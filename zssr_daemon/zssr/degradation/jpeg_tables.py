"""JpegTables: with what steps a JPEG was quantised, and how much its chroma was shrunk.

Standard library only, so that whoever reads a file can tell without torch.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

#: The steps of the 64 frequencies in levels, row by row from the lowest.
Steps = tuple[int, ...]

_SIDE: Final = 8

# The steps at quality 50 (ITU-T T.81, tables K.1 and K.2).
_LUMA: Final[Steps] = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA: Final[Steps] = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)

#: As libraries shrink the chroma unless told otherwise: to half the height, and half the width.
HALVED: Final = (2, 2)

#: As cameras and good settings leave the chroma: a sample for each pixel.
WHOLE: Final = (1, 1)

# Tables are compared by frequencies whose row and column add up to at most this: the finer ones are
# hardly used, and some programs give them steps of their own.
_COMPARED: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegTables:
    """How a JPEG was compressed."""

    luma: Steps
    chroma: tuple[Steps, Steps]  # of blue and of red; not looked at for a grey image
    shrunk: tuple[int, int] = HALVED  # how many rows and columns share one sample of chroma
    codec: str = "JPEG"  # the format, if another one's compression is likened to a JPEG

    def __post_init__(self) -> None:
        """Refuse what no JPEG has with a ValueError."""
        if any(len(steps) != _SIDE**2 or min(steps) < 1 for steps in (self.luma, *self.chroma)):
            raise ValueError("a table must have 64 steps of at least 1")
        if not set(self.shrunk) <= {1, 2}:
            raise ValueError(f"shrunk = {self.shrunk}: each must be 1 or 2")

    @classmethod
    def of_quality(cls, quality: int, shrunk: tuple[int, int] = HALVED) -> Self:
        """Return the tables that the Independent JPEG Group's library makes of 1 to 100."""
        luma, chroma = (_at(quality, steps) for steps in (_LUMA, _CHROMA))
        return cls(luma=luma, chroma=(chroma, chroma), shrunk=shrunk)

    @classmethod
    def of_step(cls, step: float, codec: str) -> Self:
        """Return the tables whose luma steps are, on the average, as large as one step in levels.

        For a codec that has the same step for all frequencies.
        """
        percent = max(1.0, 100 * step * len(_LUMA) / sum(_LUMA))
        quality = (200 - percent) / 2 if percent < 100 else 5000 / percent
        return replace(cls.of_quality(max(1, round(quality))), codec=codec)

    @property
    def quality(self) -> int:
        """The quality, 1 to 100, whose luma is most like this, turned or not, by the ratios."""
        ways = (self.luma, _transposed(self.luma))
        return min(
            range(1, 101),
            key=lambda quality: min(_distance(way, _at(quality, _LUMA)) for way in ways),
        )

    @property
    def transposed(self) -> Self:
        """The tables of the same image with rows and columns exchanged."""
        return type(self)(
            luma=_transposed(self.luma),
            chroma=(_transposed(self.chroma[0]), _transposed(self.chroma[1])),
            shrunk=self.shrunk[::-1],
            codec=self.codec,
        )


def _at(quality: int, steps: Steps) -> Steps:
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(255, max(1, (step * percent + 50) // 100)) for step in steps)


def _distance(some: Steps, others: Steps) -> tuple[float, float]:
    """Return how far steps are apart at the frequencies that count most, and at all of them."""
    ratios = [abs(math.log(one / other)) for one, other in zip(some, others, strict=True)]
    coarse = (at for at in range(_SIDE**2) if at // _SIDE + at % _SIDE <= _COMPARED)
    return sum(ratios[at] for at in coarse), sum(ratios)


def _transposed(steps: Steps) -> Steps:
    return tuple(steps[column * _SIDE + row] for row in range(_SIDE) for column in range(_SIDE))
