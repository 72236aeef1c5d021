"""Void: nodata and NaN come out where they were, and nowhere else."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zssr_daemon.imaging.samples.content import Content
from zssr_daemon.imaging.samples.void import Void, parse_nodata


def put(void: Void, samples: NDArray[Any], scale: float, *, corner: bool = False) -> None:
    """Write the void into an output."""
    void.put(samples, (scale, scale), nodata=void.nodata, is_about_corner=corner)


@pytest.mark.parametrize(
    ("text", "value"),
    [("-9999", -9999), (" 0 \0", 0), ("-3.4028234663852886e+38", -3.4028234663852886e38)],
)
def test_numbers_as_gdal_writes_them(text: str, value: float) -> None:
    """An ASCII number, sometimes with blanks and a zero byte."""
    assert parse_nodata(text) == value


def test_what_is_no_number_names_no_void() -> None:
    """Damaged tags never fail an image."""
    assert parse_nodata("none") is None
    assert np.isnan(parse_nodata("nan") or 0)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("u1", 0), ("u1", 255), ("u2", 65535), ("i2", -9999), ("f4", -3.4028234663852886e38)],
)
def test_void_comes_out_where_it_was(dtype: str, nodata: float) -> None:
    """By nearest neighbour; a valid sample that equals nodata is moved by one level."""
    source = np.full((3, 4, 1), 7, dtype)
    source[1, 2] = nodata
    void = Void.of(source, nodata)
    assert void is not None
    output = np.full((6, 8, 1), 9, dtype)
    output[0, 0] = nodata
    put(void, output, 2)
    is_void = output == np.dtype(dtype).type(nodata)
    expected = np.zeros((6, 8, 1), bool)
    expected[2:4, 4:6] = True
    np.testing.assert_array_equal(is_void, expected)
    assert output[0, 0] != np.dtype(dtype).type(nodata)
    if dtype != "f4":
        assert abs(int(output[0, 0, 0]) - int(nodata)) == 1


def test_nan_and_nodata_stay_apart() -> None:
    """Infinity becomes NaN; each band has its own void."""
    source = np.ones((2, 2, 2), np.float32)
    source[0, 0, 0], source[0, 1, 0], source[1, 1, 1] = np.nan, np.inf, -1
    void = Void.of(source, -1.0)
    assert void is not None
    output = np.full((4, 4, 2), 5, np.float32)
    put(void, output, 2)
    assert np.isnan(output[:2, :, 0]).all()
    assert (output[2:, 2:, 1] == -1).all()
    assert (output == 5).sum() == 32 - 8 - 4


def test_every_scale_takes_the_nearest() -> None:
    """At 1.5, and where a source pixel lies on the first of its output pixels."""
    source = np.array([[[1], [0], [1]]], np.uint8)
    void = Void.of(source, 0)
    assert void is not None
    centred, corner = np.full((1, 4, 1), 9, np.uint8), np.full((1, 6, 1), 9, np.uint8)
    void.put(centred, (1.5, 1.0), nodata=0, is_about_corner=False)
    assert centred.ravel().tolist() == [9, 0, 0, 9]
    void.put(corner, (2.0, 1.0), nodata=0, is_about_corner=True)
    assert corner.ravel().tolist() == [9, 0, 0, 9, 9, 9]


@pytest.mark.parametrize("nodata", [-9999.0, 0.5, 1e9, float("nan")])
def test_a_number_that_the_type_cannot_hold_is_no_void(nodata: float) -> None:
    """Nothing is void then."""
    assert Void.of(np.zeros((2, 2, 1), np.uint16), nodata) is None


def test_void_takes_the_values_of_its_neighbours() -> None:
    """The fit sees no cliff, and the range is that of the content."""
    samples = np.full((9, 9, 1), 500, np.float32)
    samples[:, 5:] = 600
    samples[2:5, 2:8] = -9999
    content = Content.of(samples, nodata=-9999)
    assert (content.sample_range.low, content.sample_range.high) == (500, 600)
    assert content.pixels[3, 3, 0] < 0.5 < content.pixels[3, 7, 0]
    assert content.pixels.min() >= 0


def test_nothing_but_void() -> None:
    """A picture without any content is void all over."""
    content = Content.of(np.full((4, 5, 3), np.nan, np.float32))
    assert np.isfinite(content.pixels).all()
    assert content.void is not None
    output = np.zeros((8, 10, 3), np.float32)
    put(content.void, output, 2)
    assert np.isnan(output).all()
