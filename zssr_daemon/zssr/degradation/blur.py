"""Blur: how a source was shrunk, with the way down to it and the way up to the large grid.

Either plain bicubic, or a blur kernel, after which every scale-th pixel is taken. A kernel is
correlated with the image, as in cameras and in the published data sets (arXiv 1712.06087, section
3.3); the pixel of the small image lies at its centre of mass. Both know which axes of the image
wrap, since they look beyond its edges.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.config import KernelPhase
from zssr_daemon.zssr.ops.dihedral import dihedral, dihedrals, keeps_corner
from zssr_daemon.zssr.ops.resize import axis_scale, keys, resize, sample
from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, span
from zssr_daemon.zssr.scale import Scale, inverse, per_axis

#: Largest side of a kernel, pixels of the large image.
MAX_SIDE = 101

# A kernel counts as symmetric where it differs from its transformed self by at most so much, summed
# over all pixels (2: nothing in common): EXACTLY for training, ABOUT for the self-ensemble.
EXACTLY, ABOUT = 1e-3, 0.2

# The share of a wave that a kernel keeps: 1 is all, below 0 the wave comes out inverted. If no wave
# keeps less than this, back-projection may add what is missing as it is. The noise of a measured
# Gaussian (-0.05) does no harm in few repetitions; a disk (-0.2) or motion (-0.2 to -0.4) is 1 to
# 9 dB worse after 8.
MIN_RESPONSE = -0.1

# Weights may be negative, but their sum is at least this share of the sum of their absolute values.
_MIN_SUM = 0.5


@dataclass(frozen=True, slots=True)
class Bicubic:
    """Antialiased cubic convolution, pixels centred: what programs do to resize an image."""

    wrap: Wrap = OPEN  # of the image

    sha256: ClassVar[str | None] = None
    is_about_corner: ClassVar[bool] = False

    def wrapping(self, wrap: Wrap) -> "Bicubic":
        """Return the same for an image with that wrap."""
        return Bicubic(wrap)

    def shrink(self, image: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return (..., C, H, W) shrunk by `scale` to `size` (height, width), not clipped."""
        return resize(image, size, inverse(scale), self.wrap)

    def enlarge(self, image: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return (..., C, H, W) enlarged by `scale` to `size` (height, width), not clipped."""
        return resize(image, size, scale, self.wrap)

    def spread(self, missing: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return what to add to an image of `size` whose `shrink` lacks `missing`."""
        return resize(missing, size, scale, self.wrap)

    def pair_turns(self, scale: Scale) -> tuple[int, ...]:
        """Return the rotations and flips that commute with `shrink`."""
        return dihedrals(scale)

    def members(self, scale: Scale) -> tuple[int, ...]:
        """Return the rotations and flips after which a source still has this blur."""
        return dihedrals(scale)

    def reach(self, scale: Scale) -> int:  # noqa: ARG002 (that of a kernel depends on it)
        """Return how far one way down and up again looks, in source pixels."""
        return 5


BICUBIC = Bicubic()


@dataclass(frozen=True, eq=False)
class Kernel:
    """A blur kernel and the phase of the pixels taken; the methods are those of `Bicubic`.

    weights: (h, w) float64 that add up to 1, pixels of the large image; `of` makes one.
    """

    weights: NDArray[np.float64]
    phase: KernelPhase
    wrap: Wrap = OPEN  # of the image

    @classmethod
    def of(cls, weights: NDArray[np.generic], phase: KernelPhase = "centred") -> Self:
        """Make a kernel of weights of any odd or even size, whose sum is clearly above 0.

        Raises:
            ValueError: this is no kernel; the message says why.
        """
        if not (np.issubdtype(weights.dtype, np.number) or weights.dtype == np.bool_):
            raise ValueError(f"a kernel of {weights.dtype}: must be of numbers")
        if np.iscomplexobj(weights):
            raise ValueError("a kernel of complex numbers: must be real")
        plain = np.squeeze(weights) if weights.ndim > 2 else weights
        if plain.ndim != 2 or not 1 <= min(plain.shape) <= max(plain.shape) <= MAX_SIDE:
            raise ValueError(
                f"a kernel of shape {weights.shape}: must be two-dimensional, "
                f"from 1 × 1 to {MAX_SIDE} × {MAX_SIDE}"
            )
        numbers = plain.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise ValueError("a kernel with infinite numbers, or with some that are none")
        total, absolute = numbers.sum(), np.abs(numbers).sum()
        if not total > _MIN_SUM * absolute:
            raise ValueError(f"a kernel that adds up to {total:.3g}: must be above 0, and clearly")
        kernel = cls(numbers / total, phase)
        sides = zip(kernel.centre, plain.shape, strict=True)
        if not all(0 <= at <= side - 1 for at, side in sides):
            raise ValueError("a kernel whose centre of mass lies outside of it")
        return kernel

    def wrapping(self, wrap: Wrap) -> "Kernel":
        """Return the same for an image with that wrap."""
        return replace(self, wrap=wrap)

    @cached_property
    def sha256(self) -> str:
        """Hash of weights and phase, hexadecimal; the same whatever file they came from."""
        digest = hashlib.sha256(f"{self.phase} {self.weights.shape} ".encode())
        digest.update(np.ascontiguousarray(self.weights, dtype="<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def centre(self) -> tuple[float, float]:
        """The centre of mass (y, x), in pixels from the middle of the first pixel."""
        rows, columns = self.weights.sum(axis=1), self.weights.sum(axis=0)
        y, x = rows @ np.arange(len(rows)), columns @ np.arange(len(columns))
        return round(float(y), 9), round(float(x), 9)

    @property
    def is_about_corner(self) -> bool:
        """Whether a rotation of the image must keep its first pixel in place, not its middle."""
        return self.phase == "topleft"

    def shrink(self, image: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return (..., C, H, W), float32, blurred and sub-sampled to `size`, not clipped.

        For pixel j of the result the kernel's centre of mass lies at j × scale + the phase, which
        is (scale - 1) / 2 where centred, 0 where topleft. Beyond its edges the image is mirrored,
        as in the data set Set5-blur, or goes on with its other side where it wraps.
        """
        x_scale, y_scale = self._scales(size, (image.shape[-2], image.shape[-1]), scale)
        rows = _AxisPlan.of(self, 0, y_scale, size[0])
        columns = _AxisPlan.of(self, 1, x_scale, size[1])
        weights = torch.from_numpy(rows.fold @ self.weights @ columns.fold.T).to(image)
        wide = columns.widened(rows.widened(image, -2, self.wrap), -1, self.wrap)
        planes = wide.reshape(-1, 1, wide.shape[-2], wide.shape[-1])
        blurred = functional.conv2d(
            planes, weights[None, None], stride=(rows.stride, columns.stride)
        )
        taken = columns.taken(rows.taken(blurred, -2), -1)
        return taken.reshape(*image.shape[:-2], *size)

    def enlarge(self, image: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return (..., C, H, W) enlarged to `size` by cubic convolution, at its phase."""
        if self.phase == "centred":
            return resize(image, size, scale, self.wrap)
        x_scale, y_scale = self._scales((image.shape[-2], image.shape[-1]), size, scale)
        down, across = (torch.arange(side, dtype=torch.float64) for side in size)
        rows = sample(image, -2, down / y_scale, self.wrap)
        return sample(rows, -1, across / x_scale, self.wrap)

    def _scales(
        self, small: tuple[int, int], large: tuple[int, int], scale: Scale
    ) -> tuple[float, float]:
        """Return the scale (x, y) from a small to a large size, both (height, width)."""
        x_scale, y_scale = per_axis(scale)
        return (
            axis_scale(small[1], large[1], x_scale, wraps=self.wrap.x),
            axis_scale(small[0], large[0], y_scale, wraps=self.wrap.y),
        )

    def spread(self, missing: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return what to add to an image of `size` whose `shrink` lacks `missing`.

        Some kernels invert waves, as motion and a lens out of focus do. To add what is missing as
        it is would then add to the error each time; so it is blurred first, by the kernel turned
        by 180 degrees.
        """
        enlarged = self.enlarge(missing, size, scale)
        return enlarged if self._turned is None else self._turned.shrink(enlarged, size, 1.0)

    def pair_turns(self, scale: Scale) -> tuple[int, ...]:
        """Return the rotations and flips that commute with `shrink`."""
        exact = self._symmetries(scale, EXACTLY)
        return tuple(t for t in exact if keeps_corner(t)) if self.is_about_corner else exact

    def members(self, scale: Scale) -> tuple[int, ...]:
        """Return the rotations and flips after which a source still has this blur."""
        return self._symmetries(scale, ABOUT)

    def reach(self, scale: Scale) -> int:
        """Return how far one way down and up again looks, in source pixels."""
        reaches: list[int] = []
        for centre, side, each in zip(
            self.centre, self.weights.shape, reversed(per_axis(scale)), strict=True
        ):
            radius = max(centre, side - 1 - centre) + 2  # 2: the shift by part of a pixel
            farthest = radius + each if self._turned is None else 2 * radius + each
            reaches.append(math.ceil(farthest / each) + 3)  # 3: the way up
        return max(reaches)

    @cached_property
    def _turned(self) -> "Kernel | None":
        """The kernel turned by 180 degrees, where `spread` needs it."""
        centred = np.fft.ifftshift(self._about_its_centre)
        if np.fft.fft2(centred).real.min() >= MIN_RESPONSE:
            return None
        return Kernel(self.weights[::-1, ::-1].copy(), "topleft", self.wrap)

    def _symmetries(self, scale: Scale, within: float) -> tuple[int, ...]:
        """Return the rotations and flips that change the kernel by at most `within`."""
        centred = torch.from_numpy(self._about_its_centre)
        return tuple(
            index
            for index in dihedrals(scale)
            if float((dihedral(centred, index) - centred).abs().sum()) <= within
        )

    @cached_property
    def _about_its_centre(self) -> NDArray[np.float64]:
        """The kernel on a square, with its centre of mass exactly in the middle."""
        radius = math.ceil(max(self.weights.shape)) + 2
        at = np.arange(-radius, radius + 1)
        rows, columns = (
            _fold(at[:, None] - (np.arange(side) - centre))
            for side, centre in zip(self.weights.shape, self.centre, strict=True)
        )
        return np.asarray(rows @ self.weights @ columns.T)


Blur = Bicubic | Kernel


@dataclass(frozen=True, slots=True)
class _AxisPlan:
    """How one axis is sub-sampled: the kernel moved by part of a pixel, then whole steps.

    Where the scale is no whole number, each pixel would need a move of its own: there the blurred
    image is interpolated instead.
    """

    fold: NDArray[np.float64]  # (taps, kernel side): moves the kernel by part of a pixel
    stride: int
    start: int  # the image pixel under the first tap, at the first pixel taken
    count: int  # of pixels that the steps give
    positions: Tensor | None  # of the pixels taken, among those; None takes all

    @classmethod
    def of(cls, kernel: Kernel, axis: int, scale: float, wanted: int) -> Self:
        side, centre = kernel.weights.shape[axis], kernel.centre[axis]
        first = (0.0 if kernel.phase == "topleft" else (scale - 1) / 2) - centre
        whole = round(scale)
        base = math.floor(first + 1e-9)
        if abs(scale - whole) < 1e-9:
            taps = np.arange(-1, side + 2)
            fold = _fold(taps[:, None] - np.arange(side) - (first - base))
            return cls(fold, whole, base - 1, wanted, None)
        positions = torch.arange(wanted, dtype=torch.float64) * scale + (first - base + 1)
        return cls(np.eye(side), 1, base - 1, math.floor(float(positions[-1])) + 3, positions)

    def widened(self, image: Tensor, axis: int, wrap: Wrap) -> Tensor:
        """Return the pixels of an axis that the kernel covers, mirrored or wrapped at the edges."""
        end = self.start + (self.count - 1) * self.stride + len(self.fold)
        if wrap.along(axis):
            return span(image, axis, self.start, end)
        length = image.shape[axis]
        looked_at = torch.arange(self.start, end) % (2 * length)
        looked_at = torch.minimum(looked_at, 2 * length - 1 - looked_at)
        return image.index_select(axis, looked_at.to(image.device))

    def taken(self, blurred: Tensor, axis: int) -> Tensor:
        """Return the pixels of the small image."""
        return blurred if self.positions is None else sample(blurred, axis, self.positions)


def _fold(distance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return cubic weights (rows, columns) at the distances in pixels."""
    return np.asarray(keys(torch.from_numpy(np.asarray(distance, dtype=np.float64))).numpy())
