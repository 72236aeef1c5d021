"""Strips: one pass over an image of any size, in memory that a strip bounds.

A pass changes a pixel by its surroundings only, so a strip with enough of them comes out as it
would from the whole image. Strips lie across the longer side, whose length then costs no memory.
Where that side wraps, the first and the last strip are neighbours.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork, NoNetwork
from zssr_daemon.zssr.inference.infer import apply_network, enlarged_size
from zssr_daemon.zssr.inference.passes import Pass
from zssr_daemon.zssr.inference.residual_trust import FINE, MIDDLE, WINDOW, contrast
from zssr_daemon.zssr.inference.tiles import Box
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.ops.wrap import Wrap, span
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.scale import Scale, per_axis, product, ratio, scaled_size

#: Takes a finished part of a pass: (N, C, h, w) float32 in [0, 1], and where its corner lies.
Put = Callable[[Tensor, int, int], None]

# Output pixels of a strip without its surroundings; an image with no more is one strip.
STRIP_PIXELS = 2**22

# How far the windows look that judge aliasing and faint residuals, in source pixels.
CONTEXT_REACH = 32

# Strips begin where a pixel begins on every grid of the pass. Where that happens less often than
# once in so many source pixels, the whole image is one strip.
MAX_GRID = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the strips of a pass lie; all numbers are source pixels."""

    axis: int  # -2: strips are rows, -1: columns
    edges: list[int]
    context: int  # how far the pass looks on both sides of a strip
    halo: int  # how far its back-projection looks
    wraps: bool = False  # whether strips look around the seam of `axis`

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        step: Pass,
        config: ZSSRConfig,
        unshuffle: int,
        blur: Blur = BICUBIC,
    ) -> "Plan":
        """Lay strips over a source of `size` (height, width)."""
        axis = -2 if size[0] >= size[1] else -1
        length, across = size[axis], size[-3 - axis]
        grid = _grid(step, axis, unshuffle)
        times = config.ensemble_back_projections
        reach = blur.reach(step.reached)
        context = _up(CONTEXT_REACH + reach * times, grid)
        halo = _up(reach * (config.back_projections + 1), grid)
        x, y = per_axis(step.reached)
        thickness = max(_up(STRIP_PIXELS / (across * x * y), grid), context, halo)
        is_whole = grid > MAX_GRID or thickness >= length
        if blur.wrap.along(axis):
            # Strips are resized by the scale, so that a side must be whole on every grid.
            factors = _factors(step, axis, unshuffle)
            is_whole = is_whole or not all(_is_whole(length * factor) for factor in factors)
        edges = [0, length] if is_whole else [*range(0, length, thickness), length]
        wraps = blur.wrap.along(axis) and len(edges) > 2
        if wraps and edges[-1] - edges[-2] < max(context, halo):
            del edges[-2]  # the strip before the last one looks no farther than over the last one
            wraps = len(edges) > 2
        return cls(axis=axis, edges=edges, context=context, halo=halo, wraps=wraps)

    def around(self, start: int, end: int, reach: int) -> tuple[int, int]:
        """Widen a strip by `reach` on both sides, inside the image unless it wraps."""
        if self.wraps:
            return start - reach, end + reach
        return max(0, start - reach), min(self.edges[-1], end + reach)

    def wrap_in_strip(self, wrap: Wrap) -> Wrap:
        """Return what is left of the image's wrap in a strip, which has its surroundings."""
        return wrap if len(self.edges) == 2 else wrap.without(self.axis)

    def beyond(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Return the strips before the first and after the last one, where strips wrap."""
        length = self.edges[-1]
        return ((-self.halo, 0), (length, length + self.halo)) if self.wraps else (None, None)


def place(image: Tensor, part: Tensor, top: int, left: int) -> None:
    """Copy a part into an image."""
    height, width = part.shape[-2:]
    image[..., top : top + height, left : left + width] = part


def whole_pass(
    previous: Tensor, source: Tensor, step: Pass, fitted: FittedNetwork | NoNetwork
) -> Tensor:
    """Return the whole result of one pass; parameters as of `PassRunner`."""
    result = source.new_empty(*source.shape[:2], *enlarged_size(source, step.kept))
    PassRunner(previous, source, step, fitted).run(partial(place, result))
    return result


class PassRunner:
    """Runs one pass over a source, strip by strip."""

    def __init__(
        self, previous: Tensor, source: Tensor, step: Pass, fitted: FittedNetwork | NoNetwork
    ) -> None:
        """Take what the pass begins with, and the source, both (N, C, h, w) float32 in [0, 1].

        Without a network the source itself is enlarged.
        """
        self._previous, self._source = previous, source
        self._step = step
        self._size = (source.shape[-2], source.shape[-1])
        self._plan = Plan.of(self._size, step, fitted.config, fitted.unshuffle, fitted.blur)
        self._config = fitted.config
        self._blur = fitted.blur.wrapping(self._plan.wrap_in_strip(fitted.blur.wrap))
        self._fitted = replace(fitted, blur=self._blur)
        self._contrast = contrast(previous)

    def run(self, put: Put) -> None:
        """Hand every strip of the result to `put`, in order."""
        strips = list(pairwise(self._plan.edges))
        first, last = self._plan.beyond()
        before = None if first is None else self._raw_strip(*first)
        current = self._raw_strip(*strips[0])
        for strip, following in pairwise(strips):
            after = self._raw_strip(*following)
            self._finish(strip, before, current, after, put)
            before, current = self._tail(current), after
        after_all = None if last is None else self._raw_strip(*last)
        self._finish(strips[-1], before, current, after_all, put)

    def _raw_strip(self, start: int, end: int) -> Tensor:
        """Return a strip after the network, not yet back-projected."""
        low, high = self._plan.around(start, end, self._plan.context)
        size = self._out_size(low, high)
        if isinstance(self._fitted, NoNetwork):
            source = self._cut(self._source, 1.0, low, high)
            result = self._fitted.enlarge(source, size, self._step.reached)
        else:
            result = apply_network(
                self._fitted,
                self._cut(self._previous, self._step.start, low, high),
                size=size,
                box=self._box(start, end, low),
                contrast=self._contrast,
            )
        return self._core(result, self._step.reached, low, start, end)

    def _finish(
        self,
        strip: tuple[int, int],
        before: Tensor | None,
        current: Tensor,
        after: Tensor | None,
        put: Put,
    ) -> None:
        """Back-project a strip between its neighbours, shrink it to what is kept, hand it over."""
        start, end = strip
        low, high = self._plan.around(start, end, self._plan.halo)
        parts = [part for part in (before, current, after) if part is not None]
        block = torch.cat(parts, dim=self._plan.axis) if len(parts) > 1 else current
        out_size = self._out_size(low, high)
        block = block.narrow(self._plan.axis, 0, out_size[self._plan.axis])
        source = self._cut(self._source, 1.0, low, high)
        times, alive = self._config.back_projections, self._fitted.progress.alive
        result = back_project(block, source, self._step.reached, times, alive, blur=self._blur)
        kept = self._out_size(low, high, self._step.kept)
        if kept != out_size:
            smaller = ratio(self._step.kept, to=self._step.reached)
            result = resize(result, kept, smaller, self._blur.wrap).clamp(0, 1)
        place = self._at(self._step.kept, start)
        rows, columns = (place, 0) if self._plan.axis == -2 else (0, place)
        put(self._core(result, self._step.kept, low, start, end), rows, columns)

    def _tail(self, strip: Tensor) -> Tensor:
        """Return the end of a strip that the back-projection of the next strip looks at."""
        count = self._at(self._step.reached, self._plan.halo)
        length = strip.shape[self._plan.axis]
        return strip.narrow(self._plan.axis, length - count, count).clone()

    def _box(self, start: int, end: int, low: int = 0) -> Box:
        """Return where the network is needed for a strip, in output pixels counted from `low`."""
        reach = WINDOW // 2 + 1 if self._config.faint_residual > 0 else 0
        times = self._config.ensemble_back_projections
        each = self._blur.reach(self._step.reached)
        reach += math.ceil(each * times * max(per_axis(self._step.reached)))
        unshuffle = self._fitted.unshuffle
        total = self._out_size(0, self._plan.edges[-1])
        first = self._at(self._step.reached, start) - _up(reach, unshuffle)
        last = self._end(self._step.reached, end) + reach
        if not self._plan.wraps:
            first, last = max(0, first), min(total[self._plan.axis], last)
        offset = self._at(self._step.reached, low)
        along = slice(first - offset, _up(last, unshuffle) - offset)
        across = slice(0, _up(total[-3 - self._plan.axis], unshuffle))
        return (along, across) if self._plan.axis == -2 else (across, along)

    def _cut(self, image: Tensor, scale: Scale, low: int, high: int) -> Tensor:
        """Return source pixels `low` to `high` of an image at `scale`; a view inside the image."""
        first, last = self._at(scale, low), self._end(scale, high)
        return span(image, self._plan.axis, first, last)

    def _core(self, block: Tensor, scale: Scale, low: int, start: int, end: int) -> Tensor:
        """Return source pixels `start` to `end` of a block at `scale` that begins with `low`."""
        first = self._at(scale, start) - self._at(scale, low)
        count = self._end(scale, end) - self._at(scale, start)
        return block.narrow(self._plan.axis, first, count)

    def _out_size(self, low: int, high: int, scale: Scale | None = None) -> tuple[int, int]:
        """Return (height, width) of source pixels `low` to `high` at `scale`, else at reached."""
        scale = self._step.reached if scale is None else scale
        height, width = scaled_size(self._size, scale)
        along = self._end(scale, high) - self._at(scale, low)
        return (along, width) if self._plan.axis == -2 else (height, along)

    def _end(self, scale: Scale, source_pixel: int) -> int:
        """Return `_at`, or the image's last edge, which need not lie on the grid."""
        is_last = source_pixel == self._plan.edges[-1]
        whole = scaled_size(self._size, scale)[self._plan.axis]
        return whole if is_last else self._at(scale, source_pixel)

    def _at(self, scale: Scale, source_pixel: int) -> int:
        """Return the pixel at `scale` that begins where a source pixel on the grid begins."""
        return round(source_pixel * per_axis(scale)[1 if self._plan.axis == -2 else 0])


def enlarge_plainly(
    plane: Tensor, config: ZSSRConfig, put: Put, blur: Blur = BICUBIC, *, back_projections: int = 0
) -> None:
    """Hand (1, C, H, W) float32 in [0, 1], resized by config.total_scale, to `put` in strips.

    blur: of the source; without back-projections only the place of its pixels counts.
    config.tileable says what wraps; "auto", which nobody has replaced by what is in the picture,
    wraps nothing.
    """
    blur = blur.wrapping(Wrap.of(config.tileable))
    scale = config.total_scale
    step = Pass(start=1.0, reached=scale, kept=scale)
    plain = replace(config, back_projections=back_projections)
    resizing = NoNetwork(config=plain, blur=blur, progress=Progress(None, total_work=1.0))
    PassRunner(plane, plane, step, resizing).run(put)


def _grid(step: Pass, axis: int, unshuffle: int) -> int:
    """Return the least number of source pixels after which all grids of a pass share an edge.

    The grids are those of the pass itself, of the network, and those on which aliasing is judged.
    MAX_GRID + 1 stands for never.
    """
    bands = [_along(product(step.start, band), axis) for band in (FINE, MIDDLE)]
    factors = [*_factors(step, axis, unshuffle), *bands]
    return next(
        (n for n in range(1, MAX_GRID + 1) if all(_is_whole(n * factor) for factor in factors)),
        MAX_GRID + 1,
    )


def _factors(step: Pass, axis: int, unshuffle: int) -> list[float]:
    """Return how many pixels a source pixel has on the grids of a pass and of the network."""
    scales = [_along(scale, axis) for scale in (step.start, step.kept, step.reached)]
    return [*scales[:2], scales[2] / unshuffle]


def _along(scale: Scale, axis: int) -> float:
    return per_axis(scale)[1 if axis == -2 else 0]


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9


def _up(value: float, multiple: int) -> int:
    """Round up to a multiple."""
    return math.ceil(value / multiple) * multiple
