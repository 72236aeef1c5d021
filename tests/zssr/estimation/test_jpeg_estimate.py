"""JpegEstimate: the quality of a compressed picture is recognised by its pixels."""

import pytest
import torch

from tests.parts.zssr_pictures import jpeg, load, noised, texture
from zssr_daemon.zssr.estimation.jpeg_estimate import MAX_QUALITY, estimate_quality
from zssr_daemon.zssr.ops.dihedral import dihedral


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


@pytest.mark.parametrize("origin", [(3, 5), (5, 3), (0, 1), (7, 7)])
@pytest.mark.parametrize("quality", [60, 85, 95])
def test_quality_is_found_after_a_cut(origin: tuple[int, int], quality: int) -> None:
    """Wherever the blocks begin then, and after a turn besides."""
    top, left = origin
    cut = jpeg(load("butterfly_lr.png"), quality)[:, top:, left:]
    assert estimate_quality(cut) == quality
    assert estimate_quality(dihedral(cut, 1)) == quality


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
