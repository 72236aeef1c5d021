"""Strips: one pass over an image of any size, in memory that a strip bounds.

What a pass does to a pixel depends on its surroundings only, so a strip with enough of them comes
out as it would from the whole. Strips lie across the longer side, whose length then costs nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.infer import enlarge_within, ensemble_members
from zssr_daemon.zssr.inference.residual_trust import FINE, MIDDLE, WINDOW, contrast
from zssr_daemon.zssr.inference.tiles import Box
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.scale import Scale, per_axis, product, ratio, scaled_size

#: Takes a finished part of a pass: (N, C, h, w) float32 in [0, 1], and where its corner lies.
Put = Callable[[Tensor, int, int], None]

# Output pixels of a strip without its surroundings; an image of no more is one strip.
STRIP_PIXELS = 2**22

# How far the windows look by which aliasing and faint residuals are judged, in source pixels.
CONTEXT_REACH = 32

# Strips begin where every grid of the pass has a pixel's edge; rarer than this, there is one strip.
MOST_GRID = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass of the schedule; scales are relative to the source."""

    start: Scale  # of what it begins with
    reached: Scale
    kept: Scale  # what it is shrunk to in the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the strips of a pass lie; all numbers are source pixels."""

    axis: int  # -2: strips are rows, -1: columns
    edges: list[int]
    context: int  # that the enlargement of a strip looks at on both sides
    halo: int  # that its back-projection looks at

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
        is_whole = grid > MOST_GRID or thickness >= length
        edges = [0, length] if is_whole else [*range(0, length, thickness), length]
        return cls(axis=axis, edges=edges, context=context, halo=halo)

    def around(self, start: int, end: int, reach: int) -> tuple[int, int]:
        """Widen a strip by `reach` on both sides, inside the image."""
        return max(0, start - reach), min(self.edges[-1], end + reach)


@dataclass(frozen=True, slots=True)
class PassNeeds:
    """What passes share: the memory there is, and whom to tell how far they are."""

    memory: Memory
    progress: Progress
    blur: Blur = BICUBIC


class PassRunner:
    """Runs one pass over a source, strip by strip."""

    def __init__(
        self,
        previous: Tensor,
        source: Tensor,
        step: Pass,
        config: ZSSRConfig,
        needs: PassNeeds,
        *,
        network: ResidualNet | None,
        is_bf16: bool,
    ) -> None:
        """Take what the pass begins with and the source, both (N, C, h, w) float32 in [0, 1].

        Without a network the source is enlarged by resizing alone.
        """
        self._previous, self._source = previous, source
        self._step, self._config, self._needs = step, config, needs
        self._network, self._is_bf16 = network, is_bf16
        unshuffle = 1 if network is None else network.unshuffle
        self._size = (source.shape[-2], source.shape[-1])
        self._blur = needs.blur
        self._plan = Plan.of(self._size, step, config, unshuffle, self._blur)
        self._contrast = contrast(previous)

    def run(self, put: Put) -> None:
        """Hand every strip of the result to `put`, in order."""
        strips = list(pairwise(self._plan.edges))
        before: Tensor | None = None
        current = self._enlarged(*strips[0])
        for strip, following in pairwise(strips):
            after = self._enlarged(*following)
            self._finish(strip, before, current, after, put)
            before, current = self._tail(current), after
        self._finish(strips[-1], before, current, None, put)

    def _enlarged(self, start: int, end: int) -> Tensor:
        """Return a strip enlarged, not yet back-projected."""
        low, high = self._plan.around(start, end, self._plan.context)
        size = self._out_size(low, high)
        progress = self._needs.progress
        if self._network is None:
            members = len(ensemble_members(self._config, self._blur))
            report = progress.tile_reporter(1, len(self._source) * members)
            source = self._cut(self._source, 1.0, low, high)
            result = self._blur.enlarge(source, size, self._step.reached)
            report(size[0] * size[1])
        else:
            result = enlarge_within(
                self._needs.memory,
                self._cut(self._previous, self._step.start, low, high),
                self._network,
                self._config,
                size=size,
                is_bf16=self._is_bf16,
                progress=progress,
                box=self._box(start, end, low),
                contrast=self._contrast,
                blur=self._blur,
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
        """Back-project a strip amid its neighbours, shrink it to what is kept, hand it over."""
        start, end = strip
        low, high = self._plan.around(start, end, self._plan.halo)
        parts = [part for part in (before, current, after) if part is not None]
        block = torch.cat(parts, dim=self._plan.axis) if len(parts) > 1 else current
        out_size = self._out_size(low, high)
        block = block.narrow(self._plan.axis, 0, out_size[self._plan.axis])
        source = self._cut(self._source, 1.0, low, high)
        times, alive = self._config.back_projections, self._needs.progress.alive
        result = back_project(block, source, self._step.reached, times, alive, blur=self._blur)
        kept = self._out_size(low, high, self._step.kept)
        if kept != out_size:
            smaller = ratio(self._step.kept, to=self._step.reached)
            result = resize(result, kept, smaller).clamp(0, 1)
        place = self._at(self._step.kept, start)
        rows, columns = (place, 0) if self._plan.axis == -2 else (0, place)
        put(self._core(result, self._step.kept, low, start, end), rows, columns)

    def _tail(self, strip: Tensor) -> Tensor:
        """Return what the back-projection of the next strip looks at of this one."""
        count = self._at(self._step.reached, self._plan.halo)
        length = strip.shape[self._plan.axis]
        return strip.narrow(self._plan.axis, length - count, count).clone()

    def _box(self, start: int, end: int, low: int = 0) -> Box:
        """Return where the network is needed for a strip, in output pixels from `low` on."""
        reach = WINDOW // 2 + 1 if self._config.faint_residual > 0 else 0
        times = self._config.ensemble_back_projections
        each = self._blur.reach(self._step.reached)
        reach += math.ceil(each * times * max(per_axis(self._step.reached)))
        unshuffle = 1 if self._network is None else self._network.unshuffle
        total = self._out_size(0, self._plan.edges[-1])
        first = max(0, self._at(self._step.reached, start) - _up(reach, unshuffle))
        last = min(total[self._plan.axis], self._end(self._step.reached, end) + reach)
        offset = self._at(self._step.reached, low)
        along = slice(first - offset, _up(last, unshuffle) - offset)
        across = slice(0, _up(total[-3 - self._plan.axis], unshuffle))
        return (along, across) if self._plan.axis == -2 else (across, along)

    def _cut(self, image: Tensor, scale: Scale, low: int, high: int) -> Tensor:
        """Return source pixels `low` to `high` of an image at `scale`; a view."""
        first, last = self._at(scale, low), self._end(scale, high)
        return image.narrow(self._plan.axis, first, last - first)

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
        """Return the pixel at `scale` whose edge is that of a source pixel on the grid."""
        return round(source_pixel * per_axis(scale)[1 if self._plan.axis == -2 else 0])


def enlarge_plainly(plane: Tensor, config: ZSSRConfig, put: Put, blur: Blur = BICUBIC) -> None:
    """Hand (1, 1, H, W) float32 in [0, 1], resized by config.total_scale, to `put` in strips.

    blur: of the source; only the place of its pixels counts.
    """
    scale = config.total_scale
    step = Pass(start=1.0, reached=scale, kept=scale)
    plain = replace(config, back_projections=0)
    needs = PassNeeds(Memory(config), Progress(None, total_work=1.0), blur)
    PassRunner(plane, plane, step, plain, needs, network=None, is_bf16=False).run(put)


def _grid(step: Pass, axis: int, unshuffle: int) -> int:
    """Return every how many source pixels all grids of a pass share an edge; MOST_GRID + 1: never.

    Those of the pass itself, the network's, and those on which aliasing is judged.
    """
    scales = [step.start, step.kept, *(product(step.start, band) for band in (FINE, MIDDLE))]
    factors = [per_axis(scale)[1 if axis == -2 else 0] for scale in scales]
    factors.append(per_axis(step.reached)[1 if axis == -2 else 0] / unshuffle)
    return next(
        (n for n in range(1, MOST_GRID + 1) if all(_is_whole(n * factor) for factor in factors)),
        MOST_GRID + 1,
    )


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9


def _up(value: float, multiple: int) -> int:
    return math.ceil(value / multiple) * multiple
