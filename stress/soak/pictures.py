"""Pictures for the soak: each shows its own number, which its enlargement still shows."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLUMNS, _ROWS = 6, 4
_NUMBER_BITS = 18
_CHECK_BITS = _COLUMNS * _ROWS - _NUMBER_BITS
_SCALE = 2

_FORMATS = ("PNG", "PNG", "JPEG", "BMP", "TIFF", "WEBP")
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}


@dataclass(frozen=True)
class Drawn:
    """The bytes of one picture file."""

    content: bytes
    suffix: str


def draw(number: int, *, as_png: bool = False) -> Drawn:
    """Draw the picture of `number`: dark and bright cells, and faint noise of its own."""
    side = _cell_side(number)
    cells = np.array(_bits(number)).reshape(_ROWS, _COLUMNS)
    levels = np.kron(np.where(cells, 220, 35), np.ones((side, side)))
    noise = np.random.default_rng(number).integers(-12, 13, (*levels.shape, 3))
    picture = Image.fromarray((levels[..., None] + noise).astype(np.uint8))
    kind = "PNG" if as_png else _FORMATS[number % len(_FORMATS)]
    stream = io.BytesIO()
    picture.save(stream, kind, quality=95)
    return Drawn(stream.getvalue(), _SUFFIXES[kind])


def spoil(number: int) -> Drawn:
    """Return a file that is no picture, or half of one; each number gives other bytes."""
    if number % 2:
        return Drawn(f"no picture, number {number}\n".encode() * 20, ".png")
    content = draw(number, as_png=True).content
    return Drawn(content[: len(content) * 6 // 10], ".png")


def recognise(picture: Image.Image) -> int | None:
    """Return the number an enlargement shows; None where it is none of ours, or its size wrong."""
    grey = np.asarray(picture.convert("L"), dtype=np.float64)
    side = grey.shape[1] // _COLUMNS
    if side == 0 or grey.shape != (_ROWS * side, _COLUMNS * side):
        return None
    cells = grey.reshape(_ROWS, side, _COLUMNS, side)
    number = _number(cells.mean(axis=(1, 3)).ravel() > 127)
    is_right_size = number is not None and side == _SCALE * _cell_side(number)
    return number if is_right_size else None


def _cell_side(number: int) -> int:
    return 5 + number % 3


def _bits(number: int) -> list[int]:
    """Return number and check sum, lowest bit first."""
    assert number < 1 << _NUMBER_BITS
    whole = number | _check_sum(number) << _NUMBER_BITS
    return [whole >> place & 1 for place in range(_COLUMNS * _ROWS)]


def _number(bits: NDArray[np.bool_]) -> int | None:
    whole = sum(int(bit) << place for place, bit in enumerate(bits))
    number = whole & ((1 << _NUMBER_BITS) - 1)
    return number if whole >> _NUMBER_BITS == _check_sum(number) else None


def _check_sum(number: int) -> int:
    return (number * 2654435761 >> 7) % (1 << _CHECK_BITS)
