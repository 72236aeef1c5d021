"""Grain: what cleaning took out of a source, enlarged as it is and put back into the result."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.blur import Blur
from zssr_daemon.zssr.inference.strips import Put
from zssr_daemon.zssr.ops.resize import axis_scale, sample
from zssr_daemon.zssr.scale import Scale, per_axis, scaled_size


@dataclass(frozen=True, slots=True)
class Grain:
    """The grain of a source, (C, H, W) float32 around 0, CPU, and how the source is enlarged."""

    of_source: Tensor
    scale: Scale
    blur: Blur  # says where pixels lie, and which axes wrap

    def put_back(self, put: Put) -> Put:
        """Return what adds the grain to each part of the result, then hands it to `put`.

        It is enlarged by cubic convolution, part by part: no sharper and no weaker than so. Where
        the sum leaves [0, 1] it is clipped.
        """

        def with_grain(part: Tensor, top: int, left: int) -> None:
            grain = self._enlarged(top, left, (part.shape[-2], part.shape[-1]))
            put((part + grain.to(part)).clamp(0, 1), top, left)

        return with_grain

    def _enlarged(self, top: int, left: int, size: tuple[int, int]) -> Tensor:
        """Return the part (C, *size) of the enlarged grain whose corner lies there."""
        rows = sample(self.of_source, -2, self._positions(-2, top, size[0]), self.blur.wrap)
        return sample(rows, -1, self._positions(-1, left, size[1]), self.blur.wrap)

    def _positions(self, axis: int, first: int, count: int) -> Tensor:
        """Return where output pixels lie along an axis of the source."""
        given = (self.of_source.shape[-2], self.of_source.shape[-1])
        wanted = scaled_size(given, self.scale)[axis]
        each = per_axis(self.scale)[1 if axis == -2 else 0]
        scale = axis_scale(given[axis], wanted, each, wraps=self.blur.wrap.along(axis))
        at = torch.arange(first, first + count, dtype=torch.float64)
        return at / scale if self.blur.is_about_corner else (at + 0.5) / scale - 0.5
