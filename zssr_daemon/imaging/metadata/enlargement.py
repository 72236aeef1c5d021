"""Enlargement: how a place in the stored source becomes a place in the upright output."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TRANSPOSED = 5  # from this orientation on width and height change places


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The pixels of a source as they are stored, before its orientation is applied."""

    width: int
    height: int
    orientation: int = 1  # of EXIF, 1 to 8

    @classmethod
    def of_upright(cls, width: int, height: int, orientation: int) -> "Grid":
        """Return the grid of a picture that has a size when it is turned upright."""
        if orientation >= _TRANSPOSED:
            width, height = height, width
        return cls(width=width, height=height, orientation=orientation)

    @property
    def is_transposed(self) -> bool:
        """Tell whether width and height change places when the picture is turned upright."""
        return self.orientation >= _TRANSPOSED

    @property
    def upright(self) -> tuple[int, int]:
        """Return (width, height) of the picture turned upright."""
        size = (self.width, self.height)
        return size[::-1] if self.is_transposed else size


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """The way from a source's stored pixels to those of its output.

    Positions are continuous: (0, 0) is the outer corner of the first pixel, whose middle is at
    (0.5, 0.5). `scale` is exact, while `width` and `height` of the output are rounded.
    """

    grid: Grid
    scale: tuple[float, float]  # horizontally and vertically, of the upright picture
    width: int  # of the output
    height: int

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Return the (3, 3) matrix that takes (x, y, 1) of the source to that of the output."""
        turned = np.eye(3)
        width, height = self.grid.upright
        if self.grid.is_transposed:
            turned = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
        if self.grid.orientation in {3, 4, 7, 8}:
            turned = np.array([[1.0, 0, 0], [0, -1, height], [0, 0, 1]]) @ turned
        if self.grid.orientation in {2, 3, 6, 7}:
            turned = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]]) @ turned
        result: NDArray[np.float64] = np.diag([*self.scale, 1.0]) @ turned
        return result

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a position of the source lies in the output."""
        column, row, _ = self.matrix @ (x, y, 1.0)
        return float(column), float(row)

    def pixel(self, column: int, row: int) -> tuple[int, int]:
        """Return the output's pixel that holds the middle of a pixel of the source."""
        x, y = self.point(column + 0.5, row + 0.5)
        return (
            min(max(math.floor(x), 0), self.width - 1),
            min(max(math.floor(y), 0), self.height - 1),
        )

    def lengths(self, width: float, height: float) -> tuple[float, float]:
        """Return width and height of a box of the source, as the output has it."""
        if self.grid.is_transposed:
            width, height = height, width
        return width * self.scale[0], height * self.scale[1]

    def relative_point(self, x: float, y: float) -> tuple[float, float]:
        """Do as `point`, with positions as fractions of width and height."""
        column, row = self.point(x * self.grid.width, y * self.grid.height)
        return column / self.width, row / self.height

    def relative_lengths(self, width: float, height: float) -> tuple[float, float]:
        """Do as `lengths`, with fractions of width and height."""
        wide, high = self.lengths(width * self.grid.width, height * self.grid.height)
        return wide / self.width, high / self.height

    def is_upright(self) -> bool:
        """Tell whether the source is stored as it is shown."""
        return self.grid.orientation == 1

    def as_if_upright(self) -> "Enlargement":
        """Return the way of positions that speak of the picture already turned."""
        width, height = self.grid.upright
        return Enlargement(
            grid=Grid(width=width, height=height),
            scale=self.scale,
            width=self.width,
            height=self.height,
        )
