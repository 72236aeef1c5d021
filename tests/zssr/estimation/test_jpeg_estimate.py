"""JpegEstimate: the tables of a compressed picture are recognised by its pixels."""

from typing import Any

import pytest
import torch
from PIL.JpegPresets import presets
from torch import Tensor
from torch.nn import functional

from tests.parts.zssr_pictures import jpeg, load, noised, texture
from zssr_daemon.zssr.degradation.jpeg_tables import HALVED, WHOLE, JpegTables
from zssr_daemon.zssr.estimation.jpeg_estimate import MAX_QUALITY, estimate_tables
from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.ops.resize import resize


def estimate_quality(image: Tensor) -> int | None:
    """Return the quality of the tables that are found."""
    found = estimate_tables(image)
    return None if found is None else found.quality


@pytest.mark.parametrize("quality", [5, 30, 50, 60, 75, 85, 92, 95, MAX_QUALITY])
def test_quality_is_found(quality: int) -> None:
    """Exactly, in colour and in grey, with the chroma halved or whole."""
    picture = load("butterfly_lr.png")
    assert estimate_quality(jpeg(picture, quality)) == quality
    assert estimate_quality(jpeg(picture, quality, subsampling=0)) == quality
    assert estimate_quality(jpeg(picture[1:2], quality)) == quality


@pytest.mark.parametrize("quality", [30, 60, 85, 95])
def test_chroma_is_told_halved_from_whole(quality: int) -> None:
    """And the steps of both are those of the quality."""
    picture = load("butterfly_lr.png")
    for chroma, shrunk in ((0, WHOLE), (2, HALVED)):
        found = estimate_tables(jpeg(picture, quality, subsampling=chroma))
        assert found == JpegTables.of_quality(quality, shrunk)


@pytest.mark.parametrize("name", ["medium", "high", "maximum", "web_high"])
def test_steps_that_no_quality_prescribes_are_found(name: str) -> None:
    """Those of Photoshop's settings: nearly all, however the picture was cut or turned since."""
    told: Any = presets[name]["quantization"]
    compressed = jpeg(load("butterfly_hr.png"), None, qtables=told, subsampling=0)
    expected = torch.tensor(told[0])
    found = estimate_tables(compressed)
    assert found is not None
    assert float((torch.tensor(found.luma) == expected).float().mean()) > 0.8
    assert found.shrunk == WHOLE
    turned = estimate_tables(dihedral(compressed[:, 3:, 5:], 1))
    assert turned is not None
    assert float((torch.tensor(turned.transposed.luma) == expected).float().mean()) > 0.8


@pytest.mark.parametrize(("first", "last"), [(85, 50), (92, 75), (50, 85)])
def test_the_last_compression_counts_where_blocks_differ(first: int, last: int) -> None:
    """Where the picture was cut in between, so that its blocks lie elsewhere."""
    cut = jpeg(load("butterfly_lr.png"), first)[:, 3:, 3:]
    assert estimate_quality(jpeg(cut, last)) == last


@pytest.mark.parametrize(("first", "last"), [(50, 85), (60, 85), (75, 92), (85, 50), (92, 75)])
def test_the_coarser_of_two_compressions_of_the_same_blocks_counts(first: int, last: int) -> None:
    """Where the finer one was the last, the coarser did the harm, and can still be seen."""
    twice = jpeg(jpeg(load("butterfly_hr.png"), first), last)
    assert estimate_quality(twice) == pytest.approx(min(first, last), abs=1)


@pytest.mark.parametrize("scale", [0.75, 1.5, 2.0])
def test_a_resized_jpeg_is_none(scale: float) -> None:
    """Its blocks are no longer of 8 pixels, and its steps are gone."""
    compressed = jpeg(load("butterfly_hr.png"), 60)
    size = (round(256 * scale), round(256 * scale))
    resized = resize(compressed, size, scale).clamp(0, 1).mul(255).round().div(255)
    assert estimate_tables(resized) is None


@pytest.mark.parametrize("times", [2, 4])
def test_drawings_of_two_colours_are_no_jpeg(times: int) -> None:
    """Enlarged, they have coefficients that are multiples too."""
    two = (load("butterfly_lr.png")[1:2] > 0.5).float()
    assert estimate_tables(functional.interpolate(two[None], scale_factor=times)[0]) is None


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
