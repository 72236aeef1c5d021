"""JPEG: compressed as the library does it."""

import pytest
import torch

from tests.parts.zssr_pictures import jpeg, load, psnr_db, texture
from zssr_daemon.zssr.degradation.jpeg import compress


@pytest.mark.parametrize("quality", [10, 30, 60, 90])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(128, 128), (101, 77)])
def test_compressed_as_by_the_library(quality: int, channels: int, size: tuple[int, int]) -> None:
    """Pillow's own decoded JPEG is far nearer than the picture is."""
    picture = load("butterfly_lr.png")[:channels, : size[0], : size[1]]
    compressed, expected = compress(picture, quality), jpeg(picture, quality)
    assert psnr_db(compressed, expected) > psnr_db(picture, expected) + 8


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (7, 9)])
def test_every_size_is_compressed(size: tuple[int, int]) -> None:
    """One colour stays, whatever is missing to whole blocks, and several pictures are as one."""
    picture = torch.tensor([0.2, 0.5, 0.8])[:, None, None].expand(3, *size)
    assert (compress(picture, 75) - picture).abs().max() < 3 / 255
    both = compress(torch.stack([picture, texture(*size)]), 75)
    torch.testing.assert_close(both[0], compress(picture, 75))
