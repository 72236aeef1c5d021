"""Regions: the parts of a large image that a fit looks at, so that it costs as much as a small one.

Only detail teaches the network something. So in a page that is mostly white, or a sky with few
stars, regions lie mostly where something is.
"""

import torch
from torch import Tensor

# Fathers of an image with more source pixels come from random regions, which bounds the time and
# the memory of a fit.
MAX_SOURCE_PIXELS = 2**18
REGION_SIDE = 128

# Places that are drawn for each one that is taken.
CANDIDATES = 16


def regions(planes: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Return the parts of the image that a fit looks at.

    planes: (N, C, H, W). Returns tensors (C, h, w), views of it: each plane whole if it is
    small, else as many random regions as MAX_SOURCE_PIXELS allows, likelier where there is detail.
    """
    height, width = planes.shape[-2:]
    if height * width <= MAX_SOURCE_PIXELS:
        return list(planes)
    side_h, side_w = _sides(height, width)
    count = MAX_SOURCE_PIXELS // (side_h * side_w)
    places = torch.rand(count * CANDIDATES, 2, generator=generator)
    corners = (places * torch.tensor([height - side_h + 1, width - side_w + 1])).int().tolist()
    boxes = [(..., slice(top, top + side_h), slice(left, left + side_w)) for top, left in corners]
    details = torch.stack([_detail(planes[box]) for box in boxes]).cpu()
    # Every place has some weight, so that enough can be taken where nearly all is flat.
    weights = details + 1e-6
    taken = torch.multinomial(weights, count, generator=generator).tolist()
    return [plane[boxes[index]] for plane in planes for index in taken]


def _sides(height: int, width: int) -> tuple[int, int]:
    """Return height and width of a region: square, unless the image is narrower than that."""
    side_h = min(height, REGION_SIDE)
    side_w = min(width, REGION_SIDE**2 // side_h)
    return min(height, REGION_SIDE**2 // side_w), side_w


def _detail(part: Tensor) -> Tensor:
    """Return how much neighbours differ in (N, C, h, w): a root mean square, a scalar."""
    across = part.diff(dim=-1).square().sum() + part.diff(dim=-2).square().sum()
    return (across / part.numel()).sqrt()
