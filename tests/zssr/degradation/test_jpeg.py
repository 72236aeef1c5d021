"""JPEG: compressed as the library does it."""

import pytest
import torch

from tests.parts.zssr_pictures import jpeg, load, psnr_db, texture
from zssr_daemon.zssr.degradation.jpeg import compress
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables

#: Steps that no quality has: coarse in rows, fine in columns.
UNEVEN = tuple(4 + 6 * row + column for row in range(8) for column in range(8))


@pytest.mark.parametrize("quality", [10, 30, 60, 90])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(128, 128), (101, 77)])
def test_compressed_as_by_the_library(quality: int, channels: int, size: tuple[int, int]) -> None:
    """Pillow's own decoded JPEG is far nearer than the picture is."""
    picture = load("butterfly_lr.png")[:channels, : size[0], : size[1]]
    compressed = compress(picture, JpegTables.of_quality(quality))
    expected = jpeg(picture, quality)
    assert psnr_db(compressed, expected) > psnr_db(picture, expected) + 8


@pytest.mark.parametrize("shrunk", [(1, 1), (1, 2), (2, 2)])
def test_compressed_by_given_tables(shrunk: tuple[int, int]) -> None:
    """Any steps and any shrinking of the chroma are followed: no others come as near."""
    picture = load("butterfly_lr.png")[:, :101, :77]
    name = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0"}[shrunk]
    expected = jpeg(picture, None, qtables=[UNEVEN, UNEVEN], subsampling=name)
    tables = JpegTables(luma=UNEVEN, chroma=(UNEVEN, UNEVEN), shrunk=shrunk)
    others = [
        tables.transposed,
        JpegTables.of_quality(tables.quality, shrunk),
        JpegTables(luma=UNEVEN, chroma=(UNEVEN, UNEVEN), shrunk=(2, 1)),
    ]
    nearest = psnr_db(compress(picture, tables), expected)
    assert nearest > max(psnr_db(compress(picture, each), expected) for each in others) + 1


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (7, 9)])
def test_every_size_is_compressed(size: tuple[int, int]) -> None:
    """One colour stays, whatever is missing to whole blocks, and several pictures are as one."""
    tables = JpegTables.of_quality(75)
    picture = torch.tensor([0.2, 0.5, 0.8])[:, None, None].expand(3, *size)
    assert (compress(picture, tables) - picture).abs().max() < 3 / 255
    both = compress(torch.stack([picture, texture(*size)]), tables)
    torch.testing.assert_close(both[0], compress(picture, tables))


def test_tables_have_the_quality_that_made_them() -> None:
    """Turned too; and steps that no quality has get the nearest one."""
    for quality in (5, 49, 50, 75, 96, 100):
        tables = JpegTables.of_quality(quality)
        assert (tables.quality, tables.transposed.quality) == (quality, quality)
        assert tables.transposed.transposed == tables
    assert 40 < JpegTables(luma=UNEVEN, chroma=(UNEVEN, UNEVEN)).quality < 80


@pytest.mark.parametrize("step", [0.5, 6.0, 12.0, 40.0, 120.0, 900.0])
def test_tables_like_one_step_for_all_frequencies(step: float) -> None:
    """The luma's are as large on the average, as far as there are such tables."""
    tables = JpegTables.of_step(step, "WebP")
    mean = sum(tables.luma) / 64
    assert mean == pytest.approx(min(max(step, 1.0), 255), rel=0.15)
    assert (tables.codec, tables.transposed.codec) == ("WebP", "WebP")


def test_impossible_tables_are_refused() -> None:
    """With what is wrong about them."""
    for steps, shrunk in ((UNEVEN[:63], (2, 2)), ((0,) * 64, (2, 2)), (UNEVEN, (2, 3))):
        with pytest.raises(ValueError, match="must"):
            JpegTables(luma=steps, chroma=(steps, steps), shrunk=shrunk)
