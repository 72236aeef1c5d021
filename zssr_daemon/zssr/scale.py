"""Scale: an enlargement, the same along both axes or a pair (x, y): width first, then height.

Standard library only, as `config` is.
"""

import math

Scale = float | tuple[float, float]


def per_axis(scale: Scale) -> tuple[float, float]:
    """Return (x, y)."""
    return scale if isinstance(scale, tuple) else (scale, scale)


def is_isotropic(scale: Scale) -> bool:
    """Tell whether both axes grow alike, so that a picture may be turned on its side."""
    x, y = per_axis(scale)
    return x == y


def inverse(scale: Scale) -> Scale:
    """Return the scale that undoes `scale`."""
    return _simplest(*(1 / factor for factor in per_axis(scale)))


def power(scale: Scale, times: int) -> Scale:
    """Return `scale` applied `times` over."""
    return _simplest(*(factor**times for factor in per_axis(scale)))


def area_ratio(scale: Scale) -> float:
    """Return how many output pixels one source pixel becomes."""
    x, y = per_axis(scale)
    return x * y


def mean(scale: Scale) -> float:
    """Return the geometric mean of both axes."""
    return scale if not isinstance(scale, tuple) else math.sqrt(area_ratio(scale))


def half_way(scale: Scale) -> Scale:
    """Return the middle between 1 and `scale`."""
    return _simplest(*((1 + factor) / 2 for factor in per_axis(scale)))


def ratio(scale: Scale, to: Scale) -> Scale:
    """Return the scale that leads from an image enlarged by `to` to one enlarged by `scale`."""
    return _simplest(*(a / b for a, b in zip(per_axis(scale), per_axis(to), strict=True)))


def label(scale: Scale) -> str:
    """Write `scale` for file names and tables: 2, 1.5, 2x3."""
    x, y = per_axis(scale)
    return f"{x:.6g}" if x == y else f"{x:.6g}x{y:.6g}"


def scaled_length(length: int, scale: float) -> int:
    """Return a side of `length` pixels times `scale`, rounded half up, at least 1 pixel."""
    return max(1, math.floor(length * scale + 0.5))


def scaled_size(size: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """Return (height, width) of an image of `size` (height, width) resized by `scale`."""
    x, y = per_axis(scale)
    return scaled_length(size[0], y), scaled_length(size[1], x)


def _simplest(x: float, y: float) -> Scale:
    return x if x == y else (x, y)
