"""Scale: an enlargement, one number for both axes or a pair (x, y): width first, then height.

Standard library only, as `config` is.
"""

import math
from typing import Literal

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
    """Return the scale of `times` enlargements by `scale`, one after the other."""
    return _simplest(*(factor**times for factor in per_axis(scale)))


def area_ratio(scale: Scale) -> float:
    """Return how many output pixels there are for one source pixel."""
    x, y = per_axis(scale)
    return x * y


def mean(scale: Scale) -> float:
    """Return the geometric mean of both axes."""
    return scale if not isinstance(scale, tuple) else math.sqrt(area_ratio(scale))


def product(scale: Scale, by: Scale) -> Scale:
    """Return the scale of `scale` and `by` one after the other."""
    return _simplest(*(a * b for a, b in zip(per_axis(scale), per_axis(by), strict=True)))


def at_most(scale: Scale, limit: float) -> Scale:
    """Return `scale` with each axis limited to `limit`."""
    return _simplest(*(min(factor, limit) for factor in per_axis(scale)))


def passes(scale: Scale, by: Scale) -> list[tuple[Scale, Scale]]:
    """Return the passes that reach `scale`, each enlarging by `by`: (enlarged to, then shrunk to).

    Scales are relative to the source. The first pass overshoots and is shrunk so far that the
    others, by `by` each, end exactly at `scale`. by: `scale` limited by `at_most`.
    """
    x_y, each = per_axis(scale), per_axis(by)
    # Passes by a root of the scale may end a rounding error below it: no further pass for that.
    counts = [math.log(s) / math.log(b) - 1e-9 for s, b in zip(x_y, each, strict=True) if b > 1]
    steps: list[tuple[Scale, Scale]] = []
    start = (1.0, 1.0)
    for left in reversed(range(math.ceil(max(counts)))):
        reached = _simplest(start[0] * each[0], start[1] * each[1])
        start = (max(1.0, x_y[0] / each[0] ** left), max(1.0, x_y[1] / each[1] ** left))
        steps.append((reached, _simplest(*start)))
    return steps


def part_way(scale: Scale, share: float) -> Scale:
    """Return the scale between 1 (share 0) and `scale` (share 1)."""
    return _simplest(*(1 + (factor - 1) * share for factor in per_axis(scale)))


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
    """Return one number where both axes have the same."""
    return x if x == y else (x, y)


def unshuffle_factor(scale: Scale, variant: Literal["compact", "paper"] = "compact") -> int:
    """Return u: the scale itself if whole, else the nearest whole number of at least 2.

    The paper's network stays on the output's grid: 1.
    """
    return 1 if variant == "paper" else max(2, round(mean(scale)))
