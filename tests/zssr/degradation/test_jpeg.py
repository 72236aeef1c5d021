"""JPEG: compressed as the library does it, and recognised by its pixels."""

import pytest
import torch

from tests.parts.zssr_pictures import jpeg, load, noised, psnr_db, texture
from zssr_daemon.zssr.degradation.jpeg import compress
from zssr_daemon.zssr.estimation.jpeg_estimate import MAX_QUALITY, estimate_quality
from zssr_daemon.zssr.ops.dihedral import dihedral


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


@pytest.mark.parametrize("quality", [5, 30, 50, 60, 75, 85, 92, 95, MAX_QUALITY])
def test_quality_is_found(quality: int) -> None:
    """Exactly, in colour and in grey, with the chroma halved or whole."""
    picture = load("butterfly_lr.png")
    assert estimate_quality(jpeg(picture, quality)) == quality
    assert estimate_quality(jpeg(picture, quality, subsampling=0)) == quality
    assert estimate_quality(jpeg(picture[1:2], quality)) == quality


@pytest.mark.parametrize("turn", range(8))
def test_quality_is_found_after_a_turn(turn: int) -> None:
    """As cameras' pictures are decoded, whole blocks or not."""
    compressed = jpeg(load("butterfly_hr.png")[:, :251, :230], 70)
    assert estimate_quality(dihedral(compressed, turn)) == 70


def test_clean_pictures_have_no_quality() -> None:
    """Neither photographs nor noise, nor one colour, nor the least of pictures."""
    picture = load("butterfly_lr.png")
    assert [
        estimate_quality(each)
        for each in (
            picture,
            picture[:1],
            load("butterfly_hr.png"),
            noised(picture, 10),
            texture(200, 200),
            torch.ones(3, 64, 64),
            torch.linspace(0, 1, 256).expand(3, 64, 256).mul(255).round().div(255),
            torch.zeros(1, 1, 1),
            texture(7, 300),
        )
    ] == [None] * 9


def test_finest_compression_is_let_be() -> None:
    """It does less harm than giving back-projection up."""
    assert estimate_quality(jpeg(load("butterfly_lr.png"), 99)) is None
