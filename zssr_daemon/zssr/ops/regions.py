"""Regions: the parts of a large image that a fit looks at, so that it costs as much as a small one.

Only detail teaches the network something. So in a page that is mostly white, or a sky with few
stars, regions lie mostly where something is.
"""

import torch
from torch import Tensor

from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, span

# Fathers of an image with more source pixels come from random regions, which bounds the time and
# the memory of a fit.
MAX_SOURCE_PIXELS = 2**18
REGION_SIDE = 128

# Places that are drawn for each one that is taken.
CANDIDATES = 16


def regions(planes: Tensor, generator: torch.Generator, wrap: Wrap = OPEN) -> list[Tensor]:
    """Return the parts of the image that a fit looks at.

    planes: (N, C, H, W). Returns tensors (C, h, w): each plane whole if it is small, else as many
    random regions as MAX_SOURCE_PIXELS allows, likelier where there is detail. They are views of
    it, unless they lie across the seam of an image that wraps.
    """
    height, width = planes.shape[-2:]
    if height * width <= MAX_SOURCE_PIXELS:
        return list(planes)
    side_h, side_w = _sides(height, width)
    count = MAX_SOURCE_PIXELS // (side_h * side_w)
    places = torch.rand(count * CANDIDATES, 2, generator=generator)
    down = height if wrap.y else height - side_h + 1
    across = width if wrap.x else width - side_w + 1
    corners = (places * torch.tensor([down, across])).int().tolist()

    def region(of: Tensor, top: int, left: int) -> Tensor:
        return span(span(of, -2, top, top + side_h), -1, left, left + side_w)

    details = torch.stack([_detail(region(planes, *corner)) for corner in corners]).cpu()
    # Every place has some weight, so that enough can be taken where nearly all is flat.
    weights = details + 1e-6
    taken = torch.multinomial(weights, count, generator=generator).tolist()
    return [region(plane, *corners[index]) for plane in planes for index in taken]


def wrap_of_parts(planes: Tensor, parts: list[Tensor], wrap: Wrap) -> Wrap:
    """Return how the `regions` of (N, C, H, W) wrap: only along sides that they have whole."""
    height, width = planes.shape[-2:]
    is_whole = [side == parts[0].shape[axis] for side, axis in ((width, -1), (height, -2))]
    return Wrap(x=wrap.x and is_whole[0], y=wrap.y and is_whole[1])


def _sides(height: int, width: int) -> tuple[int, int]:
    """Return height and width of a region: square, unless the image is narrower than that."""
    side_h = min(height, REGION_SIDE)
    side_w = min(width, REGION_SIDE**2 // side_h)
    return min(height, REGION_SIDE**2 // side_w), side_w


def _detail(part: Tensor) -> Tensor:
    """Return how much neighbours differ in (N, C, h, w): a root mean square, a scalar."""
    across = part.diff(dim=-1).square().sum() + part.diff(dim=-2).square().sum()
    return (across / part.numel()).sqrt()
