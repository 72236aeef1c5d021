"""Lossy coding: WebP and AVIF tell how strongly they were compressed, whatever else they hold."""

import io
from typing import Any

import pytest
from PIL import Image

from tests.parts.picture_files import smooth_picture
from tests.parts.zssr_pictures import DATA
from zssr_daemon.imaging.coding.avif_coding import read_avif_step
from zssr_daemon.imaging.coding.lossy_coding import read_tables
from zssr_daemon.imaging.coding.step_curve import StepCurve
from zssr_daemon.imaging.coding.webp_coding import read_webp_step
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables


def content(file_format: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    """Return a picture, by default a detailed one, as a file."""
    if picture is None:
        with Image.open(DATA / "butterfly_lr.png") as image:
            picture = image.convert("RGB")
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("method", [0, 4, 6])
def test_step_of_webp(method: int) -> None:
    """It falls as the quality rises; the coarsest and the finest are those of the format."""
    steps = [
        read_webp_step(content("WEBP", quality=quality, method=method))
        for quality in (0, 30, 60, 75, 85, 95, 100)
    ]
    told = [step for step in steps if step is not None]
    assert told == sorted(told, reverse=True)
    assert len(set(told)) == len(steps)
    assert told[-1] == 2
    assert 50 < told[0] <= 142


@pytest.mark.parametrize(
    ("quality", "index_step"), [(30, 75.0), (60, 155 / 8), (75, 83 / 8), (90, 39 / 8)]
)
def test_step_of_avif(quality: int, index_step: float) -> None:
    """The encoder makes an index of the quality, and the format a step of the index."""
    for subsampling in ("4:2:0", "4:4:4"):
        step = read_avif_step(content("AVIF", quality=quality, subsampling=subsampling))
        assert step == pytest.approx(index_step, rel=0.1)


def test_wide_avif_is_cut_into_tiles() -> None:
    """The step stands behind how the tiles are told."""
    wide = content("AVIF", smooth_picture(4200, 80), quality=60, speed=10)
    assert read_avif_step(wide) == read_avif_step(content("AVIF", quality=60))


@pytest.mark.parametrize(("file_format", "codec"), [("WEBP", "WebP"), ("AVIF", "AVIF")])
def test_a_jpeg_like_it_is_told(file_format: str, codec: str) -> None:
    """Also beside transparency and metadata."""
    plain = read_tables(content(file_format, quality=70))
    assert plain is not None
    assert plain.codec == codec
    assert 80 < plain.quality < 92
    transparent = smooth_picture(64, 48, "RGBA")
    exif = Image.Exif()
    exif[0x010E] = "a title"
    more = read_tables(content(file_format, transparent, quality=70, exif=exif))
    assert more is not None
    assert abs(more.quality - plain.quality) < 4


def test_lossless_files_tell_none() -> None:
    """Nor do those that are nearly so, and other formats; a JPEG tells its own."""
    lossless = (
        content("WEBP", quality=95),
        content("AVIF", quality=90),
        content("WEBP", lossless=True),
        content("AVIF", quality=100, subsampling="4:4:4"),
        content("PNG"),
    )
    assert [read_tables(each) for each in lossless] == [None] * 5
    assert read_tables(content("JPEG", quality=60)) == JpegTables.of_quality(60)


@pytest.mark.parametrize("file_format", ["WEBP", "AVIF"])
def test_damaged_headers_tell_anything_or_nothing(file_format: str) -> None:
    """But they never raise: the pixels were decoded before."""
    data = content(file_format, quality=70)
    for at in range(12, 420, 3):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
            found = read_tables(damaged)
            assert found is None or 1 <= found.quality <= 100


def test_steps_between_are_between() -> None:
    """And none lies beyond the ends."""
    curve = StepCurve((4, 20, 60), larger=2)
    assert [curve.at(index) for index in (-5, 0, 8, 16, 31, 99)] == [2, 2, 6, 10, 30, 30]
