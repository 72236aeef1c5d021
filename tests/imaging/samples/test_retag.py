"""Retag: a page of a TIFF says something else, and its pixels stay where they are."""

import io
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from tests.parts.rasters import raster
from zssr_daemon.imaging.containers import tiff_tags
from zssr_daemon.imaging.samples.retag import planes_together, retagged


def pages(is_big: bool) -> bytes:
    """Return a TIFF of two pages, of 3 and of 7 as their only level."""
    file = io.BytesIO()
    pictures = [Image.new("L", (6, 4), level) for level in (3, 7)]
    pictures[0].save(file, "TIFF", save_all=True, append_images=pictures[1:], big_tiff=is_big)
    return file.getvalue()


@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("page", [0, 1])
def test_one_page_is_left_with_new_tags(page: int, is_big: bool) -> None:
    """Of any page, in both kinds of TIFF; without values a tag is gone."""
    data = retagged(pages(is_big), page, {339: (2,), 285: (1, 2, 3, 4, 5), 262: (1,), 284: ()})
    tags = tiff_tags(data)
    assert (tags[339], 284 in tags) == ((2,), False)
    image = pyvips.Image.tiffload_buffer(data)
    assert image.get("n-pages") == 1
    assert (image.format, image.avg()) == ("char", (3, 7)[page])


def test_blocks_may_be_chosen(tmp_path: Path) -> None:
    """Places and lengths are long numbers: the second plane alone."""
    samples = np.random.default_rng(0).integers(0, 1 << 16, (6, 5, 2), dtype=np.uint16)
    data = raster(tmp_path / "a", samples, extra=(0,), is_separate=True).read_bytes()
    tags = tiff_tags(data)
    one = {277: (1,), 258: (16,), 284: (1,), 338: (), 339: (1,), 273: tags[273][3:]}
    data = retagged(data, 0, one | {279: tags[279][3:]})
    image = pyvips.Image.tiffload_buffer(data).numpy()
    np.testing.assert_array_equal(image, samples[..., 1])


def test_planes_together(tmp_path: Path) -> None:
    """Only that one word changes."""
    data = raster(tmp_path / "a", np.zeros((4, 5, 3), np.uint8), is_separate=True).read_bytes()
    changed = planes_together(data, 0)
    assert tiff_tags(changed) == tiff_tags(data) | {284: (1,)}
    assert sum(a != b for a, b in zip(data, changed, strict=True)) == 1
