"""Samples: numbers of any type, bands that are no colours, and void go through gate and worker.

The table of docs/images.md on rasters is what these tests find.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from tests.parts.picture_files import decode_path, decoded_samples, inspect_path
from tests.parts.rasters import CMYK, GREY, RGB, raster
from tests.parts.tiny_settings import TINY
from tests.worker.test_faithful import DOCUMENT, IDENTITY, enlarge, rules
from zssr_daemon.errors import ImageError

SIZE = (15, 20)


def numbers(kind: str, bands: int) -> NDArray[Any]:
    """Return random samples that fill some of the type's range, or floating ones about zero."""
    rng = np.random.default_rng(bands)
    if kind.startswith("f"):
        return rng.normal(0, 300, (*SIZE, bands)).astype(kind)
    limits = np.iinfo(kind)
    low, high = max(limits.min, -5000), min(limits.max, 1 << 20)
    return rng.integers(low, high, (*SIZE, bands)).astype(kind)


#: Input → what writes it, in the order of the table.
KINDS: dict[str, dict[str, Any]] = {
    "grey, float32": {"samples": numbers("f4", 1)},
    "RGB, float32": {"samples": numbers("f4", 3), "photometric": RGB},
    "grey, float16": {"samples": numbers("f2", 1)},
    "RGB, float64": {"samples": numbers("f8", 3), "photometric": RGB},
    "grey, int8": {"samples": numbers("i1", 1)},
    "grey, int16": {"samples": numbers("i2", 1)},
    "RGB, int16": {"samples": numbers("i2", 3), "photometric": RGB},
    "grey, int32": {"samples": numbers("i4", 1)},
    "grey, uint32": {"samples": numbers("u4", 1)},
    "grey and 1 band, 8 bits": {"samples": numbers("u1", 2), "extra": (0,)},
    "RGB and infrared, 8 bits": {
        "samples": numbers("u1", 4),
        "photometric": RGB,
        "extra": (0,),
    },
    "RGB and infrared, 16 bits": {
        "samples": numbers("u2", 4),
        "photometric": RGB,
        "extra": (0,),
    },
    "RGB, infrared and alpha, 8 bits": {
        "samples": numbers("u1", 5) | np.uint8(1),
        "photometric": RGB,
        "extra": (0, 2),
    },
    "CMYK and spot colour, 8 bits": {
        "samples": numbers("u1", 5),
        "photometric": CMYK,
        "extra": (0,),
    },
    "16 bands, 16 bits": {"samples": numbers("u2", 16), "extra": (0,) * 15},
    "6 bands, float32": {"samples": numbers("f4", 6), "extra": (0,) * 5},
}


def read_back(path: Path) -> tuple[NDArray[Any], dict[int, Any]]:
    """Return samples and tags of an output."""
    with Image.open(path) as picture:
        tags = dict(picture.tag_v2)  # type: ignore[attr-defined]
    return np.atleast_3d(pyvips.Image.tiffload(str(path)).numpy()), tags


def row(kind: str, path: Path) -> str:
    """Describe the output as a row of the table."""
    samples, tags = read_back(path)
    colours = {GREY: "grey", RGB: "RGB"}[tags[262]]
    extra = ", ".join(map(str, tags.get(338, ()))) or "–"
    return f"| {kind} | {colours} | {samples.shape[2]} | {samples.dtype} | {extra} |"


def table() -> list[str]:
    """Return the rows of the document's table."""
    text = DOCUMENT.read_text()
    (found,) = re.findall(r"\| TIFF of numbers \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", text)
    return str(found).splitlines()


def test_table_of_the_document_names_these_kinds() -> None:
    """No row is missing, none is left over."""
    assert [line.split("|")[1].strip() for line in table()] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_come_out_as_they_went_in(tmp_path: Path, kind: str) -> None:
    """With the network off, each row is true and each sample is the same, for whole numbers."""
    raster(tmp_path / "source", **KINDS[kind])
    enlarge(tmp_path / "source", IDENTITY, rules("same"))
    assert row(kind, tmp_path / "out") in table()
    back, _ = read_back(tmp_path / "out")
    samples = KINDS[kind]["samples"]
    if "CMYK" in kind:
        samples, back = samples[..., 4:], back[..., 3:]
    tolerance = np.ptp(samples.astype(np.float64)) * 2**-24 if samples.dtype.kind == "f" else 0
    assert np.abs(back.astype(np.float64) - samples).max() <= tolerance


@pytest.mark.parametrize("kind", ["RGB, float64", "grey, int16", "RGB and infrared, 16 bits"])
def test_enlarged_numbers_stay_in_their_range(tmp_path: Path, kind: str) -> None:
    """Twice as large, of the same type, band by band in the source's own range; big-endian too."""
    samples = KINDS[kind]["samples"]
    raster(tmp_path / "source", **KINDS[kind], is_big_endian=True)
    enlarge(tmp_path / "source", TINY, rules("tiff"))
    back, _ = read_back(tmp_path / "out")
    expected = np.float32 if samples.dtype.kind == "f" else samples.dtype
    assert (back.shape, back.dtype) == ((30, 40, samples.shape[2]), expected)
    samples = samples.astype(expected)
    assert back.min() >= samples.min()
    assert back.max() <= samples.max()
    small = back.reshape(15, 2, 20, 2, -1).astype(np.float64).mean(axis=(1, 3))
    for band in range(samples.shape[2]):
        assert np.corrcoef(small[..., band].ravel(), samples[..., band].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize(("bands", "colours"), [(3, RGB), (4, RGB), (5, GREY)])
def test_planes_apart(tmp_path: Path, kind: str, bands: int, colours: int) -> None:
    """Samples that lie in strips of their own are the same samples."""
    samples = numbers(kind, bands)[:14]
    path, extra = tmp_path / "source", (0,) * (bands - (3 if colours == RGB else 1))
    raster(path, samples, photometric=colours, extra=extra, is_separate=True, is_big_endian=True)
    image = decode_path(path)
    whole = decoded_samples(image, image.info.bit_depth)
    tolerance = np.ptp(samples) * 2**-24 if samples.dtype.kind == "f" else 0
    assert np.abs(whole.astype(np.float64) - samples).max() <= tolerance


@pytest.mark.parametrize("setting", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("kind", ["grey, float32", "grey, uint32", "RGB and infrared, 8 bits"])
def test_other_formats_are_refused_before_any_work(tmp_path: Path, kind: str, setting: str) -> None:
    """Numbers are data: nothing is dropped, the message names the cure."""
    raster(tmp_path / "source", **KINDS[kind])
    with pytest.raises(ImageError, match="tiff") as caught:
        enlarge(tmp_path / "source", TINY, rules(setting))
    assert caught.value.reason == "output_without_samples"


def test_samples_beyond_the_colours_need_no_tag(tmp_path: Path) -> None:
    """SamplesPerPixel alone says that there are more than the colours."""
    raster(tmp_path / "source", numbers("u1", 5), photometric=RGB)
    enlarge(tmp_path / "source", IDENTITY, rules("same"))
    back, tags = read_back(tmp_path / "out")
    np.testing.assert_array_equal(back, numbers("u1", 5))
    assert tags[338] == (0, 0)


@pytest.mark.parametrize(
    ("kind", "nodata"),
    [("u1", "0"), ("u2", "65535"), ("i2", "-9999"), ("f4", "-9999"), ("f4", "nan")],
)
@pytest.mark.parametrize("bands", [1, 3])
def test_nodata_stays_void(tmp_path: Path, kind: str, nodata: str, bands: int) -> None:
    """Void comes out as it was, enlarged by nearest neighbour; nothing else becomes void."""
    samples = (numbers("u1", bands) // 4 + 20).astype(kind)
    samples[4:9, 6:12] = np.dtype(kind).type(float(nodata))
    raster(tmp_path / "source", samples, photometric=RGB if bands == 3 else GREY, nodata=nodata)
    enlarge(tmp_path / "source", TINY, rules("tiff"))
    back, tags = read_back(tmp_path / "out")
    assert tags[42113] == nodata
    is_void = np.isnan(back) if nodata == "nan" else back == np.dtype(kind).type(float(nodata))
    expected = np.zeros(back.shape, bool)
    expected[8:18, 12:24] = True
    np.testing.assert_array_equal(is_void, expected)
    if kind != "u1":  # 8 bits are clipped at 0 and 255
        assert back[~expected].min() >= 20
        assert back[~expected].max() <= 83


def test_nan_of_one_band_is_void_there_only(tmp_path: Path) -> None:
    """Each band has its own void; infinity has become NaN."""
    samples = numbers("f4", 3)
    samples[2, 3, 1], samples[5, 5, 1] = np.nan, np.inf
    raster(tmp_path / "source", samples, extra=(0, 0))
    enlarge(tmp_path / "source", TINY, rules("tiff"))
    back, _ = read_back(tmp_path / "out")
    assert np.isnan(back).sum(axis=(0, 1)).tolist() == [0, 8, 0]
    assert np.isnan(back[4:6, 6:8, 1]).all()


def test_other_formats_name_nodata_in_the_note(tmp_path: Path) -> None:
    """The value is written, the tag has no place."""
    samples = numbers("u1", 1) // 4 + 20
    samples[4:9, 6:12] = 255
    raster(tmp_path / "source", samples, nodata="255")
    done = enlarge(tmp_path / "source", TINY, rules("png"))
    assert "nodata 255" in str(done.report.note)
    back = np.asarray(Image.open(tmp_path / "out"))
    assert (back[8:18, 12:24] == 255).all()
    assert (back == 255).sum() == 120


def test_content_of_few_bits_is_enlarged_as_if_it_had_all(tmp_path: Path) -> None:
    """The same levels at any height in 16 bits are the same picture to the algorithm."""
    levels = numbers("u1", 1).astype(np.uint16)
    levels[:2, 0, 0] = 0, 255
    results = []
    for factor, pedestal in ((1, 0), (16, 1000), (256, 0), (257, 0)):
        raster(tmp_path / "source", levels * np.uint16(factor) + np.uint16(pedestal))
        enlarge(tmp_path / "source", TINY, rules("tiff"))
        back, _ = read_back(tmp_path / "out")
        results.append((back.astype(np.float64) - pedestal) / factor)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[-1], atol=0.51)
    np.testing.assert_allclose(results[0], results[-1], atol=0.51)


def test_a_hot_pixel_survives(tmp_path: Path) -> None:
    """Nothing is clipped: the pixel is as hot as it was, and the rest is as without it."""
    samples = (numbers("u1", 1).astype(np.uint16) * 4).repeat(4, axis=0).repeat(4, axis=1)
    raster(tmp_path / "source", samples)
    enlarge(tmp_path / "source", TINY, rules("tiff"))
    without, _ = read_back(tmp_path / "out")
    samples[30, 40] = 60_000
    raster(tmp_path / "source", samples)
    enlarge(tmp_path / "source", IDENTITY, rules("tiff"))
    back, _ = read_back(tmp_path / "out")
    np.testing.assert_array_equal(back, samples)
    enlarge(tmp_path / "source", TINY, rules("tiff"))
    hot, _ = read_back(tmp_path / "out")
    assert hot.max() > 40_000  # without back-projections bicubic spreads it
    np.testing.assert_allclose(hot[:40].astype(int), without[:40], atol=4)  # of 1020


def test_unknown_compression_is_no_damage(tmp_path: Path) -> None:
    """A sound file of a kind that is not read is not called corrupt."""
    picture = Image.fromarray(numbers("u2", 1)[..., 0])
    picture.save(tmp_path / "source", "TIFF", compression="zstd")
    with pytest.raises(ImageError, match="compressed") as caught:
        inspect_path(tmp_path / "source")
    assert caught.value.reason == "unsupported_format"


def test_one_bit_becomes_grey_and_it_is_told(tmp_path: Path) -> None:
    """Text and line art have no grey; their output does, and the log says so."""
    Image.effect_noise((20, 15), 80).convert("1").save(tmp_path / "source", "TIFF")
    note = inspect_path(tmp_path / "source").note
    assert note == "1 bit a pixel becomes 8-bit grey"
