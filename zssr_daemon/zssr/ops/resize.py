"""Resizing: antialiased bicubic, given both the exact scale and the exact size.

Pixel centres: output pixel i samples the source at (i + 0.5) / scale - 0.5, whatever the size,
so an image whose size is no multiple of the scale is cut, never stretched.
Keys 1981, doi 10.1109/TASSP.1981.1163711; borders renormalise the weights, as Pillow does.
"""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, continued
from zssr_daemon.zssr.scale import Scale, per_axis


def resize(image: Tensor, out_size: tuple[int, int], scale: Scale, wrap: Wrap = OPEN) -> Tensor:
    """Resize by cubic convolution (a = -0.5), widened by 1 / scale when shrinking.

    image: (C, H, W) or (N, C, H, W), float32, any C, range and device.
    out_size: (height, width) in pixels, as `scaled_size` rounds it; scale: one, or (x, y).
    wrap: an axis that wraps is stretched to the whole side, whatever the scale, so that the result
    wraps too.
    Returns the same rank, dtype and device; not clipped, so edges overshoot by up to 8 %.
    """
    if wrap != OPEN:
        return _resize_wrapped(image, out_size, scale, wrap)
    scale_x, scale_y = per_axis(scale)
    sizes = list(zip(image.shape[-2:], out_size, strict=True))
    if any(wanted in (1, given) for given, wanted in sizes):
        # The operator below (torch 2.14, CPU) copies a side whose length does not change, whatever
        # the scale, and returns wrong values for an output one pixel wide.
        rows = _resize_axis(image, -2, out_size[0], scale_y)
        return _resize_axis(rows, -1, out_size[1], scale_x)
    batch = image if image.dim() == 4 else image.unsqueeze(0)
    # F.interpolate accepts the scale or the size, not both; the operator under it takes both.
    resized: Tensor = torch.ops.aten._upsample_bicubic2d_aa(
        batch, list(out_size), False, scale_y, scale_x
    )
    return resized if image.dim() == 4 else resized.squeeze(0)


def sample(image: Tensor, axis: int, positions: Tensor, wrap: Wrap = OPEN) -> Tensor:
    """Return `image` at `positions` along an axis, by cubic convolution (a = -0.5).

    image: (..., H, W) float32; axis: -2 or -1; positions: (length,) float64, pixels from the middle
    of the first one. Not antialiased. Beyond the edges the outermost pixels are repeated, or an
    axis that wraps goes on with its other side.
    """
    first = positions.floor().long() - 1
    taken = first[:, None] + torch.arange(4)
    weights = keys(taken - positions[:, None])
    length = image.shape[axis]
    inside = taken % length if wrap.along(axis) else taken.clamp(0, length - 1)
    return _weighted_sum(image, axis, inside, weights)


def axis_scale(given: int, wanted: int, scale: float, *, wraps: bool) -> float:
    """Return the scale from `given` to `wanted` pixels: `scale`, or their ratio if the axis wraps.

    A side times the scale need not be whole. Where the result is to wrap, the side counts.
    """
    return wanted / given if wraps else scale


def _resize_wrapped(image: Tensor, out_size: tuple[int, int], scale: Scale, wrap: Wrap) -> Tensor:
    """Resize the image with as much of its other sides around it as the weights reach."""
    height, width = image.shape[-2:]
    given_x, wanted_x = _wrapped_margin(width, out_size[1])
    given_y, wanted_y = _wrapped_margin(height, out_size[0])
    wide = continued(image, wrap.ends(given_x, given_x, given_y, given_y), wrap)
    left, right, top, bottom = wrap.ends(wanted_x, wanted_x, wanted_y, wanted_y)
    wide_size = (out_size[0] + top + bottom, out_size[1] + left + right)
    scale_x, scale_y = per_axis(scale)
    exact = (
        axis_scale(width, out_size[1], scale_x, wraps=wrap.x),
        axis_scale(height, out_size[0], scale_y, wraps=wrap.y),
    )
    resized = resize(wide, wide_size, exact)
    return resized[..., top : top + out_size[0], left : left + out_size[1]]


def _wrapped_margin(given: int, wanted: int) -> tuple[int, int]:
    """Return how far around a side of `given` pixels its resizing to `wanted` looks.

    The first number is pixels before, the second the same length after resizing: both are whole.
    """
    step = given // math.gcd(given, wanted)
    reach = 2 * max(1.0, given / wanted) + 1
    count = math.ceil(reach / step)
    return count * step, count * step * wanted // given


def _resize_axis(image: Tensor, axis: int, length: int, scale: float) -> Tensor:
    """Resize one axis by the formula: right for any length, ten times slower than the operator."""
    return _weighted_sum(image, axis, *_taps(image.shape[axis], length, scale))


def _weighted_sum(image: Tensor, axis: int, positions: Tensor, weights: Tensor) -> Tensor:
    """Return the pixels at `positions` times `weights`, both (length, taps), added up."""
    positions, weights = positions.to(image.device), weights.to(image)
    shape = (len(positions), 1) if axis == -2 else (len(positions),)
    terms = [
        image.index_select(axis, position) * weight.view(shape)
        for position, weight in zip(positions.T, weights.T, strict=True)
    ]
    return torch.stack(terms).sum(dim=0)


def _taps(given: int, wanted: int, scale: float) -> tuple[Tensor, Tensor]:
    """Return source positions and weights of each output pixel, both (wanted, taps)."""
    stretch = max(1.0, 1 / scale)
    centre = (torch.arange(wanted, dtype=torch.float64) + 0.5) / scale - 0.5
    first = (centre - 2 * stretch).ceil().long()
    positions = first[:, None] + torch.arange(math.ceil(4 * stretch) + 1)
    weights = keys((positions - centre[:, None]) / stretch)
    weights = weights * ((positions >= 0) & (positions < given))
    return positions.clamp(0, given - 1), weights / weights.sum(dim=1, keepdim=True)


def keys(distance: Tensor) -> Tensor:
    """Return the cubic convolution kernel with a = -0.5 at `distance` in pixels."""
    x = distance.abs()
    inner = (1.5 * x - 2.5) * x**2 + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, inner, torch.where(x < 2, outer, torch.zeros_like(x)))
