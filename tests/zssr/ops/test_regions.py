"""Regions: a bounded look at an image of any size."""

import pytest
import torch

from zssr_daemon.zssr.ops.regions import MAX_SOURCE_PIXELS, regions


@pytest.mark.parametrize("size", [(1500, 1100), (2, 400_000), (700_000, 1)])
def test_regions_of_a_large_image_are_bounded(size: tuple[int, int]) -> None:
    """A fit looks at no more than MAX_SOURCE_PIXELS, whatever the shape."""
    parts = regions(torch.zeros(1, 1, *size), torch.Generator().manual_seed(0))
    assert sum(part.numel() for part in parts) > MAX_SOURCE_PIXELS // 2
    assert sum(part.numel() for part in parts) <= MAX_SOURCE_PIXELS


def test_regions_of_a_small_image_are_the_image() -> None:
    """Each plane whole."""
    planes = torch.rand(3, 1, 20, 30)
    parts = regions(planes, torch.Generator().manual_seed(0))
    assert all(torch.equal(plane, part) for plane, part in zip(planes, parts, strict=True))


def test_regions_are_where_something_is() -> None:
    """Of a page that is white but for one corner, the corner is looked at, by most regions."""
    page = torch.ones(1, 1, 2000, 2000)
    page[..., 1600:, 1600:] = torch.rand(400, 400, generator=torch.Generator().manual_seed(1))
    parts = regions(page, torch.Generator().manual_seed(0))
    assert sum(bool(part.std() > 0) for part in parts) > len(parts) // 2


def test_same_seed_same_regions() -> None:
    """A fit can be made again."""
    image = torch.rand(1, 1, 700, 800, generator=torch.Generator().manual_seed(2))
    first, second = (regions(image, torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
