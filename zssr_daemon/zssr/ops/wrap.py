"""Wrap: which axes of an image go on with its other side, as those of a texture do that tiles."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

#: The axes that wrap, as text.
WrapName = Literal["no", "x", "y", "xy"]

#: Counts of pixels beyond the edges: (left, right, top, bottom).
Ends = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Wrap:
    """Whether the right edge meets the left one (x), and the bottom edge the top one (y)."""

    x: bool = False
    y: bool = False

    @classmethod
    def of(cls, name: str) -> "Wrap":
        """Return the wrap with a name; all other names mean none."""
        return cls(x=name in ("x", "xy"), y=name in ("y", "xy"))

    @property
    def name(self) -> WrapName:
        """The axes as text."""
        names: dict[tuple[bool, bool], WrapName] = {
            (False, False): "no",
            (True, False): "x",
            (False, True): "y",
            (True, True): "xy",
        }
        return names[self.x, self.y]

    def along(self, axis: int) -> bool:
        """Tell whether an axis wraps: -1 is x, -2 is y."""
        return self.x if axis == -1 else self.y

    def without(self, axis: int) -> "Wrap":
        """Return the wrap of an image that was cut along an axis."""
        return Wrap(x=self.x and axis != -1, y=self.y and axis != -2)

    def ends(self, left: int, right: int, top: int, bottom: int) -> Ends:
        """Return these counts where an axis wraps, and 0 elsewhere."""
        across = (left, right) if self.x else (0, 0)
        return (*across, top, bottom) if self.y else (*across, 0, 0)


OPEN = Wrap()


def span(image: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """Return pixels `start` to `stop` of an axis that wraps; both may lie beyond its edges."""
    length = image.shape[axis]
    if start >= 0 and stop <= length:
        return image.narrow(axis, start, stop - start)
    return image.index_select(axis, torch.arange(start, stop, device=image.device) % length)


def continued(image: Tensor, ends: Ends, wrap: Wrap) -> Tensor:
    """Continue (..., C, H, W) beyond its edges by `ends` pixels.

    An axis that wraps goes on with its other side, as often as needed; elsewhere the edge is
    repeated. Any dtype, range and device, which stay.
    """
    for axis, (before, after) in ((-1, ends[:2]), (-2, ends[2:])):
        if wrap.along(axis):
            image = span(image, axis, -before, image.shape[axis] + after)
    rest = (*((0, 0) if wrap.x else ends[:2]), *((0, 0) if wrap.y else ends[2:]))
    return functional.pad(image, rest, mode="replicate") if any(rest) else image
