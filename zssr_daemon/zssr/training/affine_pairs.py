"""AffinePool: pairs by the paper's augmentation, drawn anew for each crop (arXiv 1712.06087, 3.1).

It is slower than the pyramid of `PairPool`. Crops are black where a warp reaches outside the image,
and they are not antialiased, both as published.
"""

import math
from bisect import bisect
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.ops.wrap import OPEN, continued
from zssr_daemon.zssr.training.pair_rule import PairRule

AS_IS = 0.05  # share of crops that are not changed
TURNED = 0.45  # share of crops under one of the 8 rotations and flips; the others are warped
SMALLEST_SCALE = 0.5  # of a warp; the largest is 1
AXES_DIFFERENCE = 0.25  # standard deviation of x scale minus y scale
SHEAR = 0.1  # standard deviation
MIN_AXIS_SCALE = 0.1  # a large difference of the axes would mirror one of them

Matrix = tuple[tuple[float, float], tuple[float, float]]


class AffinePool:
    """Fathers; each sample is a new crop of one of them, with a son of its own."""

    def __init__(
        self, fathers: list[Tensor], rule: PairRule, *, crop_size: int, dtype: torch.dtype
    ) -> None:
        """Build from fathers (C, H, W) float32 in [0, 1]; `crop_size` is in father pixels."""
        largest = max(min(father.shape[-2:]) for father in fathers)
        wrap = rule.blur.wrap
        self.crop_size = min(-(-crop_size // rule.unshuffle) * rule.unshuffle, largest)
        kept = [father for father in fathers if min(father.shape[-2:]) >= self.crop_size]
        # The paper draws a father by its squared size ratio, which is its share of the area.
        self._areas = list(accumulate(one.shape[-2] * one.shape[-1] for one in kept))
        # Where the image wraps, crops and warps reach over the seam; a crop itself is open.
        more = math.ceil(self.crop_size / SMALLEST_SCALE)
        reach = wrap.ends(0, more, 0, more)
        self._fathers = [continued(father, reach, wrap) for father in kept]
        self._rule = rule.within(OPEN)
        self._noise_generator = rule.noise_generator()
        self._dtype = dtype

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw `count` crops with their sons.

        Returns (input, residual), both (count, C, side, side) in the pool's dtype; side is
        crop_size, made a multiple of the unshuffle factor.
        """
        uniform = torch.rand(count, 6, generator=generator).tolist()
        normal = torch.randn(count, 2, generator=generator).tolist()
        pairs = [
            self._rule.pair(self._father_crop(u, n), self._noise_generator)
            for u, n in zip(uniform, normal, strict=True)
        ]
        inputs, residuals = torch.stack(pairs).to(self._dtype).chunk(2, dim=1)
        return inputs, residuals

    def _father_crop(self, uniform: list[float], normal: list[float]) -> Tensor:
        """Return the crop (C, side, side) that 6 uniform and 2 normal random numbers choose."""
        which, kind, y, x, turn, size = uniform
        father = self._fathers[bisect(self._areas, which * self._areas[-1])]
        side = self.crop_size
        if kind >= AS_IS + TURNED:
            matrix = warp_matrix(
                scale=SMALLEST_SCALE + (1 - SMALLEST_SCALE) * size,
                difference=AXES_DIFFERENCE * normal[0],
                shear=SHEAR * normal[1],
                angle=2 * math.pi * turn,
            )
            reach = side / (SMALLEST_SCALE + (1 - SMALLEST_SCALE) * size)
            middle = (_within(father.shape[-1], reach, x), _within(father.shape[-2], reach, y))
            return warp(father, side, matrix, middle)
        top, left = (
            int(at * (length - side + 1))
            for at, length in zip((y, x), father.shape[-2:], strict=True)
        )
        crop = father[:, top : top + side, left : left + side]
        return dihedral(crop, 0 if kind < AS_IS else int(turn * 8))


def warp_matrix(*, scale: float, difference: float, shear: float, angle: float) -> Matrix:
    """Return rotation (radians) times shear times the two axes' scales, father to crop."""
    scale_x = max(MIN_AXIS_SCALE, scale + difference / 2)
    scale_y = max(MIN_AXIS_SCALE, scale - difference / 2)
    cos, sin = math.cos(angle), math.sin(angle)
    return (
        (cos * scale_x, (cos * shear - sin) * scale_y),
        (sin * scale_x, (sin * shear + cos) * scale_y),
    )


def warp(father: Tensor, side: int, matrix: Matrix, middle: tuple[float, float]) -> Tensor:
    """Return the (C, side, side) crop of the father under `matrix`, bicubic, black outside.

    father: (C, H, W) float32 in [0, 1]; middle: the point (x, y) of the father, in pixels
    from its corner, that becomes the middle of the crop.
    """
    (a, b), (c, d) = matrix
    determinant = a * d - b * c
    offset = torch.arange(side, device=father.device) + 0.5 - side / 2
    down, across = torch.meshgrid(offset, offset, indexing="ij")  # crop pixels from its middle
    x = middle[0] + (d * across - b * down) / determinant
    y = middle[1] + (a * down - c * across) / determinant
    height, width = father.shape[-2:]
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], dim=-1)  # (side, side, 2)
    warped = functional.grid_sample(
        father.unsqueeze(0),
        grid.unsqueeze(0),
        mode="bicubic",
        padding_mode="zeros",
        align_corners=False,
    )
    return warped.squeeze(0).clamp(0, 1)


def _within(length: int, reach: float, at: float) -> float:
    """Return the point at share `at` of a side where `reach` pixels fit in, or its middle."""
    return length / 2 + (at - 0.5) * max(0.0, length - reach)
